/** The table of fields: sorted, the same as in docs/podman.md, and each row does what its verdict says. */
#include "agent/workload/fields.h"
#include "agent/workload/plan.h"
#include "shared/base/own.h"
#include "tests/unit/unit.h"

#include <stdio.h>

/* ---- documents to begin with, and changing one place of them ---------------------------------------------------------------- */

#define POD_SPEC                                                                                                                   \
    "{\"containers\":[{\"name\":\"main\",\"image\":\"r.test/web:1\",\"env\":[{\"name\":\"A\",\"value\":\"1\"}],"                   \
    "\"volumeMounts\":[{\"name\":\"vol\",\"mountPath\":\"/vol\"}]}],\"volumes\":[{\"name\":\"vol\",\"emptyDir\":{}}]}"
#define TEMPLATE(app) "\"template\":{\"metadata\":{\"labels\":{\"app\":\"" app "\"}},\"spec\":" POD_SPEC "}"
#define HEAD(version, kind, name)                                                                                                  \
    "{\"apiVersion\":\"" version "\",\"kind\":\"" kind "\",\"metadata\":{\"name\":\"" name "\",\"annotations\":{\"note\":\"n\"}}"

static const struct {
    const char *word, *json;
} bases[] = {
    { "ConfigMap", HEAD("v1", "ConfigMap", "conf") ",\"data\":{\"a\":\"alpha\",\"b\":\"beta\"}}" },
    { "Secret", HEAD("v1", "Secret", "sec") ",\"data\":{\"pw\":\"aGVsbG8=\"}}" },
    { "PersistentVolumeClaim", HEAD("v1", "PersistentVolumeClaim", "disk") ",\"spec\":{}}" },
    { "Service", HEAD("v1", "Service", "svc") ",\"spec\":{\"selector\":{\"app\":\"web\"},\"ports\":[{\"port\":8080}]}}" },
    { "Deployment", HEAD("apps/v1", "Deployment", "web") ",\"spec\":{" TEMPLATE("web") "}}" },
    { "StatefulSet", HEAD("apps/v1", "StatefulSet", "db") ",\"spec\":{" TEMPLATE("db") "}}" },
    { "DaemonSet", HEAD("apps/v1", "DaemonSet", "each") ",\"spec\":{" TEMPLATE("each") "}}" },
    { "Job", HEAD("batch/v1", "Job",
                  "once") ",\"spec\":{\"template\":{\"spec\":{\"restartPolicy\":\"Never\",\"containers\":[{"
                          "\"name\":\"main\",\"image\":\"r.test/web:1\",\"env\":[{\"name\":\"J\",\"value\":\"1\"}]}]}}}}" },
    { "Pod", HEAD("v1", "Pod", "bare") ",\"spec\":" POD_SPEC "}" },
};
enum { BASES = KD_COUNT(bases) };

/** Where the parts that kinds share lie in the documents. */
static const struct {
    const char *part, *at;
} parts[] = {
    { "Meta", "Deployment metadata" },
    { "Pod", "Deployment spec template" },
    { "PodSecurity", "Deployment spec template spec securityContext" },
    { "Container", "Deployment spec template spec containers 0" },
    { "Security", "Deployment spec template spec containers 0 securityContext" },
    { "Env", "Deployment spec template spec containers 0 env 0" },
    { "FieldRef", "Deployment spec template spec containers 0 env 0 valueFrom fieldRef" },
    { "ResourceRef", "Deployment spec template spec containers 0 env 0 valueFrom resourceFieldRef" },
    { "Probe", "Deployment spec template spec containers 0 livenessProbe" },
    { "Volume", "Deployment spec template spec volumes 0" },
};

struct world {
    cJSON *docs[BASES];
};

static void world_make(struct world *w)
{
    for (size_t i = 0; i < BASES; i++)
        assert_non_null(w->docs[i] = cJSON_Parse(bases[i].json));
}

static void world_clear(struct world *w)
{
    for (size_t i = 0; i < BASES; i++)
        cJSON_Delete(w->docs[i]);
}

static bool is_number(struct kd_str token, int *ret)
{
    uint64_t n = 0;
    bool is = kd_str_u64(token, &n);
    *ret = (int)n;
    return is;
}

static cJSON *child_of(cJSON *parent, struct kd_str token, bool next_is_number)
{
    char name[128];
    int index = 0;
    assert_true(kd_str_copy(token, name, sizeof name));
    bool item = is_number(token, &index);
    cJSON *child = item ? cJSON_GetArrayItem(parent, index) : cJSON_GetObjectItemCaseSensitive(parent, name);
    if (child)
        return child;
    child = next_is_number ? cJSON_CreateArray() : cJSON_CreateObject();
    if (item)
        cJSON_AddItemToArray(parent, child);
    else
        cJSON_AddItemToObject(parent, name, child);
    return child;
}

/** Puts a value at a path of words with blanks between them: "Deployment spec replicas". What is missing above it is made. */
static void put(struct world *w, const char *path, const char *json)
{
    struct kd_str rest = kd_str(path), word = kd_str_cut(&rest, ' ');
    cJSON *at = NULL, *value = cJSON_Parse(json);
    char name[128];
    int index = 0;
    if (!value)
        fail_msg("%s is not JSON", json);
    for (size_t i = 0; i < BASES; i++)
        if (kd_str_is(word, bases[i].word))
            at = w->docs[i];
    assert_non_null(at);
    for (word = kd_str_cut(&rest, ' '); rest.n; word = kd_str_cut(&rest, ' ')) {
        struct kd_str look = rest;
        at = child_of(at, word, is_number(kd_str_cut(&look, ' '), &index));
    }
    assert_true(kd_str_copy(word, name, sizeof name));
    if (is_number(word, &index)) {
        cJSON_DeleteItemFromArray(at, index);
        cJSON_InsertItemInArray(at, index, value);
    } else {
        cJSON_DeleteItemFromObjectCaseSensitive(at, name);
        cJSON_AddItemToObject(at, name, value);
    }
}

