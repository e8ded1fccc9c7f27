/** Health: what runs of a plan, told from what Podman reports. */
#include "agent/workload/health.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/** What is so with one pod of the plan, the worst first. */
enum ag_pod_state { AG_POD_FAILED, AG_POD_MISSING, AG_POD_STOPPED, AG_POD_READY };

/** The first thing of the worst kind is told. */
struct ag_telling {
    struct ag_health *health;
    enum ag_pod_state worst;
};

__attribute__((format(printf, 3, 4))) static enum ag_pod_state ag_tell(struct ag_telling *t, enum ag_pod_state state,
                                                                       const char *fmt, ...)
{
    if (state < t->worst) {
        va_list args;
        va_start(args, fmt);
        (void)vsnprintf(t->health->message, sizeof t->health->message, fmt, args);
        va_end(args);
        t->worst = state;
    }
    return state;
}

static const struct ag_seen *ag_seen_named(const struct ag_seens *seen, struct kd_str name)
{
    for (size_t i = 0; i < seen->n; i++)
        if (kd_str_eq(seen->v[i].name, name))
            return &seen->v[i];
    return NULL;
}

static enum ag_pod_state ag_tell_ended(struct ag_telling *t, const struct ag_pod *pod, const struct ag_container *container,
                                       const struct ag_seen *seen)
{
    const char *why = seen->out_of_memory ? " (out of memory)" : "";
    if (pod->job && seen->exit_code == 0)
        return AG_POD_READY;
    if (pod->job && seen->attempt >= pod->backoff_limit)
        return ag_tell(t, AG_POD_FAILED, "%.*s failed: container %.*s ended with exit code %" PRId64 "%s in attempt %" PRIu64,
                       KD_ARG(pod->object), KD_ARG(container->title), seen->exit_code, why, seen->attempt + 1);
    return ag_tell(t, AG_POD_STOPPED, "container %.*s of %.*s (%" PRIu64 ") ended with exit code %" PRId64 "%s",
                   KD_ARG(container->title), KD_ARG(pod->object), pod->ordinal, seen->exit_code, why);
}

static enum ag_pod_state ag_container_state(struct ag_telling *t, const struct ag_pod *pod, const struct ag_container *container,
                                            const struct ag_seens *seen)
{
    const struct ag_seen *one = ag_seen_named(seen, container->name);
    if (!one)
        return ag_tell(t, AG_POD_MISSING, "container %.*s of %.*s (%" PRIu64 ") is not there as planned", KD_ARG(container->title),
                       KD_ARG(pod->object), pod->ordinal);
    switch (one->state) {
    case AG_SEEN_RUNNING:
        return AG_POD_READY;
    case AG_SEEN_ENDED:
        return ag_tell_ended(t, pod, container, one);
    case AG_SEEN_CREATED:
    case AG_SEEN_STOPPING:
    case AG_SEEN_OTHER:
        break;
    }
    return ag_tell(t, AG_POD_STOPPED, "container %.*s of %.*s (%" PRIu64 ") is not started", KD_ARG(container->title),
                   KD_ARG(pod->object), pod->ordinal);
}

static enum ag_pod_state ag_pod_state(struct ag_telling *t, const struct ag_pod *pod, const struct ag_seens *seen)
{
    enum ag_pod_state worst = AG_POD_READY;
    for (size_t i = 0; i < pod->mains.n; i++) {
        enum ag_pod_state one = ag_container_state(t, pod, &pod->mains.v[i], seen);
        worst = one < worst ? one : worst;
    }
    for (size_t i = 0; i < pod->inits.n; i++) { /* they have ended, but must be there: without them it is not as planned */
        if (ag_seen_named(seen, pod->inits.v[i].name))
            continue;
        enum ag_pod_state one = ag_tell(t, AG_POD_MISSING, "init container %.*s of %.*s (%" PRIu64 ") is not there as planned",
                                        KD_ARG(pod->inits.v[i].title), KD_ARG(pod->object), pod->ordinal);
        worst = one < worst ? one : worst;
    }
    return worst;
}

static bool ag_containers_have(const struct ag_containers *list, struct kd_str name)
{
    for (size_t i = 0; i < list->n; i++)
        if (kd_str_eq(list->v[i].name, name))
            return true;
    return false;
}

static bool ag_plan_has(const struct ag_plan *plan, const struct ag_seen *seen)
{
    for (size_t i = 0; i < plan->pods.n; i++) {
        const struct ag_pod *pod = &plan->pods.v[i];
        if (seen->infra ? kd_str_eq(pod->name, seen->pod_name)
                        : ag_containers_have(&pod->mains, seen->name) || ag_containers_have(&pod->inits, seen->name))
            return true;
    }
    return false;
}

/** It is being stopped, or something of its pod is: its removal is under way. */
static bool ag_is_going(const struct ag_seens *seen, const struct ag_seen *one)
{
    bool going = one->state == AG_SEEN_STOPPING;
    for (size_t i = 0; i < seen->n && one->pod_name.n && !going; i++)
        going = seen->v[i].state == AG_SEEN_STOPPING && kd_str_eq(seen->v[i].pod_name, one->pod_name);
    return going;
}

/** Something of an older plan, or of a plan that failed half-way. */
static void ag_tell_foreign(struct ag_telling *t, const struct ag_plan *plan, const struct ag_seens *seen)
{
    for (size_t i = 0; i < seen->n; i++)
        if (!seen->v[i].hook && !ag_is_going(seen, &seen->v[i]) && !ag_plan_has(plan, &seen->v[i]))
            (void)ag_tell(t, AG_POD_MISSING, "container %.*s is not part of the plan", KD_ARG(seen->v[i].name));
}

static bool ag_seen_ordinary(const struct ag_seens *seen)
{
    for (size_t i = 0; i < seen->n; i++)
        if (!seen->v[i].hook)
            return true;
    return false;
}

static enum ag_health_state ag_health_sum(const struct ag_health *health, enum ag_pod_state worst)
{
    if (worst == AG_POD_FAILED)
        return AG_HEALTH_FAILED;
    if (worst == AG_POD_MISSING)
        return AG_HEALTH_DIFFERS;
    if (health->ready == health->total)
        return AG_HEALTH_RUNNING;
    return health->ready ? AG_HEALTH_DEGRADED : AG_HEALTH_DOWN;
}

void ag_health_of(const struct ag_plan *plan, const struct ag_seens *seen, struct ag_health *ret)
{
    *ret = (struct ag_health){ .total = plan->pods.n };
    struct ag_telling telling = { ret, AG_POD_READY };
    for (size_t i = 0; i < plan->pods.n; i++)
        ret->ready += ag_pod_state(&telling, &plan->pods.v[i], seen) == AG_POD_READY;
    ag_tell_foreign(&telling, plan, seen);
    ret->state = ag_health_sum(ret, telling.worst);
    if (plan->pods.n && !ag_seen_ordinary(seen)) {
        ret->state = AG_HEALTH_GONE;
        (void)snprintf(ret->message, sizeof ret->message, "nothing of it exists on this edge");
    }
}
