/** What daemons do first: options, commands, the settings file, and where each text and exit code goes. */
#include "shared/base/own.h"
#include "shared/os/file.h"
#include "shared/os/program.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>

struct config {
    int64_t port;
    struct kd_str name;
};

static const struct kd_setting rows[] = {
    { "port", "8883", "TCP port of the broker", KD_SETTING_COUNT, 1, 65535, offsetof(struct config, port), false, NULL },
    { "name", NULL, "Name of this edge", KD_SETTING_TEXT, 1, 63, offsetof(struct config, name), true, NULL },
};
static const struct kd_settings table = { "kedge-test", rows, KD_COUNT(rows), sizeof(struct config), NULL, 0 };
static const struct kd_program_word words[] = { { "backup", "FILE", 1, "Write a copy of the store" },
                                                { "new-epoch", "", 0, "Begin a new epoch" } };
static const struct kd_program program = {
    &table, "does nothing at all", ".Sometimes it stops.", "/nonexistent/kedge.conf", words, KD_COUNT(words),
};

static char dir[] = "/tmp/kedge-test-program-XXXXXX", good[64], bad[64];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    (void)snprintf(good, sizeof good, "%s/good", dir);
    (void)snprintf(bad, sizeof bad, "%s/bad", dir);
    return kd_file_write(good, KD_STR("name = edge\nport = 99\n"), 0600, NULL) == KD_OK &&
                   kd_file_write(bad, KD_STR("name = edge\nport = 0\n"), 0600, NULL) == KD_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return kd_tree_remove(dir, NULL) == KD_OK ? 0 : -1;
}

struct outcome {
    bool goes_on;
    int exit;
    struct kd_program_call call;
    struct config config;
    char out[16384], errors[1024];
};

/** Sends a stream into a file while a call runs. */
static int divert(FILE *stream, const char *name)
{
    char path[128];
    (void)fflush(stream);
    int kept = dup(fileno(stream));
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    KD_AUTO(kd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(dup2(fd, fileno(stream)) >= 0);
    return kept;
}

static void restore(FILE *stream, int kept, const char *name, char *ret, size_t cap)
{
    char path[128];
    KD_AUTO(kd_buf_clear) struct kd_buf text = KD_BUF(1 << 20);
    (void)fflush(stream);
    (void)dup2(kept, fileno(stream));
    (void)close(kept);
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(kd_file_read(path, &text, NULL), KD_OK);
    assert_true(kd_str_copy(kd_buf_str(&text), ret, cap));
}

/** Calls kd_program_begin with up to six arguments; `@good` and `@bad` stand for the settings files. */
static const struct outcome *begin(const char *const *arguments, struct kd_arena *arena)
{
    static struct outcome o;
    static char copies[8][128];
    char *argv[9] = { copies[0] };
    int argc = 1;
    (void)snprintf(copies[0], sizeof copies[0], "kedge-test");
    for (; *arguments; arguments++, argc++) {
        const char *text = strcmp(*arguments, "@good") == 0 ? good : strcmp(*arguments, "@bad") == 0 ? bad : *arguments;
        (void)snprintf(copies[argc], sizeof copies[0], "%s", text);
        argv[argc] = copies[argc];
    }
    o = (struct outcome){ 0 };
    int out = divert(stdout, "out"), errors = divert(stderr, "errors");
    o.goes_on = kd_program_begin(&program, argc, argv, arena, &o.config, &o.call, &o.exit);
    restore(stderr, errors, "errors", o.errors, sizeof o.errors);
    restore(stdout, out, "out", o.out, sizeof o.out);
    return &o;
}

static void test_goes_on(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 16);
    const struct outcome *o = begin((const char *const[]){ "--config", "@good", NULL }, &arena);
    assert_true(o->goes_on);
    assert_int_equal(o->config.port, 99);
    assert_str(o->config.name, "edge");
    assert_string_equal(o->call.config, good);
    assert_null(o->call.word);
    assert_string_equal(o->out, "");
}

static void test_commands(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 16);
    const struct outcome *o = begin((const char *const[]){ "--config", "@good", "backup", "there", NULL }, &arena);
    assert_true(o->goes_on);
    assert_ptr_equal(o->call.word, &words[0]);
    assert_string_equal(o->call.arguments[0], "there");
}

static void test_ends(void **state)
{
    (void)state;
    static const struct {
        const char *arguments[5];
        int exit;
        const char *out, *errors; /* what must be in there */
    } ends[] = {
        { { "--version" }, 0, "kedge-test " KD_VERSION "\n", "" },
        { { "--help" }, 0, "Usage: kedge-test [OPTION]… [COMMAND]", "" },
        { { "--help" }, 0, "backup FILE", "" },
        { { "--help" }, 0, "TCP port of the broker (1 to 65535; 8883)", "" },
        { { "--man" }, 0, ".TH \"kedge-test\" 8", "" },
        { { "--man" }, 0, "\n\\&.Sometimes it stops.\n", "" },
        { { "--print-config" }, 0, "#port = 8883\n", "" },
        { { "--print-config" }, 0, "\nname =\n", "" },
        { { "--config", "@good", "--check-config" }, 0, "is good", "" },
        { { "--check-config", "--config", "@bad" }, 1, "", "bad: line 2: port is '0', must be 1 to 65535" },
        { { "--check-config" }, 1, "", "open '/nonexistent/kedge.conf'" },
        { { "--nonsense" }, 2, "", "there is no option '--nonsense' (kedge-test --help)" },
        { { "--config" }, 2, "", "a value is missing for '--config'" },
        { { "restart" }, 2, "", "there is no command 'restart'" },
        { { "backup" }, 2, "", "wrong number of arguments for 'backup'" },
        { { "new-epoch", "more" }, 2, "", "wrong number of arguments for 'new-epoch'" },
    };
    for (size_t i = 0; i < KD_COUNT(ends); i++) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 16);
        const struct outcome *o = begin(ends[i].arguments, &arena);
        assert_false(o->goes_on);
        assert_int_equal(o->exit, ends[i].exit);
        assert_non_null(strstr(o->out, ends[i].out));
        assert_non_null(strstr(o->errors, ends[i].errors));
        assert_true(o->exit == 0 ? o->errors[0] == '\0' : o->out[0] == '\0');
    }
}

/** A printed settings file is a settings file once what must be set is set. */
static void test_printed_settings_are_read(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 16);
    KD_AUTO(kd_buf_clear) struct kd_buf text = KD_BUF(1 << 16);
    struct config config;
    struct kd_err err = { 0 };
    kd_settings_example(&table, &text);
    assert_int_equal(kd_settings_parse(&table, kd_buf_str(&text), &arena, &config, &err), KD_INVALID);
    kd_buf_add(&text, KD_STR("name = edge\n"));
    text.p[kd_str_find(kd_buf_str(&text), KD_STR("\nname =\n")) + 1] = '#';
    assert_ok(kd_settings_parse(&table, kd_buf_str(&text), &arena, &config, &err), err);
    assert_int_equal(config.port, 8883);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goes_on),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_printed_settings_are_read),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
