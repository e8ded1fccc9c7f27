/** Objects: a rendering sorted into what runs, what is used by it, and what is skipped. */
#include "agent/workload/objects.h"

#include "agent/workload/fields.h"
#include "shared/base/own.h"

#include <stdarg.h>
#include <stdio.h>

#define NO_API "a Podman edge has no Kubernetes API that it could act on; nothing is missed"

static const struct ag_kind ag_kinds[] = {
    { "ConfigMap", "v1", AG_ROLE_CONFIG, 0, NULL },
    { "Secret", "v1", AG_ROLE_SECRET, 0, NULL },
    { "PersistentVolumeClaim", "v1", AG_ROLE_CLAIM, 0, NULL },
    { "Service", "v1", AG_ROLE_SERVICE, 0, NULL },
    { "DaemonSet", "apps", AG_ROLE_WORKLOAD, 1, NULL },
    { "Pod", "v1", AG_ROLE_WORKLOAD, 2, NULL },
    { "Deployment", "apps", AG_ROLE_WORKLOAD, 3, NULL },
    { "StatefulSet", "apps", AG_ROLE_WORKLOAD, 4, NULL },
    { "Job", "batch", AG_ROLE_WORKLOAD, 5, NULL },
    { "ServiceAccount", "v1", AG_ROLE_SKIPPED, 0, NO_API },
    { "Role", NULL, AG_ROLE_SKIPPED, 0, NO_API },
    { "RoleBinding", NULL, AG_ROLE_SKIPPED, 0, NO_API },
    { "ClusterRole", NULL, AG_ROLE_SKIPPED, 0, NO_API },
    { "ClusterRoleBinding", NULL, AG_ROLE_SKIPPED, 0, NO_API },
    { "Namespace", "v1", AG_ROLE_SKIPPED, 0, "namespaces are names on a Podman edge; nothing is missed" },
    { "PriorityClass", NULL, AG_ROLE_SKIPPED, 0, "an edge is one node that schedules nothing; nothing is missed" },
    { "PodDisruptionBudget", NULL, AG_ROLE_SKIPPED, 0, "an edge is one node that drains nothing; nothing is missed" },
    { "HorizontalPodAutoscaler", NULL, AG_ROLE_SKIPPED, 0, "a Podman edge does not scale by itself; replicas stay as given" },
    { "Ingress", NULL, AG_ROLE_SKIPPED, 0, "a Podman edge has no ingress controller; use a NodePort or a hostPort" },
    { "IngressClass", NULL, AG_ROLE_SKIPPED, 0, "a Podman edge has no ingress controller" },
    { "NetworkPolicy", NULL, AG_ROLE_SKIPPED, 0, "a Podman edge does not filter between the pods of a project" },
    { "CustomResourceDefinition", NULL, AG_ROLE_SKIPPED, 0,
      "a Podman edge has no Kubernetes API that custom resources could extend" },
    { "CronJob", NULL, AG_ROLE_SKIPPED, 0, "a Podman edge runs nothing by schedule" },
    { "PersistentVolume", NULL, AG_ROLE_SKIPPED, 0, "volumes are Podman's own" },
    { "StorageClass", NULL, AG_ROLE_SKIPPED, 0, "volumes are Podman's own" },
    { "MutatingWebhookConfiguration", NULL, AG_ROLE_SKIPPED, 0, "a Podman edge has no Kubernetes API that it could guard" },
    { "ValidatingWebhookConfiguration", NULL, AG_ROLE_SKIPPED, 0, "a Podman edge has no Kubernetes API that it could guard" },
    { NULL, NULL, AG_ROLE_SKIPPED, 0, "a Podman edge has nothing that acts on this kind" },
};

static const char *const ag_hook_words[AG_HOOK_COUNT] = { AG_HOOKS(AG_HOOK_AS_WORD) };

