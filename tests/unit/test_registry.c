/** References, challenges and tokens, and the content cache with several users at once and after crashes. */
#include "tests/unit/unit.h"

#include "shared/base/own.h"
#include "shared/os/file.h"
#include "shared/registry/cache.h"
#include "shared/registry/reference.h"
#include "shared/registry/registry.h"
#include "shared/registry/token.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void test_references(void **state)
{
    (void)state;
    static const struct {
        const char *root, *name, *version, *want; /* host repository tag; NULL: refused */
    } rows[] = {
        { "oci://r.example:5000/charts", "web", "1.2.3", "r.example:5000 charts/web 1.2.3" },
        { "oci://r.example", "web", "1.2.3+build.5", "r.example web 1.2.3_build.5" },
        { "oci://[::1]:5000/a/b/", "web", "v1", "[::1]:5000 a/b/web v1" },
        { "oci://r/a", "sub/web", "1", "r a/sub/web 1" },
        { "oci://", "web", "1", NULL },
        { "r/a", "web", "1", NULL },
        { "oci://r/../b", "web", "1", NULL },
        { "oci://r/a//b", "web", "1", NULL },
        { "oci://r/a?x=1", "web", "1", NULL },
        { "oci://u:p@r/a", "web", "1", NULL },
        { "oci://r/a", "../web", "1", NULL },
        { "oci://r/a", "", "1", NULL },
        { "oci://r/a", "web", "", NULL },
        { "oci://r/a", "web", "../1", NULL },
        { "oci://r/a", "web", "1 2", NULL },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        struct kd_reference ref;
        char got[1000];
        enum kd_code code = kd_reference_make(kd_str(rows[i].root), kd_str(rows[i].name), kd_str(rows[i].version), &ref, NULL);
        assert_int_equal(code, rows[i].want ? KD_OK : KD_INVALID);
        if (code != KD_OK)
            continue;
        (void)snprintf(got, sizeof got, "%s %s %s", ref.host, ref.repository, ref.tag);
        assert_string_equal(got, rows[i].want);
    }
}

static void test_hosts(void **state)
{
    (void)state;
    assert_str(kd_registry_host(KD_STR("oci://r:5000/a/b")), "r:5000");
    assert_str(kd_registry_host(KD_STR("https://r")), "r");
    assert_null(kd_registry_host(KD_STR("r/a")).p);
}

static void test_challenges(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        enum kd_challenge_kind kind;
        const char *url;
    } rows[] = {
        { "Basic realm=\"r\"", KD_CHALLENGE_BASIC, "" },
        { "basic realm=\"r\"", KD_CHALLENGE_BASIC, "" },
        { "Bearer realm=\"https://a/token\",service=\"s v\",scope=\"repository:a/b:pull\"", KD_CHALLENGE_BEARER,
          "https://a/token?service=s%20v&scope=repository:a/b:pull" },
        { "Bearer scope=x, realm=\"https://a/t?k=1\"", KD_CHALLENGE_BEARER, "https://a/t?k=1&scope=x" },
        { "Bearer realm=\"https://a/t\",error=\"invalid_token\"", KD_CHALLENGE_BEARER, "https://a/t" },
        { "Bearer service=\"s\"", KD_CHALLENGE_NONE, "" },
        { "Bearer", KD_CHALLENGE_NONE, "" },
        { "Negotiate", KD_CHALLENGE_NONE, "" },
        { "", KD_CHALLENGE_NONE, "" },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(kd_buf_clear) struct kd_buf url = KD_BUF(1000);
        struct kd_challenge challenge = kd_challenge_parse(kd_str(rows[i].header));
        assert_int_equal(challenge.kind, rows[i].kind);
        if (challenge.kind == KD_CHALLENGE_BEARER)
            kd_token_url(&challenge, &url);
        assert_str(kd_buf_str(&url), rows[i].url);
    }
}

