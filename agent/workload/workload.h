/** Workloads: what the five kinds of objects that run have in common, and the Services that lead to them. */
#ifndef AG_WORKLOAD_WORKLOAD_H
#define AG_WORKLOAD_WORKLOAD_H

#include "agent/workload/objects.h"

struct ag_workload {
    const struct ag_object *object;
    const cJSON *template; /* metadata and spec of its pods */
    const cJSON *spec;     /* of its pods */
    uint64_t replicas;
    struct kd_str service; /* a StatefulSet's serviceName, or the pod's subdomain */
    const cJSON *claims;   /* a StatefulSet's volumeClaimTemplates: first one or NULL */
    enum ag_restart restart;
    bool job, indexed; /* a Job; with JOB_COMPLETION_INDEX */
    bool surge;
    uint64_t backoff_limit;
    int64_t ends_after_s; /* activeDeadlineSeconds, 0: never */
};

struct ag_workloads {
    struct ag_workload *v;
    size_t n;
};

/** Reads an object of the role workload. */
void ag_workload_read(struct ag_build *b, const struct ag_object *object, struct ag_workload *ret);

/** The name of one of its pods in Kubernetes: "web-0" ("web" for a Pod), at most 63 bytes, as it is the host name too. */
struct kd_str ag_workload_pod_name(struct ag_build *b, const struct ag_workload *workload, uint64_t ordinal);

/** Notes as skipped what Services ask for and do not get. */
void ag_services_check(struct ag_build *b, const struct ag_workloads *workloads);

/** The names under which one of its pods is found in the project's network. */
void ag_services_aliases(struct ag_build *b, const struct ag_workload *workload, struct kd_str host_name, struct kd_strs *ret);

/** A port of the pod that is a port of the edge. */
struct ag_published {
    uint64_t container, host;
    struct kd_str protocol; /* tcp, udp, sctp */
    struct kd_str ip;       /* "" for all */
};

struct ag_publisheds {
    struct ag_published *v;
    size_t n;
};

/** hostPorts of the containers, and node ports of the Services (at the first pod). */
void ag_services_ports(struct ag_build *b, const struct ag_workload *workload, uint64_t ordinal, struct ag_publisheds *ret);

/** A port by number or name of a container's port (`container` NULL: of any container); 0 where there is none. */
uint64_t ag_workload_port(const struct ag_workload *workload, const cJSON *container, const cJSON *port);

#endif
