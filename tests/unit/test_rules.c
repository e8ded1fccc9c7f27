/** The rules within one document that its table cannot say: a row per rule. */
#include "coordinator/core/rules.h"
#include "shared/base/own.h"
#include "tests/unit/unit.h"

enum { MEMORY = 1 << 20 };
enum kind { REGISTRY, ARTIFACT, APPLICATION, PACKAGE, DEPLOYMENT, CLUSTER };

union any {
    struct kd_catalog_registry registry;
    struct kd_catalog_artifact artifact;
    struct kd_catalog_application application;
    struct kd_catalog_package package;
    struct kd_deployment deployment;
    struct kd_cluster cluster;
};

static enum kd_code check(enum kind kind, struct kd_str json, struct kd_err *err)
{
    static const struct kd_json_shape *const shapes[] = { &kd_catalog_registry_shape,    &kd_catalog_artifact_shape,
                                                          &kd_catalog_application_shape, &kd_catalog_package_shape,
                                                          &kd_deployment_shape,          &kd_cluster_shape };
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(MEMORY);
    union any any;
    assert_ok(kd_json_decode(shapes[kind], json, &arena, &any, err), *err);
    switch (kind) {
    case REGISTRY:
        return co_check_registry(&any.registry, err);
    case ARTIFACT:
        return co_check_artifact(&any.artifact, err);
    case APPLICATION:
        return co_check_application(&any.application, err);
    case PACKAGE:
        return co_check_package(&any.package, err);
    case DEPLOYMENT:
        return co_check_deployment(&any.deployment, err);
    case CLUSTER:
        return co_check_cluster(&any.cluster, err);
    }
    return KD_INTERNAL;
}

#define APP(more)  "{\"name\":\"web\",\"version\":\"1\",\"chartName\":\"web\",\"chartVersion\":\"1\"" more "}"
#define HELM       ",\"helmRegistry\":\"r\""
#define PROFILE(t) HELM ",\"profiles\":[{\"name\":\"p\",\"parameterTemplates\":[{\"name\":\"a\"," t "}]}]"
#define PKG(more)                                                                                                                  \
    "{\"name\":\"p\",\"version\":\"1\",\"applications\":[{\"name\":\"a\",\"version\":\"1\"},{\"name\":\"b\",\"version\":\"1\"},{"  \
    "\"name\":"                                                                                                                    \
    "\"c\",\"version\":\"1\"}]" more "}"
#define NEEDS(x, y) "{\"name\":\"" x "\",\"requires\":\"" y "\"}"
#define DEP(more)   "{\"name\":\"d\",\"package\":{\"name\":\"p\",\"version\":\"1\"}" more "}"

