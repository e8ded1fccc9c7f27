/** The store on disk: LMDB 0.9. Never MDB_WRITEMAP: a full disk would be a SIGBUS. */
#include "shared/store/store.h"

#include "shared/base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <sys/stat.h>

struct kd_lmdb {
    struct kd_store base;
    MDB_env *env;
    size_t table_count;
    MDB_dbi tables[KD_STORE_TABLES_MAX];
};

struct kd_lmdb_txn {
    struct kd_txn base;
    struct kd_lmdb *store;
    MDB_txn *txn;
    MDB_txn *outer; /* while a save point is open, txn is its child */
    int failure, saved_failure;
};

/** The class of an LMDB error: a full disk or map may pass, a broken file does not. */
static enum kd_code kd_lmdb_fail(int rc, const char *what, struct kd_err *err)
{
    enum kd_code code = rc == MDB_NOTFOUND ? KD_NOT_FOUND : rc == MDB_BAD_VALSIZE ? KD_TOO_LARGE : KD_UNAVAILABLE;
    return kd_fail(err, code, 0, "%s: %s", what, mdb_strerror(rc));
}

static enum kd_code kd_lmdb_begin(struct kd_store *base, bool write, struct kd_txn **ret, struct kd_err *err)
{
    struct kd_lmdb *store = (struct kd_lmdb *)base;
    KD_AUTO(kd_freep) struct kd_lmdb_txn *txn = calloc(1, sizeof *txn);
    if (!txn)
        return kd_fail(err, KD_INTERNAL, 0, "out of memory");
    int rc = mdb_txn_begin(store->env, NULL, write ? 0 : MDB_RDONLY, &txn->txn);
    if (rc)
        return kd_lmdb_fail(rc, "begin a transaction", err);
    txn->base.ops = base->ops;
    txn->store = store;
    *ret = &KD_TAKE(txn, NULL)->base;
    return KD_OK;
}

static void kd_lmdb_abort(struct kd_txn *base)
{
    struct kd_lmdb_txn *txn = (struct kd_lmdb_txn *)base;
    if (txn->outer) /* aborting the parent frees the child */
        mdb_txn_abort(txn->outer);
    else
        mdb_txn_abort(txn->txn);
    free(txn);
}

static enum kd_code kd_lmdb_commit(struct kd_txn *base, struct kd_err *err)
{
    struct kd_lmdb_txn *txn = (struct kd_lmdb_txn *)base;
    int rc = txn->failure;
    if (rc) {
        kd_lmdb_abort(base);
    } else {
        rc = mdb_txn_commit(txn->txn);
        free(txn);
    }
    return rc ? kd_lmdb_fail(rc, "commit", err) : KD_OK;
}

static bool kd_lmdb_done(struct kd_lmdb_txn *txn, int rc)
{
    if (rc && rc != MDB_NOTFOUND && !txn->failure)
        txn->failure = rc;
    return rc == 0;
}

static MDB_val kd_lmdb_val(struct kd_str s)
{
    return (MDB_val){ s.n, (void *)(uintptr_t)s.p };
}

static bool kd_lmdb_get(struct kd_txn *base, int table, struct kd_str key, struct kd_str *ret)
{
    struct kd_lmdb_txn *txn = (struct kd_lmdb_txn *)base;
    MDB_val k = kd_lmdb_val(key), v = { 0, NULL };
    if (txn->failure || key.n == 0 || key.n > KD_KEY_MAX ||
        !kd_lmdb_done(txn, mdb_get(txn->txn, txn->store->tables[table], &k, &v)))
        return false;
    *ret = (struct kd_str){ v.mv_data, v.mv_size };
    return true;
}

static void kd_lmdb_put(struct kd_txn *base, int table, struct kd_str key, struct kd_str value)
{
    struct kd_lmdb_txn *txn = (struct kd_lmdb_txn *)base;
    MDB_val k = kd_lmdb_val(key), v = kd_lmdb_val(value);
    if (!txn->failure)
        (void)kd_lmdb_done(txn, key.n == 0 || key.n > KD_KEY_MAX || value.n > KD_VALUE_MAX
                                    ? MDB_BAD_VALSIZE
                                    : mdb_put(txn->txn, txn->store->tables[table], &k, &v, 0));
}

