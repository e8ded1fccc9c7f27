/** Services: names in the project's network, and ports of the edge. */
#include "agent/workload/workload.h"
#include "shared/base/own.h"

#include <ctype.h>
#include <inttypes.h>

static bool ag_service_leads_to(const struct ag_object *service, const struct ag_workload *workload)
{
    const cJSON *labels = ag_tree_get(ag_tree_get(workload->template, "metadata"), "labels");
    return service->kind->role == AG_ROLE_SERVICE && kd_str_eq(service->namespace, workload->object->namespace) &&
           ag_tree_selects(ag_tree_get(ag_tree_get(service->json, "spec"), "selector"), labels);
}

static bool ag_service_is(const struct ag_object *service, const char *member, const char *value)
{
    return kd_str_is(ag_tree_text(ag_tree_get(service->json, "spec"), member), value);
}

static void ag_alias_add(struct ag_build *b, struct kd_strs *ret, struct kd_str alias)
{
    struct kd_str *at = NULL;
    for (size_t i = 0; i < ret->n; i++)
        if (kd_str_eq(ret->v[i], alias))
            return;
    at = ag_build_push(b, ret, sizeof *at);
    if (at)
        *at = alias;
}

/** The three dotted forms; the bare name is found through the search list of its own namespace. */
static void ag_aliases_of(struct ag_build *b, struct kd_strs *ret, struct kd_str name, struct kd_str namespace)
{
    static const char *const ends[] = { ".svc.cluster.local", ".svc", "" };
    for (size_t i = 0; i < KD_COUNT(ends); i++)
        ag_alias_add(b, ret, ag_build_printf(b, "%.*s.%.*s%s", KD_ARG(name), KD_ARG(namespace), ends[i]));
}

void ag_services_aliases(struct ag_build *b, const struct ag_workload *workload, struct kd_str host_name, struct kd_strs *ret)
{
    struct kd_str namespace = workload->object->namespace;
    *ret = (struct kd_strs){ NULL, 0 };
    for (size_t i = 0; i < b->objects.n; i++)
        if (ag_service_leads_to(&b->objects.v[i], workload))
            ag_aliases_of(b, ret, b->objects.v[i].name, namespace);
    if (workload->service.n)
        ag_aliases_of(b, ret, ag_build_printf(b, "%.*s.%.*s", KD_ARG(host_name), KD_ARG(workload->service)), namespace);
}

static struct kd_str ag_protocol_of(struct ag_build *b, const struct ag_object *object, const cJSON *port)
{
    static const struct {
        const char *word;
        struct kd_str lower;
    } protocols[] = {
        { "", KD_STR_INIT("tcp") }, { "TCP", KD_STR_INIT("tcp") }, { "UDP", KD_STR_INIT("udp") }, { "SCTP", KD_STR_INIT("sctp") }
    };
    struct kd_str word = ag_tree_text(port, "protocol");
    for (size_t i = 0; i < KD_COUNT(protocols); i++)
        if (kd_str_is(word, protocols[i].word))
            return protocols[i].lower;
    ag_build_fail(b, KD_INVALID, object->title, "protocol %.*s must be TCP, UDP or SCTP", KD_ARG(word));
    return word;
}

static bool ag_is_address(struct kd_str ip)
{
    for (size_t i = 0; i < ip.n; i++)
        if (!isxdigit((unsigned char)ip.p[i]) && ip.p[i] != '.' && ip.p[i] != ':')
            return false;
    return ip.n < 46;
}

static void ag_publish(struct ag_build *b, const struct ag_object *object, struct ag_publisheds *ret, struct ag_published port)
{
    if (!port.container || port.container > 65535 || port.host > 65535 || !ag_is_address(port.ip)) {
        ag_build_fail(b, KD_INVALID, object->title, "host port %" PRIu64 " of port %" PRIu64 " is not a port", port.host,
                      port.container);
        return;
    }
    for (size_t i = 0; i < ret->n; i++)
        if (ret->v[i].host == port.host && kd_str_eq(ret->v[i].protocol, port.protocol) && kd_str_eq(ret->v[i].ip, port.ip))
            return;
    struct ag_published *at = ag_build_push(b, ret, sizeof *at);
    if (at)
        *at = port;
}

