/** Things: what Podman stops and removes as one. */
#include "agent/runtime/things.h"

#include "shared/base/own.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    AG_REMOVERS_MAX = 8,   /* threads */
    AG_MOMENT_MS = 400,    /* what stops when it is told to is gone by then */
    AG_STACK = 512 * 1024, /* bytes of a thread's stack: it counts against a job's memory */
};

static struct ag_thing *ag_thing_named(const struct ag_things *things, struct kd_str name, bool is_pod)
{
    for (size_t i = 0; i < things->n; i++)
        if (things->v[i].is_pod == is_pod && kd_str_eq(things->v[i].name, name))
            return &things->v[i];
    return NULL;
}

enum kd_code ag_things_of(const struct ag_seens *seen, struct kd_arena *arena, struct ag_things *ret, struct kd_err *err)
{
    struct ag_things things = { kd_arena_alloc(arena, (seen->n + 1) * sizeof(struct ag_thing)), 0 };
    if (!things.v)
        return kd_fail(err, KD_TOO_LARGE, 0, "there are more containers than memory for their list");
    for (size_t i = 0; i < seen->n; i++) {
        const struct ag_seen *one = &seen->v[i];
        bool is_pod = one->pod_name.n > 0;
        struct kd_str name = is_pod ? one->pod_name : one->name;
        struct ag_thing *thing = ag_thing_named(&things, name, is_pod);
        if (!thing) {
            thing = &things.v[things.n++];
            *thing = (struct ag_thing){ name,     is_pod,         false,       one->hook,    one->uid,     one->deployment,
                                        one->app, one->namespace, one->object, one->ordinal, one->grace_s, false };
        }
        thing->publishes |= one->publishes;
    }
    *ret = things;
    return KD_OK;
}

enum kd_code ag_thing_remove(struct ag_libpod *pod, const struct ag_thing *thing, int64_t wait_ms, struct kd_err *err)
{
    return thing->is_pod ? ag_libpod_remove_pod(pod, thing->name, thing->grace_s, wait_ms, err)
                         : ag_libpod_remove_container(pod, thing->name, thing->grace_s, wait_ms, err);
}

/** What the threads share: each takes the next thing. */
struct ag_removal {
    const struct ag_host *host;
    const struct ag_things *things;
    int64_t wait_ms;
    atomic_size_t next, going;
    pthread_mutex_t lock; /* of what follows */
    enum kd_code code;
    struct kd_err err;
};

static void ag_removal_note(struct ag_removal *r, enum kd_code code, const struct kd_err *err)
{
    (void)pthread_mutex_lock(&r->lock);
    if (code != KD_OK && r->code == KD_OK) {
        r->code = code;
        r->err = *err;
    }
    (void)pthread_mutex_unlock(&r->lock);
}

static void ag_removal_run(struct ag_removal *r, struct ag_libpod *pod)
{
    for (size_t i = atomic_fetch_add(&r->next, 1); i < r->things->n; i = atomic_fetch_add(&r->next, 1)) {
        struct kd_err err = { KD_OK, 0, "", "" };
        enum kd_code code = r->things->v[i].doomed ? ag_thing_remove(pod, &r->things->v[i], r->wait_ms, &err) : KD_OK;
        if (code == KD_TIMEOUT && r->wait_ms)
            atomic_fetch_add(&r->going, 1);
        else
            ag_removal_note(r, code, &err);
    }
}

static void *ag_removal_thread(void *ctx)
{
    struct ag_removal *r = ctx;
    KD_AUTO(ag_libpod_closep) struct ag_libpod *pod = NULL;
    struct kd_err err = { KD_OK, 0, "", "" };
    enum kd_code code = ag_libpod_open(r->host, &pod, &err);
    if (code == KD_OK)
        ag_removal_run(r, pod);
    else
        ag_removal_note(r, code, &err);
    return NULL;
}

/** Starts up to `most` threads; fewer where there is no room for more. */
static size_t ag_removal_threads(struct ag_removal *r, size_t most, pthread_t ret[AG_REMOVERS_MAX])
{
    pthread_attr_t attributes;
    size_t started = 0;
    if (pthread_attr_init(&attributes) != 0)
        return 0;
    if (pthread_attr_setstacksize(&attributes, AG_STACK) == 0)
        while (started < most && started < AG_REMOVERS_MAX && pthread_create(&ret[started], &attributes, ag_removal_thread, r) == 0)
            started++;
    (void)pthread_attr_destroy(&attributes);
    return started;
}

enum kd_code ag_things_remove(const struct ag_host *host, struct ag_libpod *pod, const struct ag_things *things, size_t *ret_going,
                              struct kd_err *err)
{
    struct ag_removal removal = { .host = host, .things = things, .lock = PTHREAD_MUTEX_INITIALIZER };
    removal.wait_ms = ret_going ? AG_MOMENT_MS : 0;
    pthread_t threads[AG_REMOVERS_MAX];
    size_t doomed = 0;
    for (size_t i = 0; i < things->n; i++)
        doomed += things->v[i].doomed;
    size_t started = ag_removal_threads(&removal, doomed > 1 ? doomed - 1 : 0, threads);
    ag_removal_run(&removal, pod); /* this thread is one of them */
    for (size_t i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL);
    if (removal.code != KD_OK && err)
        *err = removal.err;
    if (ret_going)
        *ret_going = atomic_load(&removal.going);
    return removal.code;
}