static const struct {
    enum kind kind;
    const char *json, *field; /* NULL: it is right */
} rows[] = {
    { REGISTRY, "{\"name\":\"r\",\"rootUrl\":\"oci://r\",\"type\":\"IMAGE\"}", NULL },
    { REGISTRY, "{\"name\":\"r\",\"rootUrl\":\"oci://r\"}", "$.type" },
    { ARTIFACT, "{\"name\":\"a\",\"mimeType\":\"image/png\"}", NULL },
    { ARTIFACT, "{\"name\":\"a\",\"mimeType\":\"image/gif\"}", "$.mimeType" },
    { APPLICATION, APP(HELM), NULL },
    { APPLICATION, APP(""), "$.helmRegistry" },
    { APPLICATION, APP(HELM ",\"defaultProfile\":\"x\""), "$.defaultProfile" },
    { APPLICATION, APP(HELM ",\"defaultProfile\":\"x\",\"profiles\":[{\"name\":\"x\"}]"), NULL },
    { APPLICATION, APP(HELM ",\"profiles\":[{\"name\":\"x\"},{\"name\":\"x\"}]"), "$.profiles[1].name" },
    { APPLICATION, APP(PROFILE("\"type\":\"string\",\"default\":\"x\"")), NULL },
    { APPLICATION, APP(PROFILE("\"type\":\"list\"")), "$.profiles[0].parameterTemplates" },
    { APPLICATION, APP(PROFILE("\"type\":\"string\",\"secret\":true")), NULL },
    { APPLICATION, APP(PROFILE("\"type\":\"string\",\"secret\":true,\"default\":\"x\"")), "$.profiles[0].parameterTemplates" },
    { APPLICATION, APP(PROFILE("\"type\":\"number\",\"mandatory\":true,\"default\":\"1\"")), "$.profiles[0].parameterTemplates" },
    { PACKAGE, PKG(""), NULL },
    { PACKAGE,
      "{\"name\":\"p\",\"version\":\"1\",\"applications\":[{\"name\":\"a\",\"version\":\"1\"},{\"name\":\"a\",\"version\":\"2\"}]}",
      "$.applications[1].name" },
    { PACKAGE, PKG(",\"deploymentProfiles\":[{\"name\":\"x\"},{\"name\":\"x\"}]"), "$.deploymentProfiles[1].name" },
    { PACKAGE,
      PKG(",\"deploymentProfiles\":[{\"name\":\"x\",\"applicationProfiles\":[{\"application\":\"z\",\"profile\":\"y\"}]}]"),
      "$.deploymentProfiles[0].applicationProfiles" },
    { PACKAGE,
      PKG(",\"deploymentProfiles\":[{\"name\":\"x\",\"applicationProfiles\":[{\"application\":\"a:1\",\"profile\":\"y\"}]}]"),
      NULL },
    { PACKAGE, PKG(",\"defaultProfile\":\"x\""), "$.defaultProfile" },
    { PACKAGE, PKG(",\"defaultNamespaces\":{\"a\":\"n\"}"), NULL },
    { PACKAGE, PKG(",\"defaultNamespaces\":{\"z\":\"n\"}"), "$.defaultNamespaces.z" },
    { PACKAGE, PKG(",\"defaultNamespaces\":{\"a\":\"N\"}"), "$.defaultNamespaces.a" },
    { PACKAGE, PKG(",\"namespaces\":[{\"name\":\"default\"}]"), "$.namespaces[0].name" },
    { PACKAGE, PKG(",\"namespaces\":[{\"name\":\"kube-system\"}]"), "$.namespaces[0].name" },
    { PACKAGE, PKG(",\"namespaces\":[{\"name\":\"n\",\"labels\":{\"a\":\"b c\"}}]"), "$.namespaces[0].labels.a" },
    { PACKAGE, PKG(",\"applicationDependencies\":[" NEEDS("a", "b") "," NEEDS("b", "c") "," NEEDS("a", "c") "]"), NULL },
    { PACKAGE, PKG(",\"applicationDependencies\":[" NEEDS("a", "z") "]"), "$.applicationDependencies[0].requires" },
    { PACKAGE, PKG(",\"applicationDependencies\":[" NEEDS("z", "a") "]"), "$.applicationDependencies[0].name" },
    { PACKAGE, PKG(",\"applicationDependencies\":[" NEEDS("a", "a") "]"), "$.applicationDependencies" },
    { PACKAGE, PKG(",\"applicationDependencies\":[" NEEDS("a", "b") "," NEEDS("b", "a") "]"), "$.applicationDependencies" },
    { PACKAGE, PKG(",\"applicationDependencies\":[" NEEDS("a", "b") "," NEEDS("b", "c") "," NEEDS("c", "a") "]"),
      "$.applicationDependencies" },
    { DEPLOYMENT, DEP(""), NULL },
    { DEPLOYMENT, DEP(",\"targets\":[{\"cluster\":\"c\"},{\"labels\":{\"a\":\"b\"}}]"), NULL },
    { DEPLOYMENT, DEP(",\"targets\":[{\"cluster\":\"c\",\"labels\":{\"a\":\"b\"}}]"), "$.targets[0]" },
    { DEPLOYMENT, DEP(",\"targets\":[{\"cluster\":\"c\"},{}]"), "$.targets[1]" },
    { DEPLOYMENT, DEP(",\"targets\":[{\"labels\":{\"a\":\"-\"}}]"), "$.targets[0].labels.a" },
    { DEPLOYMENT, DEP(",\"overrides\":[{\"app\":\"a\",\"values\":{}}]"), NULL },
    { DEPLOYMENT, DEP(",\"overrides\":[{\"app\":\"a\",\"values\":\"x: 1\"}]"), "$.overrides[0].values" },
    { DEPLOYMENT, DEP(",\"overrides\":[{\"app\":\"a\",\"values\":null}]"), "$.overrides[0].values" },
    { DEPLOYMENT, DEP(",\"overrides\":[{\"app\":\"a\"},{\"app\":\"a\"}]"), "$.overrides[1].app" },
    { CLUSTER, "{\"name\":\"c\",\"labels\":{\"a\":\"\"}}", NULL },
    { CLUSTER, "{\"name\":\"c\",\"labels\":{\"a\":\"b/c\"}}", "$.labels.a" },
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        struct kd_err err = { 0 };
        enum kd_code code = check(rows[i].kind, kd_str(rows[i].json), &err);
        if (code != (rows[i].field ? KD_INVALID : KD_OK) || strcmp(err.field, rows[i].field ? rows[i].field : "") != 0)
            fail_msg("row %zu: %s: %s (%s)", i, rows[i].json, err.field, err.story);
        if (rows[i].field)
            assert_true(strlen(err.story) > strlen(err.field) + 5);
    }
}

