/** The store in memory: sorted arrays with a log of what to undo. A commit forgets the log, so it is a snapshot; a crash of the
 *  simulated process is an abort. */
#include "shared/store/store.h"

#include "shared/base/own.h"

struct kd_row {
    char *key, *value; /* owned */
    size_t key_n, value_n;
};

struct kd_rows {
    struct kd_row *v;
    size_t n, cap;
};

/** What a key had before: put it back in reverse order. */
struct kd_undo {
    int table;
    struct kd_row before; /* value NULL: there was none */
};

struct kd_memory {
    struct kd_store base;
    struct kd_txn txn; /* the only one */
    bool open, write, saved, failure;
    size_t save_at; /* length of the log at the save point */
    struct kd_undo *log;
    size_t log_n, log_cap;
    size_t table_count;
    struct kd_rows tables[];
};

static struct kd_memory *kd_memory_of(struct kd_txn *txn)
{
    return (struct kd_memory *)(void *)((char *)txn - offsetof(struct kd_memory, txn));
}

static struct kd_str kd_row_key(const struct kd_row *row)
{
    return (struct kd_str){ row->key, row->key_n };
}

/** The first row whose key is not before `key`. */
static size_t kd_rows_find(const struct kd_rows *rows, struct kd_str key)
{
    size_t low = 0, high = rows->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (kd_str_cmp(kd_row_key(&rows->v[middle]), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool kd_rows_has(const struct kd_rows *rows, size_t at, struct kd_str key)
{
    return at < rows->n && kd_str_eq(kd_row_key(&rows->v[at]), key);
}

static char *kd_copy(struct kd_str s)
{
    char *copy = malloc(s.n + 1);
    if (!copy)
        abort(); /* simulation only: memory is not one of the faults that it injects */
    if (s.n)
        memcpy(copy, s.p, s.n);
    copy[s.n] = '\0';
    return copy;
}

static void *kd_grow(void *array, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return array;
    *cap = *cap ? *cap * 2 : 16;
    void *grown = realloc(array, *cap * size);
    if (!grown)
        abort();
    return grown;
}

static void kd_log_before(struct kd_memory *m, int table, struct kd_row before)
{
    m->log = kd_grow(m->log, m->log_n, &m->log_cap, sizeof *m->log);
    m->log[m->log_n++] = (struct kd_undo){ table, before };
}

/** Sets a row without logging; value NULL removes it. Takes over row's memory. */
static void kd_rows_set(struct kd_rows *rows, struct kd_row row)
{
    size_t at = kd_rows_find(rows, kd_row_key(&row));
    bool has = kd_rows_has(rows, at, kd_row_key(&row));
    if (has) {
        free(rows->v[at].key);
        free(rows->v[at].value);
    }
    if (row.value && !has) {
        rows->v = kd_grow(rows->v, rows->n, &rows->cap, sizeof *rows->v);
        memmove(rows->v + at + 1, rows->v + at, (rows->n - at) * sizeof *rows->v);
        rows->n++;
    }
    if (row.value) {
        rows->v[at] = row;
        return;
    }
    free(row.key);
    if (has) {
        memmove(rows->v + at, rows->v + at + 1, (rows->n - at - 1) * sizeof *rows->v);
        rows->n--;
    }
}

static void kd_memory_undo(struct kd_memory *m, size_t to)
{
    while (m->log_n > to) {
        struct kd_undo *last = &m->log[--m->log_n];
        kd_rows_set(&m->tables[last->table], last->before);
    }
}

static void kd_memory_forget(struct kd_memory *m)
{
    for (size_t i = 0; i < m->log_n; i++) {
        free(m->log[i].before.key);
        free(m->log[i].before.value);
    }
    m->log_n = 0;
}

static enum kd_code kd_memory_begin(struct kd_store *store, bool write, struct kd_txn **ret, struct kd_err *err)
{
    struct kd_memory *m = (struct kd_memory *)store;
    if (m->open)
        return kd_fail(err, KD_INTERNAL, 0, "a transaction is open already");
    m->open = true;
    m->write = write;
    m->failure = m->saved = false;
    m->txn.writes = 0;
    *ret = &m->txn;
    return KD_OK;
}

static void kd_memory_abort(struct kd_txn *txn)
{
    struct kd_memory *m = kd_memory_of(txn);
    kd_memory_undo(m, 0);
    m->open = false;
}

static enum kd_code kd_memory_commit(struct kd_txn *txn, struct kd_err *err)
{
    struct kd_memory *m = kd_memory_of(txn);
    if (m->failure) {
        kd_memory_abort(txn);
        return kd_fail(err, KD_TOO_LARGE, 0, "a key or value is too long");
    }
    kd_memory_forget(m);
    m->open = false;
    return KD_OK;
}

static bool kd_memory_get(struct kd_txn *txn, int table, struct kd_str key, struct kd_str *ret)
{
    const struct kd_rows *rows = &kd_memory_of(txn)->tables[table];
    size_t at = kd_rows_find(rows, key);
    if (!kd_rows_has(rows, at, key))
        return false;
    *ret = (struct kd_str){ rows->v[at].value, rows->v[at].value_n };
    return true;
}

static void kd_memory_log(struct kd_memory *m, int table, struct kd_str key)
{
    const struct kd_rows *rows = &m->tables[table];
    size_t at = kd_rows_find(rows, key);
    struct kd_row before = { .key = kd_copy(key), .key_n = key.n };
    if (kd_rows_has(rows, at, key)) {
        before.value = kd_copy((struct kd_str){ rows->v[at].value, rows->v[at].value_n });
        before.value_n = rows->v[at].value_n;
    }
    kd_log_before(m, table, before);
}

static void kd_memory_put(struct kd_txn *txn, int table, struct kd_str key, struct kd_str value)
{
    struct kd_memory *m = kd_memory_of(txn);
    m->failure |= key.n == 0 || key.n > KD_KEY_MAX || value.n > KD_VALUE_MAX || !m->write;
    if (m->failure)
        return;
    struct kd_row row = { kd_copy(key), kd_copy(value), key.n, value.n };
    kd_memory_log(m, table, key);
    kd_rows_set(&m->tables[table], row);
}

static bool kd_memory_del(struct kd_txn *txn, int table, struct kd_str key)
{
    struct kd_memory *m = kd_memory_of(txn);
    const struct kd_rows *rows = &m->tables[table];
    if (m->failure || !kd_rows_has(rows, kd_rows_find(rows, key), key))
        return false;
    struct kd_row gone = { .key = kd_copy(key), .key_n = key.n };
    kd_memory_log(m, table, key);
    kd_rows_set(&m->tables[table], gone);
    return true;
}

static bool kd_memory_seek(struct kd_txn *txn, int table, struct kd_str from, bool after, struct kd_key *ret_key,
                           struct kd_str *ret_value)
{
    const struct kd_rows *rows = &kd_memory_of(txn)->tables[table];
    size_t at = kd_rows_find(rows, from);
    if (after && kd_rows_has(rows, at, from))
        at++;
    if (at >= rows->n)
        return false;
    const struct kd_row *row = &rows->v[at];
    memcpy(ret_key->p, row->key, row->key_n);
    ret_key->n = row->key_n;
    *ret_value = (struct kd_str){ row->value, row->value_n };
    return true;
}

static void kd_memory_save(struct kd_txn *txn)
{
    struct kd_memory *m = kd_memory_of(txn);
    m->save_at = m->log_n;
    m->saved = !m->failure;
}

static void kd_memory_restore(struct kd_txn *txn, bool undo)
{
    struct kd_memory *m = kd_memory_of(txn);
    if (m->saved && undo) {
        kd_memory_undo(m, m->save_at);
        m->failure = false;
    }
    m->saved = false;
}

static bool kd_memory_failed(const struct kd_txn *txn, struct kd_err *err)
{
    const struct kd_memory *m = (const struct kd_memory *)(const void *)((const char *)txn - offsetof(struct kd_memory, txn));
    if (m->failure)
        (void)kd_fail(err, KD_TOO_LARGE, 0, "a key or value is too long");
    return m->failure;
}

static void kd_memory_close(struct kd_store *store)
{
    struct kd_memory *m = (struct kd_memory *)store;
    kd_memory_undo(m, 0);
    for (size_t t = 0; t < m->table_count; t++) {
        for (size_t i = 0; i < m->tables[t].n; i++) {
            free(m->tables[t].v[i].key);
            free(m->tables[t].v[i].value);
        }
        free(m->tables[t].v);
    }
    free(m->log);
    free(m);
}

static const struct kd_store_ops kd_memory_ops = {
    .begin = kd_memory_begin,
    .commit = kd_memory_commit,
    .abort = kd_memory_abort,
    .get = kd_memory_get,
    .put = kd_memory_put,
    .del = kd_memory_del,
    .seek = kd_memory_seek,
    .save = kd_memory_save,
    .restore = kd_memory_restore,
    .failed = kd_memory_failed,
    .close = kd_memory_close,
};

enum kd_code kd_store_open_memory(size_t table_count, struct kd_store **ret, struct kd_err *err)
{
    struct kd_memory *m = calloc(1, sizeof *m + table_count * sizeof m->tables[0]);
    if (!m)
        return kd_fail(err, KD_INTERNAL, 0, "out of memory");
    m->base.ops = m->txn.ops = &kd_memory_ops;
    m->table_count = table_count;
    *ret = &m->base;
    return KD_OK;
}

struct kd_store *kd_store_copy_memory(const struct kd_store *store)
{
    const struct kd_memory *from = (const struct kd_memory *)store;
    struct kd_store *copy = NULL;
    if (kd_store_open_memory(from->table_count, &copy, NULL) != KD_OK)
        return NULL;
    struct kd_memory *to = (struct kd_memory *)copy;
    for (size_t t = 0; t < from->table_count; t++)
        for (size_t i = 0; i < from->tables[t].n; i++) {
            const struct kd_row *row = &from->tables[t].v[i];
            struct kd_row same = { kd_copy(kd_row_key(row)), kd_copy((struct kd_str){ row->value, row->value_n }), row->key_n,
                                   row->value_n };
            kd_rows_set(&to->tables[t], same);
        }
    return copy;
}
