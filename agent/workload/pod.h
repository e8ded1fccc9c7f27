/** Pods: one replica of a workload as Podman gets it. */
#ifndef AG_WORKLOAD_POD_H
#define AG_WORKLOAD_POD_H

#include "agent/workload/env.h"
#include "agent/workload/workload.h"

/** A volume of a pod, ready to be mounted. */
enum ag_source_kind { AG_SOURCE_FILES, AG_SOURCE_EMPTY, AG_SOURCE_CLAIM, AG_SOURCE_MEMORY };
struct ag_source {
    struct kd_str name; /* in the pod */
    enum ag_source_kind kind;
    struct kd_str at;    /* files: path of the directory; claim: name of the volume in Podman */
    struct kd_str title; /* for messages */
    bool read_only;
    uint64_t bytes; /* of a tmpfs, 0: half of the memory, as the kernel has it */
};

/** The state of making one pod. It is made twice: first without its hash, to find the hash, then with it. */
struct ag_potter {
    struct ag_build *b;
    const struct ag_workload *workload;
    uint64_t ordinal;
    struct kd_str title;     /* "Deployment/web" */
    struct kd_str namespace; /* in Kubernetes */
    struct kd_str pod_name;  /* in Kubernetes: "web-0" */
    struct kd_str host_name;
    struct kd_str hash; /* "" the first time */
    struct kd_str name; /* in Podman */
    bool shared;        /* a pod in Podman; else one plain container */
    struct ag_pod *pod; /* what is made */
    struct {
        struct ag_source *v;
        size_t n;
    } sources;
    struct kd_strs aliases;
    struct ag_publisheds ports;
};

/** Makes one pod of a workload; the build fails where it cannot be done. */
void ag_pod_make(struct ag_build *b, const struct ag_workload *workload, uint64_t ordinal, struct ag_pod *ret);

/** A name in Podman: kedge_<project>_<deployment>_<namespace>_<app>_<what>, and the hash's head where there is one. */
struct kd_str ag_podman_name(struct ag_build *b, struct kd_str namespace, struct kd_str what, struct kd_str hash);

/** volume.c: makes the pod's volumes: p->sources, the files of p->pod->directories, and the plan's volumes. */
void ag_volumes_make(struct ag_potter *p);

/** volume.c: appends the members "mounts" and "volumes" of a container's body, and adds emptyDirs to p->pod->directories. */
void ag_volumes_mount(struct ag_potter *p, const struct ag_person *who, struct kd_buf *out);

/** volume.c: the named volume of a claim, noted in the plan. */
struct kd_str ag_volumes_claim(struct ag_build *b, struct kd_str namespace, struct kd_str claim, struct kd_str object, bool keep);

/** body.c: the bodies of libpod's create calls. Labels are their last member: `…,"labels":{…}}`. */
enum { AG_BODY_MAX = 4 * 1024 * 1024 /* bytes; variables may come from large ConfigMaps */ };
void ag_body_pod(struct ag_potter *p, struct kd_buf *out);
void ag_body_container(struct ag_potter *p, const struct ag_person *who, const struct ag_container *about, bool init,
                       struct kd_buf *out);
struct kd_str ag_body_volume(struct ag_build *b, struct kd_str namespace, struct kd_str name, struct kd_str object, bool keep);

/** probe.c: the probes of a container. */
void ag_probes_read(struct ag_potter *p, const cJSON *container, struct ag_probe ret[AG_PROBE_KIND_COUNT]);

/** Appends a member's name to a JSON object that is being written, with a comma where one is needed. */
void ag_body_key(struct kd_buf *out, const char *name);

#endif
