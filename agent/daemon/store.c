/** The agent's rows in LMDB, and those that wait for room on the disk. */
#include "agent/daemon/store.h"

#include "shared/base/own.h"
#include "shared/os/file.h"
#include "shared/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>

enum { AG_MAP_BYTES = 1 << 30 /* the store's largest size; it costs only what is used */ };

static const char *const ag_tables[AG_TABLE_COUNT] = {
    [AG_TABLE_AGENT] = "agent",       [AG_TABLE_MANIFEST] = "manifest", [AG_TABLE_UNIT] = "unit",
    [AG_TABLE_DOCUMENT] = "document", [AG_TABLE_BLOB] = "blob",
};

/** A row that is not on disk yet. */
struct ag_waiting {
    struct ag_waiting *next;
    struct ag_row row; /* key and value lie behind the struct */
};

struct ag_store {
    struct kd_store *kept;
    int lock;
    struct ag_waiting *waiting; /* newest first; one for each row */
};

/* ---- opening ---- */

static enum kd_code ag_store_lock(const char *directory, int *ret, struct kd_err *err)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/lock", directory) >= (int)sizeof path)
        return kd_fail(err, KD_INVALID, 0, "the path '%s' is too long", directory);
    KD_AUTO(kd_closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return kd_fail(err, KD_UNAVAILABLE, errno, "open '%s': %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return kd_fail(err, KD_UNAVAILABLE, errno, "another kedge-agent uses '%s'", directory);
    *ret = KD_TAKE(fd, -1);
    return KD_OK;
}

enum kd_code ag_store_open(const char *directory, struct ag_store **ret, struct kd_err *err)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/store", directory) >= (int)sizeof path)
        return kd_fail(err, KD_INVALID, 0, "the path '%s' is too long", directory);
    enum kd_code code = kd_dir_make(path, err);
    struct ag_store *store = code == KD_OK ? calloc(1, sizeof *store) : NULL;
    if (!store)
        return code != KD_OK ? code : kd_fail(err, KD_INTERNAL, 0, "out of memory");
    store->lock = -1;
    code = ag_store_lock(directory, &store->lock, err);
    if (code == KD_OK)
        code = kd_store_open(path, ag_tables, AG_TABLE_COUNT, AG_MAP_BYTES, &store->kept, err);
    if (code == KD_OK)
        *ret = store;
    else
        (void)ag_store_close(store);
    return code;
}

static void ag_waiting_clear(struct ag_store *store)
{
    while (store->waiting) {
        struct ag_waiting *next = store->waiting->next;
        free(store->waiting);
        store->waiting = next;
    }
}

struct ag_store *ag_store_close(struct ag_store *store)
{
    if (!store)
        return NULL;
    ag_waiting_clear(store);
    (void)kd_store_close(store->kept);
    kd_closep(&store->lock);
    free(store);
    return NULL;
}

/* ---- reading ---- */

static size_t ag_table_load(struct kd_txn *txn, enum ag_table table, struct ag_core *core, struct kd_err *err)
{
    struct kd_scan scan = kd_scan_prefix((int)table, KD_STR(""));
    size_t damaged = 0;
    while (kd_scan_next(txn, &scan)) {
        struct kd_err why;
        if (ag_core_load(core, table, kd_key_str(&scan.key), scan.value, &why) != KD_OK && damaged++ == 0 && err)
            *err = why;
    }
    return damaged;
}

enum kd_code ag_store_load(struct ag_store *store, struct ag_core *core, size_t *ret_damaged, struct kd_err *err)
{
    KD_AUTO(kd_txn_abortp) struct kd_txn *txn = NULL;
    enum kd_code code = kd_txn_begin(store->kept, false, &txn, err);
    if (code != KD_OK)
        return code;
    *ret_damaged = 0;
    for (int table = 0; table < AG_TABLE_COUNT; table++)
        *ret_damaged += ag_table_load(txn, (enum ag_table)table, core, *ret_damaged ? NULL : err);
    return KD_OK;
}

