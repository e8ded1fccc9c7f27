/** Workloads: what the five kinds of objects that run have in common. */
#include "agent/workload/workload.h"

#include "shared/base/own.h"
#include "shared/model/digest.h"

#include <inttypes.h>

enum {
    AG_BACKOFF_DEFAULT = 6, /* Kubernetes' own */
    AG_HOST_NAME_MAX = 63,  /* bytes, of a DNS label */
};

static void ag_read_pod(struct ag_build *b, const cJSON *spec, struct ag_workload *ret)
{
    (void)b;
    (void)spec;
    ret->template = ret->object->json;
}

static void ag_read_deployment(struct ag_build *b, const cJSON *spec, struct ag_workload *ret)
{
    (void)b;
    ret->surge = !kd_str_is(ag_tree_text(ag_tree_get(spec, "strategy"), "type"), "Recreate");
}

static void ag_read_stateful_set(struct ag_build *b, const cJSON *spec, struct ag_workload *ret)
{
    (void)b;
    ret->service = ag_tree_text(spec, "serviceName");
    ret->claims = ag_tree_first(spec, "volumeClaimTemplates");
}

static void ag_read_daemon_set(struct ag_build *b, const cJSON *spec, struct ag_workload *ret)
{
    (void)b;
    (void)spec;
    ret->replicas = 1;
}

static void ag_read_job(struct ag_build *b, const cJSON *spec, struct ag_workload *ret)
{
    (void)b;
    ret->job = true;
    ret->replicas = (uint64_t)ag_tree_number(spec, "completions", 1);
    ret->backoff_limit = (uint64_t)ag_tree_number(spec, "backoffLimit", AG_BACKOFF_DEFAULT);
    ret->indexed = kd_str_is(ag_tree_text(spec, "completionMode"), "Indexed");
    ret->ends_after_s = ag_tree_number(spec, "activeDeadlineSeconds", 0);
}

static const struct {
    const char *kind;
    void (*read)(struct ag_build *b, const cJSON *spec, struct ag_workload *ret);
} ag_readers[] = {
    { "Pod", ag_read_pod },
    { "Deployment", ag_read_deployment },
    { "StatefulSet", ag_read_stateful_set },
    { "DaemonSet", ag_read_daemon_set },
    { "Job", ag_read_job },
};

static const char *const ag_restart_words[] = {
    [AG_RESTART_ALWAYS] = "Always",
    [AG_RESTART_ON_FAILURE] = "OnFailure",
    [AG_RESTART_NEVER] = "Never",
};

/** The pod's restartPolicy; a bare Pod that does not run for ever, or is a hook, is a Job in all but name. */
static void ag_read_restart(struct ag_build *b, struct ag_workload *ret)
{
    struct kd_str word = ag_tree_text(ret->spec, "restartPolicy");
    size_t i = 0;
    while (word.n && i < KD_COUNT(ag_restart_words) && !kd_str_is(word, ag_restart_words[i]))
        i++;
    if (i == KD_COUNT(ag_restart_words) || (ret->job && i == AG_RESTART_ALWAYS))
        ag_build_fail(b, KD_INVALID, ret->object->title, "restartPolicy must be %s", ret->job ? "OnFailure or Never" : "Always");
    ret->restart = (enum ag_restart)i;
    if (ret->job || (i == AG_RESTART_ALWAYS && !ret->object->hooks))
        return;
    bool bare = kd_str_is(ret->object->word, "Pod");
    if (!bare)
        ag_build_fail(b, KD_INVALID, ret->object->title, "restartPolicy must be Always");
    ret->job = true;
    ret->backoff_limit = i == AG_RESTART_NEVER ? 0 : UINT64_MAX;
}

void ag_workload_read(struct ag_build *b, const struct ag_object *object, struct ag_workload *ret)
{
    const cJSON *spec = ag_tree_get(object->json, "spec");
    *ret = (struct ag_workload){ .object = object, .template = ag_tree_get(spec, "template") };
    ret->replicas = (uint64_t)ag_tree_number(spec, "replicas", 1);
    for (size_t i = 0; i < KD_COUNT(ag_readers); i++)
        if (kd_str_is(object->word, ag_readers[i].kind))
            ag_readers[i].read(b, spec, ret);
    ret->spec = ag_tree_get(ret->template, "spec");
    ag_read_restart(b, ret);
    if (!ret->service.n)
        ret->service = ag_tree_text(ret->spec, "subdomain");
    if (!ret->ends_after_s)
        ret->ends_after_s = ag_tree_number(ret->spec, "activeDeadlineSeconds", 0);
    if (ret->replicas > AG_PLAN_REPLICAS_MAX)
        ag_build_fail(b, KD_TOO_LARGE, object->title, "has %" PRIu64 " replicas, a Podman edge takes %d", ret->replicas,
                      AG_PLAN_REPLICAS_MAX);
    if (!ag_tree_count(ret->spec, "containers"))
        ag_build_fail(b, KD_INVALID, object->title, "has no containers");
}

struct kd_str ag_workload_pod_name(struct ag_build *b, const struct ag_workload *workload, uint64_t ordinal)
{
    struct kd_str name = workload->object->name;
    if (!kd_str_is(workload->object->word, "Pod"))
        name = ag_build_printf(b, "%.*s-%" PRIu64, KD_ARG(name), ordinal);
    if (name.n <= AG_HOST_NAME_MAX)
        return name;
    struct kd_digest digest = kd_digest_of(name);
    return ag_build_printf(b, "%.*s-%.8s", AG_HOST_NAME_MAX - 9, name.p, kd_digest_hex(&digest).p);
}

static uint64_t ag_port_named(const cJSON *container, struct kd_str name)
{
    for (const cJSON *one = ag_tree_first(container, "ports"); one; one = one->next)
        if (kd_str_eq(ag_tree_text(one, "name"), name))
            return (uint64_t)ag_tree_number(one, "containerPort", 0);
    return 0;
}

uint64_t ag_workload_port(const struct ag_workload *workload, const cJSON *container, const cJSON *port)
{
    uint64_t number = 0;
    struct kd_str text = ag_tree_value(port);
    if (cJSON_IsNumber(port))
        number = port->valuedouble > 0 ? (uint64_t)port->valuedouble : 0;
    else if (text.n && container)
        number = ag_port_named(container, text);
    else if (text.n)
        for (const cJSON *one = ag_tree_first(workload->spec, "containers"); one && !number; one = one->next)
            number = ag_port_named(one, text);
    if (!number && text.n && !kd_str_u64(text, &number))
        return 0;
    return number <= 65535 ? number : 0;
}
