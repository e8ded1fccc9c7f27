/** The agent's shell: events in, one step, rows committed, wishes carried out. */
#include "agent/daemon/shell.h"

#include "agent/core/core.h"
#include "agent/daemon/broker.h"
#include "agent/daemon/inventory.h"
#include "agent/daemon/jobs.h"
#include "agent/daemon/podman_events.h"
#include "agent/daemon/store.h"
#include "shared/base/own.h"
#include "shared/os/clock.h"
#include "shared/os/log.h"
#include "shared/os/random.h"
#include "shared/os/ready.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <uv.h>

enum {
    AG_RELOAD_BYTES = 512 * 1024,   /* memory of the settings after a reload */
    AG_STORE_RETRY_MS = 10000,      /* milliseconds, after the disk did not take something */
    AG_NAP_MS = 600000,             /* milliseconds: the longest sleep, since the machine may sleep meanwhile */
    AG_STOP_MS = 900,               /* milliseconds, for jobs to end when the agent ends */
    AG_SESSION_CHARS = 32,          /* hex digits */
    AG_INVENTORY_MAX = KD_STATE_MAX /* bytes */
};

/** A job that could not be started: its end becomes an event after the step that wished for it. */
struct ag_unstarted {
    struct ag_unstarted *next;
    uint64_t id;
    struct kd_err why;
};

struct ag_shell {
    struct ag_shell_options options;
    struct ag_core *core;
    struct ag_store *store;
    struct ag_broker *broker;
    struct ag_jobs *jobs;
    struct ag_podman_events *podman;
    uv_loop_t loop;
    uv_timer_t wake, store_retry, alive, stop;
    uv_signal_t term, interrupt, hang_up;
    struct kd_mono wake_at;
    struct ag_unstarted *unstarted;
    struct kd_arena reloaded; /* texts of the settings after a reload */
    char job_program[PATH_MAX], runtime_version[32];
    bool stopping, full; /* full: the disk did not take what was to be stored */
};

static void ag_shell_event(struct ag_shell *shell, struct ag_event event);

/* ---- settings ---- */

static struct ag_core_options ag_options_of(const struct ag_settings *settings)
{
    struct ag_core_options options = ag_core_defaults();
    options.project = settings->project;
    options.cluster = settings->cluster;
    options.features = ag_features;
    options.hello_us = settings->hello_interval_us;
    options.prepare_us = options.apply_us = options.remove_us = settings->job_deadline_us;
    options.observing_us = settings->job_observe_deadline_us;
    return options;
}

/** job.path, else beside this program, else in ../libexec/kedge. */
static enum kd_code ag_job_program_find(const struct ag_settings *settings, char ret[PATH_MAX], struct kd_err *err)
{
    static const char *const places[] = { "kedge-agent-job", "../libexec/kedge/kedge-agent-job" };
    char self[PATH_MAX];
    if (settings->job_path.n)
        return kd_str_copy(settings->job_path, ret, PATH_MAX) ? KD_OK : kd_fail(err, KD_INVALID, 0, "job.path is too long");
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    for (size_t i = 0; slash && i < KD_COUNT(places); i++) {
        int length = snprintf(ret, PATH_MAX, "%.*s/%s", (int)(slash - self), self, places[i]);
        if (length < PATH_MAX && access(ret, X_OK) == 0)
            return KD_OK;
    }
    return kd_fail(err, KD_NOT_FOUND, 0, "kedge-agent-job is neither beside kedge-agent nor in ../libexec/kedge: set job.path");
}

static void ag_inventory_tell(struct ag_shell *shell)
{
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(AG_INVENTORY_MAX);
    struct kd_str bad;
    ag_inventory_add(shell->options.settings, shell->runtime_version, &out, &bad);
    if (bad.n)
        kd_log(LOG_WARNING, "labels.bad", "label=\"%.*s\"", KD_ARG(bad));
    if (!out.overflow)
        ag_shell_event(shell, (struct ag_event){ .kind = AG_INVENTORY, .payload = kd_buf_str(&out) });
}

/* ---- jobs ---- */

