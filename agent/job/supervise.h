/** A job's work runs in a child process: whatever becomes of it (a crash, its deadline, its memory), its parent still answers, ends
 *  everything that was started, and removes the private directory. */
#ifndef AG_JOB_SUPERVISE_H
#define AG_JOB_SUPERVISE_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

struct ag_supervised {
    void (*work)(void *ctx, struct kd_buf *out); /* in the child; appends its answer, never fails */
    void *ctx;
    int64_t limit_us;    /* from now */
    int64_t data_bytes;  /* RLIMIT_DATA of the child, 0: none */
    size_t answer_bytes; /* at most */
};

/** What this process and all below it may never do: gain privileges, write core files, outlive its parent. */
void ag_confine(void);

/** Runs the work and appends its answer to *out. KD_TIMEOUT: the limit was reached, or the daemon asked for the end (SIGTERM);
 *  KD_INTERNAL: the child crashed or gave no whole answer. Afterwards nothing that it started runs. */
KD_MUST_CHECK enum kd_code ag_supervise(const struct ag_supervised *supervised, struct kd_buf *out, struct kd_err *err);

#endif
