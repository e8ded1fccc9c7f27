/** From a deployment and its package to the document: profiles, namespaces, values, order. */
#include "coordinator/core/plan.h"
#include "shared/base/own.h"
#include "tests/unit/unit.h"

enum { MEMORY = 1 << 20 };

#define REF(c)                                                                                                                     \
    "{\"digest\":\"sha256:" c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c  \
        c c c c c c c c c c c c c "\",\"size\":1}"
#define WEB        "{\"name\":\"web\",\"version\":\"1\",\"chartName\":\"web\",\"chartVersion\":\"1\""
#define PROFILES   ",\"profiles\":[{\"name\":\"small\",\"values\":" REF("1") "},{\"name\":\"large\",\"values\":" REF("2") "}]"
#define PACKAGE    "{\"name\":\"shop\",\"version\":\"1\",\"applications\":[{\"name\":\"web\",\"version\":\"1\"}]"
#define DEPLOYMENT "{\"name\":\"d\",\"package\":{\"name\":\"shop\",\"version\":\"1\"}"
#define PROFILE(name, app, profile)                                                                                                \
    "{\"name\":\"" name "\",\"applicationProfiles\":[{\"application\":\"" app "\",\"profile\":\"" profile "\"}]}"

static const struct {
    const char *application, *package, *deployment;
    const char *profile, *values, *namespace; /* of the document; values: first hex digit of each; NULL: refused with $.profile */
} rows[] = {
    { WEB "}", PACKAGE "}", DEPLOYMENT "}", "", "", "d" },
    { WEB PROFILES "}", PACKAGE "}", DEPLOYMENT "}", "", "1", "d" },
    { WEB PROFILES ",\"defaultProfile\":\"large\"}", PACKAGE "}", DEPLOYMENT "}", "", "2", "d" },
    { WEB PROFILES "}", PACKAGE ",\"deploymentProfiles\":[" PROFILE("a", "web", "large") "]}", DEPLOYMENT "}", "a", "2", "d" },
    { WEB PROFILES "}",
      PACKAGE ",\"deploymentProfiles\":[" PROFILE("a", "web", "large") "," PROFILE("default", "web", "small") "]}", DEPLOYMENT "}",
      "default", "1", "d" },
    { WEB PROFILES "}",
      PACKAGE
      ",\"defaultProfile\":\"b\",\"deploymentProfiles\":[" PROFILE("a", "web", "small") "," PROFILE("b", "web:1", "large") "]}",
      DEPLOYMENT "}", "b", "2", "d" },
    { WEB PROFILES "}",
      PACKAGE
      ",\"defaultProfile\":\"b\",\"deploymentProfiles\":[" PROFILE("a", "web", "small") "," PROFILE("b", "web:1", "large") "]}",
      DEPLOYMENT ",\"profile\":\"a\"}", "a", "1", "d" },
    { WEB PROFILES "}", PACKAGE ",\"deploymentProfiles\":[" PROFILE("a", "web:2", "large") "]}", DEPLOYMENT "}", "a", "1", "d" },
    { WEB PROFILES "}", PACKAGE ",\"deploymentProfiles\":[" PROFILE("a", "web", "nope") "]}", DEPLOYMENT "}", NULL, NULL, NULL },
    { WEB PROFILES "}", PACKAGE "}", DEPLOYMENT ",\"profile\":\"nope\"}", NULL, NULL, NULL },
    { WEB "}", PACKAGE ",\"defaultNamespaces\":{\"web\":\"n\"}}", DEPLOYMENT "}", "", "", "n" },
    { WEB "}", PACKAGE ",\"defaultNamespaces\":{\"web\":\"n\"}}",
      DEPLOYMENT ",\"overrides\":[{\"app\":\"web\",\"namespace\":\"o\"}]}", "", "", "o" },
    { WEB "}", PACKAGE ",\"defaultNamespaces\":{\"db\":\"n\"}}",
      DEPLOYMENT ",\"overrides\":[{\"app\":\"db\",\"namespace\":\"o\"}]}", "", "", "d" },
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(MEMORY);
        struct kd_catalog_application application;
        struct kd_catalog_package package;
        struct kd_deployment deployment;
        struct kd_document document;
        struct kd_err err = { 0 };
        const struct kd_catalog_registry registry = { .root_url = KD_STR("oci://r") };
        const struct co_plan_app app = { .application = &application, .registry = &registry, .chart_digest = KD_STR("sha256:c") };
        assert_ok(kd_json_decode(&kd_catalog_application_shape, kd_str(rows[i].application), &arena, &application, &err), err);
        assert_ok(kd_json_decode(&kd_catalog_package_shape, kd_str(rows[i].package), &arena, &package, &err), err);
        assert_ok(kd_json_decode(&kd_deployment_shape, kd_str(rows[i].deployment), &arena, &deployment, &err), err);
        enum kd_code code = co_plan_document(&deployment, &package, &app, &arena, &document, &err);
        if (!rows[i].profile) {
            assert_int_equal(code, KD_INVALID);
            assert_string_equal(err.field, "$.profile");
            continue;
        }
        assert_ok(code, err);
        assert_str(document.profile, rows[i].profile);
        assert_str(document.apps.v[0].namespace, rows[i].namespace);
        assert_int_equal(document.apps.v[0].values.n, strlen(rows[i].values));
        if (rows[i].values[0])
            assert_int_equal(document.apps.v[0].values.v[0].digest.p[7], rows[i].values[0]);
        assert_str(document.apps.v[0].chart.registry, "oci://r");
        assert_str(document.apps.v[0].chart.digest, "sha256:c");
    }
}

