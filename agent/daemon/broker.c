/** Topics and events. */
#include "agent/daemon/broker.h"

#include "shared/base/own.h"
#include "shared/model/topic.h"
#include "shared/mqtt/mqtt.h"
#include "shared/os/file.h"
#include "shared/os/log.h"

#include <stdio.h>

enum {
    AG_SECRET_MAX = 4096,                    /* bytes of a password file */
    AG_REFUSED = 0x80,                       /* MQTT 5: reason codes from here on are refusals */
    AG_QUEUE_BYTES = 1024 * 1024,            /* what has arrived and was not handled yet */
    AG_PACKET_BYTES = KD_PAYLOAD_MAX + 4096, /* the largest message that is for an agent, with its topic */
};

/** What an agent subscribes to at each connection, and the event that it becomes. Objects come by their digests. */
static const struct ag_topic_row {
    enum kd_topic_kind topic;
    enum ag_event_kind event;
    bool subscribed;
} ag_topic_rows[] = {
    { KD_TOPIC_MANIFEST, AG_MANIFEST, true },
    { KD_TOPIC_COORDINATOR, AG_COORDINATOR, true },
    { KD_TOPIC_ACK, AG_ACK, true },
    { KD_TOPIC_OBJECT, AG_OBJECT, false },
};

struct ag_broker {
    struct kd_mqtt *mqtt;
    struct ag_broker_ops ops;
    void *ctx;
    struct kd_arena names;
    struct kd_str project, cluster;
    bool away; /* that it cannot be reached was said */
};

/* ---- topics ---- */

static void ag_topic_add(const struct ag_broker *broker, enum kd_topic_kind kind, struct kd_str third, struct kd_buf *out)
{
    const struct kd_str none = KD_STR("");
    switch (kind) {
    case KD_TOPIC_COORDINATOR:
        kd_topic_add(out, kind, broker->project, none, none, none);
        break;
    case KD_TOPIC_OBJECT:
        kd_topic_add(out, kind, broker->project, third, none, none);
        break;
    default: /* all others are those of this cluster */
        kd_topic_add(out, kind, broker->project, broker->cluster, third, none);
        break;
    }
}

/** The row of a topic that is for this agent, or NULL. */
static const struct ag_topic_row *ag_topic_of(const struct ag_broker *broker, struct kd_str text, struct kd_topic *ret)
{
    if (!kd_topic_parse(text, ret) || !kd_str_eq(ret->part[0], broker->project))
        return NULL;
    for (size_t i = 0; i < KD_COUNT(ag_topic_rows); i++) {
        const struct ag_topic_row *row = &ag_topic_rows[i];
        bool of_cluster = row->topic == KD_TOPIC_MANIFEST || row->topic == KD_TOPIC_ACK;
        if (row->topic == ret->kind && (!of_cluster || kd_str_eq(ret->part[1], broker->cluster)))
            return row;
    }
    return NULL;
}

/* ---- what happens ---- */

static void ag_on_message(void *ctx, const struct kd_mqtt_message *message)
{
    struct ag_broker *broker = ctx;
    struct kd_topic topic;
    const struct ag_topic_row *row = ag_topic_of(broker, message->topic, &topic);
    if (!row)
        return;
    const struct ag_event event = { .kind = row->event,
                                    .text = row->event == AG_OBJECT ? topic.part[1] : KD_STR(""),
                                    .payload = message->payload };
    broker->ops.event(broker->ctx, &event);
}

/** The topic as a filter; {NULL, 0} when out of memory. */
static struct kd_str ag_filter(const struct ag_broker *broker, enum kd_topic_kind kind, struct kd_str third, struct kd_arena *arena)
{
    KD_AUTO(kd_buf_clear) struct kd_buf topic = KD_BUF(KD_TOPIC_MAX);
    ag_topic_add(broker, kind, third, &topic);
    return kd_arena_copy(arena, kd_buf_str(&topic));
}