/** "Container.env[].name" as a path for put(). */
static void place_of(const char *row, char *ret, size_t cap)
{
    struct kd_str rest = kd_str(row), part = kd_str_cut(&rest, '.');
    char first[64];
    assert_true(kd_str_copy(part, first, sizeof first));
    const char *at = first;
    for (size_t i = 0; i < KD_COUNT(parts); i++)
        if (kd_str_is(part, parts[i].part))
            at = parts[i].at;
    int n = snprintf(ret, cap, "%s", at);
    while (rest.n) {
        struct kd_str word = kd_str_cut(&rest, '.');
        bool list = kd_str_ends(word, KD_STR("[]"));
        n += snprintf(ret + n, cap - (size_t)n, " %.*s%s", (int)(word.n - (list ? 2 : 0)), word.p, list ? " 0" : "");
    }
    assert_true((size_t)n < cap);
}

static enum kd_code plan(const struct world *w, struct kd_buf *out, struct kd_err *err)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_PLAN_ARENA_BYTES);
    const struct ag_plan_context context = {
        .project = KD_STR("p"),
        .deployment = KD_STR("dep"),
        .uid = KD_STR("u"),
        .app = KD_STR("app"),
        .namespace = KD_STR("ns"),
        .release = KD_STR("rel"),
        .node = KD_STR("edge-1"),
        .files_dir = KD_STR("/files"),
    };
    struct kd_str texts[BASES];
    struct ag_plan made;
    for (size_t i = 0; i < BASES; i++)
        texts[i] = kd_str(cJSON_PrintUnformatted(w->docs[i]));
    enum kd_code code = ag_plan_make(&context, (struct kd_strs){ texts, BASES }, &arena, &made, err);
    if (code == KD_OK)
        ag_plan_print(&made, out);
    for (size_t i = 0; i < BASES; i++)
        cJSON_free((char *)(uintptr_t)texts[i].p);
    return code;
}

#define PLAN_MAX (1024 * 1024)

/** Plans the base with up to two changes. */
static enum kd_code plan_with(const char *at1, const char *json1, const char *at2, const char *json2, struct kd_buf *out,
                              struct kd_err *err)
{
    KD_AUTO(world_clear) struct world w;
    world_make(&w);
    if (at1)
        put(&w, at1, json1);
    if (at2)
        put(&w, at2, json2);
    return plan(&w, out, err);
}

/* ---- what each supported row does ------------------------------------------------------------------------------------------- */

#define SPEC                       "Deployment spec template spec"
#define MAIN                       SPEC " containers 0"
#define VOL                        SPEC " volumes 0"
#define FILE_OF(path, mode, bytes) "{\"path\":\"" path "\",\"mode\":\"" mode "\",\"bytes\":" bytes "}"

/** `value` is put at `at`; the plan then has `want`, which it does not have without. "!text": planning fails, the story has text. */
struct supported {
    const char *row, *at, *value, *want;
};