/** The values of a prepare request, put together from their blobs. */
static enum kd_code ag_values_fill(struct ag_shell *shell, const struct ag_wish *wish, struct kd_arena *arena, struct kd_strs *ret,
                                   struct kd_err *err)
{
    *ret = (struct kd_strs){ kd_arena_alloc(arena, (wish->values.n + 1) * sizeof *ret->v), 0 };
    if (!ret->v)
        return kd_fail(err, KD_INTERNAL, 0, "out of memory");
    for (size_t i = 0; i < wish->values.n; i++) {
        KD_AUTO(kd_buf_clear) struct kd_buf value = KD_BUF(AG_JOB_REQUEST_MAX);
        enum kd_code code = KD_OK;
        for (size_t j = 0; j < wish->values.v[i].blobs.n && code == KD_OK; j++)
            code = ag_store_read(shell->store, AG_TABLE_BLOB, wish->values.v[i].blobs.v[j], &value, err);
        if (code != KD_OK)
            return kd_wrap(err, "values");
        ret->v[ret->n++] = kd_arena_copy(arena, kd_buf_str(&value));
    }
    return KD_OK;
}

/** A change whose reason is not on disk yet waits: after a crash nobody would know why it was begun. */
static enum kd_code ag_job_may_start(const struct ag_shell *shell, const struct ag_job_request *request, struct kd_err *err)
{
    bool changes = request->kind == AG_JOB_APPLY || request->kind == AG_JOB_REMOVE;
    if (changes && request->apps.n && ag_store_waits(shell->store, AG_TABLE_UNIT, request->apps.v[0].uid))
        return kd_fail(err, KD_UNAVAILABLE, 0, "the agent's store cannot be written (is the disk full?)");
    return KD_OK;
}

static enum kd_code ag_job_start(struct ag_shell *shell, const struct ag_wish *wish, struct kd_err *err)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_JOB_REQUEST_MAX + 65536);
    KD_AUTO(kd_buf_clear) struct kd_buf text = KD_BUF(AG_JOB_REQUEST_MAX);
    struct ag_job_request request = *wish->request;
    struct ag_job_app app;
    enum kd_code code = ag_job_may_start(shell, &request, err);
    if (code == KD_OK && request.kind == AG_JOB_PREPARE) {
        app = request.apps.v[0];
        request.apps.v = &app;
        code = ag_values_fill(shell, wish, &arena, &app.values, err);
    }
    if (code != KD_OK)
        return code;
    ag_job_request_encode(&request, &text);
    if (text.overflow)
        return kd_fail(err, KD_TOO_LARGE, 0, "the application's values are too large");
    return ag_jobs_start(shell->jobs, wish->job, &text, (int64_t)request.deadline_ms * 1000, err);
}

static void ag_do_job(struct ag_shell *shell, const struct ag_wish *wish)
{
    struct kd_err err = { 0 };
    if (ag_job_start(shell, wish, &err) == KD_OK)
        return;
    struct ag_unstarted *one = malloc(sizeof *one);
    if (!one)
        return;
    *one = (struct ag_unstarted){ shell->unstarted, wish->job, err };
    shell->unstarted = one;
}

static void ag_on_job_ended(void *ctx, uint64_t id, const struct ag_job_result *result)
{
    ag_shell_event(ctx, (struct ag_event){ .kind = AG_JOB_ENDED, .job = id, .result = result });
}

static void ag_unstarted_tell(struct ag_shell *shell)
{
    while (shell->unstarted) {
        struct ag_unstarted *one = shell->unstarted;
        shell->unstarted = one->next;
        const struct ag_job_result result = { .error = { (int)one->why.code, kd_str(one->why.story) } };
        ag_shell_event(shell, (struct ag_event){ .kind = AG_JOB_ENDED, .job = one->id, .result = &result });
        free(one);
    }
}

/* ---- wishes ---- */

static void ag_on_wake(uv_timer_t *timer);

static void ag_wake_set(struct ag_shell *shell)
{
    int64_t wait_ms = AG_NAP_MS, now = kd_mono_now().us;
    if (shell->wake_at.us == INT64_MAX) {
        (void)uv_timer_stop(&shell->wake);
        return;
    }
    if ((shell->wake_at.us - now) / 1000 < wait_ms)
        wait_ms = (shell->wake_at.us - now + 999) / 1000;
    (void)uv_timer_start(&shell->wake, ag_on_wake, wait_ms > 0 ? (uint64_t)wait_ms : 0, 0);
}

static void ag_on_wake(uv_timer_t *timer)
{
    struct ag_shell *shell = timer->data;
    uv_update_time(&shell->loop);
    if (kd_mono_now().us < shell->wake_at.us) {
        ag_wake_set(shell);
        return;
    }
    shell->wake_at = KD_NEVER;
    ag_shell_event(shell, (struct ag_event){ .kind = AG_DUE });
}

static void ag_do_publish(struct ag_shell *shell, const struct ag_wish *wish)
{
    ag_broker_publish(shell->broker, wish->topic, wish->deployment, wish->payload);
}