/** Several applications: order, dependencies, the deployment's own values after the profile's, what is ignored. */
static void test_several(void **state)
{
    (void)state;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(MEMORY);
    struct kd_catalog_application web, db;
    struct kd_catalog_package package;
    struct kd_deployment deployment;
    struct kd_document document;
    struct kd_err err = { 0 };
    const struct kd_catalog_registry registry = { .root_url = KD_STR("oci://r") };
    assert_ok(kd_json_decode(&kd_catalog_application_shape,
                             KD_STR(WEB PROFILES ",\"ignoredResources\":[{\"name\":\"web\",\"kind\":\"Deployment\"}]}"), &arena,
                             &web, &err),
              err);
    assert_ok(kd_json_decode(&kd_catalog_application_shape,
                             KD_STR("{\"name\":\"db\",\"version\":\"1\",\"chartName\":\"db\",\"chartVersion\":\"1\"}"), &arena, &db,
                             &err),
              err);
    assert_ok(kd_json_decode(
                  &kd_catalog_package_shape,
                  KD_STR("{\"name\":\"shop\",\"version\":\"1\",\"applications\":[{\"name\":\"web\",\"version\":\"1\"},{\"name\":"
                         "\"db\",\"version\":\"1\"}],\"applicationDependencies\":[{\"name\":\"web\",\"requires\":\"db\"}]}"),
                  &arena, &package, &err),
              err);
    assert_ok(kd_json_decode(&kd_deployment_shape, KD_STR(DEPLOYMENT "}"), &arena, &deployment, &err), err);
    const struct co_plan_app apps[] = {
        { .application = &web, .registry = &registry, .override = { KD_STR("sha256:own"), 9 } },
        { .application = &db, .registry = &registry },
    };
    assert_ok(co_plan_document(&deployment, &package, apps, &arena, &document, &err), err);
    assert_int_equal(document.apps.n, 2);
    assert_str(document.apps.v[0].name, "web");
    assert_int_equal(document.apps.v[0].values.n, 2);
    assert_str(document.apps.v[0].values.v[1].digest, "sha256:own");
    assert_int_equal(document.apps.v[0].depends_on.n, 1);
    assert_str(document.apps.v[0].depends_on.v[0], "db");
    assert_int_equal(document.apps.v[0].ignore.n, 1);
    assert_int_equal(document.apps.v[1].depends_on.n, 0);
    assert_int_equal(document.apps.v[1].values.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_several) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
