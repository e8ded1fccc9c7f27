/** Pods: making, starting and judging one pod of a plan. */
#include "agent/runtime/pods.h"

#include "agent/runtime/files.h"
#include "agent/runtime/images.h"
#include "shared/base/own.h"

#include <inttypes.h>

enum { AG_NUMBERED_MAX = 8 * 1024 * 1024 /* bytes of a body with its attempt: twice AG_BODY_MAX */ };

struct kd_str ag_pod_thing(const struct ag_pod *pod)
{
    return pod->name.n || !pod->mains.n ? pod->name : pod->mains.v[0].name;
}

static const struct ag_seen *ag_seen_of_name(const struct ag_seens *seen, struct kd_str name)
{
    for (size_t i = 0; i < seen->n; i++)
        if (kd_str_eq(seen->v[i].name, name))
            return &seen->v[i];
    return NULL;
}

static bool ag_all_there(const struct ag_containers *list, const struct ag_seens *seen)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct ag_seen *one = ag_seen_of_name(seen, list->v[i].name);
        if (!one || one->state == AG_SEEN_OTHER)
            return false;
    }
    return true;
}

/** A Job is never started again: what failed is made anew, so that each attempt begins as the first one did. */
static enum ag_need ag_job_need(const struct ag_pod *pod, const struct ag_seens *seen, uint64_t *ret_attempt)
{
    bool failed = false, created = false, running = false;
    for (size_t i = 0; i < pod->mains.n; i++) {
        const struct ag_seen *one = ag_seen_of_name(seen, pod->mains.v[i].name);
        failed |= one->state == AG_SEEN_ENDED && one->exit_code != 0;
        created |= one->state == AG_SEEN_CREATED;
        running |= one->state == AG_SEEN_RUNNING;
        *ret_attempt = one->attempt;
    }
    if (created)
        return AG_NEED_MAKE;
    if (!failed || running || *ret_attempt >= pod->backoff_limit)
        return AG_NEED_NOTHING;
    ++*ret_attempt;
    return AG_NEED_MAKE;
}

enum ag_need ag_pod_need(const struct ag_pod *pod, const struct ag_seens *seen, uint64_t *ret_attempt)
{
    *ret_attempt = 0;
    if (!ag_all_there(&pod->inits, seen) || !ag_all_there(&pod->mains, seen))
        return AG_NEED_MAKE;
    if (pod->job)
        return ag_job_need(pod, seen, ret_attempt);
    for (size_t i = 0; i < pod->mains.n; i++)
        if (ag_seen_of_name(seen, pod->mains.v[i].name)->state != AG_SEEN_RUNNING)
            return AG_NEED_START;
    return AG_NEED_NOTHING;
}

static enum kd_code ag_told_of(enum kd_code code, const struct ag_pod *pod, struct kd_err *err)
{
    if (code != KD_OK)
        (void)kd_wrap(err, "%.*s (%" PRIu64 ")", KD_ARG(pod->object), pod->ordinal);
    return code;
}

static enum kd_code ag_wait_for(struct ag_libpod *libpod, const struct ag_container *container, const char *what,
                                struct kd_err *err)
{
    int64_t exit_code = 0;
    enum kd_code code = ag_libpod_wait(libpod, container->name, &exit_code, err);
    if (code == KD_OK && exit_code != 0)
        return kd_fail(err, KD_UNAVAILABLE, 0, "%s %.*s ended with exit code %" PRId64, what, KD_ARG(container->title), exit_code);
    return code;
}

static enum kd_code ag_run_inits(struct ag_libpod *libpod, const struct ag_pod *pod, struct kd_err *err)
{
    for (size_t i = 0; i < pod->inits.n; i++) {
        enum kd_code code = ag_libpod_start(libpod, pod->inits.v[i].name, err);
        if (code == KD_OK)
            code = ag_wait_for(libpod, &pod->inits.v[i], "init container", err);
        if (code != KD_OK)
            return code;
    }
    return KD_OK;
}

/** Init containers have done their work as long as the pod's own namespaces live. */
static bool ag_inits_are_done(const struct ag_pod *pod, const struct ag_seens *seen)
{
    bool alive = false;
    for (size_t i = 0; i < seen->n; i++)
        alive |= seen->v[i].infra && kd_str_eq(seen->v[i].pod_name, pod->name) && seen->v[i].state == AG_SEEN_RUNNING;
    for (size_t i = 0; i < pod->inits.n; i++) {
        const struct ag_seen *one = ag_seen_of_name(seen, pod->inits.v[i].name);
        alive &= one && one->state == AG_SEEN_ENDED && one->exit_code == 0;
    }
    return alive;
}

