/** The coordinator's shell. */
#include "coordinator/server/shell.h"

#include "coordinator/server/ask.h"
#include "shared/base/own.h"
#include "shared/mqtt/mqtt.h"
#include "shared/os/clock.h"
#include "shared/os/file.h"
#include "shared/os/log.h"
#include "shared/os/random.h"
#include "shared/os/ready.h"

#include <stdio.h>
#include <uv.h>

enum {
    CO_SUBSCRIBED = 1,                 /* token of the subscriptions of a connection */
    CO_BATCH_MESSAGES = 1000,          /* messages in one transaction */
    CO_BATCH_BYTES = 16 * 1024 * 1024, /* of them */
    CO_TOO_LARGE = 0x95,               /* MQTT 5: Packet too large */
    CO_REFUSED_MAX = 256,
    CO_SECRET_MAX = 4096,          /* bytes of a password file */
    CO_RELOAD_MEMORY = 256 * 1024, /* bytes of settings */
};

struct co_shell {
    const struct kd_program *program;
    const char *config;
    struct co_settings *settings;
    struct co_service *service;
    struct kd_mqtt *mqtt;
    uv_loop_t loop;
    uv_timer_t due, alive;
    uv_signal_t on_term, on_int, on_hup;
    struct co_message messages[CO_BATCH_MESSAGES];
    size_t message_count, message_bytes;
    struct kd_arena batch;
    struct kd_arena reloaded;           /* texts of the settings after a reload */
    uint64_t too_large[CO_REFUSED_MAX]; /* tokens that the broker would refuse for their size: answered in the next turn */
    size_t too_large_count;
    bool ready, stopping;
};

static void co_shell_schedule(struct co_shell *shell);

/* ---- what the service asks for ---- */

static bool co_do_publish(void *ctx, const struct co_publish *message)
{
    struct co_shell *shell = ctx;
    struct kd_mqtt_message out = { .topic = message->topic,
                                   .payload = message->payload,
                                   .correlation_data = message->correlation,
                                   .qos = 1,
                                   .retain = message->retain,
                                   .token = message->token };
    struct kd_err err;
    enum kd_code code = kd_mqtt_publish(shell->mqtt, &out, &err);
    if (code == KD_OK)
        return true;
    if (code == KD_UNAVAILABLE || (message->token && shell->too_large_count == CO_REFUSED_MAX))
        return false;
    kd_log(LOG_WARNING, "publish.refused", "topic=%.*s why=\"%s\"", KD_ARG(message->topic), err.story);
    if (message->token)
        shell->too_large[shell->too_large_count++] = message->token;
    return true;
}

static size_t co_do_room(void *ctx)
{
    return kd_mqtt_room(((struct co_shell *)ctx)->mqtt);
}

static void co_do_subscribe(void *ctx, struct kd_str filter, bool on)
{
    struct co_shell *shell = ctx;
    struct kd_err err;
    enum kd_code code = on ? kd_mqtt_subscribe(shell->mqtt, &filter, 1, 0, &err)
                           : kd_mqtt_unsubscribe(shell->mqtt, &filter, 1, 0, &err);
    if (code != KD_OK && kd_mqtt_is_connected(shell->mqtt))
        kd_log(LOG_WARNING, "subscribe.failed", "filter=%.*s why=\"%s\"", KD_ARG(filter), err.story);
}

static void co_answered(void *ctx, uint64_t id, enum kd_code code, struct kd_str answer)
{
    struct co_shell *shell = ctx;
    if (shell->stopping)
        return;
    co_service_resolved(shell->service, id, code, answer);
    co_shell_schedule(shell);
}

static void co_do_resolve(void *ctx, const struct co_lookup *lookup)
{
    struct co_shell *shell = ctx;
    co_ask_registry(&shell->loop, shell->settings, lookup, co_answered, shell);
}

static struct kd_mono co_do_now(void *ctx)
{
    (void)ctx;
    return kd_mono_now();
}

static struct kd_wall co_do_wall(void *ctx)
{
    (void)ctx;
    return kd_wall_now();
}

static uint64_t co_do_chance(void *ctx)
{
    (void)ctx;
    return kd_random_u64();
}

