/** Content on disk, named by its digest. Several processes may use one directory at the same time; a crash at any point leaves
 *  nothing that is wrong: a file gets its name only when its bytes are on the disk and have that digest.
 *
 *  DIRECTORY/<hex> is content, DIRECTORY/<hex>.part what has arrived of it so far (locked by who is fetching). */
#ifndef KD_REGISTRY_CACHE_H
#define KD_REGISTRY_CACHE_H

#include "shared/base/err.h"
#include "shared/model/digest.h"

#include <limits.h>

enum { KD_CACHE_DIRECTORY_MAX = PATH_MAX - 96 /* bytes: a digest fits behind it */ };

struct kd_cache {
    char directory[KD_CACHE_DIRECTORY_MAX];
    int64_t limit_bytes; /* what kd_cache_trim leaves at most, but for what is in use */
};

/** Content that is held: it is not dropped before kd_cache_entry_close. Start from KD_CACHE_ENTRY. */
struct kd_cache_entry {
    int fd; /* owned, -1: none; open for reading, with a shared lock */
    char path[PATH_MAX];
    uint64_t size;           /* bytes */
    struct kd_digest digest; /* of its bytes */
};
#define KD_CACHE_ENTRY                                                                                                             \
    {                                                                                                                              \
        .fd = -1                                                                                                                   \
    }

/** Content that is on its way; private to cache.c. */
struct kd_cache_part;

/** Makes the directory if needed. */
KD_MUST_CHECK enum kd_code kd_cache_open(const char *directory, int64_t limit_bytes, struct kd_cache *ret, struct kd_err *err);

/** Finds content, checks its bytes against its name (what is wrong is removed) and marks it as just used. KD_NOT_FOUND: not there. */
KD_MUST_CHECK enum kd_code kd_cache_find(const struct kd_cache *cache, const struct kd_digest *digest, struct kd_cache_entry *ret,
                                         struct kd_err *err);

/** Lets go of it. For KD_AUTO. */
void kd_cache_entry_close(struct kd_cache_entry *entry);

/** Begins or continues to fetch content of at most max bytes; waits while another process does. KD_EXISTS: meanwhile it is there (find it). */
KD_MUST_CHECK enum kd_code kd_cache_begin(const struct kd_cache *cache, const struct kd_digest *digest, uint64_t max,
                                          struct kd_cache_part **ret, struct kd_err *err);

/** How many bytes are there already. */
uint64_t kd_cache_have(const struct kd_cache_part *part);

/** Appends. KD_TOO_LARGE: more than max; KD_UNAVAILABLE: the disk is full or failing. */
KD_MUST_CHECK enum kd_code kd_cache_add(struct kd_cache_part *part, struct kd_str bytes, struct kd_err *err);

/** Forgets what is there, to begin again at byte 0. */
KD_MUST_CHECK enum kd_code kd_cache_restart(struct kd_cache_part *part, struct kd_err *err);

/** Checks the digest and gives the content its name. KD_INVALID: it is wrong; what was there is
 *  forgotten. The part can only be closed then. */
KD_MUST_CHECK enum kd_code kd_cache_commit(struct kd_cache_part *part, struct kd_err *err);

/** Ends with or without a commit; without one the bytes stay for the next time. Takes NULL, returns NULL. */
struct kd_cache_part *kd_cache_part_close(struct kd_cache_part *part);
void kd_cache_part_closep(struct kd_cache_part **part);

/** Keeps bytes that are in memory. */
KD_MUST_CHECK enum kd_code kd_cache_put(const struct kd_cache *cache, const struct kd_digest *digest, struct kd_str bytes,
                                        struct kd_err *err);

/** Removes what was not used for longest until the limit holds; what is held by any process or named in `in_use` stays. Never
 *  fails: what cannot be removed now is removed next time. Returns the bytes that are left. */
int64_t kd_cache_trim(const struct kd_cache *cache, const struct kd_digest *in_use, size_t n);

#endif