static void ag_topics_subscribe(struct ag_broker *broker)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(4096);
    struct kd_str filters[KD_COUNT(ag_topic_rows)];
    size_t n = 0;
    struct kd_err err;
    for (size_t i = 0; i < KD_COUNT(ag_topic_rows); i++)
        if (ag_topic_rows[i].subscribed)
            filters[n++] = ag_filter(broker, ag_topic_rows[i].topic, KD_STR(""), &arena);
    if (kd_mqtt_subscribe(broker->mqtt, filters, n, 0, &err) != KD_OK)
        kd_log(LOG_WARNING, "broker.subscribe", "why=\"%s\"", err.story);
}

static void ag_on_connected(void *ctx, const struct kd_mqtt_session *session)
{
    struct ag_broker *broker = ctx;
    broker->away = false;
    kd_log(LOG_NOTICE, "broker.connected", "connection=%llu", (unsigned long long)session->connection);
    ag_topics_subscribe(broker);
    broker->ops.event(broker->ctx, &(struct ag_event){ .kind = AG_CONNECTED });
}

void ag_broker_will(struct ag_broker *broker)
{
    KD_AUTO(kd_buf_clear) struct kd_buf topic = KD_BUF(KD_TOPIC_MAX);
    KD_AUTO(kd_buf_clear) struct kd_buf payload = KD_BUF(KD_STATE_MAX);
    struct kd_err err;
    broker->ops.will(broker->ctx, &payload);
    ag_topic_add(broker, KD_TOPIC_HELLO, KD_STR(""), &topic);
    const struct kd_mqtt_message will = { .topic = kd_buf_str(&topic), .payload = kd_buf_str(&payload), .qos = 1 };
    if (kd_mqtt_will_set(broker->mqtt, &will, &err) != KD_OK)
        kd_log(LOG_WARNING, "broker.will", "why=\"%s\"", err.story);
}

/** A broker that is away is said once. */
static void ag_on_disconnected(void *ctx, const struct kd_mqtt_end *end)
{
    struct ag_broker *broker = ctx;
    if (end->was_connected || !broker->away)
        kd_log(LOG_WARNING, "broker.away", "why=\"%s\" retry_ms=%lld", end->text, (long long)(end->retry_us / 1000));
    broker->away = true;
    broker->ops.event(broker->ctx, &(struct ag_event){ .kind = AG_DISCONNECTED, .reason = end->reason });
    ag_broker_will(broker);
}

static void ag_on_published(void *ctx, uint64_t token, int reason)
{
    (void)ctx;
    if (reason >= AG_REFUSED)
        kd_log(LOG_WARNING, "broker.refused", "what=%s reason=0x%02x", token ? "status" : "hello", (unsigned)reason);
}

static void ag_on_subscribed(void *ctx, uint64_t token, const int *reasons, size_t count)
{
    (void)ctx;
    (void)token;
    for (size_t i = 0; i < count; i++)
        if (reasons[i] >= AG_REFUSED)
            kd_log(LOG_WARNING, "broker.refused", "what=subscription reason=0x%02x", (unsigned)reasons[i]);
}

static const struct kd_mqtt_ops ag_mqtt_ops = {
    .connected = ag_on_connected,
    .disconnected = ag_on_disconnected,
    .message = ag_on_message,
    .published = ag_on_published,
    .subscribed = ag_on_subscribed,
};

/* ---- opening ---- */

/** The first line of the password file; a path "" is no password. */
static enum kd_code ag_password_read(struct kd_str path, struct kd_buf *file, struct kd_str *ret, struct kd_err *err)
{
    if (path.n == 0)
        return KD_OK;
    enum kd_code code = kd_file_read(path.p, file, err);
    struct kd_str text = kd_buf_str(file);
    if (code == KD_OK)
        *ret = kd_str_trim(kd_str_cut(&text, '\n'));
    return code;
}

static enum kd_code ag_broker_start(struct ag_broker *broker, uv_loop_t *loop, const struct ag_settings *settings,
                                    struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf secret = KD_BUF(AG_SECRET_MAX);
    struct kd_str password = { NULL, 0 };
    enum kd_code code = ag_password_read(settings->broker_password_file, &secret, &password, err);
    if (code != KD_OK)
        return kd_wrap(err, "broker.password_file");
    const struct kd_mqtt_options options = {
        .address = settings->broker_address,
        .client_id = kd_arena_printf(&broker->names, "%.*s/%.*s", KD_ARG(settings->project), KD_ARG(settings->cluster)),
        .ca_file = settings->broker_ca_file,
        .cert_file = settings->broker_cert_file,
        .key_file = settings->broker_key_file,
        .username = settings->broker_username,
        .password = password,
        .keep_alive_s = (int)(settings->broker_keep_alive_us / KD_US_PER_S),
        .packet_bytes_max = AG_PACKET_BYTES,
        .queue_bytes_max = AG_QUEUE_BYTES,
    };
    code = kd_mqtt_open(loop, &options, &ag_mqtt_ops, broker, &broker->mqtt, err);
    if (secret.p)
        explicit_bzero(secret.p, secret.n);
    return code;
}

