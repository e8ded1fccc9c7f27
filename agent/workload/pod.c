/** Pods: one replica of a workload as Podman gets it. */
#include "agent/workload/pod.h"

#include "shared/base/own.h"
#include "shared/model/digest.h"

#include <ctype.h>
#include <inttypes.h>

enum {
    AG_NAME_BASE_MAX = 100, /* bytes; a hash and a container's name (63) follow, see AG_PODMAN_NAME_MAX */
    AG_NAME_HASH = 8,       /* hex digits of a hash in a name */
    AG_GRACE_DEFAULT_S = 30 /* Kubernetes' own */
};

struct kd_str ag_podman_name(struct ag_build *b, struct kd_str namespace, struct kd_str what, struct kd_str hash)
{
    const struct ag_plan_context *c = b->context;
    struct kd_str name = ag_build_printf(b, "kedge_%.*s_%.*s_%.*s_%.*s_%.*s", KD_ARG(c->project), KD_ARG(c->deployment),
                                         KD_ARG(namespace), KD_ARG(c->app), KD_ARG(what));
    if (name.n > AG_NAME_BASE_MAX) {
        struct kd_digest digest = kd_digest_of(name);
        name = ag_build_printf(b, "%.*s_%.*s", AG_NAME_BASE_MAX - AG_NAME_HASH - 1, name.p, AG_NAME_HASH, kd_digest_hex(&digest).p);
    }
    return hash.n ? ag_build_printf(b, "%.*s_%.*s", KD_ARG(name), AG_NAME_HASH, hash.p) : name;
}