static const struct supported supported_rows[] = {
    { "ConfigMap.apiVersion", "ConfigMap apiVersion", "\"x.test/v1\"", "\"kind\":\"ConfigMap\",\"name\":\"conf\",\"reason\"" },
    { "ConfigMap.kind", "ConfigMap kind", "\"Thing\"", "\"kind\":\"Thing\",\"name\":\"conf\",\"reason\"" },
    { "ConfigMap.metadata", "ConfigMap metadata", "{\"name\":\"UPPER\"}", "!ConfigMap/UPPER: metadata.name" },
    { "ConfigMap.data", VOL, "{\"name\":\"vol\",\"configMap\":{\"name\":\"conf\"}}",
      FILE_OF("a", "644", "5") "," FILE_OF("b", "644", "4") },
    { "ConfigMap.binaryData", "ConfigMap binaryData", "{\"c\":\"AAE=\"}", FILE_OF("c", "644", "2") },
    { "Secret.apiVersion", "Secret apiVersion", "\"x.test/v1\"", "\"kind\":\"Secret\",\"name\":\"sec\",\"reason\"" },
    { "Secret.kind", "Secret kind", "\"Thing\"", "\"kind\":\"Thing\",\"name\":\"sec\",\"reason\"" },
    { "Secret.metadata", "Secret metadata", "{\"name\":\"UPPER\"}", "!Secret/UPPER: metadata.name" },
    { "Secret.data", MAIN " envFrom 0 secretRef name", "\"sec\"", "\"pw\":\"hello\"" },
    { "Secret.stringData", "Secret stringData", "{\"pw\":\"plain\"}", NULL },
    { "PersistentVolumeClaim.apiVersion", "PersistentVolumeClaim apiVersion", "\"x.test/v1\"", "\"name\":\"disk\",\"reason\"" },
    { "PersistentVolumeClaim.kind", "PersistentVolumeClaim kind", "\"Thing\"", "\"kind\":\"Thing\",\"name\":\"disk\",\"reason\"" },
    { "PersistentVolumeClaim.metadata", "PersistentVolumeClaim metadata", "{\"name\":\"UPPER\"}", "!UPPER: metadata.name" },
    { "Service.apiVersion", "Service apiVersion", "\"x.test/v1\"", "\"kind\":\"Service\",\"name\":\"svc\",\"reason\"" },
    { "Service.kind", "Service kind", "\"Thing\"", "\"kind\":\"Thing\",\"name\":\"svc\",\"reason\"" },
    { "Service.metadata", "Service metadata", "{\"name\":\"front\",\"namespace\":\"ns\"}",
      "[\"front.ns.svc.cluster.local\",\"front.ns.svc\",\"front.ns\"]" },
    { "Service.spec.selector", "Service spec selector", "{\"app\":\"db\"}", NULL },
    { "Service.spec.type", "Service spec type", "\"NodePort\"", "port 8080 is not reached from outside; give it a nodePort" },
    { "Service.spec.externalName", "Service spec", "{\"type\":\"ExternalName\",\"externalName\":\"a.test\"}",
      "no names for hosts outside" },
    { "Service.spec.clusterIP", "Service spec clusterIP", "\"None\"", NULL },
    { "Service.spec.ports[].port", "Service spec ports 0", "{\"port\":80,\"targetPort\":8080}",
      "port 80 is reached at its target port 8080 on a Podman edge" },
    { "Service.spec.ports[].targetPort", "Service spec ports 0 targetPort", "\"nosuch\"",
      "port 8080 leads to a port that no container names" },
    { "Service.spec.ports[].nodePort", "Service spec ports 0 nodePort", "30080",
      "\"portmappings\":[{\"container_port\":8080,\"host_port\":30080,\"protocol\":\"tcp\",\"host_ip\":\"\"}]" },
    { "Service.spec.ports[].protocol", "Service spec ports 0", "{\"port\":53,\"nodePort\":53,\"protocol\":\"UDP\"}",
      "\"protocol\":\"udp\"" },

    { "Meta.name", "Deployment metadata name", "\"other\"", "kedge_p_dep_ns_app_deployment_other_0_" },
    { "Meta.namespace", "Deployment metadata namespace", "\"else\"", "\"dns_search\":[\"else.svc.cluster.local\"" },
    { "Meta.labels", MAIN " env 0", "{\"name\":\"L\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"metadata.labels['app']\"}}}",
      "\"L\":\"web\"" },
    { "Meta.annotations", "Job metadata annotations",
      "{\"helm.sh/hook\":\"pre-install, post-upgrade\",\"helm.sh/hook-weight\":\"-5\"}", "\"hooks\":18" },

    { "Deployment.apiVersion", "Deployment apiVersion", "\"x.test/v1\"", "\"kind\":\"Deployment\",\"name\":\"web\",\"reason\"" },
    { "Deployment.kind", "Deployment kind", "\"Thing\"", "\"kind\":\"Thing\",\"name\":\"web\",\"reason\"" },
    { "Deployment.metadata", "Deployment metadata", "{\"name\":\"second\"}", "\"object\":\"Deployment/second\"" },
    { "Deployment.spec.replicas", "Deployment spec replicas", "2", "\"object\":\"Deployment/web\",\"ordinal\":1" },
    { "Deployment.spec.template", "Deployment spec template spec", "{\"containers\":[]}", "!Deployment/web: has no containers" },
    { "Deployment.spec.strategy.type", "Deployment spec strategy", "{\"type\":\"Recreate\"}", NULL },
    { "StatefulSet.apiVersion", "StatefulSet apiVersion", "\"x.test/v1\"", "\"kind\":\"StatefulSet\",\"name\":\"db\",\"reason\"" },
    { "StatefulSet.kind", "StatefulSet kind", "\"Thing\"", "\"kind\":\"Thing\",\"name\":\"db\",\"reason\"" },
    { "StatefulSet.metadata", "StatefulSet metadata", "{\"name\":\"second\"}", "\"object\":\"StatefulSet/second\"" },
    { "StatefulSet.spec.replicas", "StatefulSet spec replicas", "3", "\"object\":\"StatefulSet/db\",\"ordinal\":2" },
    { "StatefulSet.spec.template", "StatefulSet spec template spec", "{\"containers\":[]}", "!StatefulSet/db: has no containers" },
    { "StatefulSet.spec.serviceName", "StatefulSet spec serviceName", "\"peers\"", "\"db-0.peers.ns.svc.cluster.local\"" },
    { "StatefulSet.spec.volumeClaimTemplates[]", "StatefulSet spec volumeClaimTemplates 0",
      "{\"metadata\":{\"name\":\"data\"},\"spec\":{}}", "\"Name\":\"kedge_p_dep_ns_app_claim_data-db-0\"" },
    { "DaemonSet.apiVersion", "DaemonSet apiVersion", "\"x.test/v1\"", "\"kind\":\"DaemonSet\",\"name\":\"each\",\"reason\"" },
    { "DaemonSet.kind", "DaemonSet kind", "\"Thing\"", "\"kind\":\"Thing\",\"name\":\"each\",\"reason\"" },
    { "DaemonSet.metadata", "DaemonSet metadata", "{\"name\":\"second\"}", "\"object\":\"DaemonSet/second\"" },
    { "DaemonSet.spec.template", "DaemonSet spec template spec", "{\"containers\":[]}", "!DaemonSet/each: has no containers" },
    { "Job.apiVersion", "Job apiVersion", "\"x.test/v1\"", "\"kind\":\"Job\",\"name\":\"once\",\"reason\"" },
    { "Job.kind", "Job kind", "\"Thing\"", "\"kind\":\"Thing\",\"name\":\"once\",\"reason\"" },
    { "Job.metadata", "Job metadata", "{\"name\":\"second\"}", "\"object\":\"Job/second\"" },
    { "Job.spec.template", "Job spec template spec", "{\"containers\":[]}", "!Job/once" },
    { "Job.spec.backoffLimit", "Job spec backoffLimit", "2", "\"backoff\":2" },
    { "Job.spec.completions", "Job spec completions", "2", "\"object\":\"Job/once\",\"ordinal\":1" },
    { "Job.spec.completionMode", "Job spec completionMode", "\"Indexed\"", "\"JOB_COMPLETION_INDEX\":\"0\"" },
    { "Job.spec.activeDeadlineSeconds", "Job spec activeDeadlineSeconds", "77", "\"timeout\":77" },
    { "Pod.apiVersion", "Pod apiVersion", "\"x.test/v1\"", "\"kind\":\"Pod\",\"name\":\"bare\",\"reason\"" },
    { "Pod.kind", "Pod kind", "\"Thing\"", "\"kind\":\"Thing\",\"name\":\"bare\",\"reason\"" },
    { "Pod.metadata", "Pod metadata", "{\"name\":\"second\"}", "\"object\":\"Pod/second\"" },

    { "Pod.spec.containers[]", SPEC " containers 1", "{\"name\":\"side\",\"image\":\"r.test/side:2\"}",
      "\"title\":\"side\",\"image\":\"r.test/side:2\"" },
    { "Pod.spec.initContainers[]", SPEC " initContainers 0", "{\"name\":\"first\",\"image\":\"r.test/first:2\"}",
      "\"inits\":[{\"title\":\"first\"" },
    { "Pod.spec.volumes[]", VOL, "{\"name\":\"vol\",\"persistentVolumeClaim\":{\"claimName\":\"disk\"}}",
      "{\"Name\":\"kedge_p_dep_ns_app_claim_disk\",\"Dest\":\"/vol\"" },
    { "Pod.spec.restartPolicy", "Pod spec restartPolicy", "\"OnFailure\"", "\"restart\":1,\"job\":1" },
    { "Pod.spec.terminationGracePeriodSeconds", SPEC " terminationGracePeriodSeconds", "7", "\"stop_timeout\":7" },
    { "Pod.spec.activeDeadlineSeconds", "Pod spec activeDeadlineSeconds", "78", "\"timeout\":78" },
    { "Pod.spec.hostname", SPEC " hostname", "\"box\"", "\"hostname\":\"box\"" },
    { "Pod.spec.subdomain", SPEC " subdomain", "\"peers\"", "\"web-0.peers.ns\"" },
    { "Pod.spec.hostAliases[].ip", SPEC " hostAliases 0", "{\"ip\":\"10.0.0.9\",\"hostnames\":[\"printer\"]}",
      "\"hostadd\":[\"printer:10.0.0.9\"]" },
    { "Pod.spec.hostAliases[].hostnames[]", SPEC " hostAliases 0", "{\"ip\":\"10.0.0.9\",\"hostnames\":[\"a\",\"b\"]}",
      "\"hostadd\":[\"a:10.0.0.9\",\"b:10.0.0.9\"]" },
    { "Pod.spec.shareProcessNamespace", SPEC,
      "{\"shareProcessNamespace\":true,\"containers\":[{\"name\":\"a\",\"image\":\"r.test/"
      "a:1\"},{\"name\":\"b\",\"image\":\"r.test/b:1\"}]}",
      "\"shared_namespaces\":[\"net\",\"ipc\",\"uts\",\"pid\"]" },
    { "Pod.spec.securityContext", SPEC " securityContext", "{\"runAsUser\":5}", "\"user\":\"5\"" },
    { "PodSecurity.runAsUser", SPEC " securityContext runAsUser", "6", "\"user\":\"6\"" },
    { "PodSecurity.runAsGroup", SPEC " securityContext", "{\"runAsUser\":6,\"runAsGroup\":7}", "\"user\":\"6:7\"" },
    { "PodSecurity.runAsNonRoot", SPEC " securityContext", "{\"runAsUser\":0,\"runAsNonRoot\":true}", "!contradict each other" },
    { "PodSecurity.fsGroup", SPEC " securityContext fsGroup", "2000", "\"mode\":\"777\",\"group\":2000" },
    { "PodSecurity.supplementalGroups[]", SPEC " securityContext supplementalGroups", "[3000,3001]",
      "\"groups\":[\"3000\",\"3001\"]" },

    { "Container.name", MAIN " name", "\"renamed\"", "\"title\":\"renamed\"" },
    { "Container.image", MAIN " image", "\"web:2\"", "!image 'web:2' names no registry" },
    { "Container.imagePullPolicy", MAIN " imagePullPolicy", "\"Always\"", "\"pull\":\"always\"" },
    { "Container.command[]", MAIN " command", "[\"/bin/run\",\"$(A)\"]", "\"entrypoint\":[\"/bin/run\",\"1\"]" },
    { "Container.args[]", MAIN " args", "[\"$(A)$$(A)\",\"$(B)\"]", "\"command\":[\"1$(A)\",\"$(B)\"]" },
    { "Container.workingDir", MAIN " workingDir", "\"/srv\"", "\"work_dir\":\"/srv\"" },
    { "Container.env[]", MAIN " env 1", "{\"name\":\"B\",\"value\":\"2\"}", "\"A\":\"1\",\"B\":\"2\"" },
    { "Container.envFrom[].prefix", MAIN " envFrom 0", "{\"prefix\":\"X_\",\"configMapRef\":{\"name\":\"conf\"}}",
      "\"X_a\":\"alpha\"" },
    { "Container.envFrom[].configMapRef.name", MAIN " envFrom 0 configMapRef", "{\"name\":\"conf\"}", "\"b\":\"beta\"" },
    { "Container.envFrom[].configMapRef.optional", MAIN " envFrom 0 configMapRef", "{\"name\":\"none\",\"optional\":false}",
      "!ConfigMap none is not part of this application" },
    { "Container.envFrom[].secretRef.name", MAIN " envFrom 0 secretRef", "{\"name\":\"sec\"}", "\"pw\":\"hello\"" },
    { "Container.envFrom[].secretRef.optional", MAIN " envFrom 0 secretRef", "{\"name\":\"none\",\"optional\":false}",
      "!Secret none is not part of this application" },
    { "Container.ports[].name", MAIN,
      "{\"name\":\"main\",\"image\":\"r.test/web:1\",\"ports\":[{\"name\":\"http\",\"containerPort\":81}],"
      "\"livenessProbe\":{\"tcpSocket\":{\"port\":\"http\"}}}",
      "\"port\":81" },
    { "Container.ports[].containerPort", MAIN " ports 0", "{\"containerPort\":82,\"hostPort\":83}", "\"container_port\":82" },
    { "Container.ports[].hostPort", MAIN " ports 0", "{\"containerPort\":82,\"hostPort\":83}", "\"host_port\":83" },
    { "Container.ports[].hostIP", MAIN " ports 0", "{\"containerPort\":82,\"hostPort\":83,\"hostIP\":\"127.0.0.1\"}",
      "\"host_ip\":\"127.0.0.1\"" },
    { "Container.ports[].protocol", MAIN " ports 0", "{\"containerPort\":82,\"hostPort\":83,\"protocol\":\"UDP\"}",
      "\"protocol\":\"udp\"" },
    { "Container.resources.limits.cpu", MAIN " resources limits cpu", "\"250m\"", "\"cpu\":{\"period\":100000,\"quota\":25000}" },
    { "Container.resources.limits.memory", MAIN " resources limits memory", "\"64Mi\"", "\"memory\":{\"limit\":67108864}" },
    { "Container.volumeMounts[].name", MAIN " volumeMounts 0 name", "\"none\"", "!names the volume none" },
    { "Container.volumeMounts[].mountPath", MAIN " volumeMounts 0 mountPath", "\"/else\"", "\"destination\":\"/else\"" },
    { "Container.volumeMounts[].readOnly", MAIN " volumeMounts 0 readOnly", "true", "[\"rbind\",\"rprivate\",\"ro\"]" },
    { "Container.volumeMounts[].subPath", MAIN " volumeMounts 0 subPath", "\"part\"", "/vol/part\",\"destination\":\"/vol\"" },
    { "Container.livenessProbe", MAIN " livenessProbe", "{\"exec\":{\"command\":[\"live\"]}}", "\"exec\":\"live\"" },
    { "Container.readinessProbe", MAIN " readinessProbe", "{\"exec\":{\"command\":[\"ready\"]}}", "\"exec\":\"ready\"" },
    { "Container.startupProbe", MAIN " startupProbe", "{\"exec\":{\"command\":[\"started\"]}}", "\"exec\":\"started\"" },
    { "Container.securityContext", MAIN " securityContext", "{\"runAsUser\":9}", "\"user\":\"9\"" },
    { "Container.stdin", MAIN " stdin", "true", "\"stdin\":true" },
    { "Container.tty", MAIN " tty", "true", "\"terminal\":true" },
    { "Security.runAsUser", MAIN " securityContext runAsUser", "10", "\"user\":\"10\"" },
    { "Security.runAsGroup", MAIN " securityContext", "{\"runAsGroup\":10}", "!runAsGroup needs runAsUser" },
    { "Security.runAsNonRoot", MAIN " securityContext", "{\"runAsUser\":0,\"runAsNonRoot\":true}", "!contradict each other" },
    { "Security.readOnlyRootFilesystem", MAIN " securityContext readOnlyRootFilesystem", "true", "\"read_only_filesystem\":true" },
    { "Security.allowPrivilegeEscalation", MAIN " securityContext allowPrivilegeEscalation", "false",
      "\"no_new_privileges\":true" },
    { "Security.capabilities.drop[]", MAIN " securityContext capabilities drop", "[\"ALL\",\"CHOWN\"]",
      "\"cap_drop\":[\"ALL\",\"CAP_CHOWN\"]" },
    { "Security.capabilities.add[]", MAIN " securityContext capabilities add", "[\"NET_BIND_SERVICE\"]",
      "\"cap_add\":[\"CAP_NET_BIND_SERVICE\"]" },

    { "Env.name", MAIN " env 0 name", "\"RENAMED\"", "\"RENAMED\":\"1\"" },
    { "Env.value", MAIN " env 0 value", "\"two\"", "\"A\":\"two\"" },
    { "Env.valueFrom.configMapKeyRef.name", MAIN " env 0",
      "{\"name\":\"V\",\"valueFrom\":{\"configMapKeyRef\":{\"name\":\"conf\",\"key\":\"a\"}}}", "\"V\":\"alpha\"" },
    { "Env.valueFrom.configMapKeyRef.key", MAIN " env 0",
      "{\"name\":\"V\",\"valueFrom\":{\"configMapKeyRef\":{\"name\":\"conf\",\"key\":\"none\"}}}", "!conf has no key none" },
    { "Env.valueFrom.configMapKeyRef.optional", MAIN " env 0",
      "{\"name\":\"V\",\"valueFrom\":{\"configMapKeyRef\":{\"name\":\"conf\",\"key\":\"none\",\"optional\":true}}}", "\"env\":{}" },
    { "Env.valueFrom.secretKeyRef.name", MAIN " env 0",
      "{\"name\":\"V\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"sec\",\"key\":\"pw\"}}}", "\"V\":\"hello\"" },
    { "Env.valueFrom.secretKeyRef.key", MAIN " env 0",
      "{\"name\":\"V\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"sec\",\"key\":\"none\"}}}", "!sec has no key none" },
    { "Env.valueFrom.secretKeyRef.optional", MAIN " env 0",
      "{\"name\":\"V\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"none\",\"key\":\"none\",\"optional\":true}}}", "\"env\":{}" },
    { "Env.valueFrom.fieldRef", MAIN " env 0", "{\"name\":\"V\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"metadata.name\"}}}",
      "\"V\":\"web-0\"" },
    { "Env.valueFrom.resourceFieldRef", MAIN,
      "{\"name\":\"main\",\"image\":\"r.test/web:1\",\"resources\":{\"limits\":{\"cpu\":\"1500m\"}},"
      "\"env\":[{\"name\":\"V\",\"valueFrom\":{\"resourceFieldRef\":{\"resource\":\"limits.cpu\"}}}]}",
      "\"V\":\"2\"" },
    { "FieldRef.fieldPath", MAIN " env 0", "{\"name\":\"V\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"spec.nodeName\"}}}",
      "\"V\":\"edge-1\"" },
    { "ResourceRef.resource", MAIN " env 0",
      "{\"name\":\"V\",\"valueFrom\":{\"resourceFieldRef\":{\"resource\":\"limits.memory\"}}}", "!limits.memory is not given" },
    { "ResourceRef.divisor", MAIN,
      "{\"name\":\"main\",\"image\":\"r.test/web:1\",\"resources\":{\"requests\":{\"memory\":\"64Mi\"}},\"env\":[{"
      "\"name\":\"V\",\"valueFrom\":{\"resourceFieldRef\":{\"resource\":\"requests.memory\",\"divisor\":\"1Mi\"}}}]}",
      "\"V\":\"64\"" },
    { "Probe.httpGet.path", MAIN " livenessProbe httpGet", "{\"port\":80,\"path\":\"/up\"}", "\"path\":\"/up\"" },
    { "Probe.httpGet.port", MAIN " livenessProbe httpGet", "{\"port\":84}", "\"port\":84" },
    { "Probe.httpGet.scheme", MAIN " livenessProbe httpGet", "{\"port\":80,\"scheme\":\"HTTPS\"}", "\"scheme\":\"HTTPS\"" },
    { "Probe.httpGet.host", MAIN " livenessProbe httpGet", "{\"port\":80,\"host\":\"a.test\"}", "\"host\":\"a.test\"" },
    { "Probe.tcpSocket.port", MAIN " livenessProbe tcpSocket port", "85", "\"port\":85" },
    { "Probe.exec.command[]", MAIN " livenessProbe exec command", "[\"a\",\"check\"]", "\"exec\":\"check\"" },
    { "Probe.grpc.port", MAIN " livenessProbe grpc port", "86", "\"grpc\":1,\"port\":86" },
    { "Probe.grpc.service", MAIN " livenessProbe grpc", "{\"port\":86,\"service\":\"health\"}", "\"service\":\"health\"" },
    { "Probe.initialDelaySeconds", MAIN " livenessProbe initialDelaySeconds", "31", "\"times\":\"31 10 1 1 3\"" },
    { "Probe.periodSeconds", MAIN " livenessProbe periodSeconds", "32", "\"times\":\"0 32 1 1 3\"" },
    { "Probe.timeoutSeconds", MAIN " livenessProbe timeoutSeconds", "33", "\"times\":\"0 10 33 1 3\"" },
    { "Probe.successThreshold", MAIN " livenessProbe successThreshold", "34", "\"times\":\"0 10 1 34 3\"" },
    { "Probe.failureThreshold", MAIN " livenessProbe failureThreshold", "35", "\"times\":\"0 10 1 1 35\"" },

    { "Volume.name", VOL " name", "\"../up\"", "!the name of volume '../up'" },
    { "Volume.configMap.name", VOL, "{\"name\":\"vol\",\"configMap\":{\"name\":\"conf\"}}", FILE_OF("a", "644", "5") },
    { "Volume.configMap.optional", VOL, "{\"name\":\"vol\",\"configMap\":{\"name\":\"none\",\"optional\":true}}",
      "\"mode\":\"755\",\"group\":-1,\"files\":[]" },
    { "Volume.configMap.defaultMode", VOL, "{\"name\":\"vol\",\"configMap\":{\"name\":\"conf\",\"defaultMode\":256}}",
      FILE_OF("a", "400", "5") },
    { "Volume.configMap.items[].key", VOL,
      "{\"name\":\"vol\",\"configMap\":{\"name\":\"conf\",\"items\":[{\"key\":\"none\",\"path\":\"x\"}]}}", "!names the key none" },
    { "Volume.configMap.items[].path", VOL,
      "{\"name\":\"vol\",\"configMap\":{\"name\":\"conf\",\"items\":[{\"key\":\"a\",\"path\":\"d/x\"}]}}",
      "\"files\":[" FILE_OF("d/x", "644", "5") "]" },
    { "Volume.configMap.items[].mode", VOL,
      "{\"name\":\"vol\",\"configMap\":{\"name\":\"conf\",\"items\":[{\"key\":\"a\",\"path\":\"x\",\"mode\":384}]}}",
      FILE_OF("x", "600", "5") },
    { "Volume.secret.secretName", VOL, "{\"name\":\"vol\",\"secret\":{\"secretName\":\"sec\"}}", FILE_OF("pw", "644", "5") },
    { "Volume.secret.optional", VOL, "{\"name\":\"vol\",\"secret\":{\"secretName\":\"none\",\"optional\":true}}",
      "\"mode\":\"755\",\"group\":-1,\"files\":[]" },
    { "Volume.secret.defaultMode", VOL, "{\"name\":\"vol\",\"secret\":{\"secretName\":\"sec\",\"defaultMode\":256}}",
      FILE_OF("pw", "400", "5") },
    { "Volume.secret.items[].key", VOL,
      "{\"name\":\"vol\",\"secret\":{\"secretName\":\"sec\",\"items\":[{\"key\":\"none\",\"path\":\"x\"}]}}",
      "!names the key none" },
    { "Volume.secret.items[].path", VOL,
      "{\"name\":\"vol\",\"secret\":{\"secretName\":\"sec\",\"items\":[{\"key\":\"pw\",\"path\":\"../x\"}]}}",
      "!file '../x' of a volume" },
    { "Volume.secret.items[].mode", VOL,
      "{\"name\":\"vol\",\"secret\":{\"secretName\":\"sec\",\"items\":[{\"key\":\"pw\",\"path\":\"x\",\"mode\":384}]}}",
      FILE_OF("x", "600", "5") },
    { "Volume.emptyDir.medium", VOL " emptyDir medium", "\"Memory\"", "\"type\":\"tmpfs\"" },
    { "Volume.emptyDir.sizeLimit", VOL " emptyDir", "{\"medium\":\"Memory\",\"sizeLimit\":\"1Mi\"}", "\"size=1048576\"" },
    { "Volume.persistentVolumeClaim.claimName", VOL, "{\"name\":\"vol\",\"persistentVolumeClaim\":{\"claimName\":\"none\"}}",
      "!PersistentVolumeClaim none is not part" },
    { "Volume.persistentVolumeClaim.readOnly", VOL,
      "{\"name\":\"vol\",\"persistentVolumeClaim\":{\"claimName\":\"disk\",\"readOnly\":true}}",
      "\"Options\":[\"nocopy\",\"ro\"]" },
    { "Volume.projected.defaultMode", VOL,
      "{\"name\":\"vol\",\"projected\":{\"defaultMode\":256,\"sources\":[{\"configMap\":{\"name\":\"conf\"}}]}}",
      FILE_OF("a", "400", "5") },
#define PROJECTED(source) "{\"name\":\"vol\",\"projected\":{\"sources\":[{" source "}]}}"
    { "Volume.projected.sources[].configMap.name", VOL, PROJECTED("\"configMap\":{\"name\":\"conf\"}"), FILE_OF("a", "644", "5") },
    { "Volume.projected.sources[].configMap.optional", VOL, PROJECTED("\"configMap\":{\"name\":\"none\",\"optional\":true}"),
      "\"mode\":\"755\",\"group\":-1,\"files\":[]" },
    { "Volume.projected.sources[].configMap.items[].key", VOL,
      PROJECTED("\"configMap\":{\"name\":\"conf\",\"items\":[{\"key\":\"none\",\"path\":\"x\"}]}"), "!names the key none" },
    { "Volume.projected.sources[].configMap.items[].path", VOL,
      PROJECTED("\"configMap\":{\"name\":\"conf\",\"items\":[{\"key\":\"b\",\"path\":\"y\"}]}"), FILE_OF("y", "644", "4") },
    { "Volume.projected.sources[].configMap.items[].mode", VOL,
      PROJECTED("\"configMap\":{\"name\":\"conf\",\"items\":[{\"key\":\"b\",\"path\":\"y\",\"mode\":1024}]}"),
      "!mode at most 0777" },
    { "Volume.projected.sources[].secret.name", VOL, PROJECTED("\"secret\":{\"name\":\"sec\"}"), FILE_OF("pw", "644", "5") },
    { "Volume.projected.sources[].secret.optional", VOL, PROJECTED("\"secret\":{\"name\":\"none\",\"optional\":true}"),
      "\"mode\":\"755\",\"group\":-1,\"files\":[]" },
    { "Volume.projected.sources[].secret.items[].key", VOL,
      PROJECTED("\"secret\":{\"name\":\"sec\",\"items\":[{\"key\":\"none\",\"path\":\"x\"}]}"), "!names the key none" },
    { "Volume.projected.sources[].secret.items[].path", VOL,
      PROJECTED("\"secret\":{\"name\":\"sec\",\"items\":[{\"key\":\"pw\",\"path\":\"y\"}]}"), FILE_OF("y", "644", "5") },
    { "Volume.projected.sources[].secret.items[].mode", VOL,
      PROJECTED("\"secret\":{\"name\":\"sec\",\"items\":[{\"key\":\"pw\",\"path\":\"y\",\"mode\":384}]}"),
      FILE_OF("y", "600", "5") },
#define DOWNWARD(more)                                                                                                             \
    "\"downwardAPI\":{" more "\"items\":[{\"path\":\"labels\",\"fieldRef\":{\"fieldPath\":\"metadata.labels\"}}]}"
    { "Volume.downwardAPI.items[].fieldRef", VOL, "{\"name\":\"vol\"," DOWNWARD("") "}", FILE_OF("labels", "644", "10") },
    { "Volume.downwardAPI.items[].path", VOL, "{\"name\":\"vol\"," DOWNWARD("") "}", FILE_OF("labels", "644", "10") },
    { "Volume.downwardAPI.defaultMode", VOL, "{\"name\":\"vol\"," DOWNWARD("\"defaultMode\":256,") "}",
      FILE_OF("labels", "400", "10") },
    { "Volume.downwardAPI.items[].mode", VOL,
      "{\"name\":\"vol\",\"downwardAPI\":{\"items\":[{\"path\":\"n\",\"mode\":384,\"fieldRef\":{\"fieldPath\":\"metadata.name\"}}]}"
      "}",
      FILE_OF("n", "600", "5") },
    { "Volume.projected.sources[].downwardAPI.items[].fieldRef", VOL, PROJECTED(DOWNWARD("")), FILE_OF("labels", "644", "10") },
    { "Volume.projected.sources[].downwardAPI.items[].path", VOL, PROJECTED(DOWNWARD("")), FILE_OF("labels", "644", "10") },
    { "Volume.projected.sources[].downwardAPI.items[].mode", VOL,
      PROJECTED("\"downwardAPI\":{\"items\":[{\"path\":\"n\",\"mode\":384,\"fieldRef\":{\"fieldPath\":\"metadata.name\"}}]}"),
      FILE_OF("n", "600", "5") },
};

