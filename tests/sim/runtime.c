/** What runs on an edge, whatever anybody believes; and the jobs that look at it and change it. They take their time, fail, crash in the
 *  middle, and die with their agent. */
#include "tests/sim/sim.h"

#include "shared/base/own.h"
#include "shared/model/digest.h"

#include <stdio.h>

/* ---- objects and plans ---- */

static void sim_copy(struct kd_str s, char *ret, size_t cap)
{
    (void)kd_str_copy(s, ret, cap);
}

static struct sim_object *sim_object_add(struct sim_runtime *runtime)
{
    if (runtime->n == runtime->cap) {
        runtime->cap = runtime->cap ? 2 * runtime->cap : 8;
        runtime->v = realloc(runtime->v, runtime->cap * sizeof *runtime->v);
        if (!runtime->v)
            abort();
    }
    runtime->v[runtime->n] = (struct sim_object){ .state = AG_FOUND_RUNNING };
    return &runtime->v[runtime->n++];
}

static void sim_object_drop(struct sim_runtime *runtime, size_t at)
{
    memmove(&runtime->v[at], &runtime->v[at + 1], (runtime->n - at - 1) * sizeof *runtime->v);
    runtime->n--;
}

static bool sim_is_of(const struct sim_object *object, const struct ag_job_app *app)
{
    for (size_t i = 0; i < app->uids.n; i++)
        if (kd_str_is(app->uids.v[i], object->uid))
            return true;
    return kd_str_is(app->uid, object->uid);
}

static struct sim_plan *sim_plan_of(struct sim_runtime *runtime, struct kd_str key)
{
    struct sim_plan *plan = kd_map_get(&runtime->plans, key);
    return plan && plan->kept ? plan : NULL;
}

void sim_runtime_copy(struct sim_runtime *to, const struct sim_runtime *from)
{
    size_t at = 0;
    struct kd_str key;
    void *value;
    sim_runtime_clear(to);
    to->plans = (struct kd_map)KD_MAP(sizeof(struct sim_plan));
    for (size_t i = 0; i < from->n; i++)
        *sim_object_add(to) = from->v[i];
    while (kd_map_next(&from->plans, &at, &key, &value))
        *(struct sim_plan *)kd_map_put(&to->plans, key) = *(struct sim_plan *)value;
}

void sim_runtime_clear(struct sim_runtime *runtime)
{
    free(runtime->v);
    kd_map_clear(&runtime->plans);
    *runtime = (struct sim_runtime){ .plans = KD_MAP(sizeof(struct sim_plan)) };
}

void sim_container_die(struct sim *sim, struct sim_edge *edge)
{
    struct sim_runtime *runtime = &edge->runtime;
    if (runtime->n == 0)
        return;
    struct sim_object *object = &runtime->v[sim_chance(sim) % runtime->n];
    if (object->state != AG_FOUND_RUNNING)
        return;
    object->state = AG_FOUND_DOWN;
    sim_count(sim, SIM_CONTAINER_DIES);
    sim_say(sim, edge->name, "container of %s/%s dies", object->name, object->app);
    struct ag_event event = { .kind = AG_RUNTIME_CHANGED, .text = kd_str(object->uid), .app = kd_str(object->app) };
    sim_edge_step(sim, edge, &event);
}

/* ---- charts: what becomes of each follows from its name and version ---- */

static struct kd_digest sim_chart(const char *chart)
{
    return kd_digest_of(kd_str(chart));
}

static bool sim_is_chart(const struct sim_plan *plan, const char *chart)
{
    struct kd_digest digest = sim_chart(chart);
    return strcmp(plan->chart, digest.text) == 0;
}

/** Its Job used up its attempts. */
static bool sim_never_runs(const struct sim_plan *plan)
{
    return sim_is_chart(plan, "web 1.3.0");
}

/** It is refused by the runtime. */
static bool sim_is_refused(const struct sim_plan *plan)
{
    return sim_is_chart(plan, "db 1.4.0");
}