/** What of a deployed application may change. */
static void test_deployed(void **state)
{
    (void)state;
    static const char before[] = APP(HELM ",\"profiles\":[{\"name\":\"p\",\"values\":{\"digest\":\"sha256:"
                                          "0000000000000000000000000000000000000000000000000000000000000000\",\"size\":1}}]");
#define VALUES(c)                                                                                                                  \
    "\"values\":{\"digest\":\"sha256:" c "000000000000000000000000000000000000000000000000000000000000000\",\"size\":1}"
    static const struct {
        const char *after;
        bool may;
    } after[] = {
        { APP(HELM ",\"profiles\":[{\"name\":\"p\"," VALUES("0") "}]"), true },
        { APP(HELM ",\"kind\":\"addon\",\"description\":\"x\",\"profiles\":[{\"name\":\"p\"," VALUES("0") "}]"), true },
        { APP(HELM ",\"profiles\":[{\"name\":\"q\"},{\"name\":\"p\",\"displayName\":\"P\"," VALUES("0") "}]"), true },
        { APP(HELM ",\"ignoredResources\":[{\"name\":\"x\",\"kind\":\"Y\"}],\"profiles\":[{\"name\":\"p\"," VALUES("0") "}]"),
          true },
        { APP(HELM ",\"profiles\":[{\"name\":\"p\"," VALUES("1") "}]"), false },
        { APP(HELM ",\"profiles\":[{\"name\":\"p\"}]"), false },
        { APP(HELM ",\"profiles\":[{\"name\":\"q\"," VALUES("0") "}]"), false },
        { APP(HELM), false },
        { APP(HELM ",\"imageRegistry\":\"i\",\"profiles\":[{\"name\":\"p\"," VALUES("0") "}]"), false },
        { APP(HELM ",\"defaultProfile\":\"p\",\"profiles\":[{\"name\":\"p\"," VALUES("0") "}]"), false },
        { APP(",\"helmRegistry\":\"s\",\"profiles\":[{\"name\":\"p\"," VALUES("0") "}]"), false },
    };
    for (size_t i = 0; i < KD_COUNT(after); i++) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(MEMORY);
        struct kd_catalog_application a, b;
        struct kd_err err = { 0 };
        assert_ok(kd_json_decode(&kd_catalog_application_shape, kd_str(before), &arena, &a, &err), err);
        assert_ok(kd_json_decode(&kd_catalog_application_shape, kd_str(after[i].after), &arena, &b, &err), err);
        if (co_may_change_deployed(&a, &b) != after[i].may)
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_deployed) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
