/** Plans: what is skipped, how things are named, what a hash covers, order, hooks, services, expansion, limits. */
#include "agent/workload/env.h"
#include "agent/workload/plan.h"
#include "agent/workload/quantity.h"
#include "shared/base/own.h"
#include "shared/model/yaml.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

struct made {
    struct kd_arena arena;
    struct ag_plan plan;
    enum kd_code code;
    struct kd_err err;
};

static void made_clear(struct made *m)
{
    kd_arena_clear(&m->arena);
}

static struct ag_plan_context usual(void)
{
    return (struct ag_plan_context){
        .project = KD_STR("p"),
        .deployment = KD_STR("dep"),
        .uid = KD_STR("u1"),
        .app = KD_STR("app"),
        .namespace = KD_STR("ns"),
        .release = KD_STR("rel"),
        .node = KD_STR("edge"),
        .files_dir = KD_STR("/files"),
    };
}

static void make_in(const struct ag_plan_context *context, const char *yaml, struct made *ret)
{
    KD_AUTO(kd_arena_clear) struct kd_arena texts = KD_ARENA(16 * 1024 * 1024);
    struct kd_strs documents;
    *ret = (struct made){ .arena = KD_ARENA(AG_PLAN_ARENA_BYTES) };
    assert_ok(kd_yaml_read(kd_str(yaml), "test", KD_YAML_STRICT, &texts, &documents, &ret->err), ret->err);
    ret->code = ag_plan_make(context, documents, &ret->arena, &ret->plan, &ret->err);
}

static void make(const char *yaml, struct made *ret)
{
    const struct ag_plan_context context = usual();
    make_in(&context, yaml, ret);
}

static void make_good(const char *yaml, struct made *ret)
{
    make(yaml, ret);
    if (ret->code != KD_OK)
        fail_msg("%s", ret->err.story);
}

#define DEPLOYMENT(name, spec)                                                                                                     \
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " name "}\nspec:\n  template:\n    metadata: {labels: {app: " name    \
    "}}\n    spec: {" spec "}\n---\n"
#define ONE "containers: [{name: main, image: 'r.test/web:1'}]"

/* ---- kinds ------------------------------------------------------------------------------------------------------------------ */

