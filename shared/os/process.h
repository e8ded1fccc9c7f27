/** Child processes: one at a time, bounded in time, memory and output, and nothing that they started survives them. */
#ifndef KD_OS_PROCESS_H
#define KD_OS_PROCESS_H

#include "shared/base/buf.h"
#include "shared/base/err.h"
#include "shared/base/time.h"

#include <sys/types.h>

struct kd_process {
    const char *const *argv; /* ends with NULL; without a slash argv[0] is looked for along PATH. Never put secrets here */
    const char *const *env;  /* ends with NULL; NULL: that of this process */
    const char *cwd;         /* NULL: that of this process */
    struct kd_str input;     /* what it reads from standard input; then the end */
    struct kd_buf *out;      /* standard output is appended; more than it may hold ends the child. NULL: thrown away */
    struct kd_buf *errors;   /* the last bytes of standard error, as many as it may hold. NULL: a tail of its own for the story */
    int64_t limit_us;        /* from the start; must be > 0 */
    uint64_t data_bytes;     /* RLIMIT_DATA, 0: none (never RLIMIT_AS: programs written in Go reserve far more than they use) */
    uint64_t file_bytes;     /* RLIMIT_FSIZE, 0: none */
};

/** How a child ended: `code` 0 to 255, or the signal. */
struct kd_process_end {
    int code, signal;
};

/** Runs a child in its own process group and waits for its end. It gets no descriptor but 0, 1 and 2, no new privileges, no core
 *  file, default signals, and dies with the thread that started it. When it has ended, or its time or output was used up, its
 *  whole group is killed; in a process that called kd_process_adopt all other children of this process are, too.
 *  KD_OK: ended with 0. KD_NOT_FOUND: no such program. KD_TIMEOUT. KD_TOO_LARGE: too much output. KD_INTERNAL: ended otherwise;
 *  the story has the last line of its standard error. *ret_end (may be NULL) is written whenever the child ran. */
KD_MUST_CHECK enum kd_code kd_process_run(const struct kd_process *process, struct kd_process_end *ret_end, struct kd_err *err);

/** Makes this process the parent of every orphan below it (PR_SET_CHILD_SUBREAPER), so that it can find and end them. */
void kd_process_adopt(void);

/** Kills and reaps all children of this process but those in `keep`, and what becomes its child by that. For processes that called
 *  kd_process_adopt. Returns how many there were. */
int kd_process_end_strays(const pid_t *keep, size_t n);

/** The path of a program: as it is if it has a slash, else the first executable one along PATH. False if there is none. */
bool kd_process_find(const char *name, char *ret, size_t cap);

#endif
