/** Probes: read and kept; nothing runs them yet. */
#include "agent/workload/pod.h"
#include "shared/base/own.h"

static uint64_t ag_probe_port(struct ag_potter *p, const cJSON *container, const cJSON *action)
{
    uint64_t port = ag_workload_port(p->workload, container, ag_tree_get(action, "port"));
    if (!port)
        ag_build_fail(p->b, KD_INVALID, p->title, "a probe of container %.*s names a port that the container does not have",
                      KD_ARG(ag_tree_text(container, "name")));
    return port;
}

static struct kd_strs ag_probe_command(struct ag_potter *p, const cJSON *exec)
{
    struct kd_strs words = { NULL, 0 };
    for (const cJSON *one = ag_tree_first(exec, "command"); one; one = one->next) {
        struct kd_str *at = ag_build_push(p->b, &words, sizeof *at);
        if (at)
            *at = ag_build_copy(p->b, ag_tree_value(one));
    }
    return words;
}

static void ag_probe_http(struct ag_potter *p, const cJSON *http, struct ag_probe *ret)
{
    struct kd_str path = ag_tree_text(http, "path"), scheme = ag_tree_text(http, "scheme");
    ret->path = ag_build_copy(p->b, path.n ? path : KD_STR("/"));
    ret->scheme = ag_build_copy(p->b, scheme.n ? scheme : KD_STR("HTTP"));
    ret->host = ag_build_copy(p->b, ag_tree_text(http, "host"));
}

static void ag_probe_read(struct ag_potter *p, const cJSON *container, const cJSON *probe, struct ag_probe *ret)
{
    static const char *const actions[] = { "httpGet", "tcpSocket", "grpc" };
    const cJSON *http = ag_tree_get(probe, "httpGet"), *grpc = ag_tree_get(probe, "grpc");
    *ret = (struct ag_probe){ .there = true, .grpc = grpc != NULL };
    for (size_t i = 0; i < KD_COUNT(actions); i++)
        if (ag_tree_get(probe, actions[i]))
            ret->port = ag_probe_port(p, container, ag_tree_get(probe, actions[i]));
    if (http)
        ag_probe_http(p, http, ret);
    ret->service = ag_build_copy(p->b, ag_tree_text(grpc, "service"));
    ret->exec = ag_probe_command(p, ag_tree_get(probe, "exec"));
    ret->delay_s = (uint64_t)ag_tree_number(probe, "initialDelaySeconds", 0);
    ret->period_s = (uint64_t)ag_tree_number(probe, "periodSeconds", 10);
    ret->timeout_s = (uint64_t)ag_tree_number(probe, "timeoutSeconds", 1);
    ret->successes = (uint64_t)ag_tree_number(probe, "successThreshold", 1);
    ret->failures = (uint64_t)ag_tree_number(probe, "failureThreshold", 3);
}

void ag_probes_read(struct ag_potter *p, const cJSON *container, struct ag_probe ret[AG_PROBE_KIND_COUNT])
{
    static const char *const members[AG_PROBE_KIND_COUNT] = {
        [AG_PROBE_LIVENESS] = "livenessProbe",
        [AG_PROBE_READINESS] = "readinessProbe",
        [AG_PROBE_STARTUP] = "startupProbe",
    };
    for (int i = 0; i < AG_PROBE_KIND_COUNT; i++) {
        const cJSON *probe = ag_tree_get(container, members[i]);
        if (probe && probe->child)
            ag_probe_read(p, container, probe, &ret[i]);
    }
}