static void test_tokens(void **state)
{
    (void)state;
    static const struct {
        const char *json, *want; /* NULL: refused */
    } rows[] = {
        { "{\"token\":\"abc\",\"expires_in\":300}", "Bearer abc" },
        { "{\"access_token\":\"abc\"}", "Bearer abc" },
        { "{}", NULL },
        { "{\"token\":7}", NULL },
        { "nothing", NULL },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(1000);
        assert_int_equal(kd_token_read(kd_str(rows[i].json), &out, NULL), rows[i].want ? KD_OK : KD_INVALID);
        assert_str(kd_buf_str(&out), rows[i].want ? rows[i].want : "");
    }
    KD_AUTO(kd_buf_clear) struct kd_buf basic = KD_BUF(1000);
    kd_basic("Aladdin", "open sesame", &basic);
    assert_str(kd_buf_str(&basic), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

/* ---- the cache ---- */

static struct kd_cache cache;
static char cache_parent[] = "/tmp/kedge-test-cache.XXXXXX";

static int set_up(void **state)
{
    char directory[100];
    (void)state;
    memcpy(strrchr(cache_parent, '.'), ".XXXXXX", 8);
    if (!mkdtemp(cache_parent))
        return -1;
    (void)snprintf(directory, sizeof directory, "%s/a/b", cache_parent);
    return kd_cache_open(directory, 100, &cache, NULL) == KD_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return kd_tree_remove(cache_parent, NULL) == KD_OK ? 0 : -1;
}

static void path_of(const struct kd_digest *digest, const char *suffix, char ret[200])
{
    (void)snprintf(ret, 200, "%s/a/b/%.64s%s", cache_parent, digest->text + 7, suffix);
}

static void put(const char *text)
{
    struct kd_digest digest = kd_digest_of(kd_str(text));
    assert_int_equal(kd_cache_put(&cache, &digest, kd_str(text), NULL), KD_OK);
}

static bool is_there(const char *text)
{
    KD_AUTO(kd_cache_entry_close) struct kd_cache_entry entry = KD_CACHE_ENTRY;
    struct kd_digest digest = kd_digest_of(kd_str(text));
    return kd_cache_find(&cache, &digest, &entry, NULL) == KD_OK;
}

/** Sets when content was last used: 0 is long ago. */
static void used_at(const char *text, time_t when)
{
    char path[200];
    struct kd_digest digest = kd_digest_of(kd_str(text));
    struct timespec times[] = { { when, 0 }, { when, 0 } };
    path_of(&digest, "", path);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void test_put_and_find(void **state)
{
    (void)state;
    struct kd_digest other = kd_digest_of(KD_STR("other"));
    assert_false(is_there("hello"));
    put("hello");
    assert_true(is_there("hello"));
    assert_int_equal(kd_cache_put(&cache, &other, KD_STR("hello"), NULL), KD_INVALID);
    assert_false(is_there("other"));
}

static void test_damaged_content_is_not_found(void **state)
{
    (void)state;
    char path[200];
    struct kd_digest digest = kd_digest_of(KD_STR("hello"));
    put("hello");
    path_of(&digest, "", path);
    assert_int_equal(kd_file_write(path, KD_STR("hellO"), 0600, NULL), KD_OK);
    assert_false(is_there("hello"));
    assert_int_equal(access(path, F_OK), -1);
}

/** Parts survive the end of who fetched them; only right bytes get the name. */
static void test_parts(void **state)
{
    (void)state;
    struct kd_digest digest = kd_digest_of(KD_STR("hello"));
    struct kd_cache_part *part = NULL;
    assert_int_equal(kd_cache_begin(&cache, &digest, 5, &part, NULL), KD_OK);
    assert_int_equal(kd_cache_add(part, KD_STR("hel"), NULL), KD_OK);
    part = kd_cache_part_close(part);
    assert_false(is_there("hello"));
    assert_int_equal(kd_cache_begin(&cache, &digest, 5, &part, NULL), KD_OK);
    assert_int_equal(kd_cache_have(part), 3);
    assert_int_equal(kd_cache_add(part, KD_STR("lo!"), NULL), KD_TOO_LARGE);
    assert_int_equal(kd_cache_add(part, KD_STR("lo"), NULL), KD_OK);
    assert_int_equal(kd_cache_commit(part, NULL), KD_OK);
    part = kd_cache_part_close(part);
    assert_true(is_there("hello"));
    assert_int_equal(kd_cache_begin(&cache, &digest, 5, &part, NULL), KD_EXISTS);
}

static void test_wrong_bytes_are_forgotten(void **state)
{
    (void)state;
    struct kd_digest digest = kd_digest_of(KD_STR("hello"));
    struct kd_cache_part *part = NULL;
    assert_int_equal(kd_cache_begin(&cache, &digest, 5, &part, NULL), KD_OK);
    assert_int_equal(kd_cache_add(part, KD_STR("hexlo"), NULL), KD_OK);
    assert_int_equal(kd_cache_commit(part, NULL), KD_INVALID);
    part = kd_cache_part_close(part);
    assert_int_equal(kd_cache_begin(&cache, &digest, 5, &part, NULL), KD_OK);
    assert_int_equal(kd_cache_have(part), 0);
    assert_int_equal(kd_cache_add(part, KD_STR("xx"), NULL), KD_OK);
    assert_int_equal(kd_cache_restart(part, NULL), KD_OK);
    assert_int_equal(kd_cache_have(part), 0);
    assert_int_equal(kd_cache_add(part, KD_STR("hello"), NULL), KD_OK);
    assert_int_equal(kd_cache_commit(part, NULL), KD_OK);
    part = kd_cache_part_close(part);
    assert_true(is_there("hello"));
}

/** A part that is longer than the content may be begins again. */
static void test_too_long_part(void **state)
{
    (void)state;
    char path[200];
    struct kd_digest digest = kd_digest_of(KD_STR("hello"));
    struct kd_cache_part *part = NULL;
    path_of(&digest, ".part", path);
    assert_int_equal(kd_file_write(path, KD_STR("hello and more"), 0600, NULL), KD_OK);
    assert_int_equal(kd_cache_begin(&cache, &digest, 5, &part, NULL), KD_OK);
    assert_int_equal(kd_cache_have(part), 0);
    part = kd_cache_part_close(part);
}

/** Two processes want the same content: the second waits and then finds it there. */
static void test_two_processes_fetch_once(void **state)
{
    (void)state;
    struct kd_digest digest = kd_digest_of(KD_STR("hello"));
    struct kd_cache_part *part = NULL;
    int status = 0, ready[2];
    char byte = 0;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        enum kd_code code = kd_cache_begin(&cache, &digest, 5, &part, NULL);
        bool said = write(ready[1], "x", 1) == 1; /* locked: from here on the other one waits */
        _exit(said && code == KD_OK && kd_cache_add(part, KD_STR("hello"), NULL) == KD_OK && kd_cache_commit(part, NULL) == KD_OK
                  ? 0
                  : 1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(kd_cache_begin(&cache, &digest, 5, &part, NULL), KD_EXISTS);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(is_there("hello"));
    (void)close(ready[0]);
    (void)close(ready[1]);
}

/** A fetch that is killed at any time leaves a part that goes on. */
static void test_killed_fetch(void **state)
{
    (void)state;
    struct kd_digest digest = kd_digest_of(KD_STR("hello"));
    struct kd_cache_part *part = NULL;
    pid_t pid = fork();
    if (pid == 0) {
        if (kd_cache_begin(&cache, &digest, 5, &part, NULL) == KD_OK && kd_cache_add(part, KD_STR("he"), NULL) == KD_OK)
            (void)kill(getpid(), SIGKILL);
        _exit(1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(kd_cache_begin(&cache, &digest, 5, &part, NULL), KD_OK);
    assert_int_equal(kd_cache_have(part), 2);
    part = kd_cache_part_close(part);
}

#define TEN "0123456789"
#define A40 "a" TEN TEN TEN "012345678"
#define B40 "b" TEN TEN TEN "012345678"
#define C40 "c" TEN TEN TEN "012345678"

/** 120 bytes in a cache of 100: the one that was used longest ago goes, never one that is in use. */
static void test_trim(void **state)
{
    (void)state;
    put(A40);
    put(B40);
    put(C40);
    used_at(A40, 1000);
    used_at(B40, 2000);
    used_at(C40, 3000);
    assert_true(is_there(A40)); /* was just used */
    assert_int_equal(kd_cache_trim(&cache, NULL, 0), 80);
    assert_true(is_there(A40) && !is_there(B40) && is_there(C40));
}

static void test_trim_spares_what_is_in_use(void **state)
{
    (void)state;
    put(A40);
    put(B40);
    put(C40);
    used_at(A40, 1000);
    used_at(B40, 2000);
    used_at(C40, 3000);
    struct kd_digest a = kd_digest_of(KD_STR(A40)), b = kd_digest_of(KD_STR(B40));
    KD_AUTO(kd_cache_entry_close) struct kd_cache_entry held = KD_CACHE_ENTRY;
    assert_int_equal(kd_cache_find(&cache, &b, &held, NULL), KD_OK);
    used_at(B40, 2000);
    assert_int_equal(kd_cache_trim(&cache, &a, 1), 80); /* a is named, b is held: c goes */
    assert_true(is_there(A40) && is_there(B40) && !is_there(C40));
}

static void test_trim_leaves_other_files(void **state)
{
    (void)state;
    char path[200];
    (void)snprintf(path, sizeof path, "%s/a/b/notes.txt", cache_parent);
    put(A40);
    put(B40);
    put(C40);
    assert_int_equal(kd_file_write(path, KD_STR(A40 B40 C40), 0600, NULL), KD_OK);
    assert_int_equal(kd_cache_trim(&cache, NULL, 0), 80);
    assert_int_equal(access(path, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_challenges),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test_setup_teardown(test_put_and_find, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_content_is_not_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_parts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_bytes_are_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_long_part, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_two_processes_fetch_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_killed_fetch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trim, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trim_spares_what_is_in_use, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trim_leaves_other_files, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
