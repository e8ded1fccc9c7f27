/** Bodies: what libpod's create calls get. Members stand in a fixed order; labels come last, so that one can be added (plan.h). */
#include "agent/workload/pod.h"
#include "agent/workload/quantity.h"
#include "shared/base/own.h"
#include "shared/model/json.h"

#include <inttypes.h>
#include <math.h>

enum {
    AG_CPU_PERIOD_US = 100000,         /* the kernel's own */
    AG_CPU_QUOTA_LEAST_US = 1000,      /* the kernel's own */
    AG_MEMORY_LEAST = 6 * 1024 * 1024, /* bytes; runc refuses less */
    AG_LOG_BYTES = 16 * 1024 * 1024,   /* a container's log on disk, so that it never fills it */
};

void ag_body_key(struct kd_buf *out, const char *name)
{
    char last = out->n ? out->p[out->n - 1] : '\0';
    if (last != '{' && last != '[')
        kd_buf_add_char(out, ',');
    kd_json_add_text(out, kd_str(name));
    kd_buf_add_char(out, ':');
}

static void ag_body_text(struct kd_buf *out, const char *name, struct kd_str value)
{
    ag_body_key(out, name);
    kd_json_add_text(out, value);
}

static void ag_body_raw(struct kd_buf *out, const char *name, const char *json)
{
    ag_body_key(out, name);
    kd_buf_add(out, kd_str(json));
}

static void ag_body_item(struct kd_buf *out)
{
    if (out->n && out->p[out->n - 1] != '[')
        kd_buf_add_char(out, ',');
}

static void ag_body_texts(struct kd_buf *out, const char *name, const struct kd_strs *texts)
{
    ag_body_key(out, name);
    kd_buf_add_char(out, '[');
    for (size_t i = 0; i < texts->n; i++) {
        ag_body_item(out);
        kd_json_add_text(out, texts->v[i]);
    }
    kd_buf_add_char(out, ']');
}

/** Labels name the object for people, for removal (uid) and for comparison (hash). They are left out while the hash is found: who
 *  owns a container does not change what it is. */
static void ag_body_labels(struct ag_potter *p, struct kd_buf *out)
{
    const struct ag_plan_context *c = p->b->context;
    const struct {
        const char *key;
        struct kd_str value;
    } labels[] = {
        { "kedge.project", c->project },
        { "kedge.uid", c->uid },
        { "kedge.deployment", c->deployment },
        { "kedge.app", c->app },
        { "kedge.namespace", p->namespace },
        { "kedge.release", c->release },
        { "kedge.kind", p->title },
        { "kedge.hash", p->hash },
    };
    if (!p->hash.n)
        return;
    ag_body_key(out, "labels");
    kd_buf_add_char(out, '{');
    for (size_t i = 0; i < KD_COUNT(labels); i++)
        ag_body_text(out, labels[i].key, labels[i].value);
    if (p->pod->hooks)
        ag_body_text(out, "kedge.hook", KD_STR("yes"));
    ag_body_text(out, "kedge.grace", ag_build_printf(p->b, "%" PRIu64, p->pod->grace_s));
    ag_body_text(out, "kedge.ordinal", ag_build_printf(p->b, "%" PRIu64, p->ordinal));
    kd_buf_add_char(out, '}');
}

static void ag_body_ports(struct ag_potter *p, struct kd_buf *out)
{
    if (!p->ports.n)
        return;
    ag_body_raw(out, "portmappings", "[");
    for (size_t i = 0; i < p->ports.n; i++) {
        const struct ag_published *port = &p->ports.v[i];
        ag_body_item(out);
        kd_buf_printf(out, "{\"container_port\":%" PRIu64 ",\"host_port\":%" PRIu64, port->container, port->host);
        ag_body_text(out, "protocol", port->protocol);
        ag_body_text(out, "host_ip", port->ip);
        kd_buf_add_char(out, '}');
    }
    kd_buf_add_char(out, ']');
}

