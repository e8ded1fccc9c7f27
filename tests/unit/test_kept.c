/** Kept renderings: what was written is read, what is damaged is not, what nobody names goes after a while. */
#include "tests/unit/unit.h"

#include "agent/job/kept.h"
#include "shared/base/own.h"
#include "shared/os/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

enum { ARENA = 4 * 1024 * 1024 };

static char parent[] = "/tmp/kedge-test-kept.XXXXXX";
static char directory[100];

static int set_up(void **state)
{
    (void)state;
    memcpy(strrchr(parent, '.'), ".XXXXXX", 8);
    if (!mkdtemp(parent))
        return -1;
    (void)snprintf(directory, sizeof directory, "%s/content/rendering", parent);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return kd_tree_remove(parent, NULL) == KD_OK ? 0 : -1;
}

/** A key, and a path, of a short name. */
static struct kd_str key_of(const char *name, struct kd_digest *digest)
{
    *digest = kd_digest_of(kd_str(name));
    return kd_digest_hex(digest);
}

static void path_of(const char *name, char ret[300])
{
    struct kd_digest digest;
    (void)snprintf(ret, 300, "%s/%.*s.json", directory, KD_ARG(key_of(name, &digest)));
}

static void keep(const char *name, struct kd_strs documents)
{
    struct kd_digest digest;
    struct kd_err err = { 0 };
    const struct ag_kept kept = { kd_digest_of(KD_STR("chart")), kd_digest_of(KD_STR("archive")), documents };
    assert_ok(ag_kept_write(directory, key_of(name, &digest), &kept, &err), err);
}

static enum kd_code read_kept(const char *name, struct kd_arena *arena, struct ag_kept *ret)
{
    struct kd_digest digest;
    return ag_kept_read(directory, key_of(name, &digest), arena, ret, NULL);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct kd_str documents[] = { KD_STR("{\"a\":1}"), KD_STR("{\"b\":\"x\\ny\"}"), KD_STR("{}") };
    for (size_t n = 0; n <= KD_COUNT(documents); n++) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(ARENA);
        struct ag_kept kept;
        keep("one", (struct kd_strs){ documents, n });
        assert_int_equal(read_kept("one", &arena, &kept), KD_OK);
        assert_int_equal(kept.documents.n, n);
        for (size_t i = 0; i < n; i++)
            assert_true(kd_str_eq(kept.documents.v[i], documents[i]));
        assert_string_equal(kept.archive.text, kd_digest_of(KD_STR("archive")).text);
    }
}

static void test_nothing_there(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(ARENA);
    struct ag_kept kept;
    assert_int_equal(read_kept("one", &arena, &kept), KD_NOT_FOUND);
    assert_int_equal(ag_kept_read(directory, KD_STR("../../etc/passwd"), &arena, &kept, NULL), KD_NOT_FOUND);
    assert_int_equal(ag_kept_write(directory, KD_STR("../x"), &kept, NULL), KD_INVALID);
}

/** Every single byte that is changed or missing is noticed, and the file is removed. */
static void test_damage(void **state)
{
    (void)state;
    struct kd_str documents[] = { KD_STR("{\"a\":1}"), KD_STR("{\"b\":2}") };
    char path[300];
    path_of("one", path);
    keep("one", (struct kd_strs){ documents, 2 });
    KD_AUTO(kd_buf_clear) struct kd_buf good = KD_BUF(ARENA);
    assert_int_equal(kd_file_read(path, &good, NULL), KD_OK);
    for (size_t i = 0; i <= 2 * good.n - 1; i++) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(ARENA);
        KD_AUTO(kd_buf_clear) struct kd_buf bad = KD_BUF(ARENA);
        struct ag_kept kept;
        kd_buf_add(&bad, i < good.n ? kd_buf_str(&good) : (struct kd_str){ good.p, i - good.n });
        if (i < good.n)
            bad.p[i] ^= 1;
        assert_int_equal(kd_file_write(path, kd_buf_str(&bad), 0600, NULL), KD_OK);
        enum kd_code code = read_kept("one", &arena, &kept);
        bool chart_only = code == KD_OK && kd_str_eq(kept.documents.v[0], documents[0]) &&
                          kd_str_eq(kept.documents.v[1], documents[1]);
        assert_true(code == KD_NOT_FOUND || chart_only); /* the chart's digests are not covered: they only spare content */
        assert_int_equal(access(path, F_OK), code == KD_OK ? 0 : -1);
    }
}

static void aged(const char *name, time_t age_s)
{
    char path[300];
    struct timespec times[] = { { time(NULL) - age_s, 0 }, { time(NULL) - age_s, 0 } };
    path_of(name, path);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool is_kept(const char *name)
{
    char path[300];
    path_of(name, path);
    return access(path, F_OK) == 0;
}

/** What was used longest ago goes first, and only as much as must; what was used lately stays, whatever the limit says. */
static void test_trim(void **state)
{
    (void)state;
    struct kd_str document = KD_STR("{}");
    struct stat at;
    char path[300];
    const char *const names[] = { "oldest", "old", "young" };
    for (size_t i = 0; i < KD_COUNT(names); i++)
        keep(names[i], (struct kd_strs){ &document, 1 });
    aged("oldest", 2 * AG_KEPT_MIN_AGE_S + 1000);
    aged("old", 2 * AG_KEPT_MIN_AGE_S);
    path_of("old", path);
    assert_int_equal(stat(path, &at), 0);
    ag_kept_trim(directory, 3 * at.st_size);
    assert_true(is_kept("oldest") && is_kept("old") && is_kept("young"));
    ag_kept_trim(directory, 3 * at.st_size - 1);
    assert_true(!is_kept("oldest") && is_kept("old") && is_kept("young"));
    ag_kept_trim(directory, 0);
    assert_true(!is_kept("old") && is_kept("young"));
}

static void test_reading_is_use(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(ARENA);
    struct kd_str document = KD_STR("{}");
    struct ag_kept kept;
    keep("one", (struct kd_strs){ &document, 1 });
    aged("one", 2 * AG_KEPT_MIN_AGE_S);
    assert_int_equal(read_kept("one", &arena, &kept), KD_OK);
    ag_kept_trim(directory, 0);
    assert_true(is_kept("one"));
}

static void test_digests(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(ARENA);
    struct kd_str document = KD_STR("{}");
    struct kd_digest *digests = NULL;
    size_t n = 0;
    char path[300];
    ag_kept_digests(directory, &arena, &digests, &n);
    assert_int_equal(n, 0);
    keep("one", (struct kd_strs){ &document, 1 });
    path_of("two", path);
    assert_int_equal(kd_file_write(path, KD_STR("not a rendering"), 0600, NULL), KD_OK);
    ag_kept_digests(directory, &arena, &digests, &n);
    assert_int_equal(n, 2);
    assert_string_equal(digests[0].text, kd_digest_of(KD_STR("chart")).text);
    assert_string_equal(digests[1].text, kd_digest_of(KD_STR("archive")).text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trim, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reading_is_use, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_digests, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
