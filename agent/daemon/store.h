/** What the agent keeps, in LMDB: a table per kind of row (agent/core/core.h).
 *
 *  Where the disk is full nothing is lost while the agent runs: rows that could not be written wait in memory, and are tried again
 *  with the next ones. What would act on such a row waits (ag_store_waits). */
#ifndef AG_DAEMON_STORE_H
#define AG_DAEMON_STORE_H

#include "agent/core/core.h"

struct ag_store;

/** Opens DIRECTORY/store and holds DIRECTORY/lock, so that two agents never share one. KD_UNAVAILABLE names the reason. */
KD_MUST_CHECK enum kd_code ag_store_open(const char *directory, struct ag_store **ret, struct kd_err *err);

/** Takes NULL, returns NULL. */
struct ag_store *ag_store_close(struct ag_store *store);

/** Gives every row to the core; those that it cannot read are counted in *ret_damaged and the first story is in *err. */
KD_MUST_CHECK enum kd_code ag_store_load(struct ag_store *store, struct ag_core *core, size_t *ret_damaged, struct kd_err *err);

/** Writes rows in one transaction, with those that still wait. With n 0: only these. KD_OK: everything is on disk. */
KD_MUST_CHECK enum kd_code ag_store_commit(struct ag_store *store, const struct ag_row *rows, size_t n, struct kd_err *err);

/** True while rows wait for the disk. */
bool ag_store_is_behind(const struct ag_store *store);

/** True while this row does. */
bool ag_store_waits(const struct ag_store *store, enum ag_table table, struct kd_str key);

/** Appends the bytes of a row. KD_NOT_FOUND: there is none. */
KD_MUST_CHECK enum kd_code ag_store_read(struct ag_store *store, enum ag_table table, struct kd_str key, struct kd_buf *out,
                                         struct kd_err *err);

#endif