static void ag_body_hosts(struct ag_potter *p, struct kd_buf *out)
{
    struct kd_strs hosts = { NULL, 0 };
    for (const cJSON *one = ag_tree_first(p->workload->spec, "hostAliases"); one; one = one->next)
        for (const cJSON *name = ag_tree_first(one, "hostnames"); name; name = name->next) {
            struct kd_str *at = ag_build_push(p->b, &hosts, sizeof *at);
            if (at)
                *at = ag_build_printf(p->b, "%.*s:%.*s", KD_ARG(ag_tree_value(name)), KD_ARG(ag_tree_text(one, "ip")));
        }
    if (hosts.n)
        ag_body_texts(out, "hostadd", &hosts);
}

/** What a pod has once: its names, its network, its ports. */
static void ag_body_network(struct ag_potter *p, struct kd_buf *out)
{
    ag_body_text(out, "hostname", p->host_name);
    ag_body_raw(out, "netns", "{\"nsmode\":\"bridge\"}");
    ag_body_raw(out, "Networks", "{");
    ag_body_key(out, p->b->plan->network.p);
    kd_buf_add_char(out, '{');
    ag_body_texts(out, "aliases", &p->aliases);
    kd_buf_add(out, KD_STR("}}"));
    struct kd_str search[] = { ag_build_printf(p->b, "%.*s.svc.cluster.local", KD_ARG(p->namespace)), KD_STR("svc.cluster.local"),
                               KD_STR("cluster.local") };
    ag_body_texts(out, "dns_search", &(struct kd_strs){ search, KD_COUNT(search) });
    ag_body_hosts(p, out);
    ag_body_ports(p, out);
}

void ag_body_pod(struct ag_potter *p, struct kd_buf *out)
{
    bool processes = ag_tree_flag(p->workload->spec, "shareProcessNamespace", false);
    kd_buf_add_char(out, '{');
    ag_body_text(out, "name", p->name);
    ag_body_network(p, out);
    ag_body_raw(out, "shared_namespaces", processes ? "[\"net\",\"ipc\",\"uts\",\"pid\"]" : "[\"net\",\"ipc\",\"uts\"]");
    ag_body_labels(p, out);
    kd_buf_add_char(out, '}');
}

/** command and args, expanded. */
static void ag_body_command(struct ag_potter *p, const cJSON *container, const struct ag_vars *vars, struct kd_buf *out)
{
    static const struct {
        const char *member, *key;
    } parts[] = { { "command", "entrypoint" }, { "args", "command" } };
    for (size_t i = 0; i < KD_COUNT(parts); i++) {
        struct kd_strs words = { NULL, 0 };
        for (const cJSON *one = ag_tree_first(container, parts[i].member); one; one = one->next) {
            struct kd_str *at = ag_build_push(p->b, &words, sizeof *at);
            if (at)
                *at = ag_env_expand(p->b, vars, ag_tree_value(one));
        }
        if (words.n)
            ag_body_texts(out, parts[i].key, &words);
    }
}

static void ag_body_env(const struct ag_vars *vars, struct kd_buf *out)
{
    ag_body_key(out, "env");
    kd_buf_add_char(out, '{');
    for (size_t i = 0; i < vars->n; i++) {
        if (i)
            kd_buf_add_char(out, ',');
        kd_json_add_text(out, vars->v[i].name);
        kd_buf_add_char(out, ':');
        kd_json_add_text(out, vars->v[i].value);
    }
    kd_buf_add_char(out, '}');
}

static double ag_limit_of(struct ag_potter *p, const cJSON *container, const char *name)
{
    double value = 0;
    const cJSON *limit = ag_tree_get(ag_tree_at(container, "resources.limits"), name);
    if (limit && (!ag_quantity_read(limit, &value) || value > 9e15))
        ag_build_fail(p->b, KD_INVALID, p->title, "resources.limits.%s is not a quantity such as 500m or 128Mi", name);
    return value;
}

