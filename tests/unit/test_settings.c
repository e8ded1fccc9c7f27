/** Settings: what a file may say, what is refused and how, reload, help and manual page. */
#include "shared/base/own.h"
#include "shared/base/settings.h"
#include "tests/unit/unit.h"

enum transport { TRANSPORT_TCP, TRANSPORT_TLS };
static const char *const transports[] = { "tcp", "tls", NULL };

struct registry {
    struct kd_str host, user;
    bool plain;
};

struct config {
    struct kd_str name, note;
    int64_t port, pace_us, cache_bytes, shift;
    bool eager;
    int transport;
    struct {
        struct registry *v;
        size_t n;
    } registries;
};

static const struct kd_setting registry_rows[] = {
    { "user", "", "User name", KD_SETTING_TEXT, 1, 8, offsetof(struct registry, user), true, NULL },
    { "plain-http", "no", "Without TLS", KD_SETTING_FLAG, 0, 0, offsetof(struct registry, plain), true, NULL },
};
static const struct kd_setting rows[] = {
    { "name", NULL, "Name of this edge", KD_SETTING_TEXT, 1, 10, offsetof(struct config, name), false, NULL },
    { "note", "", "Free text", KD_SETTING_TEXT, 0, 20, offsetof(struct config, note), true, NULL },
    { "port", "8883", "TCP port", KD_SETTING_COUNT, 1, 65535, offsetof(struct config, port), false, NULL },
    { "shift", "-5", "A number", KD_SETTING_COUNT, -10, 10, offsetof(struct config, shift), true, NULL },
    { "pace", "30s", "Time between", KD_SETTING_DURATION, 1000000, 3600000000, offsetof(struct config, pace_us), true, NULL },
    { "cache", "1G", "Cache", KD_SETTING_BYTES, 1024, INT64_C(1) << 40, offsetof(struct config, cache_bytes), true, NULL },
    { "eager", "on", "A flag", KD_SETTING_FLAG, 0, 0, offsetof(struct config, eager), true, NULL },
    { "transport", "tls", "How", KD_SETTING_WORD, 0, 0, offsetof(struct config, transport), false, transports },
};
static const struct kd_settings_section sections[] = {
    { "registry", "HOST[:PORT]", "How one registry is reached", registry_rows, KD_COUNT(registry_rows), sizeof(struct registry),
      offsetof(struct registry, host), offsetof(struct config, registries) },
};
static const struct kd_settings table = {
    "kedge-test", rows, KD_COUNT(rows), sizeof(struct config), sections, KD_COUNT(sections),
};

static void parse_ok(const char *text, struct kd_arena *arena, struct config *ret)
{
    struct kd_err err = { 0 };
    if (kd_settings_parse(&table, kd_str(text), arena, ret, &err) != KD_OK)
        fail_msg("refused: %s", err.story);
}

static void test_defaults(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(65536);
    struct config config;
    parse_ok("name = edge", &arena, &config);
    assert_str(config.name, "edge");
    assert_non_null(config.note.p);
    assert_str(config.note, "");
    assert_int_equal(config.port, 8883);
    assert_int_equal(config.shift, -5);
    assert_int_equal(config.pace_us, 30000000);
    assert_int_equal(config.cache_bytes, 1 << 30);
    assert_true(config.eager);
    assert_int_equal(config.transport, TRANSPORT_TLS);
    assert_int_equal(config.registries.n, 0);
}

static void test_file(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(65536);
    struct config config;
    parse_ok("# a comment\r\n\n  name=first\nname = last \nnote = a = b # c\nport = 1\npace = 1h\ncache = 64K\neager = false\n"
             "transport = tcp\n[registry localhost:5000]\nplain-http = yes\nuser = ada\n[registry other]\n",
             &arena, &config);
    assert_str(config.name, "last");
    assert_str(config.note, "a = b # c");
    assert_int_equal(config.port, 1);
    assert_int_equal(config.pace_us, 3600000000);
    assert_int_equal(config.cache_bytes, 65536);
    assert_false(config.eager);
    assert_int_equal(config.transport, TRANSPORT_TCP);
    assert_int_equal(config.registries.n, 2);
    assert_str(config.registries.v[0].host, "localhost:5000");
    assert_str(config.registries.v[0].user, "ada");
    assert_true(config.registries.v[0].plain);
    assert_str(config.registries.v[1].host, "other");
    assert_str(config.registries.v[1].user, "");
    assert_false(config.registries.v[1].plain);
}