void ag_build_fail(struct ag_build *b, enum kd_code code, struct kd_str title, const char *fmt, ...)
{
    if (b->code != KD_OK)
        return;
    char why[KD_STORY_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    b->code = kd_fail(b->err, code, 0, "%.*s: %s", KD_ARG(title), why);
}

static void ag_build_full(struct ag_build *b)
{
    ag_build_fail(b, KD_TOO_LARGE, b->context->app, "the rendering needs more memory than allowed");
}

void *ag_build_push(struct ag_build *b, void *list, size_t item_bytes)
{
    struct {
        char *v;
        size_t n;
    } *l = list;
    if (b->code != KD_OK)
        return NULL;
    if ((l->n & (l->n - 1)) == 0) { /* full at 0, 1, 2, 4, 8, … items */
        char *grown = kd_arena_alloc(b->arena, (l->n ? l->n * 2 : 1) * item_bytes);
        if (!grown) {
            ag_build_full(b);
            return NULL;
        }
        if (l->n)
            memcpy(grown, l->v, l->n * item_bytes);
        l->v = grown;
    }
    return l->v + l->n++ * item_bytes;
}

struct kd_str ag_build_copy(struct ag_build *b, struct kd_str text)
{
    struct kd_str copy = kd_arena_copy(b->arena, text);
    if (!copy.p)
        ag_build_full(b);
    return copy;
}

struct kd_str ag_build_printf(struct ag_build *b, const char *fmt, ...)
{
    char small[512];
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    struct kd_str text = { small, n < 0 ? 0 : (size_t)n };
    if (n >= 0 && (size_t)n < sizeof small) {
        text = ag_build_copy(b, text);
    } else {
        char *at = kd_arena_alloc(b->arena, text.n + 1);
        if (at)
            (void)vsnprintf(at, text.n + 1, fmt, again);
        else
            ag_build_full(b);
        text = (struct kd_str){ at, at ? text.n : 0 };
    }
    va_end(again);
    return text;
}

struct kd_str ag_build_take(struct ag_build *b, struct kd_buf *text)
{
    if (text->overflow)
        ag_build_full(b);
    struct kd_str copy = ag_build_copy(b, kd_buf_str(text));
    kd_buf_clear(text);
    return copy;
}

void ag_build_skip(struct ag_build *b, struct kd_str kind, struct kd_str name, const char *fmt, ...)
{
    char why[KD_STORY_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    struct ag_skipped *row = ag_build_push(b, &b->plan->skipped, sizeof *row);
    if (row)
        *row = (struct ag_skipped){ ag_build_copy(b, kind), ag_build_copy(b, name), ag_build_copy(b, kd_str(why)) };
}

static bool ag_kind_has_version(const struct ag_kind *kind, struct kd_str version)
{
    struct kd_str rest = version, first = kd_str_cut(&rest, '/');
    return !kind->version || kd_str_is(first, kind->version);
}

static const struct ag_kind *ag_kind_of(struct kd_str word, struct kd_str version)
{
    const struct ag_kind *kind = ag_kinds;
    while (kind->word && !(kd_str_is(word, kind->word) && ag_kind_has_version(kind, version)))
        kind++;
    return kind;
}

/** The hooks that the annotation names, as bits; *ret_test: it is a test. */
static unsigned ag_hooks_of(struct kd_str annotation, bool *ret_test)
{
    unsigned bits = 0;
    *ret_test = false;
    while (annotation.n) {
        struct kd_str word = kd_str_trim(kd_str_cut(&annotation, ','));
        *ret_test |= kd_str_starts(word, KD_STR("test"));
        for (unsigned i = 1; i < AG_HOOK_COUNT; i++)
            if (kd_str_is(word, ag_hook_words[i]))
                bits |= 1U << i;
    }
    return bits;
}

static int64_t ag_weight_of(struct kd_str text)
{
    uint64_t weight = 0;
    bool minus = text.n && text.p[0] == '-';
    if (!kd_str_u64(minus ? (struct kd_str){ text.p + 1, text.n - 1 } : text, &weight))
        return 0;
    return minus ? -(int64_t)weight : (int64_t)weight;
}

bool ag_is_object_name(struct kd_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool inner = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!inner && (i == 0 || (c != '-' && c != '.')))
            return false;
    }
    return name.n > 0 && name.n <= 253;
}

static void ag_object_check(struct ag_build *b, const struct ag_object *object)
{
    if (!ag_is_object_name(object->name) || (object->namespace.n && !ag_is_object_name(object->namespace)))
        ag_build_fail(b, KD_INVALID, object->title, "metadata.name and namespace must be lower-case letters, digits, '-' and '.'");
    else if (b->code == KD_OK)
        b->code = ag_fields_check(object->json, object->kind->word, object->title, b->err);
}

static bool ag_object_is_known(const struct ag_build *b, const struct ag_object *object)
{
    for (size_t i = 0; i < b->objects.n; i++)
        if (kd_str_eq(b->objects.v[i].title, object->title) && kd_str_eq(b->objects.v[i].namespace, object->namespace))
            return true;
    return false;
}

static void ag_object_add(struct ag_build *b, struct ag_object *object)
{
    struct ag_object *at = NULL;
    ag_object_check(b, object);
    if (ag_object_is_known(b, object))
        ag_build_fail(b, KD_INVALID, object->title, "stands twice in the rendering");
    else
        at = ag_build_push(b, &b->objects, sizeof *at);
    if (at)
        *at = *object;
    if (b->objects.n > AG_PLAN_DOCUMENTS_MAX)
        ag_build_fail(b, KD_TOO_LARGE, b->context->app, "the rendering has more than %d objects", AG_PLAN_DOCUMENTS_MAX);
}