static void ag_body_limits(struct ag_potter *p, const cJSON *container, struct kd_buf *out)
{
    double cpu = ag_limit_of(p, container, "cpu"), memory = ag_limit_of(p, container, "memory");
    if (memory > 0 && memory < AG_MEMORY_LEAST)
        ag_build_fail(p->b, KD_INVALID, p->title, "resources.limits.memory is below 6 MiB");
    if (cpu > 100000)
        ag_build_fail(p->b, KD_INVALID, p->title, "resources.limits.cpu is more than any machine has");
    if (!(cpu > 0) && !(memory > 0))
        return;
    double quota = ceil(cpu * AG_CPU_PERIOD_US);
    ag_body_raw(out, "resource_limits", "{");
    if (cpu > 0)
        kd_buf_printf(out, "\"cpu\":{\"period\":%d,\"quota\":%.0f}", AG_CPU_PERIOD_US,
                      quota < AG_CPU_QUOTA_LEAST_US ? AG_CPU_QUOTA_LEAST_US : quota);
    if (memory > 0)
        kd_buf_printf(out, "%s\"memory\":{\"limit\":%.0f}", cpu > 0 ? "," : "", ceil(memory));
    kd_buf_add_char(out, '}');
}

/** The container's own word counts before the pod's. */
static int64_t ag_security_number(const struct ag_potter *p, const cJSON *own, const char *name)
{
    return ag_tree_number(own, name, ag_tree_number(ag_tree_get(p->workload->spec, "securityContext"), name, -1));
}

static void ag_body_user(struct ag_potter *p, const cJSON *own, struct kd_buf *out)
{
    const cJSON *pod = ag_tree_get(p->workload->spec, "securityContext");
    int64_t user = ag_security_number(p, own, "runAsUser"), group = ag_security_number(p, own, "runAsGroup");
    if (ag_tree_flag(own, "runAsNonRoot", ag_tree_flag(pod, "runAsNonRoot", false)) && user == 0)
        ag_build_fail(p->b, KD_INVALID, p->title, "runAsNonRoot and runAsUser 0 contradict each other");
    if (group >= 0 && user < 0)
        ag_build_fail(p->b, KD_UNSUPPORTED, p->title, "runAsGroup needs runAsUser on a Podman edge");
    if (user >= 0 && group >= 0)
        ag_body_text(out, "user", ag_build_printf(p->b, "%" PRId64 ":%" PRId64, user, group));
    else if (user >= 0)
        ag_body_text(out, "user", ag_build_printf(p->b, "%" PRId64, user));
}

static void ag_body_groups(struct ag_potter *p, struct kd_buf *out)
{
    const cJSON *pod = ag_tree_get(p->workload->spec, "securityContext");
    int64_t fs_group = ag_tree_number(pod, "fsGroup", -1);
    if (fs_group < 0 && !ag_tree_count(pod, "supplementalGroups"))
        return;
    ag_body_raw(out, "groups", "[");
    for (const cJSON *one = ag_tree_first(pod, "supplementalGroups"); one; one = one->next) {
        ag_body_item(out);
        kd_buf_printf(out, "\"%.0f\"", one->valuedouble);
    }
    if (fs_group >= 0) {
        ag_body_item(out);
        kd_buf_printf(out, "\"%" PRId64 "\"", fs_group);
    }
    kd_buf_add_char(out, ']');
}

/** What Kubernetes' runtimes give to every container; more would be a privilege. */
static bool ag_is_common_capability(struct kd_str name)
{
    static const char *const common[] = {
        "AUDIT_WRITE",      "CHOWN",   "DAC_OVERRIDE", "FOWNER", "FSETID",  "KILL",   "MKNOD",
        "NET_BIND_SERVICE", "NET_RAW", "SETFCAP",      "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"
    };
    for (size_t i = 0; i < KD_COUNT(common); i++)
        if (kd_str_is(name, common[i]))
            return true;
    return false;
}

static void ag_body_capabilities(struct ag_potter *p, const cJSON *own, struct kd_buf *out)
{
    static const struct {
        const char *member, *key;
        bool common;
    } lists[] = { { "drop", "cap_drop", false }, { "add", "cap_add", true } };
    for (size_t i = 0; i < KD_COUNT(lists); i++) {
        struct kd_strs names = { NULL, 0 };
        for (const cJSON *one = ag_tree_first(ag_tree_get(own, "capabilities"), lists[i].member); one; one = one->next) {
            struct kd_str *at = ag_build_push(p->b, &names, sizeof *at);
            if (lists[i].common && !ag_is_common_capability(ag_tree_value(one)))
                ag_build_fail(p->b, KD_UNSUPPORTED, p->title, "capability %s cannot be given to a container on a Podman edge",
                              one->valuestring);
            if (at)
                *at = kd_str_is(ag_tree_value(one), "ALL") ? KD_STR("ALL") : ag_build_printf(p->b, "CAP_%s", one->valuestring);
        }
        if (names.n)
            ag_body_texts(out, lists[i].key, &names);
    }
}

