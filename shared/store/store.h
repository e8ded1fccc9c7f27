/** A store: named tables of sorted keys, changed in transactions. Two implementations behind one table of functions: LMDB on disk,
 *  and memory for the simulation (a commit is a snapshot there).
 *
 *  Failures are sticky: what a transaction does after its first failure has no effect, and its commit fails with that story. So callers
 *  write everything and check once. One environment per process, one writer at a time, all on one thread. No transaction is held while
 *  waiting for anything. Keys are 1 to KD_KEY_MAX bytes, in the order of their bytes. */
#ifndef KD_STORE_STORE_H
#define KD_STORE_STORE_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

enum { KD_KEY_MAX = 480 /* bytes; LMDB allows 511 */, KD_STORE_TABLES_MAX = 32, KD_VALUE_MAX = 16 * 1024 * 1024 /* bytes */ };

struct kd_store;
struct kd_txn;

/** A key with its bytes. */
struct kd_key {
    char p[KD_KEY_MAX];
    size_t n;
};

static inline struct kd_str kd_key_str(const struct kd_key *key)
{
    return (struct kd_str){ key->p, key->n };
}

struct kd_store_ops {
    enum kd_code (*begin)(struct kd_store *store, bool write, struct kd_txn **ret, struct kd_err *err);
    enum kd_code (*commit)(struct kd_txn *txn, struct kd_err *err);
    void (*abort)(struct kd_txn *txn);
    bool (*get)(struct kd_txn *txn, int table, struct kd_str key, struct kd_str *ret);
    void (*put)(struct kd_txn *txn, int table, struct kd_str key, struct kd_str value);
    bool (*del)(struct kd_txn *txn, int table, struct kd_str key);
    bool (*seek)(struct kd_txn *txn, int table, struct kd_str from, bool after, struct kd_key *ret_key, struct kd_str *ret_value);
    void (*save)(struct kd_txn *txn);
    void (*restore)(struct kd_txn *txn, bool undo);
    bool (*failed)(const struct kd_txn *txn, struct kd_err *err);
    void (*close)(struct kd_store *store);
};

/** What every implementation starts with. */
struct kd_store {
    const struct kd_store_ops *ops;
};
struct kd_txn {
    const struct kd_store_ops *ops;
    uint64_t writes; /* puts and deletes so far */
};

/** Opens (and creates, mode 0600) an LMDB environment in a directory. `map_bytes` is its largest size; it costs only what is used.
 *  Another process may read it meanwhile (backup). KD_UNAVAILABLE where it cannot be opened. */
KD_MUST_CHECK enum kd_code kd_store_open(const char *directory, const char *const *tables, size_t table_count, uint64_t map_bytes,
                                         struct kd_store **ret, struct kd_err *err);

/** A store in memory. */
KD_MUST_CHECK enum kd_code kd_store_open_memory(size_t table_count, struct kd_store **ret, struct kd_err *err);

/** A copy of what a store in memory holds as of its last commit: a backup. NULL when out of memory. */
struct kd_store *kd_store_copy_memory(const struct kd_store *store);

/** Copies an LMDB environment into a new file, compacted, while it is in use. */
KD_MUST_CHECK enum kd_code kd_store_backup(const char *directory, const char *file, struct kd_err *err);

/** KD_INVALID where the directory's data.mdb is no LMDB environment, or was cut off: opening that would end in a SIGBUS. For backups: a
 *  store in use may be shorter than it says. */
KD_MUST_CHECK enum kd_code kd_store_check_backup(const char *directory, struct kd_err *err);

/** Takes NULL, returns NULL. No transaction may be open. */
struct kd_store *kd_store_close(struct kd_store *store);

static inline enum kd_code kd_txn_begin(struct kd_store *store, bool write, struct kd_txn **ret, struct kd_err *err)
{
    return store->ops->begin(store, write, ret, err);
}

/** Ends the transaction in any case. KD_OK: it is on disk. */
KD_MUST_CHECK static inline enum kd_code kd_txn_commit(struct kd_txn *txn, struct kd_err *err)
{
    return txn->ops->commit(txn, err);
}

static inline void kd_txn_abort(struct kd_txn *txn)
{
    txn->ops->abort(txn);
}

/** abort for KD_AUTO, where it was not taken (KD_TAKE) by a commit. */
static inline void kd_txn_abortp(struct kd_txn **txn)
{
    if (*txn)
        kd_txn_abort(*txn);
}

/** True if there is one; the value is borrowed until the next write of this transaction. */
static inline bool kd_txn_get(struct kd_txn *txn, int table, struct kd_str key, struct kd_str *ret)
{
    return txn->ops->get(txn, table, key, ret);
}

static inline bool kd_txn_has(struct kd_txn *txn, int table, struct kd_str key)
{
    struct kd_str ignored;
    return txn->ops->get(txn, table, key, &ignored);
}

/** The value may not be one that was borrowed from the same transaction. */
static inline void kd_txn_put(struct kd_txn *txn, int table, struct kd_str key, struct kd_str value)
{
    txn->writes++;
    txn->ops->put(txn, table, key, value);
}

/** True if there was one. */
static inline bool kd_txn_del(struct kd_txn *txn, int table, struct kd_str key)
{
    txn->writes++;
    return txn->ops->del(txn, table, key);
}

/** A point to come back to: kd_txn_restore(txn, true) undoes what was written since (and a failure), false keeps it. They do not nest. */
static inline void kd_txn_save(struct kd_txn *txn)
{
    txn->ops->save(txn);
}

static inline void kd_txn_restore(struct kd_txn *txn, bool undo)
{
    txn->ops->restore(txn, undo);
}

/** True after the first failure; tells it. */
static inline bool kd_txn_failed(const struct kd_txn *txn, struct kd_err *err)
{
    return txn->ops->failed(txn, err);
}

/** A walk over all keys that start with a prefix, in order. The table may be changed meanwhile, also the entry just visited. */
struct kd_scan {
    int table;
    size_t prefix; /* bytes of key that stay */
    bool started;
    struct kd_key key;
    struct kd_str value; /* borrowed until the next write */
};

struct kd_scan kd_scan_prefix(int table, struct kd_str prefix);

/** The same, but starting behind the key `after` (which has the prefix); "" starts at the beginning. */
struct kd_scan kd_scan_after(int table, struct kd_str prefix, struct kd_str after);

bool kd_scan_next(struct kd_txn *txn, struct kd_scan *scan);

/** What follows the prefix in the key that the scan is at. */
static inline struct kd_str kd_scan_rest(const struct kd_scan *scan)
{
    return (struct kd_str){ scan->key.p + scan->prefix, scan->key.n - scan->prefix };
}

#endif