/* ---- jobs ---- */

static struct kd_str sim_keep(struct sim_job *job, struct kd_str s)
{
    return kd_arena_copy(&job->memory, s);
}

static void sim_job_app_keep(struct sim_job *job, const struct ag_job_app *from, struct ag_job_app *to)
{
    *to = (struct ag_job_app){ .deployment = sim_keep(job, from->deployment),
                               .uid = sim_keep(job, from->uid),
                               .uids = { kd_arena_alloc(&job->memory, (from->uids.n + 1) * sizeof(struct kd_str)), from->uids.n },
                               .name = sim_keep(job, from->name),
                               .namespace = sim_keep(job, from->namespace),
                               .release = sim_keep(job, from->release),
                               .key = sim_keep(job, from->key),
                               .chart.digest = sim_keep(job, from->chart.digest) };
    for (size_t i = 0; i < from->uids.n; i++)
        to->uids.v[i] = sim_keep(job, from->uids.v[i]);
}

/** The bytes of the values, as the shell hands them to the job: each blob must be stored. */
static uint64_t sim_values(struct sim *sim, struct sim_edge *edge, const struct ag_wish *wish)
{
    uint64_t hash = 7;
    for (size_t i = 0; i < wish->values.n; i++)
        for (size_t k = 0; k < wish->values.v[i].blobs.n; k++) {
            KD_AUTO(kd_buf_clear) struct kd_buf bytes = KD_BUF(KD_VALUE_MAX);
            struct kd_str hex = wish->values.v[i].blobs.v[k];
            if (!sim_edge_row(edge, AG_TABLE_BLOB, hex, &bytes))
                sim_fail(sim, "%s: a job is asked for without its values %.*s", edge->name, KD_ARG(hex));
            for (size_t at = 0; at < hex.n; at++)
                hash = (hash ^ (unsigned char)hex.p[at]) * UINT64_C(0x100000001b3);
        }
    return hash;
}

static struct sim_job **sim_job_of(struct sim_edge *edge, uint64_t id)
{
    for (size_t i = 0; i < 64; i++)
        if (edge->jobs[i] && edge->jobs[i]->id == id)
            return &edge->jobs[i];
    return NULL;
}

static void sim_job_free(struct sim_job **at)
{
    kd_arena_clear(&(*at)->memory);
    free(*at);
    *at = NULL;
}

/* ---- what they find ---- */

static struct ag_job_found sim_found(struct sim_job *job, const struct sim_object *object, struct kd_str key, int state)
{
    return (struct ag_job_found){ .uid = sim_keep(job, kd_str(object->uid)),
                                  .deployment = sim_keep(job, kd_str(object->name)),
                                  .app = sim_keep(job, kd_str(object->app)),
                                  .namespace = sim_keep(job, kd_str(object->namespace)),
                                  .release = sim_keep(job, kd_str(object->release)),
                                  .key = sim_keep(job, key),
                                  .state = state,
                                  .message = state == AG_FOUND_RUNNING ? KD_STR("") : KD_STR("it does not run"),
                                  .ready = state == AG_FOUND_RUNNING,
                                  .total = 1 };
}

static int sim_seen_state(struct sim_runtime *runtime, const struct sim_object *object, struct kd_str key)
{
    if (!sim_plan_of(runtime, key))
        return AG_FOUND_UNKNOWN;
    if (!kd_str_is(key, object->key) || object->shaken)
        return AG_FOUND_DIFFERS;
    return object->state;
}

