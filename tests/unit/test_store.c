/** The store: LMDB and memory behave the same. One table of steps runs against both. */
#include "shared/base/own.h"
#include "shared/store/store.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAP_BYTES = 64 * 1024 * 1024, TABLES = 2 };
static const char *const tables[TABLES] = { "a", "b" };

/** A store and how to open it again; memory lives as long as the process. */
struct rig {
    const char *name;
    char directory[64];
    struct kd_store *store;
};

static void rig_open(struct rig *rig)
{
    struct kd_err err;
    if (rig->directory[0])
        assert_ok(kd_store_open(rig->directory, tables, TABLES, MAP_BYTES, &rig->store, &err), err);
    else
        assert_ok(kd_store_open_memory(TABLES, &rig->store, &err), err);
}

static void rig_close(struct rig *rig)
{
    char path[128];
    rig->store = kd_store_close(rig->store);
    static const char *const files[] = { "data.mdb", "lock.mdb" };
    for (size_t i = 0; i < KD_COUNT(files) && rig->directory[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", rig->directory, files[i]);
        assert_int_equal(unlink(path), 0);
    }
    if (rig->directory[0])
        assert_int_equal(rmdir(rig->directory), 0);
}

static void rigs_open(struct rig rigs[2])
{
    rigs[0] = (struct rig){ .name = "memory" };
    rigs[1] = (struct rig){ .name = "lmdb", .directory = "/tmp/kedge-store-XXXXXX" };
    assert_non_null(mkdtemp(rigs[1].directory));
    for (int i = 0; i < 2; i++)
        rig_open(&rigs[i]);
}

enum step { BEGIN, READ, PUT, DEL, HAS, SCAN, SCAN_AFTER, SAVE, UNDO, KEEP, COMMIT, ABORT, FAILED, COMMIT_FAILS };

/** A step, and what it must give: for HAS the value, for DEL "yes" or "no", for SCAN the keys joined by ' '. NULL: nothing. */
static const struct row {
    enum step step;
    int table;
    const char *key, *value;
} rows[] = {
    { BEGIN, 0, "", "" },
    { HAS, 0, "x", NULL },
    { SCAN, 0, "", "" },
    { PUT, 0, "b", "2" },
    { PUT, 0, "a", "1" },
    { PUT, 0, "c", "" },
    { PUT, 1, "a", "other" },
    { HAS, 0, "a", "1" },
    { HAS, 0, "c", "" },
    { SCAN, 0, "", "a b c" },
    { COMMIT, 0, "", "" },
    { READ, 0, "", "" },
    { HAS, 1, "a", "other" },
    { SCAN_AFTER, 0, "a", "b c" },
    { SCAN_AFTER, 0, "bb", "c" },
    { ABORT, 0, "", "" },
    { BEGIN, 0, "", "" }, /* an abort undoes puts, changes and deletes */
    { PUT, 0, "a", "changed" },
    { PUT, 0, "d", "new" },
    { DEL, 0, "b", "yes" },
    { DEL, 0, "b", "no" },
    { SCAN, 0, "", "a c d" },
    { ABORT, 0, "", "" },
    { BEGIN, 0, "", "" },
    { HAS, 0, "a", "1" },
    { HAS, 0, "d", NULL },
    { HAS, 0, "b", "2" },
    { PUT, 0, "e", "5" }, /* before the save point: stays */
    { SAVE, 0, "", "" },
    { PUT, 0, "e", "6" },
    { PUT, 0, "f", "7" },
    { DEL, 0, "a", "yes" },
    { HAS, 0, "e", "6" },
    { UNDO, 0, "", "" },
    { HAS, 0, "e", "5" },
    { HAS, 0, "a", "1" },
    { HAS, 0, "f", NULL },
    { SAVE, 0, "", "" },
    { PUT, 0, "g", "8" },
    { KEEP, 0, "", "" },
    { COMMIT, 0, "", "" },
    { BEGIN, 0, "", "" },
    { HAS, 0, "g", "8" },
    { HAS, 0, "e", "5" },
    { SAVE, 0, "", "" }, /* a failure behind a save point is undone with it */
    { PUT, 0, "", "no key" },
    { FAILED, 0, "", "yes" },
    { PUT, 0, "h", "9" },
    { UNDO, 0, "", "" },
    { FAILED, 0, "", "no" },
    { HAS, 0, "h", NULL },
    { PUT, 0, "h", "10" },
    { COMMIT, 0, "", "" },
    { BEGIN, 0, "", "" }, /* a failure is sticky: nothing of the transaction is kept */
    { PUT, 0, "i", "11" },
    { PUT, 0, "", "no key" },
    { PUT, 0, "j", "12" },
    { FAILED, 0, "", "yes" },
    { COMMIT_FAILS, 0, "", "" },
    { READ, 0, "", "" },
    { SCAN, 0, "", "a b c e g h" },
    { ABORT, 0, "", "" },
};

static void check_scan(struct kd_txn *txn, const struct row *row, size_t at, const char *rig)
{
    KD_AUTO(kd_buf_clear) struct kd_buf keys = KD_BUF(1000);
    struct kd_scan scan = row->step == SCAN ? kd_scan_prefix(row->table, kd_str(row->key))
                                            : kd_scan_after(row->table, KD_STR(""), kd_str(row->key));
    while (kd_scan_next(txn, &scan))
        kd_buf_printf(&keys, "%s%.*s", keys.n ? " " : "", KD_ARG(kd_key_str(&scan.key)));
    if (!kd_str_is(kd_buf_str(&keys), row->value))
        fail_msg("%s, row %zu: \"%.*s\", not \"%s\"", rig, at, KD_ARG(kd_buf_str(&keys)), row->value);
}

static void check_value(struct kd_txn *txn, const struct row *row, size_t at, const char *rig)
{
    struct kd_str value = { NULL, 0 };
    bool has = kd_txn_get(txn, row->table, kd_str(row->key), &value);
    if (has != (row->value != NULL) || (has && !kd_str_is(value, row->value)))
        fail_msg("%s, row %zu: %s has \"%.*s\"", rig, at, row->key, KD_ARG(value));
}

static void run_row(struct rig *rig, struct kd_txn **txn, size_t at)
{
    const struct row *row = &rows[at];
    struct kd_err err = { 0 };
    switch (row->step) {
    case BEGIN:
    case READ:
        assert_ok(kd_txn_begin(rig->store, row->step == BEGIN, txn, &err), err);
        break;
    case PUT:
        kd_txn_put(*txn, row->table, kd_str(row->key), kd_str(row->value));
        break;
    case DEL:
        assert_int_equal(kd_txn_del(*txn, row->table, kd_str(row->key)), strcmp(row->value, "yes") == 0);
        break;
    case HAS:
        check_value(*txn, row, at, rig->name);
        break;
    case SCAN:
    case SCAN_AFTER:
        check_scan(*txn, row, at, rig->name);
        break;
    case SAVE:
        kd_txn_save(*txn);
        break;
    case UNDO:
    case KEEP:
        kd_txn_restore(*txn, row->step == UNDO);
        break;
    case COMMIT:
        assert_ok(kd_txn_commit(KD_TAKE(*txn, NULL), &err), err);
        break;
    case COMMIT_FAILS:
        assert_int_equal(kd_txn_commit(KD_TAKE(*txn, NULL), &err), KD_TOO_LARGE);
        break;
    case ABORT:
        kd_txn_abort(KD_TAKE(*txn, NULL));
        break;
    case FAILED:
        assert_int_equal(kd_txn_failed(*txn, &err), strcmp(row->value, "yes") == 0);
        break;
    }
}

static void test_same_steps(void **state)
{
    (void)state;
    struct rig rigs[2];
    rigs_open(rigs);
    for (int i = 0; i < 2; i++) {
        struct kd_txn *txn = NULL;
        for (size_t at = 0; at < KD_COUNT(rows); at++)
            run_row(&rigs[i], &txn, at);
        rig_close(&rigs[i]);
    }
}

static void put(struct kd_store *store, const char *key, struct kd_str value)
{
    struct kd_txn *txn;
    struct kd_err err;
    assert_ok(kd_txn_begin(store, true, &txn, &err), err);
    kd_txn_put(txn, 0, kd_str(key), value);
    assert_ok(kd_txn_commit(txn, &err), err);
}

/** A table may change while it is walked: the entry just visited, ones before and behind it. */
static void test_scan_while_changing(void **state)
{
    (void)state;
    struct rig rigs[2];
    struct kd_err err;
    rigs_open(rigs);
    for (int i = 0; i < 2; i++) {
        struct kd_txn *txn;
        char seen[64] = "";
        assert_ok(kd_txn_begin(rigs[i].store, true, &txn, &err), err);
        for (char key[] = "p/a"; key[2] <= 'f'; key[2]++)
            kd_txn_put(txn, 0, kd_str(key), kd_str(key));
        kd_txn_put(txn, 0, KD_STR("o"), KD_STR("before"));
        kd_txn_put(txn, 0, KD_STR("p0"), KD_STR("behind"));
        struct kd_scan scan = kd_scan_prefix(0, KD_STR("p/"));
        while (kd_scan_next(txn, &scan)) {
            size_t n = strlen(seen);
            (void)snprintf(seen + n, sizeof seen - n, "%.*s", KD_ARG(kd_scan_rest(&scan)));
            (void)kd_txn_del(txn, 0, kd_key_str(&scan.key));
            if (strcmp(seen, "ab") == 0) {
                (void)kd_txn_del(txn, 0, KD_STR("p/d"));
                kd_txn_put(txn, 0, KD_STR("p/aa"), KD_STR("too late"));
                kd_txn_put(txn, 0, KD_STR("p/ee"), KD_STR("in time"));
            }
        }
        assert_string_equal(seen, "abceeef");
        assert_true(kd_txn_has(txn, 0, KD_STR("p/aa")) && kd_txn_has(txn, 0, KD_STR("o")) && kd_txn_has(txn, 0, KD_STR("p0")));
        kd_txn_abort(txn);
        rig_close(&rigs[i]);
    }
}

/** The longest key and value fit, one byte more fails the transaction. */
static void test_limits(void **state)
{
    (void)state;
    char key[KD_KEY_MAX + 1];
    char *value = calloc(1, KD_VALUE_MAX + 1);
    struct rig rigs[2];
    struct kd_err err;
    assert_non_null(value);
    memset(key, 'k', sizeof key);
    rigs_open(rigs);
    for (int i = 0; i < 2; i++)
        for (size_t more = 0; more < 3; more++) {
            struct kd_txn *txn;
            struct kd_str k = { key, KD_KEY_MAX + (more == 1) }, v = { value, KD_VALUE_MAX + (more == 2) }, got;
            assert_ok(kd_txn_begin(rigs[i].store, true, &txn, &err), err);
            kd_txn_put(txn, 0, k, v);
            if (more == 0)
                assert_true(kd_txn_get(txn, 0, k, &got) && got.n == v.n);
            assert_int_equal(kd_txn_commit(txn, &err), more ? KD_TOO_LARGE : KD_OK);
        }
    for (int i = 0; i < 2; i++)
        rig_close(&rigs[i]);
    free(value);
}

/** What was committed is there after the store is opened again; another table set may be added. */
static void test_reopen(void **state)
{
    (void)state;
    static const char *const more[] = { "a", "b", "c" };
    struct rig rigs[2];
    struct kd_txn *txn;
    struct kd_err err;
    struct kd_str value;
    rigs_open(rigs);
    put(rigs[1].store, "key", KD_STR("value"));
    rigs[1].store = kd_store_close(rigs[1].store);
    assert_ok(kd_store_open(rigs[1].directory, more, KD_COUNT(more), MAP_BYTES, &rigs[1].store, &err), err);
    assert_ok(kd_txn_begin(rigs[1].store, false, &txn, &err), err);
    assert_true(kd_txn_get(txn, 0, KD_STR("key"), &value));
    assert_str(value, "value");
    assert_false(kd_txn_has(txn, 2, KD_STR("key")));
    kd_txn_abort(txn);
    for (int i = 0; i < 2; i++)
        rig_close(&rigs[i]);
    assert_int_equal(kd_store_open("/proc/no/such", tables, TABLES, MAP_BYTES, &rigs[0].store, &err), KD_UNAVAILABLE);
}

/** A full store fails that transaction only; room that is freed can be used. */
static void test_full(void **state)
{
    (void)state;
    struct rig rig = { .directory = "/tmp/kedge-store-XXXXXX" };
    struct kd_txn *txn;
    struct kd_err err;
    char *value = calloc(1, 1 << 20);
    assert_non_null(value);
    assert_non_null(mkdtemp(rig.directory));
    assert_ok(kd_store_open(rig.directory, tables, TABLES, 4 << 20, &rig.store, &err), err);
    put(rig.store, "small", KD_STR("1"));
    assert_ok(kd_txn_begin(rig.store, true, &txn, &err), err);
    for (char key[] = "a"; key[0] <= 'h'; key[0]++)
        kd_txn_put(txn, 0, kd_str(key), (struct kd_str){ value, 1 << 20 });
    assert_true(kd_txn_failed(txn, &err));
    assert_int_equal(kd_txn_commit(txn, &err), KD_UNAVAILABLE);
    put(rig.store, "small", KD_STR("2"));
    rig_close(&rig);
    free(value);
}

/** A backup of LMDB opens as a store; a copy of memory holds what was committed and goes its own way. */
static void test_backup(void **state)
{
    (void)state;
    struct rig rigs[2];
    struct kd_txn *txn;
    struct kd_err err;
    char file[128], directory[] = "/tmp/kedge-backup-XXXXXX";
    rigs_open(rigs);
    for (int i = 0; i < 2; i++)
        put(rigs[i].store, "key", KD_STR("old"));
    struct rig copy = { .store = kd_store_copy_memory(rigs[0].store) };
    assert_non_null(mkdtemp(directory));
    (void)snprintf(file, sizeof file, "%s/data.mdb", directory);
    assert_ok(kd_store_backup(rigs[1].directory, file, &err), err);
    assert_int_equal(kd_store_backup(rigs[1].directory, file, &err), KD_INVALID); /* it is there already */
    for (int i = 0; i < 2; i++)
        put(rigs[i].store, "key", KD_STR("new"));
    struct rig restored = { 0 };
    (void)snprintf(restored.directory, sizeof restored.directory, "%s", directory);
    rig_open(&restored);
    struct rig *both[] = { &copy, &restored };
    for (int i = 0; i < 2; i++) {
        struct kd_str value;
        assert_ok(kd_txn_begin(both[i]->store, false, &txn, &err), err);
        assert_true(kd_txn_get(txn, 0, KD_STR("key"), &value));
        assert_str(value, "old");
        kd_txn_abort(txn);
        rig_close(both[i]);
        rig_close(&rigs[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_steps), cmocka_unit_test(test_scan_while_changing),
        cmocka_unit_test(test_limits),     cmocka_unit_test(test_reopen),
        cmocka_unit_test(test_full),       cmocka_unit_test(test_backup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