static void co_do_log(void *ctx, int level, const char *event, const char *text)
{
    (void)ctx;
    kd_log(level, event, "%s", text);
}

static const struct co_service_ops co_shell_ops = { .publish = co_do_publish,
                                                    .room = co_do_room,
                                                    .subscribe = co_do_subscribe,
                                                    .resolve = co_do_resolve,
                                                    .now = co_do_now,
                                                    .wall = co_do_wall,
                                                    .chance = co_do_chance,
                                                    .log = co_do_log };

/* ---- time ---- */

static void co_on_due(uv_timer_t *timer)
{
    co_shell_schedule(timer->data);
}

/** Lets the service do what is due, and sets the timer to the next moment. */
static void co_shell_schedule(struct co_shell *shell)
{
    while (shell->too_large_count)
        co_service_published(shell->service, shell->too_large[--shell->too_large_count], CO_TOO_LARGE);
    struct kd_mono next = co_service_tick(shell->service);
    int64_t wait_us = next.us - kd_mono_now().us;
    uint64_t wait_ms = shell->too_large_count || wait_us < 1000 ? 1 : (uint64_t)(wait_us / 1000) + 1;
    (void)uv_timer_start(&shell->due, co_on_due, wait_ms < 60000 ? wait_ms : 60000, 0);
}

static void co_on_alive(uv_timer_t *timer)
{
    (void)timer;
    (void)kd_ready_tell(KD_READY_ALIVE);
}

/* ---- the broker ---- */

static void co_on_connected(void *ctx, const struct kd_mqtt_session *session)
{
    struct co_shell *shell = ctx;
    char text[KD_MQTT_FILTERS_MAX][KD_TOPIC_MAX + 1];
    struct kd_str filters[KD_MQTT_FILTERS_MAX];
    struct kd_err err;
    size_t n = 0;
    for (struct kd_str filter; n < KD_MQTT_FILTERS_MAX && (filter = co_service_filter(shell->service, n)).n; n++) {
        (void)kd_str_copy(filter, text[n], sizeof text[n]);
        filters[n] = kd_str(text[n]);
    }
    kd_log(LOG_NOTICE, "broker.connected", "connection=%llu", (unsigned long long)session->connection);
    if (kd_mqtt_subscribe(shell->mqtt, filters, n, CO_SUBSCRIBED, &err) != KD_OK)
        kd_log(LOG_ERR, "subscribe.failed", "why=\"%s\"", err.story);
}

static void co_on_subscribed(void *ctx, uint64_t token, const int *reasons, size_t count)
{
    struct co_shell *shell = ctx;
    if (token != CO_SUBSCRIBED)
        return;
    for (size_t i = 0; i < count; i++)
        if (reasons[i] >= 0x80)
            kd_log(LOG_ERR, "subscribe.refused", "filter=%.*s reason=0x%02x", KD_ARG(co_service_filter(shell->service, i)),
                   (unsigned)reasons[i]);
    co_service_connected(shell->service);
    co_shell_schedule(shell);
}

static void co_on_disconnected(void *ctx, const struct kd_mqtt_end *end)
{
    struct co_shell *shell = ctx;
    kd_log(LOG_WARNING, "broker.disconnected", "why=\"%s\" retry_ms=%lld", end->text, (long long)(end->retry_us / 1000));
    if (end->was_connected)
        co_service_disconnected(shell->service);
}

static void co_shell_batch(struct co_shell *shell)
{
    co_service_batch(shell->service, shell->messages, shell->message_count);
    kd_arena_clear(&shell->batch);
    shell->batch = (struct kd_arena)KD_ARENA(4 * CO_BATCH_BYTES);
    shell->message_count = shell->message_bytes = 0;
}

static void co_on_message(void *ctx, const struct kd_mqtt_message *message)
{
    struct co_shell *shell = ctx;
    struct co_message copy = { .topic = kd_arena_copy(&shell->batch, message->topic),
                               .payload = kd_arena_copy(&shell->batch, message->payload),
                               .response_topic = kd_arena_copy(&shell->batch, message->response_topic),
                               .correlation = kd_arena_copy(&shell->batch, message->correlation_data),
                               .retain = message->retain };
    if (!copy.topic.p || !copy.payload.p)
        return; /* more than a broker may send us at once: whoever waits for an answer asks again */
    shell->messages[shell->message_count++] = copy;
    shell->message_bytes += message->payload.n;
    if (shell->message_count == CO_BATCH_MESSAGES || shell->message_bytes >= CO_BATCH_BYTES)
        co_shell_batch(shell);
}

