/** Renderings that are kept, so that what was prepared once is applied, observed and repaired without registry and Helm, and with
 *  the same random values.
 *
 *  DIRECTORY/<key>.json: a line that says what follows and its digest, then a Kubernetes object per line as compact JSON. */
#ifndef AG_JOB_KEPT_H
#define AG_JOB_KEPT_H

#include "shared/base/arena.h"
#include "shared/base/err.h"
#include "shared/model/digest.h"

enum {
    AG_KEPT_MAX = 24 * 1024 * 1024, /* bytes of one rendering */
    AG_KEPT_COUNT_MAX = 4096,       /* renderings that are looked at */
    AG_KEPT_USED_S = 6 * 3600,
    AG_KEPT_MIN_AGE_S = 2 * 86400,
};

struct ag_kept {
    struct kd_digest chart, archive; /* the chart's pinned digest, and that of its archive in the content cache */
    struct kd_strs documents;
};

/** Keeps a rendering under its key (64 hex digits); on the disk when this returns. */
KD_MUST_CHECK enum kd_code ag_kept_write(const char *directory, struct kd_str key, const struct ag_kept *kept, struct kd_err *err);

/** Reads one; its texts lie in the arena. KD_NOT_FOUND: there is none, or it is damaged (and then removed). A file's time is that of
 *  its last use, to within AG_KEPT_USED_S. */
KD_MUST_CHECK enum kd_code ag_kept_read(const char *directory, struct kd_str key, struct kd_arena *arena, struct ag_kept *ret,
                                        struct kd_err *err);

/** Removes what was not used for longest until all of them together have at most limit_bytes. What was used within the last
 *  AG_KEPT_MIN_AGE_S stays: a request names some applications only, so that nobody here knows which are still wanted. Never fails. */
void ag_kept_trim(const char *directory, int64_t limit_bytes);

/** The digests that all kept renderings need, in the arena; less where it is full. */
void ag_kept_digests(const char *directory, struct kd_arena *arena, struct kd_digest **ret, size_t *ret_n);

#endif