static bool kd_lmdb_del(struct kd_txn *base, int table, struct kd_str key)
{
    struct kd_lmdb_txn *txn = (struct kd_lmdb_txn *)base;
    MDB_val k = kd_lmdb_val(key);
    return !txn->failure && key.n && kd_lmdb_done(txn, mdb_del(txn->txn, txn->store->tables[table], &k, NULL));
}

static bool kd_lmdb_seek(struct kd_txn *base, int table, struct kd_str from, bool after, struct kd_key *ret_key,
                         struct kd_str *ret_value)
{
    struct kd_lmdb_txn *txn = (struct kd_lmdb_txn *)base;
    MDB_val k = kd_lmdb_val(from), v = { 0, NULL };
    MDB_cursor *cursor = NULL;
    if (txn->failure || !kd_lmdb_done(txn, mdb_cursor_open(txn->txn, txn->store->tables[table], &cursor)))
        return false;
    int rc = mdb_cursor_get(cursor, &k, &v, from.n ? MDB_SET_RANGE : MDB_FIRST);
    if (rc == 0 && after && k.mv_size == from.n && memcmp(k.mv_data, from.p, from.n) == 0)
        rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
    mdb_cursor_close(cursor);
    if (!kd_lmdb_done(txn, rc) || k.mv_size > KD_KEY_MAX)
        return false;
    memcpy(ret_key->p, k.mv_data, k.mv_size);
    ret_key->n = k.mv_size;
    *ret_value = (struct kd_str){ v.mv_data, v.mv_size };
    return true;
}

static void kd_lmdb_save(struct kd_txn *base)
{
    struct kd_lmdb_txn *txn = (struct kd_lmdb_txn *)base;
    MDB_txn *child = NULL;
    txn->saved_failure = txn->failure;
    if (!txn->failure && kd_lmdb_done(txn, mdb_txn_begin(txn->store->env, txn->txn, 0, &child))) {
        txn->outer = txn->txn;
        txn->txn = child;
    }
}

static void kd_lmdb_restore(struct kd_txn *base, bool undo)
{
    struct kd_lmdb_txn *txn = (struct kd_lmdb_txn *)base;
    if (!txn->outer)
        return;
    MDB_txn *child = KD_TAKE(txn->txn, txn->outer);
    txn->outer = NULL;
    if (undo) {
        mdb_txn_abort(child);
        txn->failure = txn->saved_failure;
    } else {
        (void)kd_lmdb_done(txn, mdb_txn_commit(child));
    }
}

static bool kd_lmdb_failed(const struct kd_txn *base, struct kd_err *err)
{
    const struct kd_lmdb_txn *txn = (const struct kd_lmdb_txn *)base;
    if (txn->failure)
        (void)kd_lmdb_fail(txn->failure, "store", err);
    return txn->failure != 0;
}

static void kd_lmdb_close(struct kd_store *base)
{
    struct kd_lmdb *store = (struct kd_lmdb *)base;
    mdb_env_close(store->env);
    free(store);
}

static const struct kd_store_ops kd_lmdb_ops = {
    .begin = kd_lmdb_begin,
    .commit = kd_lmdb_commit,
    .abort = kd_lmdb_abort,
    .get = kd_lmdb_get,
    .put = kd_lmdb_put,
    .del = kd_lmdb_del,
    .seek = kd_lmdb_seek,
    .save = kd_lmdb_save,
    .restore = kd_lmdb_restore,
    .failed = kd_lmdb_failed,
    .close = kd_lmdb_close,
};

static int kd_lmdb_open_tables(struct kd_lmdb *store, const char *const *tables)
{
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(store->env, NULL, 0, &txn);
    for (size_t i = 0; i < store->table_count && rc == 0; i++)
        rc = mdb_dbi_open(txn, tables[i], MDB_CREATE, &store->tables[i]);
    if (rc == 0)
        return mdb_txn_commit(txn);
    if (txn)
        mdb_txn_abort(txn);
    return rc;
}