static const struct {
    const char *text, *field, *story;
} bad_rows[] = {
    { "", "name", "name must be set: Name of this edge" },
    { "name = a\nport = 70000", "port", "line 2: port is '70000', must be 1 to 65535" },
    { "name = a\nport = 0", "port", "line 2: port is '0', must be 1 to 65535" },
    { "name = a\nport = 12x", "port", "line 2: port is '12x', must be 1 to 65535" },
    { "name = a\nport =", "port", "line 2: port is '', must be 1 to 65535" },
    { "name = a\nport = 99999999999999999999", "port", "line 2: port is '99999999999999999999', must be 1 to 65535" },
    { "name = a\nshift = -11", "shift", "line 2: shift is '-11', must be -10 to 10" },
    { "name = a\nshift = --1", "shift", "line 2: shift is '--1', must be -10 to 10" },
    { "name = a\npace = 2h", "pace", "line 2: pace is '2h', must be 1s to 1h" },
    { "name = a\npace = 10 minutes", "pace", "line 2: pace is '10 minutes', must be 1s to 1h" },
    { "name = a\ncache = 1", "cache", "line 2: cache is '1', must be 1K to 1T" },
    { "name = a\ncache = 9000000T", "cache", "line 2: cache is '9000000T', must be 1K to 1T" },
    { "name = a\ncache = K", "cache", "line 2: cache is 'K', must be 1K to 1T" },
    { "name = a\neager = maybe", "eager", "line 2: eager is 'maybe', must be true or false" },
    { "name = a\ntransport = udp", "transport", "line 2: transport is 'udp', must be tcp, tls" },
    { "name = abcdefghijk", "name", "line 1: name has 11 bytes, must be 1 to 10 bytes of plain text" },
    { "name = a\x01"
      "b",
      "name", "line 1: name has 3 bytes, must be 1 to 10 bytes of plain text" },
    { "name = \xff", "name", "line 1: name has 1 bytes, must be 1 to 10 bytes of plain text" },
    { "nam = a", "nam", "line 1: 'nam' is not a setting (--help lists them)" },
    { "\n\njust words", "", "line 3: a setting is written key = value" },
    { "name = a\n[registry]", "registry", "line 2: [registry] needs a label: [registry HOST[:PORT]]" },
    { "name = a\n[registry a", "", "line 2: a section is written [name label]" },
    { "name = a\n[", "", "line 2: a section is written [name label]" },
    { "name = a\n[mirror a]", "", "line 2: [mirror] is not a section (--help lists them)" },
    { "name = a\n[registry a]\n[registry a]", "registry", "line 3: [registry a] stands there twice" },
    { "name = a\n[registry a]\nport = 1", "port", "line 3: 'port' is not a setting of section registry (--help lists them)" },
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < KD_COUNT(bad_rows); i++) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(65536);
        struct config config;
        struct kd_err err = { 0 };
        assert_int_equal(kd_settings_parse(&table, kd_str(bad_rows[i].text), &arena, &config, &err), KD_INVALID);
        assert_string_equal(err.story, bad_rows[i].story);
        assert_string_equal(err.field, bad_rows[i].field);
    }
}

static void test_secrets_are_not_shown(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(65536);
    struct config config;
    struct kd_err err = { 0 };
    assert_int_equal(kd_settings_parse(&table, kd_str("name = much-too-long-and-secret"), &arena, &config, &err), KD_INVALID);
    assert_null(strstr(err.story, "secret"));
}

static void test_limits(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena small = KD_ARENA(64), arena = KD_ARENA(1 << 20);
    KD_AUTO(kd_buf_clear) struct kd_buf text = KD_BUF(1 << 20);
    struct config config;
    struct kd_err err = { 0 };
    assert_int_equal(kd_settings_parse(&table, kd_str("name = a\n[registry a]"), &small, &config, &err), KD_TOO_LARGE);
    kd_buf_add(&text, KD_STR("name = a\n"));
    for (int i = 0; i <= KD_SETTINGS_SECTIONS_MAX; i++)
        kd_buf_printf(&text, "[registry r%d]\n", i);
    assert_int_equal(kd_settings_parse(&table, kd_buf_str(&text), &arena, &config, &err), KD_TOO_LARGE);
    while (text.n <= KD_SETTINGS_FILE_MAX)
        kd_buf_add(&text, KD_STR("# more\n"));
    assert_int_equal(kd_settings_parse(&table, kd_buf_str(&text), &arena, &config, &err), KD_TOO_LARGE);
}

static void test_set(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(65536);
    struct config config;
    struct kd_err err = { 0 };
    parse_ok("name = a", &arena, &config);
    assert_int_equal(kd_settings_set(&table, KD_STR("port"), KD_STR("99"), "--port", &arena, &config, &err), KD_OK);
    assert_int_equal(config.port, 99);
    assert_int_equal(kd_settings_set(&table, KD_STR("port"), KD_STR("x"), "--port", &arena, &config, &err), KD_INVALID);
    assert_string_equal(err.story, "--port: port is 'x', must be 1 to 65535");
    assert_int_equal(config.port, 99);
}

static void test_reload(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(65536);
    KD_AUTO(kd_buf_clear) struct kd_buf ignored = KD_BUF(200);
    struct config old, fresh;
    parse_ok("name = a\nport = 1\npace = 5s\n[registry x]\nuser = ada\n", &arena, &old);
    parse_ok("name = b\nport = 2\npace = 6s\nnote = new\n[registry x]\nuser = bob\n", &arena, &fresh);
    kd_settings_reload(&table, &fresh, &old, &ignored);
    assert_str(kd_buf_str(&ignored), "name,port");
    assert_str(old.name, "a");
    assert_int_equal(old.port, 1);
    assert_int_equal(old.pace_us, 6000000);
    assert_str(old.note, "new");
    assert_str(old.registries.v[0].user, "bob");
}

static void test_help_and_man(void **state)
{
    (void)state;
    KD_AUTO(kd_buf_clear) struct kd_buf help = KD_BUF(65536), man = KD_BUF(65536);
    kd_settings_help(&table, &help);
    kd_settings_man(&table, &man);
    assert_true(kd_str_find(kd_buf_str(&help), KD_STR("  name       Name of this edge (must be set)\n")) >= 0);
    assert_true(kd_str_find(kd_buf_str(&help), KD_STR("  pace       Time between (1s to 1h; 30s)\n")) >= 0);
    assert_true(kd_str_find(kd_buf_str(&help), KD_STR("Section [registry HOST[:PORT]]")) >= 0);
    assert_true(kd_str_find(kd_buf_str(&man), KD_STR(".B plain\\-http\n")) >= 0);
    for (size_t i = 0; i < KD_COUNT(rows); i++)
        assert_true(kd_str_find(kd_buf_str(&man), kd_str(rows[i].key)) >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_secrets_are_not_shown),
        cmocka_unit_test(test_help_and_man),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