/** What must stand beside a row for it to make sense: of ignored and refused rows, and of some supported ones. */
static const struct {
    const char *row, *at, *value;
} besides[] = {
    { "FieldRef.apiVersion", MAIN " env 0", "{\"name\":\"V\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"metadata.name\"}}}" },
    { "Probe.httpGet.httpHeaders", MAIN " livenessProbe", "{\"httpGet\":{\"port\":80}}" },
    { "Probe.tcpSocket.host", MAIN " livenessProbe", "{\"tcpSocket\":{\"port\":80}}" },
    { "Probe.terminationGracePeriodSeconds", MAIN " livenessProbe", "{\"tcpSocket\":{\"port\":80}}" },
    { "ConfigMap.binaryData", VOL, "{\"name\":\"vol\",\"configMap\":{\"name\":\"conf\"}}" },
    { "Service.spec.clusterIP", "Service spec ports 0", "{\"port\":80,\"targetPort\":81}" },
    { "Secret.stringData", MAIN " envFrom 0 secretRef name", "\"sec\"" },
};

/* ---- tests ------------------------------------------------------------------------------------------------------------------ */

static const struct ag_field *field_of(const char *path)
{
    for (size_t i = 0; i < ag_field_count; i++)
        if (strcmp(ag_fields[i].path, path) == 0)
            return &ag_fields[i];
    return NULL;
}