static void ag_object_sort_in(struct ag_build *b, struct ag_object *object, struct kd_str annotation)
{
    bool test = false;
    object->hooks = ag_hooks_of(annotation, &test);
    if (annotation.n && !object->hooks && test)
        return;
    if (object->kind->role == AG_ROLE_SKIPPED)
        ag_build_skip(b, object->word, object->name, "%s", object->kind->reason);
    else if (annotation.n && !object->hooks && object->kind->role == AG_ROLE_WORKLOAD)
        ag_build_skip(b, object->word, object->name, "a Podman edge runs install and upgrade hooks only");
    else if (object->hooks && object->kind->role == AG_ROLE_WORKLOAD && !kd_str_is(object->word, "Job") &&
             !kd_str_is(object->word, "Pod"))
        ag_build_skip(b, object->word, object->name, "only Jobs and Pods can be hooks on a Podman edge");
    else
        ag_object_add(b, object);
}

static void ag_object_read(struct ag_build *b, const cJSON *json, int depth)
{
    struct ag_object object = { .json = json, .word = ag_tree_text(json, "kind"), .namespace = b->context->namespace };
    struct kd_str version = ag_tree_text(json, "apiVersion");
    if (!object.word.n || !version.n || depth > 4) {
        ag_build_fail(b, KD_INVALID, b->context->app, "the rendering has an object without kind or apiVersion");
        return;
    }
    if (kd_str_ends(object.word, KD_STR("List")) && cJSON_IsArray(ag_tree_get(json, "items"))) {
        for (const cJSON *one = ag_tree_first(json, "items"); one && b->code == KD_OK; one = one->next)
            ag_object_read(b, one, depth + 1);
        return;
    }
    const cJSON *meta = ag_tree_get(json, "metadata"), *notes = ag_tree_get(meta, "annotations");
    if (ag_tree_text(meta, "namespace").n)
        object.namespace = ag_tree_text(meta, "namespace");
    object.kind = ag_kind_of(object.word, version);
    object.name = ag_tree_text(meta, "name");
    object.title = ag_build_printf(b, "%.*s/%.*s", KD_ARG(object.word), KD_ARG(object.name));
    object.hook_weight = ag_weight_of(ag_tree_text(notes, "helm.sh/hook-weight"));
    ag_object_sort_in(b, &object, kd_str_trim(ag_tree_text(notes, "helm.sh/hook")));
}

static cJSON *ag_document_parse(struct ag_build *b, struct kd_str text)
{
    const char *end = NULL;
    cJSON *tree = NULL;
    if (kd_str_find(text, KD_STR("\\u0000")) < 0)
        tree = cJSON_ParseWithLengthOpts(text.p ? text.p : "", text.n, &end, false);
    if (!tree || !cJSON_IsObject(tree))
        ag_build_fail(b, KD_INVALID, b->context->app, "the rendering has a document that is not a Kubernetes object");
    return tree;
}

/** Ordinary objects in Helm's order of kinds, then hooks by weight; equal ones by name. */
static int ag_object_order(const void *left, const void *right)
{
    const struct ag_object *a = left, *b = right;
    if (!a->hooks != !b->hooks)
        return a->hooks ? 1 : -1;
    if (a->hooks && a->hook_weight != b->hook_weight)
        return a->hook_weight < b->hook_weight ? -1 : 1;
    if (a->kind->order != b->kind->order)
        return a->kind->order - b->kind->order;
    int by_name = kd_str_cmp(a->name, b->name);
    return by_name ? by_name : kd_str_cmp(a->namespace, b->namespace);
}

void ag_objects_read(struct ag_build *b, struct kd_strs documents)
{
    if (documents.n > AG_PLAN_DOCUMENTS_MAX) {
        ag_build_fail(b, KD_TOO_LARGE, b->context->app, "the rendering has more than %d objects", AG_PLAN_DOCUMENTS_MAX);
        return;
    }
    b->trees = calloc(documents.n + 1, sizeof *b->trees);
    if (!b->trees)
        ag_build_full(b);
    for (size_t i = 0; i < documents.n && b->code == KD_OK; i++) {
        cJSON *tree = ag_document_parse(b, documents.v[i]);
        b->trees[b->tree_count++] = tree;
        if (tree)
            ag_object_read(b, tree, 0);
    }
    if (b->objects.n)
        qsort(b->objects.v, b->objects.n, sizeof *b->objects.v, ag_object_order);
}

void ag_build_clear(struct ag_build *b)
{
    for (size_t i = 0; i < b->tree_count; i++)
        cJSON_Delete(b->trees[i]);
    free(b->trees);
    b->trees = NULL;
    b->tree_count = 0;
}

struct ag_object *ag_objects_find(const struct ag_build *b, enum ag_role role, struct kd_str namespace, struct kd_str name)
{
    for (size_t i = 0; i < b->objects.n; i++) {
        struct ag_object *one = &b->objects.v[i];
        if (one->kind->role == role && kd_str_eq(one->name, name) && kd_str_eq(one->namespace, namespace))
            return one;
    }
    return NULL;
}