enum kd_code ag_pod_start(struct ag_libpod *libpod, const struct ag_plan *plan, const struct ag_pod *pod,
                          const struct ag_seens *seen, struct kd_err *err)
{
    enum kd_code code = ag_files_make(plan, pod, false, err);
    if (code == KD_OK && pod->inits.n && !ag_inits_are_done(pod, seen))
        code = ag_run_inits(libpod, pod, err);
    for (size_t i = 0; i < pod->mains.n && code == KD_OK; i++)
        if (ag_seen_of_name(seen, pod->mains.v[i].name)->state != AG_SEEN_RUNNING)
            code = ag_libpod_start(libpod, pod->mains.v[i].name, err);
    return ag_told_of(code, pod, err);
}

/** The body with the label kedge.attempt, behind its other labels (plan.h: they come last). */
static void ag_body_number(struct kd_str body, uint64_t attempt, struct kd_buf *out)
{
    kd_buf_add(out, (struct kd_str){ body.p, body.n - 2 });
    kd_buf_printf(out, ",\"kedge.attempt\":\"%" PRIu64 "\"}}", attempt);
}

/** Creates; an image that somebody has removed meanwhile is fetched again. */
static enum kd_code ag_container_create(struct ag_libpod *libpod, const struct ag_container *container, uint64_t attempt,
                                        struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf numbered = KD_BUF(AG_NUMBERED_MAX);
    struct kd_str body = container->body;
    if (attempt) {
        ag_body_number(body, attempt, &numbered);
        body = kd_buf_str(&numbered);
    }
    enum kd_code code = ag_libpod_create_container(libpod, container->name, body, err);
    if (code != KD_NOT_FOUND)
        return code;
    code = ag_image_fetch(libpod, container, err);
    return code == KD_OK ? ag_libpod_create_container(libpod, container->name, body, err) : code;
}

static enum kd_code ag_create_all(struct ag_libpod *libpod, const struct ag_containers *list, uint64_t attempt, struct kd_err *err)
{
    enum kd_code code = KD_OK;
    for (size_t i = 0; i < list->n && code == KD_OK; i++)
        code = ag_container_create(libpod, &list->v[i], attempt, err);
    return code;
}

static enum kd_code ag_create_and_start(struct ag_libpod *libpod, const struct ag_pod *pod, uint64_t attempt, struct kd_err *err)
{
    enum kd_code code = pod->name.n ? ag_libpod_create_pod(libpod, pod->name, pod->body, err) : KD_OK;
    if (code == KD_OK)
        code = ag_create_all(libpod, &pod->inits, attempt, err);
    if (code == KD_OK)
        code = ag_create_all(libpod, &pod->mains, attempt, err);
    if (code == KD_OK)
        code = ag_run_inits(libpod, pod, err);
    for (size_t i = 0; i < pod->mains.n && code == KD_OK; i++)
        code = ag_libpod_start(libpod, pod->mains.v[i].name, err);
    return code;
}

enum kd_code ag_pod_remove(struct ag_libpod *libpod, const struct ag_pod *pod, uint64_t grace_s, struct kd_err *err)
{
    return pod->name.n ? ag_libpod_remove_pod(libpod, pod->name, grace_s, 0, err)
                       : ag_libpod_remove_container(libpod, ag_pod_thing(pod), grace_s, 0, err);
}

enum kd_code ag_pod_make_new(struct ag_libpod *libpod, const struct ag_plan *plan, const struct ag_pod *pod, uint64_t attempt,
                             struct kd_err *err)
{
    enum kd_code code = ag_files_make(plan, pod, true, err);
    if (code == KD_OK) {
        code = ag_create_and_start(libpod, pod, attempt, err);
        if (code != KD_OK && pod->name.n)
            ag_libpod_explain(libpod, pod->name, err);
        if (code != KD_OK && code != KD_EXISTS)                   /* where the name is taken, it is somebody else's */
            (void)(ag_pod_remove(libpod, pod, 0, NULL) == KD_OK); /* else the next attempt removes it */
    }
    return ag_told_of(code, pod, err);
}

enum kd_code ag_pod_wait(struct ag_libpod *libpod, const struct ag_pod *pod, struct kd_err *err)
{
    enum kd_code code = KD_OK;
    for (size_t i = 0; i < pod->mains.n && code == KD_OK; i++)
        code = ag_wait_for(libpod, &pod->mains.v[i], "container", err);
    return ag_told_of(code, pod, err);
}