static void test_rows_are_sorted_and_each_part_is_described(void **state)
{
    (void)state;
    for (size_t i = 0; i + 1 < ag_field_count; i++)
        if (strcmp(ag_fields[i].path, ag_fields[i + 1].path) >= 0)
            fail_msg("%s stands before %s", ag_fields[i].path, ag_fields[i + 1].path);
    for (size_t i = 0; i < ag_field_count; i++) {
        char below[64];
        bool found = !ag_fields[i].into;
        (void)snprintf(below, sizeof below, "%s.", ag_fields[i].into ? ag_fields[i].into : "");
        for (size_t k = 0; k < ag_field_count && !found; k++)
            found = strncmp(ag_fields[k].path, below, strlen(below)) == 0;
        if (!found)
            fail_msg("%s leads into %s, which no row describes", ag_fields[i].path, below);
    }
}

static void beside_of(const char *row, const char **ret_at, const char **ret_value)
{
    *ret_at = *ret_value = NULL;
    for (size_t i = 0; i < KD_COUNT(besides); i++)
        if (strcmp(besides[i].row, row) == 0) {
            *ret_at = besides[i].at;
            *ret_value = besides[i].value;
        }
}

static void assert_base(const char *at, const char *value, struct kd_buf *out)
{
    struct kd_err err = { KD_OK, 0, "", "" };
    if (plan_with(at, value, NULL, NULL, out, &err) != KD_OK)
        fail_msg("without the row: %s", err.story);
}