static struct ag_waiting *ag_waiting_of(const struct ag_store *store, enum ag_table table, struct kd_str key)
{
    struct ag_waiting *one = store->waiting;
    while (one && (one->row.table != table || !kd_str_eq(one->row.key, key)))
        one = one->next;
    return one;
}

bool ag_store_is_behind(const struct ag_store *store)
{
    return store->waiting != NULL;
}

bool ag_store_waits(const struct ag_store *store, enum ag_table table, struct kd_str key)
{
    return ag_waiting_of(store, table, key) != NULL;
}

enum kd_code ag_store_read(struct ag_store *store, enum ag_table table, struct kd_str key, struct kd_buf *out, struct kd_err *err)
{
    const struct ag_waiting *waiting = ag_waiting_of(store, table, key);
    KD_AUTO(kd_txn_abortp) struct kd_txn *txn = NULL;
    struct kd_str value = waiting ? waiting->row.value : (struct kd_str){ NULL, 0 };
    enum kd_code code = waiting ? KD_OK : kd_txn_begin(store->kept, false, &txn, err);
    if (code != KD_OK)
        return code;
    if (!waiting && !kd_txn_get(txn, (int)table, key, &value))
        return kd_fail(err, KD_NOT_FOUND, 0, "there is no %s %.*s in the store", ag_tables[table], KD_ARG(key));
    kd_buf_add(out, value);
    return out->overflow ? kd_fail(err, KD_TOO_LARGE, 0, "%s %.*s is too large", ag_tables[table], KD_ARG(key)) : KD_OK;
}

/* ---- writing ---- */

static void ag_row_write(struct kd_txn *txn, const struct ag_row *row)
{
    if (row->value.p)
        kd_txn_put(txn, (int)row->table, row->key, row->value);
    else
        (void)kd_txn_del(txn, (int)row->table, row->key);
}

/** Where even memory is out, the row is as lost as it would be by a crash: the protocol brings it again. */
static void ag_row_wait(struct ag_store *store, const struct ag_row *row)
{
    struct ag_waiting **at = &store->waiting;
    while (*at && ((*at)->row.table != row->table || !kd_str_eq((*at)->row.key, row->key)))
        at = &(*at)->next;
    if (*at) {
        struct ag_waiting *old = *at;
        *at = old->next;
        free(old);
    }
    struct ag_waiting *one = malloc(sizeof *one + row->key.n + row->value.n);
    if (!one)
        return;
    char *text = (char *)(one + 1);
    *one = (struct ag_waiting){ store->waiting, *row };
    memcpy(text, row->key.p, row->key.n);
    one->row.key.p = text;
    if (row->value.p) {
        memcpy(text + row->key.n, row->value.p, row->value.n);
        one->row.value.p = text + row->key.n;
    }
    store->waiting = one;
}

static enum kd_code ag_rows_write(struct ag_store *store, const struct ag_row *rows, size_t n, struct kd_err *err)
{
    struct kd_txn *txn = NULL;
    enum kd_code code = kd_txn_begin(store->kept, true, &txn, err);
    if (code != KD_OK)
        return code;
    for (const struct ag_waiting *one = store->waiting; one; one = one->next)
        ag_row_write(txn, &one->row);
    for (size_t i = 0; i < n; i++)
        ag_row_write(txn, &rows[i]);
    return kd_txn_commit(txn, err);
}

enum kd_code ag_store_commit(struct ag_store *store, const struct ag_row *rows, size_t n, struct kd_err *err)
{
    if (n == 0 && !store->waiting)
        return KD_OK;
    enum kd_code code = ag_rows_write(store, rows, n, err);
    if (code == KD_OK)
        ag_waiting_clear(store);
    for (size_t i = 0; code != KD_OK && i < n; i++)
        ag_row_wait(store, &rows[i]);
    return code;
}