static struct ag_job_found sim_look(struct sim_edge *edge, struct sim_job *job, const struct ag_job_app *app)
{
    for (size_t i = 0; i < edge->runtime.n; i++) {
        const struct sim_object *object = &edge->runtime.v[i];
        if (kd_str_is(app->name, object->app) && sim_is_of(object, app))
            return sim_found(job, object, app->key, sim_seen_state(&edge->runtime, object, app->key));
    }
    return (struct ag_job_found){ .uid = app->uid,
                                  .deployment = app->deployment,
                                  .app = app->name,
                                  .namespace = app->namespace,
                                  .release = app->release,
                                  .key = app->key,
                                  .state = AG_FOUND_GONE,
                                  .message = KD_STR("nothing of it exists"),
                                  .total = 1 };
}

static bool sim_was_asked(const struct sim_job *job, const struct sim_object *object)
{
    for (size_t i = 0; i < job->n; i++)
        if (kd_str_is(job->apps[i].name, object->app) && sim_is_of(object, &job->apps[i]))
            return true;
    return false;
}

static struct ag_job_result sim_observe(struct sim_edge *edge, struct sim_job *job)
{
    struct ag_job_result result = { .ok = true };
    result.found.v = kd_arena_alloc(&job->memory, (job->n + edge->runtime.n + 1) * sizeof *result.found.v);
    for (size_t i = 0; i < job->n; i++)
        result.found.v[result.found.n++] = sim_look(edge, job, &job->apps[i]);
    for (size_t i = 0; i < edge->runtime.n; i++)
        if (!sim_was_asked(job, &edge->runtime.v[i]))
            result.found.v[result.found.n++] = sim_found(job, &edge->runtime.v[i], KD_STR(""), edge->runtime.v[i].state);
    return result;
}

/* ---- what they do ---- */

static struct ag_job_result sim_job_failed(enum kd_code code, const char *why)
{
    return (struct ag_job_result){ .error = { (int)code, kd_str(why) } };
}

static struct ag_job_result sim_prepare(struct sim *sim, struct sim_edge *edge, struct sim_job *job)
{
    const struct ag_job_app *app = &job->apps[0];
    if (sim->now < sim->center.registry_until) {
        sim_count(sim, SIM_REGISTRY_AWAY);
        return sim_job_failed(KD_UNAVAILABLE, "the registry cannot be reached");
    }
    struct sim_plan *plan = kd_map_put(&edge->runtime.plans, app->key);
    if (!plan)
        abort();
    *plan = (struct sim_plan){ .values = job->values, .kept = true };
    sim_copy(app->chart.digest, plan->chart, sizeof plan->chart);
    return (struct ag_job_result){ .ok = true };
}

/** The names of two deployments' objects are the same where their names are: what is there must be this one's own. */
static void sim_check_names(struct sim *sim, struct sim_edge *edge, const struct ag_job_app *app)
{
    for (size_t i = 0; i < edge->runtime.n; i++) {
        const struct sim_object *object = &edge->runtime.v[i];
        if (kd_str_is(app->deployment, object->name) && !sim_is_of(object, app))
            sim_fail(sim, "%s: %s of uid %.*s is applied over what uid %s runs under that name", edge->name, object->name,
                     KD_ARG(app->uid), object->uid);
    }
}

static struct sim_object *sim_object_of(struct sim_edge *edge, const struct ag_job_app *app)
{
    struct sim_object *first = NULL;
    for (size_t i = edge->runtime.n; i-- > 0;) {
        struct sim_object *object = &edge->runtime.v[i];
        if (!kd_str_is(app->name, object->app) || !sim_is_of(object, app))
            continue;
        if (first && first != object) { /* two uids became one: what is too much goes */
            sim_object_drop(&edge->runtime, (size_t)(first - edge->runtime.v));
        }
        first = object;
    }
    return first ? first : sim_object_add(&edge->runtime);
}

