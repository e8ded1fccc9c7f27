/** Images: what a plan needs is fetched before anything changes. */
#include "agent/runtime/images.h"

enum kd_code ag_image_fetch(struct ag_libpod *pod, const struct ag_container *container, struct kd_err *err)
{
    enum kd_code code = container->always_pull ? KD_NOT_FOUND : ag_libpod_has_image(pod, container->image, err);
    if (code != KD_NOT_FOUND)
        return code;
    if (container->never_pull)
        return kd_fail(err, KD_NOT_FOUND, 0, "image %.*s is not on this edge, and its imagePullPolicy is Never",
                       KD_ARG(container->image));
    return ag_libpod_pull(pod, container->image, err);
}

/** Replicas and pods share images: each is fetched once. */
struct ag_fetched {
    const struct ag_container **v;
    size_t n;
};

static bool ag_was_fetched(const struct ag_fetched *fetched, const struct ag_container *container)
{
    for (size_t i = 0; i < fetched->n; i++)
        if (kd_str_eq(fetched->v[i]->image, container->image) && fetched->v[i]->always_pull == container->always_pull)
            return true;
    return false;
}

static enum kd_code ag_fetch_all(struct ag_libpod *pod, const struct ag_containers *list, struct ag_fetched *fetched,
                                 struct kd_err *err)
{
    for (size_t i = 0; i < list->n; i++) {
        if (ag_was_fetched(fetched, &list->v[i]))
            continue;
        enum kd_code code = ag_image_fetch(pod, &list->v[i], err);
        if (code != KD_OK)
            return code;
        fetched->v[fetched->n++] = &list->v[i];
    }
    return KD_OK;
}

static size_t ag_count_containers(const struct ag_pods *pods)
{
    size_t n = 0;
    for (size_t i = 0; i < pods->n; i++)
        n += pods->v[i].inits.n + pods->v[i].mains.n;
    return n;
}

enum kd_code ag_images_fetch(struct ag_libpod *pod, const struct ag_plan *plan, struct kd_arena *arena, struct kd_err *err)
{
    const struct ag_pods *lists[] = { &plan->hooks, &plan->pods };
    size_t most = ag_count_containers(lists[0]) + ag_count_containers(lists[1]);
    struct ag_fetched fetched = { kd_arena_alloc(arena, (most + 1) * sizeof *fetched.v), 0 };
    enum kd_code code = fetched.v ? KD_OK : kd_fail(err, KD_TOO_LARGE, 0, "the plan needs more memory than allowed");
    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; i < lists[l]->n && code == KD_OK; i++) {
            code = ag_fetch_all(pod, &lists[l]->v[i].inits, &fetched, err);
            if (code == KD_OK)
                code = ag_fetch_all(pod, &lists[l]->v[i].mains, &fetched, err);
        }
    return code;
}
