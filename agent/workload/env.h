/** Env: the environment of a container, and what the downward API knows of its pod. */
#ifndef AG_WORKLOAD_ENV_H
#define AG_WORKLOAD_ENV_H

#include "agent/workload/objects.h"

/** Who asks: one container of one pod. */
struct ag_person {
    struct kd_str title;               /* for messages: "Deployment/web" */
    struct kd_str pod_name, namespace; /* as in Kubernetes */
    const cJSON *template;             /* metadata and spec of the pod */
    const cJSON *container;            /* NULL for a volume */
};

struct ag_var {
    struct kd_str name, value; /* in the arena or the tree */
};

struct ag_vars {
    struct ag_var *v;
    size_t n;
};

/** The container's variables: envFrom, then env in its order; a later one wins; $(NAME) of earlier ones is expanded. */
void ag_env_read(struct ag_build *b, const struct ag_person *who, struct ag_vars *ret);

void ag_env_set(struct ag_build *b, struct ag_vars *vars, struct kd_str name, struct kd_str value);

/** The text with $(NAME) expanded, as Kubernetes does: an unknown name stays as it is, $$ is $. */
struct kd_str ag_env_expand(struct ag_build *b, const struct ag_vars *vars, struct kd_str text);

/** What a fieldPath names; the build fails where it cannot be known. `whole_maps`: metadata.labels and metadata.annotations too. */
struct kd_str ag_env_field(struct ag_build *b, const struct ag_person *who, struct kd_str path, bool whole_maps);

#endif