static void ag_body_security(struct ag_potter *p, const cJSON *container, struct kd_buf *out)
{
    const cJSON *own = ag_tree_get(container, "securityContext");
    ag_body_user(p, own, out);
    ag_body_groups(p, out);
    ag_body_capabilities(p, own, out);
    if (!ag_tree_flag(own, "allowPrivilegeEscalation", true))
        ag_body_raw(out, "no_new_privileges", "true");
    if (ag_tree_flag(own, "readOnlyRootFilesystem", false))
        ag_body_raw(out, "read_only_filesystem", "true");
}

static void ag_body_process(struct ag_potter *p, const struct ag_person *who, struct kd_buf *out)
{
    struct ag_vars vars;
    ag_env_read(p->b, who, &vars);
    if (p->workload->indexed)
        ag_env_set(p->b, &vars, KD_STR("JOB_COMPLETION_INDEX"), ag_build_printf(p->b, "%" PRIu64, p->ordinal));
    ag_body_command(p, who->container, &vars, out);
    if (ag_tree_text(who->container, "workingDir").n)
        ag_body_text(out, "work_dir", ag_tree_text(who->container, "workingDir"));
    ag_body_env(&vars, out);
    if (ag_tree_flag(who->container, "tty", false))
        ag_body_raw(out, "terminal", "true");
    if (ag_tree_flag(who->container, "stdin", false))
        ag_body_raw(out, "stdin", "true");
}

void ag_body_container(struct ag_potter *p, const struct ag_person *who, const struct ag_container *about, bool init,
                       struct kd_buf *out)
{
    kd_buf_add_char(out, '{');
    ag_body_text(out, "name", about->name);
    if (p->shared)
        ag_body_text(out, "pod", p->name);
    else
        ag_body_network(p, out);
    ag_body_text(out, "image", about->image);
    ag_body_process(p, who, out);
    ag_volumes_mount(p, who, out);
    ag_body_security(p, who->container, out);
    ag_body_limits(p, who->container, out);
    ag_body_raw(out, "restart_policy", "\"no\"");
    ag_body_key(out, "stop_timeout");
    kd_buf_printf(out, "%" PRIu64, p->pod->grace_s);
    if (p->workload->ends_after_s > 0) {
        ag_body_key(out, "timeout");
        kd_buf_printf(out, "%" PRId64, p->workload->ends_after_s);
    }
    ag_body_key(out, "log_configuration");
    kd_buf_printf(out, "{\"size\":%d}", AG_LOG_BYTES);
    if (init)
        ag_body_raw(out, "annotations", "{\"kedge.init\":\"yes\"}");
    ag_body_labels(p, out);
    kd_buf_add_char(out, '}');
}

struct kd_str ag_body_volume(struct ag_build *b, struct kd_str namespace, struct kd_str name, struct kd_str object, bool keep)
{
    const struct ag_plan_context *c = b->context;
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(65536);
    kd_buf_add_char(&out, '{');
    ag_body_text(&out, "Name", name);
    ag_body_raw(&out, "Label", "{");
    ag_body_text(&out, "kedge.project", c->project);
    ag_body_text(&out, "kedge.uid", c->uid);
    ag_body_text(&out, "kedge.deployment", c->deployment);
    ag_body_text(&out, "kedge.app", c->app);
    ag_body_text(&out, "kedge.namespace", namespace);
    ag_body_text(&out, "kedge.release", c->release);
    ag_body_text(&out, "kedge.kind", object);
    if (keep)
        ag_body_text(&out, "kedge.keep", KD_STR("yes"));
    kd_buf_add(&out, KD_STR("}}"));
    return ag_build_take(b, &out);
}