static void co_on_drained(void *ctx)
{
    struct co_shell *shell = ctx;
    if (shell->message_count)
        co_shell_batch(shell);
    co_shell_schedule(shell);
}

static void co_on_published(void *ctx, uint64_t token, int reason)
{
    struct co_shell *shell = ctx;
    co_service_published(shell->service, token, reason);
}

static const struct kd_mqtt_ops co_mqtt_ops = { .connected = co_on_connected,
                                                .disconnected = co_on_disconnected,
                                                .message = co_on_message,
                                                .published = co_on_published,
                                                .subscribed = co_on_subscribed,
                                                .drained = co_on_drained };

/** The first line of a password file. */
static enum kd_code co_secret_read(struct kd_str file, struct kd_buf *out, struct kd_err *err)
{
    if (!file.n)
        return KD_OK;
    enum kd_code code = kd_file_read(file.p, out, err);
    struct kd_str line = kd_buf_str(out);
    out->n = code == KD_OK ? kd_str_trim(kd_str_cut(&line, '\n')).n : 0;
    return code;
}

static enum kd_code co_shell_connect(struct co_shell *shell, struct kd_err *err)
{
    const struct co_settings *s = shell->settings;
    KD_AUTO(kd_buf_clear) struct kd_buf password = KD_BUF(CO_SECRET_MAX);
    enum kd_code code = co_secret_read(s->broker_password_file, &password, err);
    if (code != KD_OK)
        return kd_wrap(err, "broker.password_file");
    struct kd_str client_id = kd_arena_printf(&shell->batch, "%.*s/%.*s", KD_ARG(s->broker_client_id), KD_ARG(s->project));
    struct kd_mqtt_options options = { .address = s->broker_address,
                                       .client_id = client_id,
                                       .ca_file = s->broker_ca_file,
                                       .cert_file = s->broker_cert_file,
                                       .key_file = s->broker_key_file,
                                       .username = s->broker_username,
                                       .password = kd_buf_str(&password),
                                       .keep_alive_s = (int)(s->broker_keep_alive_us / KD_US_PER_S),
                                       .backoff_max_us = 10 * KD_US_PER_S,
                                       .receive_maximum = 1000,
                                       .send_maximum = 1000,
                                       .queue_bytes_max = CO_BATCH_BYTES };
    return kd_mqtt_open(&shell->loop, &options, &co_mqtt_ops, shell, &shell->mqtt, err);
}

/* ---- signals ---- */

static void co_on_stop(uv_signal_t *signal, int number)
{
    struct co_shell *shell = signal->data;
    (void)number;
    shell->stopping = true;
    (void)kd_ready_tell(KD_READY_STOPPING);
    kd_log(LOG_NOTICE, "stopping", "%s", "");
    uv_stop(&shell->loop);
}

/** Takes what reloads; says what needs a restart. A wrong file changes nothing. */
static void co_on_reload(uv_signal_t *signal, int number)
{
    struct co_shell *shell = signal->data;
    struct kd_arena arena = KD_ARENA(CO_RELOAD_MEMORY);
    KD_AUTO(kd_buf_clear) struct kd_buf ignored = KD_BUF(KD_SETTINGS_FILE_MAX);
    struct co_settings fresh;
    struct kd_err err;
    (void)number;
    (void)kd_ready_tell(KD_READY_RELOADING);
    if (kd_program_read(shell->program, shell->config, &arena, &fresh, &err) != KD_OK) {
        kd_log(LOG_ERR, "reload.failed", "why=\"%s\"", err.story);
        kd_arena_clear(&arena);
    } else {
        kd_settings_reload(&co_settings_table, &fresh, shell->settings, &ignored);
        struct co_service_options options = co_options_of(shell->settings);
        kd_log_limit(kd_log_level(shell->settings->log_level));
        co_service_reload(shell->service, &options);
        kd_arena_clear(&shell->reloaded); /* of the reload before: everything that reloads is in the fresh one now */
        shell->reloaded = arena;
        kd_log(LOG_NOTICE, "reloaded", "needs_restart=\"%.*s\"", KD_ARG(kd_buf_str(&ignored)));
    }
    (void)kd_ready_tell(KD_READY_STARTED);
}