static int kd_lmdb_open_env(const char *directory, uint64_t map_bytes, unsigned flags, MDB_env **ret)
{
    MDB_env *env = NULL;
    int rc = mdb_env_create(&env);
    rc = rc ? rc : mdb_env_set_maxdbs(env, KD_STORE_TABLES_MAX);
    rc = rc ? rc : mdb_env_set_mapsize(env, map_bytes);
    rc = rc ? rc : mdb_env_open(env, directory, flags, 0600);
    if (rc)
        mdb_env_close(env);
    else
        *ret = env;
    return rc;
}

enum kd_code kd_store_open(const char *directory, const char *const *tables, size_t table_count, uint64_t map_bytes,
                           struct kd_store **ret, struct kd_err *err)
{
    if (mkdir(directory, 0700) != 0 && errno != EEXIST)
        return kd_fail(err, KD_UNAVAILABLE, errno, "create the store's directory '%s'", directory);
    KD_AUTO(kd_freep) struct kd_lmdb *store = calloc(1, sizeof *store);
    if (!store || table_count > KD_STORE_TABLES_MAX)
        return kd_fail(err, KD_INTERNAL, 0, "out of memory");
    int rc = kd_lmdb_open_env(directory, map_bytes, MDB_NORDAHEAD, &store->env);
    if (rc)
        return kd_fail(err, KD_UNAVAILABLE, 0, "open the store in '%s': %s", directory, mdb_strerror(rc));
    store->base.ops = &kd_lmdb_ops;
    store->table_count = table_count;
    rc = kd_lmdb_open_tables(store, tables);
    if (rc) {
        mdb_env_close(store->env);
        return kd_fail(err, KD_UNAVAILABLE, 0, "open the store in '%s': %s", directory, mdb_strerror(rc));
    }
    *ret = &KD_TAKE(store, NULL)->base;
    return KD_OK;
}

struct kd_store *kd_store_close(struct kd_store *store)
{
    if (store)
        store->ops->close(store);
    return NULL;
}

/** Bytes that the environment says it has, and those of its file. */
static int kd_lmdb_bytes(MDB_env *env, uint64_t *ret_said, uint64_t *ret_file)
{
    MDB_envinfo info;
    MDB_stat pages;
    struct stat file;
    int fd = -1, rc = mdb_env_get_fd(env, &fd);
    rc = rc ? rc : mdb_env_info(env, &info);
    rc = rc ? rc : mdb_env_stat(env, &pages);
    if (rc == 0 && fstat(fd, &file) != 0)
        rc = errno;
    if (rc)
        return rc;
    *ret_said = ((uint64_t)info.me_last_pgno + 1) * pages.ms_psize;
    *ret_file = (uint64_t)file.st_size;
    return 0;
}

enum kd_code kd_store_check_backup(const char *directory, struct kd_err *err)
{
    MDB_env *env = NULL;
    uint64_t said = 0, there = 0;
    int rc = kd_lmdb_open_env(directory, 0, MDB_RDONLY, &env);
    if (rc == 0) {
        rc = kd_lmdb_bytes(env, &said, &there);
        mdb_env_close(env);
    }
    if (rc)
        return kd_fail(err, KD_INVALID, 0, "it cannot be read: %s", mdb_strerror(rc));
    if (there < said)
        return kd_fail(err, KD_INVALID, 0, "it was cut off: it has %llu bytes of %llu", (unsigned long long)there,
                       (unsigned long long)said);
    return KD_OK;
}

enum kd_code kd_store_backup(const char *directory, const char *file, struct kd_err *err)
{
    MDB_env *env = NULL;
    int rc = kd_lmdb_open_env(directory, 0, MDB_RDONLY, &env);
    if (rc)
        return kd_fail(err, KD_UNAVAILABLE, 0, "open the store in '%s': %s", directory, mdb_strerror(rc));
    KD_AUTO(kd_closep) int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        int why = errno;
        mdb_env_close(env);
        return kd_fail(err, KD_INVALID, why, "create '%s'", file);
    }
    rc = mdb_env_copyfd2(env, fd, MDB_CP_COMPACT);
    mdb_env_close(env);
    if (rc == 0 && fsync(fd) != 0)
        rc = errno;
    if (rc) {
        (void)unlink(file);
        return kd_fail(err, KD_UNAVAILABLE, 0, "write '%s': %s", file, mdb_strerror(rc));
    }
    return KD_OK;
}
