/** The catalog's documents: docs/catalog.md names every member and its examples are read; limits, rules and old names. */
#include "coordinator/core/rules.h"
#include "coordinator/server/kinds.h"
#include "shared/base/own.h"
#include "shared/model/yaml.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

enum { PAGE_BYTES = 1 << 20, MEMORY = 1 << 22 };

/** The page, terminated; freed by the caller. */
static char *read_page(void)
{
    FILE *file = fopen("docs/catalog.md", "r");
    char *text = calloc(1, PAGE_BYTES);
    assert_non_null(file);
    assert_non_null(text);
    assert_true(fread(text, 1, PAGE_BYTES - 1, file) > 0);
    assert_int_equal(fclose(file), 0);
    return text;
}

/** True if the section has `name` in a code span, alone or with others in an example. */
static bool says(struct kd_str section, const char *name)
{
    char span[64], key[64];
    (void)snprintf(span, sizeof span, "`%s`", name);
    (void)snprintf(key, sizeof key, "%s:", name);
    return kd_str_find(section, kd_str(span)) >= 0 || kd_str_find(section, kd_str(key)) >= 0;
}

static void check_shape(struct kd_str section, const struct kd_json_shape *shape)
{
    for (size_t i = 0; i < shape->count; i++) {
        if (!says(section, shape->fields[i].name))
            fail_msg("docs/catalog.md does not say what `%s` of %s is", shape->fields[i].name, shape->what);
        if (shape->fields[i].shape)
            check_shape(section, shape->fields[i].shape);
    }
}

/** The part of the page from the kind's heading to the next. */
static struct kd_str section_of(const char *page, const char *schema)
{
    char heading[64];
    (void)snprintf(heading, sizeof heading, "\n## %s\n", schema);
    const char *begin = strstr(page, heading);
    assert_non_null(begin);
    const char *end = strstr(begin + 4, "\n## ");
    return (struct kd_str){ begin, end ? (size_t)(end - begin) : strlen(begin) };
}

static void test_page_names_every_member(void **state)
{
    (void)state;
    char *page = read_page();
    const char *words = strstr(page, "\n## Words");
    assert_non_null(words);
    for (size_t i = 0; i < co_kind_count; i++) {
        struct kd_str section = section_of(page, co_kinds[i].schema);
        char *both = NULL; /* what is in every document stands once, under "Words" */
        assert_true(asprintf(&both, "%.*s%.*s", KD_ARG(section), KD_ARG(section_of(page, "Words"))) > 0);
        check_shape(kd_str(both), co_kinds[i].shape);
        free(both);
    }
    free(page);
}

/** Every example is read as it stands. */
static void test_examples_of_the_page(void **state)
{
    (void)state;
    char *page = read_page();
    size_t n = 0;
    for (const char *at = page; (at = strstr(at, "```yaml\n")); n++) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(MEMORY);
        struct kd_strs documents;
        struct kd_err err = { 0 };
        union co_document document;
        at += strlen("```yaml\n");
        struct kd_str text = { at, (size_t)(strstr(at, "```") - at) }, schema = text;
        assert_ok(kd_yaml_read(text, "example", KD_YAML_STRICT, &arena, &documents, &err), err);
        assert_int_equal(documents.n, 1);
        (void)kd_str_cut(&schema, ' ');
        const struct co_kind *kind = co_kind_of_schema(kd_str_cut(&schema, '\n'));
        assert_non_null(kind);
        assert_ok(kd_json_decode(kind->shape, documents.v[0], &arena, &document, &err), err);
    }
    assert_int_equal(n, co_kind_count);
    free(page);
}

static const struct kd_json_shape *shape_of(const char *schema)
{
    return co_kind_of_schema(kd_str(schema))->shape;
}

#define APP      "{\"name\":\"web\",\"version\":\"1\",\"chartName\":\"web\",\"chartVersion\":\"1\""
#define REGISTRY "{\"name\":\"r\",\"rootUrl\":\"oci://r\""