static bool differs(const struct kd_buf *a, const struct kd_buf *b)
{
    return !kd_str_eq(kd_buf_str(a), kd_buf_str(b));
}

static void test_ignored_rows_change_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ag_field_count; i++) {
        KD_AUTO(kd_buf_clear) struct kd_buf without = KD_BUF(PLAN_MAX);
        KD_AUTO(kd_buf_clear) struct kd_buf with = KD_BUF(PLAN_MAX);
        struct kd_err err = { KD_OK, 0, "", "" };
        const char *at, *value;
        char place[256];
        if (ag_fields[i].verdict != AG_IGNORED)
            continue;
        beside_of(ag_fields[i].path, &at, &value);
        place_of(ag_fields[i].path, place, sizeof place);
        assert_base(at, value, &without);
        if (plan_with(at, value, place, "\"x\"", &with, &err) != KD_OK)
            fail_msg("%s: %s", ag_fields[i].path, err.story);
        if (differs(&without, &with))
            fail_msg("%s is ignored, but changes the plan", ag_fields[i].path);
    }
}

/** The field's name in the path of an error: what follows the last '.', without []. */
static bool names_field(const struct kd_err *err, const char *row)
{
    const char *last = strrchr(row, '.') + 1;
    struct kd_str word = kd_str(last);
    if (kd_str_ends(word, KD_STR("[]")))
        word.n -= 2;
    return kd_str_find(kd_str(err->field), word) >= 0 && kd_str_find(kd_str(err->story), word) >= 0;
}