static struct ag_job_result sim_apply(struct sim *sim, struct sim_edge *edge, struct sim_job *job, bool whole)
{
    const struct ag_job_app *app = &job->apps[0];
    const struct sim_plan *plan = sim_plan_of(&edge->runtime, app->key);
    if (!plan)
        return sim_job_failed(KD_NOT_FOUND, "the rendering is not kept");
    if (sim_is_refused(plan)) {
        sim_count(sim, SIM_APP_FAILS);
        return sim_job_failed(KD_INVALID, "the runtime refuses it");
    }
    sim_check_names(sim, edge, app);
    struct sim_object *object = sim_object_of(edge, app);
    sim_copy(app->uid, object->uid, sizeof object->uid);
    sim_copy(app->deployment, object->name, sizeof object->name);
    sim_copy(app->name, object->app, sizeof object->app);
    sim_copy(app->namespace, object->namespace, sizeof object->namespace);
    sim_copy(app->release, object->release, sizeof object->release);
    sim_copy(app->key, object->key, sizeof object->key);
    sim_copy(kd_str(plan->chart), object->chart, sizeof object->chart);
    object->values = plan->values;
    object->shaken = !whole;
    object->state = sim_never_runs(plan) ? AG_FOUND_FAILED : AG_FOUND_RUNNING;
    if (sim_never_runs(plan))
        sim_count(sim, SIM_APP_FAILS);
    struct ag_job_result result = { .ok = true };
    result.found.v = KD_NEW(&job->memory, struct ag_job_found);
    result.found.v[0] = sim_found(job, object, app->key, object->state);
    result.found.n = 1;
    return result;
}

static struct ag_job_result sim_remove(struct sim *sim, struct sim_edge *edge, struct sim_job *job, bool whole)
{
    const struct ag_job_app *app = &job->apps[0];
    for (size_t i = edge->runtime.n; i-- > 0;) {
        const struct sim_object *object = &edge->runtime.v[i];
        if (!sim_is_of(object, app) || (app->name.n && !kd_str_is(app->name, object->app)))
            continue;
        sim_say(sim, edge->name, "removes %s/%s uid %s", object->name, object->app, object->uid);
        sim_object_drop(&edge->runtime, i);
        if (!whole)
            break;
    }
    return (struct ag_job_result){ .ok = true };
}

static struct ag_job_result sim_job_do(struct sim *sim, struct sim_edge *edge, struct sim_job *job, bool whole)
{
    switch ((enum ag_job_kind)job->kind) {
    case AG_JOB_PREPARE:
        return whole ? sim_prepare(sim, edge, job) : sim_job_failed(KD_INTERNAL, "crashed");
    case AG_JOB_APPLY:
        return sim_apply(sim, edge, job, whole);
    case AG_JOB_REMOVE:
        return sim_remove(sim, edge, job, whole);
    case AG_JOB_OBSERVE:
        return job->is_early ? job->early : sim_observe(edge, job);
    case AG_JOB_KIND_COUNT:
        break;
    }
    return sim_job_failed(KD_INTERNAL, "unknown");
}

/* ---- their lives ---- */

static struct ag_job_result sim_job_end_of(struct sim *sim, struct sim_edge *edge, struct sim_job *job)
{
    bool calm = sim->now >= SIM_FAULTS_END;
    if (job->killed)
        return sim_job_failed(KD_INTERNAL, "killed");
    if (!calm && sim_one_in(sim, 40)) {
        sim_count(sim, SIM_JOB_FAILS);
        return sim_job_failed(KD_UNAVAILABLE, "not now");
    }
    if (!calm && sim_one_in(sim, 40)) {
        sim_count(sim, SIM_JOB_CRASHES);
        (void)sim_job_do(sim, edge, job, sim_one_in(sim, 2));
        return sim_job_failed(KD_INTERNAL, "the job crashed");
    }
    return sim_job_do(sim, edge, job, true);
}