static int co_shell_handles(struct co_shell *shell)
{
    struct {
        uv_signal_t *handle;
        int number;
        uv_signal_cb call;
    } signals[] = { { &shell->on_term, SIGTERM, co_on_stop },
                    { &shell->on_int, SIGINT, co_on_stop },
                    { &shell->on_hup, SIGHUP, co_on_reload } };
    int rc = uv_timer_init(&shell->loop, &shell->due);
    rc = rc ? rc : uv_timer_init(&shell->loop, &shell->alive);
    shell->due.data = shell->alive.data = shell;
    for (size_t i = 0; i < KD_COUNT(signals) && rc == 0; i++) {
        rc = uv_signal_init(&shell->loop, signals[i].handle);
        signals[i].handle->data = shell;
        rc = rc ? rc : uv_signal_start(signals[i].handle, signals[i].call, signals[i].number);
    }
    uint64_t pace_ms = (uint64_t)(kd_ready_pace_us() / 1000);
    return rc == 0 && pace_ms ? uv_timer_start(&shell->alive, co_on_alive, pace_ms, pace_ms) : rc;
}

/* ---- life ---- */

struct co_service_options co_options_of(const struct co_settings *settings)
{
    int64_t spread_us = settings->hello_spread_us < settings->hello_interval_us ? settings->hello_spread_us
                                                                                : settings->hello_interval_us;
    return (struct co_service_options){ .project = settings->project,
                                        .hello_interval_us = settings->hello_interval_us,
                                        .grace_us = settings->hello_grace_us,
                                        .spread_s = (uint64_t)(spread_us / KD_US_PER_S),
                                        .object_keep_us = settings->object_keep_us };
}

static void co_close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/** Ends the connection, lets the loop finish what it has, and frees. */
static void co_shell_end(struct co_shell *shell)
{
    shell->mqtt = kd_mqtt_close(shell->mqtt, KD_MQTT_DISCONNECT);
    (void)uv_run(&shell->loop, UV_RUN_NOWAIT);
    uv_walk(&shell->loop, co_close_handle, NULL);
    while (uv_run(&shell->loop, UV_RUN_DEFAULT) != 0)
        ;
    (void)uv_loop_close(&shell->loop);
    shell->service = co_service_close(shell->service);
    kd_arena_clear(&shell->batch);
    kd_arena_clear(&shell->reloaded);
}

static enum kd_code co_shell_begin(struct co_shell *shell, struct co_stores *stores, struct kd_err *err)
{
    struct co_service_options options = co_options_of(shell->settings);
    enum kd_code code = co_service_open(&options, stores->spec, stores->status, &co_shell_ops, shell, &shell->service, err);
    if (code != KD_OK)
        return code;
    int rc = co_shell_handles(shell);
    if (rc != 0)
        return kd_fail(err, KD_INTERNAL, 0, "start the loop: %s", uv_strerror(rc));
    return co_shell_connect(shell, err);
}

enum kd_code co_shell_run(const struct kd_program *program, const char *config, struct co_settings *settings,
                          struct co_stores *stores, struct kd_err *err)
{
    KD_AUTO(kd_freep) struct co_shell *shell = calloc(1, sizeof *shell);
    if (!shell || uv_loop_init(&shell->loop) != 0)
        return kd_fail(err, KD_INTERNAL, 0, "out of memory");
    shell->program = program;
    shell->config = config;
    shell->settings = settings;
    shell->batch = (struct kd_arena)KD_ARENA(4 * CO_BATCH_BYTES);
    enum kd_code code = co_shell_begin(shell, stores, err);
    if (code == KD_OK) {
        kd_log(LOG_NOTICE, "started", "version=%s project=%.*s", KD_VERSION, KD_ARG(settings->project));
        (void)kd_ready_tell(KD_READY_STARTED);
        co_shell_schedule(shell);
        (void)uv_run(&shell->loop, UV_RUN_DEFAULT);
    }
    shell->stopping = true;
    co_shell_end(shell);
    return code;
}