static void test_limits(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *json, *field; /* NULL: it is right */
    } rows[] = {
        { "Registry", REGISTRY "}", NULL },
        { "Registry", REGISTRY ",\"registryType\":\"IMAGE\"}", NULL },
        { "Registry", REGISTRY ",\"type\":\"image\"}", "$.type" },
        { "Registry", REGISTRY ",\"displayName\":\" x\"}", "$.displayName" },
        { "Registry", "{\"name\":\"-r\",\"rootUrl\":\"oci://r\"}", "$.name" },
        { "Registry", "{\"name\":\"r\",\"rootUrl\":\"oci://\"}", "$.rootUrl" },
        { "Registry", "{\"name\":\"r\"}", "$.rootUrl" },
        { "Application", APP "}", NULL },
        { "Application", APP ",\"registry\":\"old\"}", NULL },
        { "Application", APP ",\"helmRegistryName\":\"x\"}", "$.helmRegistryName" },
        { "Application", APP ",\"kind\":\"odd\"}", "$.kind" },
        { "Application", "{\"name\":\"a-name-of-27-characters-long\"}", "$.name" },
        { "Application", "{\"name\":\"web\",\"version\":1}", "$.version" },
        { "Application", "{\"name\":\"web\",\"version\":\"1_0\"}", "$.version" },
        { "Application", "{\"name\":\"web\",\"version\":\"1\",\"chartName\":\"a//b\"}", "$.chartName" },
        { "Application", APP ",\"profiles\":[{\"name\":\"p\",\"parameterTemplates\":[{\"name\":\"a b\",\"type\":\"string\"}]}]}",
          "$.profiles[0].parameterTemplates[0].name" },
        { "Application", APP ",\"profiles\":[{\"name\":\"p\",\"deploymentRequirement\":[{\"name\":\"x\",\"version\":\"1\"}]}]}",
          NULL },
        { "DeploymentPackage", "{\"name\":\"p\",\"version\":\"1\"}", "$.applications" },
        { "DeploymentPackage",
          "{\"name\":\"p\",\"version\":\"1\",\"applications\":[{\"name\":\"a\",\"version\":\"1\"}],\"artifactReferences\":[{"
          "\"name\":\"i\","
          "\"purpose\":\"icon\"}]}",
          NULL },
        { "Deployment-Package",
          "{\"name\":\"p\",\"version\":\"1\",\"applications\":[{\"name\":\"a\",\"version\":\"1\"}],\"namespaces\":[{\"name\":\"n\","
          "\"labels\":{\"a b\":\"c\"}}]}",
          "$.namespaces[0].labels.a b" },
        { "Deployment", "{\"name\":\"d\",\"package\":{\"name\":\"p\"}}", "$.package.version" },
        { "Deployment", "{\"name\":\"d\",\"package\":{\"name\":\"p\",\"version\":\"1\"},\"targets\":[{\"cluster\":\"A\"}]}",
          "$.targets[0].cluster" },
        { "Cluster", "{\"name\":\"c\",\"labels\":{\"a\":1}}", "$.labels.a" },
        { "Cluster", "{\"name\":\"c\",\"uid\":\"x\"}", "$.uid" },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(MEMORY);
        union co_document document;
        struct kd_err err = { 0 };
        enum kd_code code = kd_json_decode(shape_of(rows[i].schema), kd_str(rows[i].json), &arena, &document, &err);
        if (!rows[i].field)
            assert_ok(code, err);
        else
            assert_int_equal(code, KD_INVALID);
        assert_string_equal(err.field, rows[i].field ? rows[i].field : "");
    }
}

/** Old names are read into the new members and never written. */
static void test_old_names(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(MEMORY);
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(4096);
    struct kd_catalog_application application;
    struct kd_err err = { 0 };
    assert_ok(kd_json_decode(&kd_catalog_application_shape, KD_STR(APP ",\"registry\":\"old\"}"), &arena, &application, &err), err);
    assert_str(application.helm_registry, "old");
    kd_json_encode(&kd_catalog_application_shape, &application, &out);
    assert_str(kd_buf_str(&out), APP ",\"helmRegistry\":\"old\"}");
}

/** Which clusters a deployment is for: any of its targets, all labels of one target. */
static void test_targets(void **state)
{
    (void)state;
    static const struct {
        const char *targets;
        bool hit;
    } rows[] = {
        { "[]", false },
        { "[{\"cluster\":\"one\"}]", true },
        { "[{\"cluster\":\"two\"}]", false },
        { "[{\"cluster\":\"two\"},{\"cluster\":\"one\"}]", true },
        { "[{\"labels\":{\"a\":\"1\"}}]", true },
        { "[{\"labels\":{\"a\":\"1\",\"b\":\"2\"}}]", true },
        { "[{\"labels\":{\"a\":\"1\",\"b\":\"3\"}}]", false },
        { "[{\"labels\":{\"c\":\"\"}}]", false },
        { "[{\"labels\":{\"c\":\"1\"}},{\"labels\":{\"b\":\"2\"}}]", true },
        { "[{\"labels\":{}}]", false },
    };
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(MEMORY);
    struct kd_cluster cluster;
    struct kd_err err = { 0 };
    assert_ok(kd_json_decode(&kd_cluster_shape, KD_STR("{\"name\":\"one\",\"labels\":{\"a\":\"1\",\"b\":\"2\"}}"), &arena, &cluster,
                             &err),
              err);
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        struct kd_str json = kd_arena_printf(
            &arena, "{\"name\":\"d\",\"package\":{\"name\":\"p\",\"version\":\"1\"},\"targets\":%s}", rows[i].targets);
        struct kd_deployment deployment;
        assert_ok(kd_json_decode(&kd_deployment_shape, json, &arena, &deployment, &err), err);
        assert_int_equal(kd_deployment_targets(&deployment, &cluster), rows[i].hit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_names_every_member),
        cmocka_unit_test(test_examples_of_the_page),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_old_names),
        cmocka_unit_test(test_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