static void ag_publish_node_ports(struct ag_build *b, const struct ag_workload *workload, const struct ag_object *service,
                                  struct ag_publisheds *ret)
{
    for (const cJSON *one = ag_tree_first(ag_tree_get(service->json, "spec"), "ports"); one; one = one->next) {
        const cJSON *target = ag_tree_get(one, "targetPort") ? ag_tree_get(one, "targetPort") : ag_tree_get(one, "port");
        uint64_t host = (uint64_t)ag_tree_number(one, "nodePort", 0);
        uint64_t inner = ag_workload_port(workload, NULL, target);
        if (host && inner)
            ag_publish(b, service, ret,
                       (struct ag_published){
                           ag_workload_port(workload, NULL, target), host, ag_protocol_of(b, service, one), { NULL, 0 } });
    }
}

void ag_services_ports(struct ag_build *b, const struct ag_workload *workload, uint64_t ordinal, struct ag_publisheds *ret)
{
    *ret = (struct ag_publisheds){ NULL, 0 };
    for (const cJSON *one = ag_tree_first(workload->spec, "containers"); one; one = one->next)
        for (const cJSON *port = ag_tree_first(one, "ports"); port; port = port->next)
            if (ag_tree_number(port, "hostPort", 0))
                ag_publish(b, workload->object, ret,
                           (struct ag_published){
                               (uint64_t)ag_tree_number(port, "containerPort", 0), (uint64_t)ag_tree_number(port, "hostPort", 0),
                               ag_protocol_of(b, workload->object, port), ag_build_copy(b, ag_tree_text(port, "hostIP")) });
    for (size_t i = 0; i < b->objects.n && ordinal == 0; i++)
        if (ag_service_leads_to(&b->objects.v[i], workload))
            ag_publish_node_ports(b, workload, &b->objects.v[i], ret);
}

static void ag_service_skip(struct ag_build *b, const struct ag_object *service, const char *why)
{
    ag_build_skip(b, KD_STR("Service"), service->name, "%s", why);
}

static void ag_service_check_ports(struct ag_build *b, const struct ag_object *service, const struct ag_workload *workload)
{
    bool headless = ag_service_is(service, "clusterIP", "None");
    bool outside = ag_service_is(service, "type", "NodePort") || ag_service_is(service, "type", "LoadBalancer");
    for (const cJSON *one = ag_tree_first(ag_tree_get(service->json, "spec"), "ports"); one; one = one->next) {
        const cJSON *target = ag_tree_get(one, "targetPort");
        uint64_t port = (uint64_t)ag_tree_number(one, "port", 0), at = target ? ag_workload_port(workload, NULL, target) : port;
        if (!at)
            ag_build_skip(b, KD_STR("Service"), service->name, "port %" PRIu64 " leads to a port that no container names", port);
        else if (at != port && !headless)
            ag_build_skip(b, KD_STR("Service"), service->name,
                          "port %" PRIu64 " is reached at its target port %" PRIu64 " on a Podman edge", port, at);
        if (outside && !ag_tree_number(one, "nodePort", 0))
            ag_build_skip(b, KD_STR("Service"), service->name, "port %" PRIu64 " is not reached from outside; give it a nodePort",
                          port);
    }
}

static void ag_service_check(struct ag_build *b, const struct ag_object *service, const struct ag_workloads *workloads)
{
    const struct ag_workload *found = NULL;
    for (size_t i = 0; i < workloads->n && !found; i++)
        if (ag_service_leads_to(service, &workloads->v[i]))
            found = &workloads->v[i];
    if (ag_service_is(service, "type", "ExternalName"))
        ag_service_skip(b, service, "a Podman edge has no names for hosts outside");
    else if (!found)
        ag_service_skip(b, service, "selects no pod of this application");
    else
        ag_service_check_ports(b, service, found);
}

void ag_services_check(struct ag_build *b, const struct ag_workloads *workloads)
{
    for (size_t i = 0; i < b->objects.n; i++)
        if (b->objects.v[i].kind->role == AG_ROLE_SERVICE)
            ag_service_check(b, &b->objects.v[i], workloads);
}