static void ag_do_kill(struct ag_shell *shell, const struct ag_wish *wish)
{
    ag_jobs_kill(shell->jobs, wish->job);
}

static void ag_do_wake(struct ag_shell *shell, const struct ag_wish *wish)
{
    shell->wake_at = wish->at;
    uv_update_time(&shell->loop);
    ag_wake_set(shell);
}

static void ag_do_log(struct ag_shell *shell, const struct ag_wish *wish)
{
    static const int levels[] = {
        [AG_LEVEL_ERROR] = LOG_ERR, [AG_LEVEL_WARNING] = LOG_WARNING, [AG_LEVEL_NOTICE] = LOG_NOTICE, [AG_LEVEL_INFO] = LOG_INFO
    };
    (void)shell;
    kd_log(levels[wish->level], wish->event, "%.*s", KD_ARG(wish->text));
}

static void ag_do_reconnect(struct ag_shell *shell, const struct ag_wish *wish)
{
    ag_broker_reconnect_after(shell->broker, wish->delay_us);
}

typedef void ag_doer(struct ag_shell *shell, const struct ag_wish *wish);

/** Subscriptions are not in it: they are taken together. */
static ag_doer *const ag_doers[AG_WISH_COUNT] = {
    [AG_PUBLISH] = ag_do_publish, [AG_JOB] = ag_do_job, [AG_KILL] = ag_do_kill,
    [AG_WAKE] = ag_do_wake,       [AG_LOG] = ag_do_log, [AG_RECONNECT_AFTER] = ag_do_reconnect,
};

static bool ag_is_subscription(const struct ag_wish *wish)
{
    return wish->kind == AG_SUBSCRIBE || wish->kind == AG_UNSUBSCRIBE;
}

/** Neighbours of one kind become one packet. Returns how many wishes were carried out. */
static size_t ag_do_subscriptions(struct ag_shell *shell, const struct ag_wish *wishes, size_t n)
{
    struct kd_str digests[64];
    size_t count = 0;
    while (count < n && count < KD_COUNT(digests) && wishes[count].kind == wishes[0].kind) {
        digests[count] = wishes[count].digest;
        count++;
    }
    ag_broker_objects(shell->broker, digests, count, wishes[0].kind == AG_SUBSCRIBE);
    return count;
}

static void ag_wishes_do(struct ag_shell *shell, const struct ag_wish *wishes, size_t n)
{
    for (size_t i = 0; i < n;) {
        if (ag_is_subscription(&wishes[i])) {
            i += ag_do_subscriptions(shell, &wishes[i], n - i);
        } else {
            ag_doers[wishes[i].kind](shell, &wishes[i]);
            i++;
        }
    }
}

/* ---- steps ---- */

static void ag_on_store_retry(uv_timer_t *timer);

/** A disk that takes nothing is said once; what waits for it is tried again. */
static void ag_rows_commit(struct ag_shell *shell, const struct ag_row *rows, size_t n)
{
    struct kd_err err = { 0 };
    bool full = ag_store_commit(shell->store, rows, n, &err) != KD_OK;
    if (full && !shell->full)
        kd_log(LOG_ERR, "store.failed", "why=\"%s\"", err.story);
    if (!full && shell->full)
        kd_log(LOG_NOTICE, "store.works", "%s", "");
    shell->full = full;
    if (full)
        (void)uv_timer_start(&shell->store_retry, ag_on_store_retry, AG_STORE_RETRY_MS, 0);
}

static void ag_on_store_retry(uv_timer_t *timer)
{
    ag_rows_commit(timer->data, NULL, 0);
}

static void ag_shell_event(struct ag_shell *shell, struct ag_event event)
{
    struct ag_step step;
    if (shell->stopping)
        return;
    event.now = kd_mono_now();
    event.chance = kd_random_u64();
    ag_core_step(shell->core, &event, &step);
    if (step.rows.n)
        ag_rows_commit(shell, step.rows.v, step.rows.n);
    ag_wishes_do(shell, step.wishes.v, step.wishes.n);
    ag_unstarted_tell(shell);
}

/* ---- events from outside ---- */

static void ag_on_broker_event(void *ctx, const struct ag_event *event)
{
    ag_shell_event(ctx, *event);
}

static void ag_on_broker_will(void *ctx, struct kd_buf *out)
{
    const struct ag_shell *shell = ctx;
    ag_core_will(shell->core, out);
}

static const struct ag_broker_ops ag_broker_ops = { ag_on_broker_event, ag_on_broker_will };