static void test_refused_rows_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < ag_field_count; i++) {
        KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(PLAN_MAX);
        struct kd_err err = { KD_OK, 0, "", "" };
        char place[256];
        if (ag_fields[i].verdict != AG_REFUSED)
            continue;
        place_of(ag_fields[i].path, place, sizeof place);
        if (plan_with(NULL, NULL, place, "\"x\"", &out, &err) != KD_UNSUPPORTED || !names_field(&err, ag_fields[i].path))
            fail_msg("%s is not refused by name: %s", ag_fields[i].path, err.story);
        assert_true(ag_fields[i].note[0]);
        assert_true(kd_str_find(kd_str(err.story), kd_str(ag_fields[i].note)) >= 0);
    }
}

static void test_refused_rows_take_values_that_ask_for_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ag_field_count; i++) {
        const struct ag_field *field = &ag_fields[i];
        char place[256], fine[64];
        if (field->verdict != AG_REFUSED)
            continue;
        bool flag = field->fine && (strcmp(field->fine, "true") == 0 || strcmp(field->fine, "false") == 0);
        (void)snprintf(fine, sizeof fine, flag ? "%s" : "\"%s\"", field->fine ? field->fine : "");
        place_of(field->path, place, sizeof place);
        const char *const values[] = { "null", "[]", "{}", "\"\"", fine };
        for (size_t v = 0; v < KD_COUNT(values); v++) {
            KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(PLAN_MAX);
            struct kd_err err = { KD_OK, 0, "", "" };
            enum kd_code code = plan_with(NULL, NULL, place, values[v], &out, &err);
            if (code == KD_UNSUPPORTED && names_field(&err, field->path) && strstr(err.story, field->note))
                fail_msg("%s refuses %s: %s", field->path, values[v], err.story);
        }
    }
}

