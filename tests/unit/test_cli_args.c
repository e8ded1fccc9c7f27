/** The command line's arguments, settings, kinds, names, versions, documents and help. */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "coordinator/cli/command.h"
#include "coordinator/cli/documents.h"
#include "coordinator/cli/help.h"
#include "coordinator/cli/kinds.h"
#include "coordinator/cli/versions.h"
#include "shared/base/own.h"

enum { ARENA_BYTES = 1 << 20 };

struct typed {
    struct kd_arena arena;
    struct ct_settings settings;
    struct ct_args args;
    struct kd_err err;
    enum kd_code code;
};

static void typed_clear(struct typed *typed)
{
    kd_arena_clear(&typed->arena);
}

static struct typed type(const char *line)
{
    static char copy[1024];
    const char *argv[64];
    int argc = 0;
    struct typed typed = { .arena = KD_ARENA(ARENA_BYTES) };
    assert_true(kd_str_copy(kd_str(line), copy, sizeof(copy)));
    for (char *at = copy; at && *at;) {
        char *word = strsep(&at, " ");
        if (*word)
            argv[argc++] = word;
    }
    assert_int_equal(kd_settings_parse(&ct_settings_table, KD_STR(""), &typed.arena, &typed.settings, &typed.err), KD_OK);
    typed.code = ct_args_parse(argc, argv, &typed.arena, &typed.settings, &typed.args, &typed.err);
    return typed;
}

static void test_words_and_flags(void **state)
{
    (void)state;
    KD_AUTO(typed_clear) struct typed typed = type("--project p1 get -o json deployments --selector=a=b -l c=d -- -x");
    assert_ok(typed.code, typed.err);
    assert_string_equal(typed.args.command->name, "get");
    assert_int_equal(typed.args.word_count, 2);
    assert_str(typed.args.words[1], "-x");
    assert_str(typed.settings.project, "p1");
    assert_str(typed.args.values[CT_FLAG_OUTPUT].v[0], "json");
    assert_int_equal(typed.args.values[CT_FLAG_SELECTOR].n, 2);
    assert_str(typed.args.values[CT_FLAG_SELECTOR].v[0], "a=b");
    assert_false(typed.args.has_timeout);
}

static void test_short_flags(void **state)
{
    (void)state;
    static const char *const lines[] = { "get x -ojson", "get x -o=json", "get x -o json", "get x --output json",
                                         "get x --output=json" };
    for (size_t i = 0; i < KD_COUNT(lines); i++) {
        KD_AUTO(typed_clear) struct typed typed = type(lines[i]);
        assert_ok(typed.code, typed.err);
        assert_str(typed.args.values[CT_FLAG_OUTPUT].v[0], "json");
    }
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says;
    } rows[] = {
        { "gte x", "did you mean 'kedge get'?" },     { "get", "something is missing" },
        { "get a b c", "'c' is too much" },           { "get a --name x", "has no flag --name" },
        { "get a --wathc", "did you mean --watch?" }, { "get a --brokr=x", "did you mean --broker?" },
        { "get a -z", "there is no flag '-z'" },      { "get a -o", "wants a value" },
        { "get a -o json -o yaml", "given twice" },   { "get a --watch=yes", "takes no value" },
        { "get a --timeout soon", "--timeout" },      { "get a --color blue", "--color" },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(typed_clear) struct typed typed = type(rows[i].line);
        if (typed.code != KD_INVALID || strstr(typed.err.story, rows[i].says) == NULL)
            fail_msg("%s: %s", rows[i].line, typed.err.story);
    }
}

static void test_help_needs_no_words(void **state)
{
    (void)state;
    KD_AUTO(typed_clear) struct typed typed = type("upgrade --help");
    assert_ok(typed.code, typed.err);
    assert_true(typed.args.wants_help);
    assert_string_equal(typed.args.command->name, "upgrade");
}

static void test_timeout_is_noticed(void **state)
{
    (void)state;
    KD_AUTO(typed_clear) struct typed typed = type("status --timeout 5m");
    assert_ok(typed.code, typed.err);
    assert_true(typed.args.has_timeout);
    assert_int_equal(typed.settings.timeout_us, 300 * KD_US_PER_S);
}