static void ag_on_podman_changed(void *ctx, struct kd_str uid, struct kd_str app)
{
    ag_shell_event(ctx, (struct ag_event){ .kind = AG_RUNTIME_CHANGED, .text = uid, .app = app });
}

static void ag_on_podman_up(void *ctx, struct kd_str version)
{
    struct ag_shell *shell = ctx;
    bool news = !kd_str_is(version, shell->runtime_version);
    kd_log(LOG_INFO, "podman.connected", "version=%.*s", KD_ARG(version));
    (void)kd_str_copy(version, shell->runtime_version, sizeof shell->runtime_version);
    if (news)
        ag_inventory_tell(shell);
}

static void ag_on_podman_down(void *ctx, const char *why)
{
    (void)ctx;
    kd_log(LOG_WARNING, "podman.away", "why=\"%s\"", why);
}

/* ---- reload ---- */

static void ag_settings_take(struct ag_shell *shell, struct kd_arena *arena, const struct ag_settings *fresh)
{
    KD_AUTO(kd_buf_clear) struct kd_buf ignored = KD_BUF(4096);
    struct ag_settings *settings = shell->options.settings;
    kd_settings_reload(&ag_settings_table, fresh, settings, &ignored);
    kd_arena_clear(&shell->reloaded); /* of the reload before: everything that reloads is in the fresh one now */
    shell->reloaded = *arena;
    if (ignored.n)
        kd_log(LOG_WARNING, "settings.need_restart", "keys=%.*s", KD_ARG(kd_buf_str(&ignored)));
    kd_log_limit(kd_log_level(settings->log_level));
    const struct ag_core_options options = ag_options_of(settings);
    ag_core_reload(shell->core, &options);
    ag_inventory_tell(shell);
}

static void ag_on_hang_up(uv_signal_t *handle, int number)
{
    struct ag_shell *shell = handle->data;
    struct kd_arena arena = KD_ARENA(AG_RELOAD_BYTES);
    struct ag_settings fresh;
    struct kd_err err = { 0 };
    (void)number;
    (void)kd_ready_tell(KD_READY_RELOADING);
    if (shell->options.read(shell->options.config, &arena, &fresh, &err) == KD_OK) {
        ag_settings_take(shell, &arena, &fresh);
        kd_log(LOG_NOTICE, "settings.reloaded", "file=%s", shell->options.config);
    } else {
        kd_arena_clear(&arena);
        kd_log(LOG_ERR, "settings.bad", "why=\"%s\"", err.story);
    }
    (void)kd_ready_tell(KD_READY_STARTED);
}

/* ---- stop ---- */

/** No job runs any more: everything is closed, and the loop ends by itself. */
static void ag_on_idle(void *ctx)
{
    struct ag_shell *shell = ctx;
    shell->broker = ag_broker_close(shell->broker);
    shell->podman = ag_podman_events_close(shell->podman);
    uv_handle_t *ours[] = { (uv_handle_t *)&shell->wake,   (uv_handle_t *)&shell->store_retry, (uv_handle_t *)&shell->alive,
                            (uv_handle_t *)&shell->stop,   (uv_handle_t *)&shell->term,        (uv_handle_t *)&shell->interrupt,
                            (uv_handle_t *)&shell->hang_up };
    for (size_t i = 0; i < KD_COUNT(ours); i++)
        uv_close(ours[i], NULL);
}

static void ag_on_stop_late(uv_timer_t *timer)
{
    uv_stop(&((struct ag_shell *)timer->data)->loop);
}

static void ag_on_stop(uv_signal_t *handle, int number)
{
    struct ag_shell *shell = handle->data;
    if (shell->stopping)
        return;
    kd_log(LOG_NOTICE, "agent.stopping", "signal=%d", number);
    (void)kd_ready_tell(KD_READY_STOPPING);
    shell->stopping = true;
    (void)uv_timer_start(&shell->stop, ag_on_stop_late, AG_STOP_MS, 0);
    ag_jobs_stop(shell->jobs, ag_on_idle, shell);
}

/* ---- begin ---- */

static void ag_on_alive(uv_timer_t *timer)
{
    (void)timer;
    (void)kd_ready_tell(KD_READY_ALIVE);
}

