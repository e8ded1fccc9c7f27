/** Objects: a rendering sorted into what runs, what is used by it, and what is skipped; and the state of making one plan. */
#ifndef AG_WORKLOAD_OBJECTS_H
#define AG_WORKLOAD_OBJECTS_H

#include "agent/workload/plan.h"
#include "agent/workload/tree.h"

enum ag_role { AG_ROLE_SKIPPED, AG_ROLE_CONFIG, AG_ROLE_SECRET, AG_ROLE_CLAIM, AG_ROLE_SERVICE, AG_ROLE_WORKLOAD };

/** A kind of Kubernetes object: what it is to us, or why it is skipped. */
struct ag_kind {
    const char *word;    /* "Deployment"; NULL: all others */
    const char *version; /* apiVersion up to the '/' of a group, or "v1"; NULL: any */
    enum ag_role role;
    int order;          /* in which workloads are applied: that of Helm */
    const char *reason; /* skipped */
};

/** An entry of a ConfigMap or Secret, decoded. */
struct ag_entry {
    struct kd_str key, content; /* in the arena */
};

struct ag_entries {
    struct ag_entry *v;
    size_t n;
};

struct ag_object {
    const cJSON *json;
    const struct ag_kind *kind;
    struct kd_str word, name, namespace; /* borrowed from the tree or the context */
    struct kd_str title;                 /* "Deployment/web", in the arena */
    unsigned hooks;                      /* bits of enum ag_hook; 0: an ordinary object */
    int64_t hook_weight;
    struct ag_entries entries; /* of a ConfigMap or Secret, sorted by key, once they were read */
    bool entries_read;
};

/** The state of making one plan. The first failure counts: `code` is sticky, what is done after it has no effect. */
struct ag_build {
    const struct ag_plan_context *context;
    struct kd_arena *arena;
    struct kd_err *err;
    enum kd_code code;
    struct ag_plan *plan;
    struct {
        struct ag_object *v;
        size_t n;
    } objects;     /* in the order in which they are applied */
    cJSON **trees; /* owned: one per document */
    size_t tree_count;
};

/** Keeps the first failure: "<title>: <why>". */
void ag_build_fail(struct ag_build *b, enum kd_code code, struct kd_str title, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/** Room for one more item at the end of a list {v, n} in the arena; a zeroed item, or NULL (and a failure) when the arena is full. */
void *ag_build_push(struct ag_build *b, void *list, size_t item_bytes);

/** A text in the arena; a full arena is the build's failure. */
struct kd_str ag_build_copy(struct ag_build *b, struct kd_str text);
struct kd_str ag_build_printf(struct ag_build *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** What was written into a buffer, in the arena; clears the buffer. An overflow is the build's failure. */
struct kd_str ag_build_take(struct ag_build *b, struct kd_buf *text);

void ag_build_skip(struct ag_build *b, struct kd_str kind, struct kd_str name, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/** Parses the documents, flattens Lists, leaves test hooks out, checks the fields of what will be used, notes what is skipped. */
void ag_objects_read(struct ag_build *b, struct kd_strs documents);

/** Names come into names of Podman, paths and messages: the characters of Kubernetes only (lower case, digits, - and .). */
bool ag_is_object_name(struct kd_str name);

/** Frees the trees. */
void ag_build_clear(struct ag_build *b);

/** The object of that role, namespace and name, or NULL. */
struct ag_object *ag_objects_find(const struct ag_build *b, enum ag_role role, struct kd_str namespace, struct kd_str name);

#endif