static void test_versions(void **state)
{
    (void)state;
    static const char *const ascending[] = { "0.9", "1.0.0-rc1", "1.0.0-rc2",  "1.0.0", "1.0.1",
                                             "1.2", "1.10.0",    "2.0.0-beta", "2.0.0", "2.0.0.1" };
    for (size_t i = 0; i < KD_COUNT(ascending); i++)
        for (size_t j = 0; j < KD_COUNT(ascending); j++) {
            int order = ct_version_cmp(kd_str(ascending[i]), kd_str(ascending[j]));
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
}

static void test_kinds_and_names(void **state)
{
    (void)state;
    struct ct_name name;
    assert_ptr_equal(ct_kind_of(KD_STR("dep")), ct_kind_of(KD_STR("deployments")));
    assert_ptr_equal(ct_kind_of_schema(KD_STR("Deployment-Package")), ct_kind_of(KD_STR("package")));
    assert_null(ct_kind_of(KD_STR("pods")));
    const struct ct_kind *package = ct_kind_of(KD_STR("package")), *cluster = ct_kind_of(KD_STR("cluster"));
    assert_int_equal(ct_name_parse(package, KD_STR("shop:1.0.0"), true, &name, NULL), KD_OK);
    assert_str(name.name, "shop");
    assert_str(name.version, "1.0.0");
    assert_int_equal(ct_name_parse(package, KD_STR("shop"), false, &name, NULL), KD_OK);
    assert_int_equal(ct_name_parse(package, KD_STR("shop"), true, &name, NULL), KD_INVALID);
    assert_int_equal(ct_name_parse(package, KD_STR("shop:"), false, &name, NULL), KD_INVALID);
    assert_int_equal(ct_name_parse(cluster, KD_STR("edge:1"), false, &name, NULL), KD_INVALID);
    assert_int_equal(ct_name_parse(cluster, KD_STR("Edge"), false, &name, NULL), KD_INVALID);
}

static void test_ages_and_sums(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(ARENA_BYTES);
    struct kd_wall now;
    assert_true(kd_wall_parse(KD_STR("2026-01-01T01:00:00Z"), &now));
    assert_str(ct_age_text(KD_STR("2026-01-01T00:50:00Z"), now, &arena), "10m ago");
    assert_str(ct_age_text(KD_STR("2026-01-01T02:00:00Z"), now, &arena), "0s ago"); /* another clock is ahead */
    assert_str(ct_age_text(KD_STR(""), now, &arena), "");
    assert_str(ct_summary_text(&(struct ct_summary){ .total = 3, .running = 2, .error = 1 }, &arena), "2/3, 1 error");
    struct ct_view view = { .status = { .state = KD_STR_INIT("running"), .summary = { .offline = 1 } } };
    assert_str(ct_deployment_state(&view, &arena), "running (1 offline)");
}

static void test_documents(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(ARENA_BYTES);
    struct ct_documents documents;
    struct kd_err err = { 0 };
    struct kd_str text = KD_STR(
        "specSchema: Cluster\nname: a\nuid: 0123456789abcdef0123456789abcdef\nresourceVersion: 3\nstatus: {x: 1}\n"
        "labels: {k: v}\n---\nspecSchema: DeploymentPackage\nname: p\nversion: 1.0.0\n");
    assert_ok(ct_documents_read(text, "file", &arena, &documents, &err), err);
    assert_int_equal(documents.n, 2);
    assert_str(documents.v[0].json, "{\"specSchema\":\"Cluster\",\"name\":\"a\",\"labels\":{\"k\":\"v\"}}");
    assert_int_equal(documents.v[0].resource_version, 3);
    assert_str(documents.v[1].name.version, "1.0.0");
    assert_str(ct_document_body(&documents.v[0], KD_STR("u"), 4, &arena),
               "{\"uid\":\"u\",\"resourceVersion\":4,\"specSchema\":\"Cluster\",\"name\":\"a\",\"labels\":{\"k\":\"v\"}}");
    assert_str(ct_document_of_view(ct_kind_of(KD_STR("cluster")), KD_STR("{\"name\":\"a\"}"), &arena),
               "{\"specSchema\":\"Cluster\",\"schemaVersion\":\"0.1\",\"name\":\"a\"}");
}

static void test_every_command_is_whole(void **state)
{
    (void)state;
    KD_AUTO(kd_buf_clear) struct kd_buf man = KD_BUF(1 << 20);
    ct_man(&man);
    for (size_t i = 0; i < ct_command_count; i++) {
        KD_AUTO(kd_buf_clear) struct kd_buf help = KD_BUF(65536);
        const struct ct_command *command = &ct_commands[i];
        assert_non_null(command->run);
        assert_true(command->words_max >= command->words_min && command->words_max <= CT_WORDS_MAX);
        ct_help_command(command, &help);
        assert_true(kd_str_find(kd_buf_str(&help), kd_str(command->help)) == 0);
        assert_true(kd_str_find(kd_buf_str(&man), kd_str(command->name)) > 0);
        for (struct kd_str rest = kd_buf_str(&help); rest.n;)
            assert_true(kd_str_cut(&rest, '\n').n <= 140);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_and_flags),        cmocka_unit_test(test_short_flags),        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_help_needs_no_words),    cmocka_unit_test(test_timeout_is_noticed), cmocka_unit_test(test_versions),
        cmocka_unit_test(test_kinds_and_names),        cmocka_unit_test(test_ages_and_sums),      cmocka_unit_test(test_documents),
        cmocka_unit_test(test_every_command_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