/** deployment_web_0: the kind in lower case, the name, the ordinal. */
static struct kd_str ag_pod_what(const struct ag_potter *p)
{
    char kind[32] = "";
    (void)kd_str_copy(p->workload->object->word, kind, sizeof kind);
    for (char *c = kind; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return ag_build_printf(p->b, "%s_%.*s_%" PRIu64, kind, KD_ARG(p->workload->object->name), p->ordinal);
}

/** The image with its registry's host: what stands before the first '/' is one if it has a '.' or a ':', or is localhost. */
static struct kd_str ag_image_of(struct ag_potter *p, const cJSON *container)
{
    struct kd_str image = ag_tree_text(container, "image"), rest = image, first = kd_str_cut(&rest, '/');
    bool host = rest.n &&
                (kd_str_find(first, KD_STR(".")) >= 0 || kd_str_find(first, KD_STR(":")) >= 0 || kd_str_is(first, "localhost"));
    for (size_t i = 0; i < image.n; i++)
        if (!isgraph((unsigned char)image.p[i]))
            ag_build_fail(p->b, KD_INVALID, p->title, "image '%.*s' is not an image reference", KD_ARG(image));
    if (!image.n)
        ag_build_fail(p->b, KD_INVALID, p->title, "a container has no image");
    else if (!host && !p->b->context->default_registry.n)
        ag_build_fail(p->b, KD_UNSUPPORTED, p->title,
                      "image '%.*s' names no registry; write its host in front, as in registry.example/%.*s, or give the agent a "
                      "default registry",
                      KD_ARG(image), KD_ARG(image));
    return host ? ag_build_copy(p->b, image)
                : ag_build_printf(p->b, "%.*s/%.*s", KD_ARG(p->b->context->default_registry), KD_ARG(image));
}

/** Kubernetes pulls an image without a tag, or with latest, every time unless told otherwise. */
static bool ag_image_is_latest(struct kd_str image)
{
    struct kd_str last = image;
    while (kd_str_find(last, KD_STR("/")) >= 0)
        (void)kd_str_cut(&last, '/');
    return kd_str_find(last, KD_STR("@")) < 0 && (kd_str_find(last, KD_STR(":")) < 0 || kd_str_ends(last, KD_STR(":latest")));
}

static void ag_container_pull(const cJSON *container, struct ag_container *ret)
{
    struct kd_str policy = ag_tree_text(container, "imagePullPolicy");
    ret->always_pull = policy.n ? kd_str_is(policy, "Always") : ag_image_is_latest(ret->image);
    ret->never_pull = kd_str_is(policy, "Never");
}

static void ag_container_make(struct ag_potter *p, const cJSON *json, bool init, struct ag_container *ret)
{
    struct ag_person who = { p->title, p->pod_name, p->namespace, p->workload->template, json };
    struct kd_str title = ag_tree_text(json, "name");
    if (!ag_is_object_name(title) || title.n > 63)
        ag_build_fail(p->b, KD_INVALID, p->title, "the name of container '%.*s' must be 1 to 63 lower-case letters, digits and '-'",
                      KD_ARG(title));
    ret->title = ag_build_copy(p->b, title);
    ret->name = p->shared ? ag_build_printf(p->b, "%.*s_%.*s", KD_ARG(p->name), KD_ARG(title)) : p->name;
    ret->image = ag_image_of(p, json);
    ag_container_pull(json, ret);
    ag_probes_read(p, json, ret->probes);
    KD_AUTO(kd_buf_clear) struct kd_buf body = KD_BUF(AG_BODY_MAX);
    if (p->b->code == KD_OK)
        ag_body_container(p, &who, ret, init, &body);
    ret->body = ag_build_take(p->b, &body);
}

static void ag_containers_make(struct ag_potter *p, const char *member, bool init, struct ag_containers *ret)
{
    *ret = (struct ag_containers){ NULL, 0 };
    for (const cJSON *one = ag_tree_first(p->workload->spec, member); one && p->b->code == KD_OK; one = one->next) {
        struct ag_container *at = ag_build_push(p->b, ret, sizeof *at);
        if (at)
            ag_container_make(p, one, init, at);
    }
}

static void ag_pod_bodies(struct ag_potter *p)
{
    p->name = ag_podman_name(p->b, p->namespace, ag_pod_what(p), p->hash);
    ag_containers_make(p, "initContainers", true, &p->pod->inits);
    ag_containers_make(p, "containers", false, &p->pod->mains);
    if (!p->shared)
        return;
    KD_AUTO(kd_buf_clear) struct kd_buf body = KD_BUF(AG_BODY_MAX);
    ag_body_pod(p, &body);
    p->pod->name = p->name;
    p->pod->body = ag_build_take(p->b, &body);
}

static void ag_hash_containers(struct kd_hash *hash, const struct ag_containers *list)
{
    for (size_t i = 0; i < list->n; i++)
        kd_hash_add(hash, list->v[i].body);
}

static struct kd_str ag_pod_hash(struct ag_potter *p)
{
    struct kd_hash *hash = kd_hash_open();
    if (!hash) {
        ag_build_fail(p->b, KD_INTERNAL, p->title, "out of memory");
        return (struct kd_str){ NULL, 0 };
    }
    kd_hash_add(hash, p->pod->body);
    ag_hash_containers(hash, &p->pod->inits);
    ag_hash_containers(hash, &p->pod->mains);
    struct kd_digest digest = kd_hash_close(hash);
    return ag_build_copy(p->b, (struct kd_str){ kd_digest_hex(&digest).p, AG_HASH_TEXT });
}

static void ag_pod_about(struct ag_potter *p, struct ag_pod *ret)
{
    const struct ag_workload *w = p->workload;
    *ret = (struct ag_pod){ .object = p->title, .ordinal = p->ordinal, .restart = w->restart, .job = w->job };
    ret->backoff_limit = w->backoff_limit;
    ret->hooks = w->object->hooks;
    ret->hook_weight = w->object->hook_weight;
    ret->publishes = p->ports.n > 0;
    ret->surge = w->surge && !ret->publishes;
    ret->grace_s = (uint64_t)ag_tree_number(w->spec, "terminationGracePeriodSeconds", AG_GRACE_DEFAULT_S);
}

void ag_pod_make(struct ag_build *b, const struct ag_workload *workload, uint64_t ordinal, struct ag_pod *ret)
{
    struct ag_potter p = { .b = b, .workload = workload, .ordinal = ordinal, .pod = ret };
    struct kd_str host = ag_tree_text(workload->spec, "hostname");
    p.title = workload->object->title;
    p.namespace = workload->object->namespace;
    p.pod_name = ag_workload_pod_name(b, workload, ordinal);
    p.host_name = host.n ? host : p.pod_name;
    p.shared = ag_tree_count(workload->spec, "containers") > 1 || ag_tree_count(workload->spec, "initContainers") > 0;
    ag_services_aliases(b, workload, p.host_name, &p.aliases);
    ag_services_ports(b, workload, ordinal, &p.ports);
    ag_pod_about(&p, ret);
    ag_volumes_make(&p);
    size_t directories = ret->directories.n;
    ag_pod_bodies(&p);
    p.hash = ret->hash = ag_pod_hash(&p);
    ret->directories.n = directories; /* without the emptyDirs of the name without a hash */
    ag_pod_bodies(&p);
}