static void ag_handles_begin(struct ag_shell *shell)
{
    uv_timer_t *timers[] = { &shell->wake, &shell->store_retry, &shell->alive, &shell->stop };
    const struct {
        uv_signal_t *handle;
        uv_signal_cb run;
        int number;
    } signals[] = { { &shell->term, ag_on_stop, SIGTERM },
                    { &shell->interrupt, ag_on_stop, SIGINT },
                    { &shell->hang_up, ag_on_hang_up, SIGHUP } };
    uint64_t pace_ms = (uint64_t)(kd_ready_pace_us() / 1000);
    for (size_t i = 0; i < KD_COUNT(timers); i++) {
        (void)uv_timer_init(&shell->loop, timers[i]);
        timers[i]->data = shell;
    }
    for (size_t i = 0; i < KD_COUNT(signals); i++) {
        (void)uv_signal_init(&shell->loop, signals[i].handle);
        signals[i].handle->data = shell;
        (void)uv_signal_start(signals[i].handle, signals[i].run, signals[i].number);
    }
    if (pace_ms)
        (void)uv_timer_start(&shell->alive, ag_on_alive, pace_ms, pace_ms);
}

static enum kd_code ag_core_begin(struct ag_shell *shell, struct kd_err *err)
{
    const struct ag_core_options options = ag_options_of(shell->options.settings);
    size_t damaged = 0;
    shell->core = ag_core_open(&options);
    if (!shell->core)
        return kd_fail(err, KD_INTERNAL, 0, "out of memory");
    enum kd_code code = ag_store_load(shell->store, shell->core, &damaged, err);
    if (code == KD_OK && damaged)
        kd_log(LOG_ERR, "store.damaged", "rows=%zu why=\"%s\"", damaged, err->story);
    return code;
}

/** Everything that can fail, before anything happens. */
static enum kd_code ag_shell_begin(struct ag_shell *shell, struct kd_err *err)
{
    const struct ag_settings *settings = shell->options.settings;
    const struct ag_jobs_options jobs = { shell->job_program, shell->options.config, ag_on_job_ended, shell };
    enum kd_code code = ag_job_program_find(settings, shell->job_program, err);
    if (code == KD_OK)
        code = ag_store_open(settings->state_directory.p, &shell->store, err);
    if (code == KD_OK)
        code = ag_core_begin(shell, err);
    if (code != KD_OK)
        return code;
    shell->jobs = ag_jobs_open(&shell->loop, &jobs);
    if (!shell->jobs)
        return kd_fail(err, KD_INTERNAL, 0, "out of memory");
    return ag_broker_open(&shell->loop, settings, &ag_broker_ops, shell, &shell->broker, err);
}

static void ag_shell_start(struct ag_shell *shell)
{
    char session[AG_SESSION_CHARS + 1];
    const struct ag_podman_events_options podman = { shell->options.settings->podman_socket,
                                                     shell->options.settings->project,
                                                     ag_on_podman_changed,
                                                     ag_on_podman_up,
                                                     ag_on_podman_down,
                                                     shell };
    ag_handles_begin(shell);
    kd_random_text(session, AG_SESSION_CHARS);
    kd_log(LOG_NOTICE, "agent.started", "version=%s project=%.*s cluster=%.*s", KD_VERSION,
           KD_ARG(shell->options.settings->project), KD_ARG(shell->options.settings->cluster));
    ag_shell_event(shell, (struct ag_event){ .kind = AG_STARTED, .text = kd_str(session) });
    ag_broker_will(shell->broker);
    ag_inventory_tell(shell);
    shell->podman = ag_podman_events_open(&shell->loop, &podman);
    (void)kd_ready_tell(KD_READY_STARTED);
}

static void ag_shell_end(struct ag_shell *shell)
{
    shell->broker = ag_broker_close(shell->broker);
    (void)uv_run(&shell->loop, UV_RUN_NOWAIT);
    shell->jobs = ag_jobs_close(shell->jobs);
    shell->core = ag_core_close(shell->core);
    shell->store = ag_store_close(shell->store);
    kd_arena_clear(&shell->reloaded);
    (void)uv_loop_close(&shell->loop);
}

enum kd_code ag_shell_run(const struct ag_shell_options *options, struct kd_err *err)
{
    struct ag_shell *shell = calloc(1, sizeof *shell);
    if (!shell || uv_loop_init(&shell->loop) != 0) {
        free(shell);
        return kd_fail(err, KD_INTERNAL, 0, "out of memory");
    }
    shell->options = *options;
    shell->wake_at = KD_NEVER;
    kd_log_limit(kd_log_level(options->settings->log_level));
    enum kd_code code = ag_shell_begin(shell, err);
    if (code == KD_OK) {
        ag_shell_start(shell);
        (void)uv_run(&shell->loop, UV_RUN_DEFAULT);
        kd_log(LOG_NOTICE, "agent.stopped", "%s", "");
    }
    ag_shell_end(shell);
    free(shell);
    return code;
}