static const struct supported *supported_of(const char *row)
{
    for (size_t i = 0; i < KD_COUNT(supported_rows); i++)
        if (strcmp(supported_rows[i].row, row) == 0)
            return &supported_rows[i];
    return NULL;
}

static void check_supported(const struct supported *one)
{
    KD_AUTO(kd_buf_clear) struct kd_buf without = KD_BUF(PLAN_MAX);
    KD_AUTO(kd_buf_clear) struct kd_buf with = KD_BUF(PLAN_MAX);
    struct kd_err err = { KD_OK, 0, "", "" };
    const char *at, *value;
    beside_of(one->row, &at, &value);
    assert_base(at, value, &without);
    enum kd_code code = plan_with(at, value, one->at, one->value, &with, &err);
    if (one->want && one->want[0] == '!') {
        if (code == KD_OK || !strstr(err.story, one->want + 1))
            fail_msg("%s: wanted '%s', got '%s'", one->row, one->want, err.story);
        return;
    }
    if (code != KD_OK)
        fail_msg("%s: %s", one->row, err.story);
    if (one->want && (!strstr(with.p, one->want) || strstr(without.p, one->want)))
        fail_msg("%s: %s is not what it changes:\n%s", one->row, one->want, with.p);
    if (!differs(&without, &with))
        fail_msg("%s changes nothing", one->row);
}

static void test_supported_rows_do_something(void **state)
{
    (void)state;
    for (size_t i = 0; i < ag_field_count; i++) {
        if (ag_fields[i].verdict != AG_SUPPORTED)
            continue;
        const struct supported *one = supported_of(ag_fields[i].path);
        if (!one)
            fail_msg("%s has no case", ag_fields[i].path);
        else
            check_supported(one);
    }
    for (size_t i = 0; i < KD_COUNT(supported_rows); i++)
        if (!field_of(supported_rows[i].row))
            fail_msg("the case of %s has no row", supported_rows[i].row);
}

static void test_supported_rows_take_their_type_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < ag_field_count; i++) {
        KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(PLAN_MAX);
        struct kd_err err = { KD_OK, 0, "", "" };
        char place[256];
        const char *path = ag_fields[i].path;
        if (ag_fields[i].verdict != AG_SUPPORTED || ag_fields[i].type == AG_ANY || strstr(path, ".kind") ||
            strstr(path, "apiVersion"))
            continue;
        place_of(path, place, sizeof place);
        if (plan_with(NULL, NULL, place, "[true]", &out, &err) != KD_INVALID || !strstr(err.story, "must be"))
            fail_msg("%s takes a list: %s", path, err.story);
    }
}

static void test_unknown_fields_are_refused(void **state)
{
    (void)state;
    static const char *const places[] = { SPEC " newField",
                                          MAIN " newField",
                                          "Service spec newField",
                                          "Deployment spec newField",
                                          MAIN " resources limits example.test/gpu",
                                          VOL " newKind" };
    for (size_t i = 0; i < KD_COUNT(places); i++) {
        KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(PLAN_MAX);
        struct kd_err err = { KD_OK, 0, "", "" };
        assert_int_equal(plan_with(NULL, NULL, places[i], "\"x\"", &out, &err), KD_UNSUPPORTED);
        assert_non_null(strstr(err.story, "is a field that Kedge does not know on a Podman edge"));
        assert_ok(plan_with(NULL, NULL, places[i], "{}", &out, &err), err);
    }
}

/** The row of docs/podman.md that belongs to a field. */
static void doc_row(const struct ag_field *field, char *ret, size_t cap)
{
    (void)snprintf(ret, cap, "| `%s` | %s%s%s | %s |\n", field->path, ag_verdict_word(field->verdict),
                   field->fine ? ", unless " : "", field->fine ? field->fine : "", field->note);
}

static void test_document_has_the_same_rows(void **state)
{
    (void)state;
    FILE *file = fopen("docs/podman.md", "r");
    char line[1024], want[1024];
    size_t row = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, "| `", 3) != 0)
            continue;
        if (row >= ag_field_count)
            fail_msg("docs/podman.md has a row too many: %s", line);
        doc_row(&ag_fields[row++], want, sizeof want);
        if (strcmp(line, want) != 0)
            fail_msg("docs/podman.md has  %sthe table has     %s", line, want);
    }
    (void)fclose(file);
    assert_int_equal(row, ag_field_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_sorted_and_each_part_is_described),
        cmocka_unit_test(test_ignored_rows_change_nothing),
        cmocka_unit_test(test_refused_rows_are_named),
        cmocka_unit_test(test_refused_rows_take_values_that_ask_for_nothing),
        cmocka_unit_test(test_supported_rows_do_something),
        cmocka_unit_test(test_supported_rows_take_their_type_only),
        cmocka_unit_test(test_unknown_fields_are_refused),
        cmocka_unit_test(test_document_has_the_same_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