enum kd_code ag_broker_open(uv_loop_t *loop, const struct ag_settings *settings, const struct ag_broker_ops *ops, void *ctx,
                            struct ag_broker **ret, struct kd_err *err)
{
    struct ag_broker *broker = calloc(1, sizeof *broker);
    if (!broker)
        return kd_fail(err, KD_INTERNAL, 0, "out of memory");
    broker->ops = *ops;
    broker->ctx = ctx;
    broker->names = (struct kd_arena)KD_ARENA(4096);
    broker->project = kd_arena_copy(&broker->names, settings->project);
    broker->cluster = kd_arena_copy(&broker->names, settings->cluster);
    enum kd_code code = ag_broker_start(broker, loop, settings, err);
    if (code == KD_OK)
        *ret = broker;
    else
        (void)ag_broker_close(broker);
    return code;
}

struct ag_broker *ag_broker_close(struct ag_broker *broker)
{
    if (!broker)
        return NULL;
    (void)kd_mqtt_close(broker->mqtt, KD_MQTT_DISCONNECT_WILL);
    kd_arena_clear(&broker->names);
    free(broker);
    return NULL;
}

/* ---- what goes out ---- */

static const enum kd_topic_kind ag_said_topics[] = {
    [AG_TOPIC_HELLO] = KD_TOPIC_HELLO,
    [AG_TOPIC_STATUS] = KD_TOPIC_STATUS,
    [AG_TOPIC_INVENTORY] = KD_TOPIC_INVENTORY,
};

void ag_broker_publish(struct ag_broker *broker, enum ag_topic topic, struct kd_str deployment, struct kd_str payload)
{
    KD_AUTO(kd_buf_clear) struct kd_buf to = KD_BUF(KD_TOPIC_MAX);
    struct kd_err err;
    ag_topic_add(broker, ag_said_topics[topic], deployment, &to);
    const struct kd_mqtt_message message = { .topic = kd_buf_str(&to), .payload = payload, .qos = 1, .token = topic };
    enum kd_code code = kd_mqtt_publish(broker->mqtt, &message, &err);
    if (code != KD_OK && code != KD_UNAVAILABLE)
        kd_log(LOG_WARNING, "broker.publish", "topic=%.*s why=\"%s\"", KD_ARG(message.topic), err.story);
}

static void ag_filters_send(struct ag_broker *broker, const struct kd_str *filters, size_t n, bool on)
{
    struct kd_err err;
    enum kd_code code = on ? kd_mqtt_subscribe(broker->mqtt, filters, n, 1, &err)
                           : kd_mqtt_unsubscribe(broker->mqtt, filters, n, 1, &err);
    if (code != KD_OK && code != KD_UNAVAILABLE)
        kd_log(LOG_WARNING, "broker.subscribe", "why=\"%s\"", err.story);
}

void ag_broker_objects(struct ag_broker *broker, const struct kd_str *digests, size_t n, bool on)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1024 * 1024);
    struct kd_str filters[KD_MQTT_FILTERS_MAX];
    size_t filled = 0;
    for (size_t i = 0; i < n; i++) {
        filters[filled] = ag_filter(broker, KD_TOPIC_OBJECT, digests[i], &arena);
        if (filters[filled].p)
            filled++;
        if (filled == KD_MQTT_FILTERS_MAX || i + 1 == n) {
            ag_filters_send(broker, filters, filled, on);
            filled = 0;
        }
    }
}

void ag_broker_reconnect_after(struct ag_broker *broker, int64_t delay_us)
{
    kd_mqtt_reconnect_after(broker->mqtt, delay_us);
}