static void test_kinds_that_are_skipped_say_why(void **state)
{
    (void)state;
    static const struct {
        const char *version, *kind, *reason;
    } rows[] = {
        { "v1", "ServiceAccount", "has no Kubernetes API that it could act on; nothing is missed" },
        { "rbac.authorization.k8s.io/v1", "Role", "nothing is missed" },
        { "rbac.authorization.k8s.io/v1", "RoleBinding", "nothing is missed" },
        { "rbac.authorization.k8s.io/v1", "ClusterRole", "nothing is missed" },
        { "rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "nothing is missed" },
        { "v1", "Namespace", "namespaces are names" },
        { "scheduling.k8s.io/v1", "PriorityClass", "nothing is missed" },
        { "policy/v1", "PodDisruptionBudget", "drains nothing" },
        { "autoscaling/v2", "HorizontalPodAutoscaler", "does not scale by itself" },
        { "networking.k8s.io/v1", "Ingress", "no ingress controller; use a NodePort or a hostPort" },
        { "networking.k8s.io/v1", "IngressClass", "no ingress controller" },
        { "networking.k8s.io/v1", "NetworkPolicy", "does not filter" },
        { "apiextensions.k8s.io/v1", "CustomResourceDefinition", "no Kubernetes API" },
        { "batch/v1", "CronJob", "nothing by schedule" },
        { "v1", "PersistentVolume", "volumes are Podman's own" },
        { "storage.k8s.io/v1", "StorageClass", "volumes are Podman's own" },
        { "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "could guard" },
        { "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "could guard" },
        { "x.test/v1", "Gadget", "nothing that acts on this kind" },
        { "serving.knative.dev/v1", "Service", "nothing that acts on this kind" },
        { "apps/v1", "ReplicaSet", "nothing that acts on this kind" },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(made_clear) struct made m;
        char yaml[512];
        (void)snprintf(yaml, sizeof yaml, "apiVersion: %s\nkind: %s\nmetadata: {name: it}\nspec: {anything: [1]}\n",
                       rows[i].version, rows[i].kind);
        make_good(yaml, &m);
        assert_int_equal(m.plan.skipped.n, 1);
        assert_str(m.plan.skipped.v[0].kind, rows[i].kind);
        assert_str(m.plan.skipped.v[0].name, "it");
        assert_true(kd_str_find(m.plan.skipped.v[0].reason, kd_str(rows[i].reason)) >= 0);
        assert_int_equal(m.plan.pods.n + m.plan.hooks.n + m.plan.volumes.n, 0);
    }
}

static void test_lists_are_flattened(void **state)
{
    (void)state;
    KD_AUTO(made_clear) struct made m;
    make_good("apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {" ONE "}}\n"
              "- apiVersion: v1\n  kind: PodList\n  items: [{apiVersion: v1, kind: Pod, metadata: {name: b}, spec: {" ONE "}}]\n",
              &m);
    assert_int_equal(m.plan.pods.n, 2);
    assert_str(m.plan.pods.v[0].object, "Pod/a");
    assert_str(m.plan.pods.v[1].object, "Pod/b");
}

static void test_order_is_that_of_helm(void **state)
{
    (void)state;
    KD_AUTO(made_clear) struct made m;
    static const char *const wanted[] = { "DaemonSet/z", "Pod/a", "Deployment/a", "Deployment/b", "StatefulSet/a", "Job/a" };
    make_good(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec: {template: {spec: {restartPolicy: Never, " ONE "}}}\n---\n"
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: a}\nspec: {template: {spec: {" ONE
        "}}}\n---\n" DEPLOYMENT("b", ONE)
            DEPLOYMENT("a", ONE) "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {" ONE "}\n---\n"
                                 "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: z}\nspec: {template: {spec: {" ONE "}}}\n",
        &m);
    assert_int_equal(m.plan.pods.n, KD_COUNT(wanted));
    for (size_t i = 0; i < KD_COUNT(wanted); i++)
        assert_str(m.plan.pods.v[i].object, wanted[i]);
}

/* ---- hooks ------------------------------------------------------------------------------------------------------------------ */

#define HOOK(name, when, weight)                                                                                                   \
    "apiVersion: batch/v1\nkind: Job\nmetadata: {name: " name ", annotations: {helm.sh/hook: '" when                               \
    "', helm.sh/hook-weight: '" weight "'}}\nspec: {template: {spec: {restartPolicy: Never, " ONE "}}}\n---\n"

static void test_hooks_are_apart_and_in_the_order_of_their_weights(void **state)
{
    (void)state;
    KD_AUTO(made_clear) struct made m;
    make_good(HOOK("late", "post-install", "5") HOOK("early", "pre-install,pre-upgrade", "-7") HOOK("b", "post-upgrade", "0")
                  HOOK("a", "pre-upgrade", "0") DEPLOYMENT("web", ONE),
              &m);
    static const struct {
        const char *object;
        unsigned hooks;
    } wanted[] = { { "Job/early", 1U << AG_HOOK_PRE_INSTALL | 1U << AG_HOOK_PRE_UPGRADE },
                   { "Job/a", 1U << AG_HOOK_PRE_UPGRADE },
                   { "Job/b", 1U << AG_HOOK_POST_UPGRADE },
                   { "Job/late", 1U << AG_HOOK_POST_INSTALL } };
    assert_int_equal(m.plan.pods.n, 1);
    assert_int_equal(m.plan.hooks.n, KD_COUNT(wanted));
    for (size_t i = 0; i < KD_COUNT(wanted); i++) {
        assert_str(m.plan.hooks.v[i].object, wanted[i].object);
        assert_int_equal(m.plan.hooks.v[i].hooks, wanted[i].hooks);
    }
}

static void test_tests_vanish_and_other_hooks_are_skipped(void **state)
{
    (void)state;
    KD_AUTO(made_clear) struct made m;
    make_good(
        HOOK("a", "test", "0") HOOK("b", "test-success", "0")
            HOOK("c", "pre-delete",
                 "0") "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, annotations: {helm.sh/hook: pre-install}}\nspec: "
                      "{template: {spec: {" ONE "}}}\n",
        &m);
    assert_int_equal(m.plan.hooks.n + m.plan.pods.n, 0);
    assert_int_equal(m.plan.skipped.n, 2);
    assert_str(m.plan.skipped.v[0].name, "c");
    assert_str(m.plan.skipped.v[0].reason, "a Podman edge runs install and upgrade hooks only");
    assert_str(m.plan.skipped.v[1].name, "d");
    assert_str(m.plan.skipped.v[1].reason, "only Jobs and Pods can be hooks on a Podman edge");
}

/* ---- names and hashes ------------------------------------------------------------------------------------------------------- */

static struct kd_str name_of(const struct made *m)
{
    return m->plan.pods.v[0].mains.v[0].name;
}

static void test_names_have_all_their_parts(void **state)
{
    (void)state;
    KD_AUTO(made_clear) struct made m;
    make_good(DEPLOYMENT("web", ONE), &m);
    assert_true(kd_str_starts(name_of(&m), KD_STR("kedge_p_dep_ns_app_deployment_web_0_")));
    assert_true(kd_str_ends(name_of(&m), (struct kd_str){ m.plan.pods.v[0].hash.p, 8 }));
    assert_str(m.plan.network, "kedge-p");
}

static void test_long_names_are_cut_and_stay_different(void **state)
{
    (void)state;
    KD_AUTO(made_clear) struct made a;
    KD_AUTO(made_clear) struct made b;
#define LONG "a-very-long-name-that-goes-on-and-on-and-on-until-it-has-too-many-characters-for-a-label-and-more-"
    make_good(DEPLOYMENT(LONG "one", ONE ", initContainers: [{name: i, image: 'r.test/web:1'}]"), &a);
    make_good(DEPLOYMENT(LONG "two", ONE ", initContainers: [{name: i, image: 'r.test/web:1'}]"), &b);
    assert_true(name_of(&a).n <= AG_PODMAN_NAME_MAX);
    assert_false(kd_str_eq(a.plan.pods.v[0].name, b.plan.pods.v[0].name));
    assert_true(kd_str_find(a.plan.pods.v[0].body, KD_STR("\"hostname\":\"" LONG)) < 0);
}

static void test_the_same_chart_in_two_deployments_does_not_meet(void **state)
{
    (void)state;
    KD_AUTO(made_clear) struct made a;
    KD_AUTO(made_clear) struct made b;
    struct ag_plan_context other = usual();
    other.deployment = KD_STR("dep2");
    const char *yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {k: v}\n---\n"
                       "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: d}\nspec: {}\n---\n" DEPLOYMENT(
                           "web", "containers: [{name: main, image: 'r.test/web:1', volumeMounts: [{name: c, mountPath: /c}, "
                                  "{name: d, mountPath: /d}]}], volumes: [{name: c, configMap: {name: c}}, "
                                  "{name: d, persistentVolumeClaim: {claimName: d}}]");
    make_good(yaml, &a);
    make_in(&other, yaml, &b);
    assert_int_equal(b.code, KD_OK);
    assert_false(kd_str_eq(name_of(&a), name_of(&b)));
    assert_false(kd_str_eq(a.plan.volumes.v[0].name, b.plan.volumes.v[0].name));
    assert_false(kd_str_eq(a.plan.pods.v[0].directories.v[0].path, b.plan.pods.v[0].directories.v[0].path));
}

static void test_an_owner_is_not_part_of_the_hash(void **state)
{
    (void)state;
    KD_AUTO(made_clear) struct made a;
    KD_AUTO(made_clear) struct made b;
    struct ag_plan_context adopted = usual();
    adopted.uid = KD_STR("u2");
    make_good(DEPLOYMENT("web", ONE), &a);
    make_in(&adopted, DEPLOYMENT("web", ONE), &b);
    assert_int_equal(b.code, KD_OK);
    assert_true(kd_str_eq(a.plan.pods.v[0].hash, b.plan.pods.v[0].hash));
    assert_true(kd_str_find(b.plan.pods.v[0].mains.v[0].body, KD_STR("\"kedge.uid\":\"u2\"")) > 0);
}

#define CONFIG(value) "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {k: " value "}\n---\n"

static void test_used_content_is_part_of_the_hash(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        bool changes;
    } rows[] = {
        { ONE, false },
        { "containers: [{name: main, image: 'r.test/web:1', envFrom: [{configMapRef: {name: c}}]}]", true },
        { "containers: [{name: main, image: 'r.test/web:1', volumeMounts: [{name: c, mountPath: /c}]}], "
          "volumes: [{name: c, configMap: {name: c}}]",
          true },
        { "containers: [{name: main, image: 'r.test/web:1'}], volumes: [{name: c, configMap: {name: c}}]", false },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(made_clear) struct made a;
        KD_AUTO(made_clear) struct made b;
        char first[2048], second[2048];
        (void)snprintf(first, sizeof first, CONFIG("one") DEPLOYMENT("web", "%s"), rows[i].spec);
        (void)snprintf(second, sizeof second, CONFIG("two") DEPLOYMENT("web", "%s"), rows[i].spec);
        make_good(first, &a);
        make_good(second, &b);
        assert_int_equal(!kd_str_eq(a.plan.pods.v[0].hash, b.plan.pods.v[0].hash), rows[i].changes);
    }
}

static void test_an_empty_dir_belongs_to_one_making_of_its_pod(void **state)
{
    (void)state;
    KD_AUTO(made_clear) struct made m;
    char path[512];
    make_good(DEPLOYMENT("web", "containers: [{name: main, image: 'r.test/web:1', volumeMounts: [{name: v, mountPath: /v}]}], "
                                "volumes: [{name: v, emptyDir: {}}]"),
              &m);
    (void)snprintf(path, sizeof path, "/files/p/dep/app/pod-%.*s/v", KD_ARG(name_of(&m)));
    assert_int_equal(m.plan.pods.v[0].directories.n, 1);
    assert_str(m.plan.pods.v[0].directories.v[0].path, path);
    assert_int_equal(m.plan.pods.v[0].directories.v[0].mode, 0777);
}

/* ---- what is refused beyond the table ---------------------------------------------------------------------------------------- */

static void test_failures_name_the_object_and_what_to_do(void **state)
{
    (void)state;
#define BOX(more) "containers: [{name: main, image: 'r.test/web:1', " more "}]"
    static const struct {
        const char *yaml;
        enum kd_code code;
        const char *story;
    } rows[] = {
        { DEPLOYMENT("web", "containers: [{name: main, image: 'nginx:1'}]"), KD_UNSUPPORTED,
          "Deployment/web: image 'nginx:1' names no registry" },
        { DEPLOYMENT("web", "containers: [{name: main}]"), KD_INVALID, "Deployment/web: a container has no image" },
        { DEPLOYMENT("web", "containers: [{name: Main, image: 'r.test/a'}]"), KD_INVALID, "the name of container 'Main'" },
        { DEPLOYMENT("web", BOX("securityContext: {capabilities: {add: [SYS_ADMIN]}}")), KD_UNSUPPORTED,
          "Deployment/web: capability SYS_ADMIN cannot be given" },
        { DEPLOYMENT("web", BOX("resources: {limits: {memory: 12z}}")), KD_INVALID, "resources.limits.memory is not a quantity" },
        { DEPLOYMENT("web", BOX("resources: {limits: {memory: 1Mi}}")), KD_INVALID, "below 6 MiB" },
        { DEPLOYMENT("web", BOX("env: [{name: 'A=B', value: x}]")), KD_INVALID, "variable 'A=B' cannot be given" },
        { DEPLOYMENT("web", BOX("env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]")), KD_UNSUPPORTED,
          "fieldPath status.podIP is not known" },
        { DEPLOYMENT("web", BOX("ports: [{containerPort: 80, hostPort: 70000}]")), KD_INVALID, "host port 70000" },
        { DEPLOYMENT("web", BOX("livenessProbe: {tcpSocket: {port: nosuch}}")), KD_INVALID,
          "a probe of container main names a port" },
        { DEPLOYMENT("web", BOX("volumeMounts: [{name: v, mountPath: rel}]") ", volumes: [{name: v, emptyDir: {}}]"), KD_INVALID,
          "mountPath 'rel' must be absolute" },
        { DEPLOYMENT("web", BOX("volumeMounts: [{name: v, mountPath: /a, subPath: ../x}]") ", volumes: [{name: v, emptyDir: {}}]"),
          KD_INVALID, "without .." },
        { DEPLOYMENT("web",
                     BOX("volumeMounts: [{name: v, mountPath: /a, subPath: x}, {name: v, mountPath: /b}]") ", volumes: [{name: v, "
                                                                                                           "emptyDir: {}}]"),
          KD_UNSUPPORTED, "subPath of the volume v" },
        { DEPLOYMENT("web", ONE) DEPLOYMENT("web", ONE), KD_INVALID, "Deployment/web: stands twice" },
        { DEPLOYMENT("web", ONE ", restartPolicy: Never"), KD_INVALID, "Deployment/web: restartPolicy must be Always" },
        { "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {template: {spec: {" ONE "}}}\n", KD_INVALID,
          "Job/j: restartPolicy must be OnFailure or Never" },
        { "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 65, template: {spec: {" ONE "}}}\n",
          KD_TOO_LARGE, "has 65 replicas" },
        { "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {k: '%%%'}\n---\n" DEPLOYMENT(
              "web", BOX("envFrom: [{secretRef: {name: s}}]")),
          KD_INVALID, "Secret/s: the value of k is not base64" },
        { "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\nbinaryData: {k: '/w=='}\n---\n" DEPLOYMENT(
              "web", BOX("env: [{name: A, valueFrom: {configMapKeyRef: {name: c, key: k}}}]")),
          KD_INVALID, "variable 'A' cannot be given" },
        { "kind: Pod\nmetadata: {name: a}\n", KD_INVALID, "without kind or apiVersion" },
        { "apiVersion: v1\nkind: Pod\nmetadata: {name: '../a'}\nspec: {" ONE "}\n", KD_INVALID, "metadata.name" },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(made_clear) struct made m;
        make(rows[i].yaml, &m);
        if (m.code != rows[i].code || !strstr(m.err.story, rows[i].story))
            fail_msg("wanted %s '%s', got %s '%s'", kd_code_word(rows[i].code), rows[i].story, kd_code_word(m.code), m.err.story);
    }
}

static void test_names_of_the_context_are_checked(void **state)
{
    (void)state;
    KD_AUTO(made_clear) struct made m;
    struct ag_plan_context context = usual();
    context.deployment = KD_STR("../up");
    make_in(&context, DEPLOYMENT("web", ONE), &m);
    assert_int_equal(m.code, KD_INVALID);
}

static void test_a_full_arena_is_told(void **state)
{
    (void)state;
    for (size_t bytes = 64; bytes < 16384; bytes += 512) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(bytes);
        KD_AUTO(kd_arena_clear) struct kd_arena texts = KD_ARENA(1024 * 1024);
        const struct ag_plan_context context = usual();
        struct kd_strs documents;
        struct ag_plan plan;
        struct kd_err err = { KD_OK, 0, "", "" };
        assert_ok(kd_yaml_read(KD_STR(DEPLOYMENT("web", ONE)), "test", KD_YAML_STRICT, &texts, &documents, &err), err);
        enum kd_code code = ag_plan_make(&context, documents, &arena, &plan, &err);
        assert_true(code == KD_TOO_LARGE || (code == KD_OK && bytes > 1024));
    }
}

static void test_a_default_registry_is_put_in_front(void **state)
{
    (void)state;
    static const struct {
        const char *image, *want;
    } rows[] = {
        { "nginx:1", "reg.test:5000/nginx:1" },   { "library/nginx:1", "reg.test:5000/library/nginx:1" },
        { "quay.test/a/b:1", "quay.test/a/b:1" }, { "localhost/a", "localhost/a" },
        { "host:5000/a", "host:5000/a" },
    };
    struct ag_plan_context context = usual();
    context.default_registry = KD_STR("reg.test:5000");
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(made_clear) struct made m;
        char yaml[512];
        (void)snprintf(yaml, sizeof yaml, DEPLOYMENT("web", "containers: [{name: main, image: '%s'}]"), rows[i].image);
        make_in(&context, yaml, &m);
        assert_int_equal(m.code, KD_OK);
        assert_str(m.plan.pods.v[0].mains.v[0].image, rows[i].want);
    }
}

/* ---- services ---------------------------------------------------------------------------------------------------------------- */

#define SERVICE(spec) "apiVersion: v1\nkind: Service\nmetadata: {name: svc}\nspec: {" spec "}\n---\n"

static void test_services_publish_at_the_first_pod_only(void **state)
{
    (void)state;
    KD_AUTO(made_clear) struct made m;
    make_good(
        SERVICE(
            "type: NodePort, selector: {app: web}, ports: [{port: 8080, nodePort: 30080}]") "apiVersion: apps/v1\nkind: "
                                                                                            "Deployment\nmetadata: {name: "
                                                                                            "web}\nspec: {replicas: 2, template: "
                                                                                            "{metadata: {labels: {app: "
                                                                                            "web}}, spec: {" ONE "}}}\n",
        &m);
    assert_true(m.plan.pods.v[0].publishes);
    assert_false(m.plan.pods.v[0].surge);
    assert_false(m.plan.pods.v[1].publishes);
    assert_true(m.plan.pods.v[1].surge);
    for (size_t i = 0; i < 2; i++)
        assert_true(kd_str_find(m.plan.pods.v[i].mains.v[0].body, KD_STR("\"svc.ns.svc.cluster.local\"")) > 0);
}

static void test_services_of_other_namespaces_do_not_lead_here(void **state)
{
    (void)state;
    KD_AUTO(made_clear) struct made m;
    make_good(
        "apiVersion: v1\nkind: Service\nmetadata: {name: svc, namespace: else}\nspec: {selector: {app: web}, ports: [{port: 1}]}\n"
        "---\n" DEPLOYMENT("web", ONE),
        &m);
    assert_true(kd_str_find(m.plan.pods.v[0].mains.v[0].body, KD_STR("\"aliases\":[]")) > 0);
    assert_int_equal(m.plan.skipped.n, 1);
    assert_str(m.plan.skipped.v[0].reason, "selects no pod of this application");
}

/* ---- small parts ------------------------------------------------------------------------------------------------------------- */

static void test_quantities(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double want; /* < 0: not a quantity */
    } rows[] = {
        { "0", 0 },
        { "1", 1 },
        { "500m", 0.5 },
        { "0.5", 0.5 },
        { ".5", 0.5 },
        { "2.", 2 },
        { "128Mi", 134217728 },
        { "1Ki", 1024 },
        { "1.5Gi", 1610612736 },
        { "1k", 1000 },
        { "3M", 3e6 },
        { "1e3", 1000 },
        { "1E3", 1000 },
        { "5e-1", 0.5 },
        { "1E", 1e18 },
        { "100u", 1e-4 },
        { "", -1 },
        { "m", -1 },
        { "1mi", -1 },
        { "1.2.3", -1 },
        { "-1", -1 },
        { "1 Mi", -1 },
        { "0x10", -1 },
        { "1e99", -1 },
        { "1e", -1 },
        { "12345678901234567890", -1 },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        double got = -1;
        bool is = ag_quantity_parse(kd_str(rows[i].text), &got);
        if (is != (rows[i].want >= 0) || (is && (got < rows[i].want * 0.999999 || got > rows[i].want * 1.000001)))
            fail_msg("'%s' gives %f", rows[i].text, got);
    }
}

static void test_expansion_is_that_of_kubernetes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "$(A)", "one" },
        { "x$(A)y$(A)", "xoneyone" },
        { "$$(A)", "$(A)" },
        { "$$$(A)", "$one" },
        { "$(NONE)", "$(NONE)" },
        { "$A", "$A" },
        { "$", "$" },
        { "$(A", "$(A" },
        { "$()", "$()" },
        { "$$", "$" },
        { "", "" },
        { "a$(EMPTY)b", "ab" },
    };
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(65536);
    struct ag_plan_context context = usual();
    struct ag_build b = { .context = &context, .arena = &arena };
    struct ag_var v[] = { { KD_STR("A"), KD_STR("one") }, { KD_STR("EMPTY"), KD_STR("") } };
    const struct ag_vars vars = { v, KD_COUNT(v) };
    for (size_t i = 0; i < KD_COUNT(rows); i++)
        assert_str(ag_env_expand(&b, &vars, kd_str(rows[i].text)), rows[i].want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds_that_are_skipped_say_why),
        cmocka_unit_test(test_lists_are_flattened),
        cmocka_unit_test(test_order_is_that_of_helm),
        cmocka_unit_test(test_hooks_are_apart_and_in_the_order_of_their_weights),
        cmocka_unit_test(test_tests_vanish_and_other_hooks_are_skipped),
        cmocka_unit_test(test_names_have_all_their_parts),
        cmocka_unit_test(test_long_names_are_cut_and_stay_different),
        cmocka_unit_test(test_the_same_chart_in_two_deployments_does_not_meet),
        cmocka_unit_test(test_an_owner_is_not_part_of_the_hash),
        cmocka_unit_test(test_used_content_is_part_of_the_hash),
        cmocka_unit_test(test_an_empty_dir_belongs_to_one_making_of_its_pod),
        cmocka_unit_test(test_failures_name_the_object_and_what_to_do),
        cmocka_unit_test(test_names_of_the_context_are_checked),
        cmocka_unit_test(test_a_full_arena_is_told),
        cmocka_unit_test(test_a_default_registry_is_put_in_front),
        cmocka_unit_test(test_services_publish_at_the_first_pod_only),
        cmocka_unit_test(test_services_of_other_namespaces_do_not_lead_here),
        cmocka_unit_test(test_quantities),
        cmocka_unit_test(test_expansion_is_that_of_kubernetes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