static void sim_job_ended(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    struct sim_edge *edge = what;
    struct sim_job **at = number >> 32 == edge->life ? sim_job_of(edge, number & 0xffffffff) : NULL;
    (void)message;
    if (!at)
        return;
    struct sim_job *job = *at;
    if (edge->fuse == SIM_BURN_JOB) { /* the agent dies with its job; how far that came is not known */
        sim_count(sim, SIM_AGENT_KILL_JOB);
        sim_edge_kill(sim, edge, sim_between(sim, SIM_S, 5 * SIM_MIN));
        return;
    }
    struct ag_job_result result = sim_job_end_of(sim, edge, job);
    *at = NULL;
    sim_say(sim, edge->name, "job %llu %s ends: %s%.*s", (unsigned long long)job->id, ag_job_kind_word((enum ag_job_kind)job->kind),
            result.ok ? "ok" : "failed: ", KD_ARG(result.error.message));
    sim_edge_step(sim, edge, &(struct ag_event){ .kind = AG_JOB_ENDED, .job = job->id, .result = &result });
    sim_job_free(&job);
}

static int64_t sim_job_takes(struct sim *sim, int kind)
{
    static const int64_t most_s[AG_JOB_KIND_COUNT] = {
        [AG_JOB_PREPARE] = 20, [AG_JOB_APPLY] = 10, [AG_JOB_REMOVE] = 5, [AG_JOB_OBSERVE] = 1
    };
    return sim_between(sim, 100000, most_s[kind] * SIM_S);
}

void sim_job_start(struct sim *sim, struct sim_edge *edge, const struct ag_wish *wish)
{
    const struct ag_job_request *request = wish->request;
    struct sim_job *job = calloc(1, sizeof *job), **at = edge->jobs;
    while (*at)
        at++; /* the core allows 64 at most */
    *at = job;
    job->memory = (struct kd_arena)KD_ARENA(1024 * 1024);
    job->id = wish->job;
    job->kind = request->kind;
    job->n = request->apps.n;
    job->apps = kd_arena_alloc(&job->memory, (job->n + 1) * sizeof *job->apps);
    for (size_t i = 0; i < job->n; i++)
        sim_job_app_keep(job, &request->apps.v[i], &job->apps[i]);
    const struct ag_job_app none = { .name = KD_STR("all") }, *about = job->n ? &job->apps[0] : &none;
    sim_say(sim, edge->name, "job %llu %s %.*s/%.*s begins", (unsigned long long)job->id,
            ag_job_kind_word((enum ag_job_kind)job->kind), KD_ARG(about->deployment), KD_ARG(about->name));
    if (job->kind == AG_JOB_PREPARE)
        job->values = sim_values(sim, edge, wish);
    if (job->kind == AG_JOB_APPLY)
        sim_check_apply(sim, edge, &job->apps[0]);
    if (job->kind == AG_JOB_REMOVE)
        sim_check_removal(sim, edge, &job->apps[0]);
    if (job->kind == AG_JOB_OBSERVE && sim_one_in(sim, 2)) {
        job->early = sim_observe(edge, job);
        job->is_early = true;
    }
    sim_at(sim, sim->now + sim_job_takes(sim, job->kind), sim_job_ended, edge, edge->life << 32 | job->id, NULL);
}

/** Killed with everything that it started: nothing, a part or all of it was done. */
static void sim_job_cut(struct sim *sim, struct sim_edge *edge, struct sim_job *job)
{
    uint64_t much = sim_chance(sim) % 3;
    if (much && job->kind != AG_JOB_OBSERVE)
        (void)sim_job_do(sim, edge, job, much == 2);
}

void sim_job_kill(struct sim *sim, struct sim_edge *edge, uint64_t id)
{
    struct sim_job **at = sim_job_of(edge, id);
    if (!at)
        return;
    sim_job_cut(sim, edge, *at);
    (*at)->killed = true; /* it still ends, saying so */
}

void sim_jobs_end(struct sim *sim, struct sim_edge *edge)
{
    for (size_t i = 0; i < 64; i++)
        if (edge->jobs[i]) {
            if (!sim->failed && sim->now < SIM_END && !edge->jobs[i]->killed)
                sim_job_cut(sim, edge, edge->jobs[i]);
            sim_job_free(&edge->jobs[i]);
        }
}
