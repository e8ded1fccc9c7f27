/** The loop's side of the MQTT client: options, what is in flight, and the hand-over of events. */
#include "shared/mqtt/mqtt.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "shared/base/own.h"
#include "shared/mqtt/link.h"

enum {
    KD_MQTT_SUBSCRIBES_MAX = 1024, /* SUBSCRIBE and UNSUBSCRIBE that wait for their answers */
    KD_MQTT_SEND_MAX = 10000,
};

/** A packet that waits for its answer. */
struct kd_pending {
    int mid;
    bool is_publish;
    uint64_t token;
};

struct kd_mqtt {
    struct kd_link link; /* first: the thread's last act finds the client by it */
    atomic_int users;    /* the loop's handle and the thread: the last one frees */
    uv_async_t wake;
    const struct kd_mqtt_ops *ops;
    void *ctx;
    bool has_begun, is_closed;
    struct kd_mqtt_session session; /* connection 0: none */
    struct kd_pending *pending;     /* in the order of sending, which is the order of answers but for errors */
    size_t pending_first, pending_end, pending_cap;
    size_t publishes, subscribes; /* of these */
};

/* ---- what is in flight ---- */

static bool kd_pending_grow(struct kd_mqtt *mqtt)
{
    size_t used = mqtt->pending_end - mqtt->pending_first;
    if (mqtt->pending_first > used) { /* half is free: move instead of growing */
        memmove(mqtt->pending, mqtt->pending + mqtt->pending_first, used * sizeof(*mqtt->pending));
    } else {
        size_t cap = mqtt->pending_cap ? mqtt->pending_cap * 2 : 16;
        struct kd_pending *grown = reallocarray(NULL, cap, sizeof(*grown));
        if (grown == NULL)
            return false;
        if (used)
            memcpy(grown, mqtt->pending + mqtt->pending_first, used * sizeof(*grown));
        free(mqtt->pending);
        mqtt->pending = grown;
        mqtt->pending_cap = cap;
    }
    mqtt->pending_first = 0;
    mqtt->pending_end = used;
    return true;
}

static bool kd_pending_has_room(struct kd_mqtt *mqtt)
{
    return mqtt->pending_end < mqtt->pending_cap || kd_pending_grow(mqtt);
}

/** There is room: it was asked for before the packet was sent. */
static void kd_pending_add(struct kd_mqtt *mqtt, int mid, bool is_publish, uint64_t token)
{
    mqtt->pending[mqtt->pending_end++] = (struct kd_pending){ .mid = mid, .is_publish = is_publish, .token = token };
    *(is_publish ? &mqtt->publishes : &mqtt->subscribes) += 1;
}

static bool kd_pending_take(struct kd_mqtt *mqtt, int mid, bool is_publish, uint64_t *ret_token)
{
    size_t i = mqtt->pending_first;
    while (i < mqtt->pending_end && (mqtt->pending[i].mid != mid || mqtt->pending[i].is_publish != is_publish))
        i++;
    if (i == mqtt->pending_end)
        return false;
    *ret_token = mqtt->pending[i].token;
    memmove(mqtt->pending + mqtt->pending_first + 1, mqtt->pending + mqtt->pending_first,
            (i - mqtt->pending_first) * sizeof(*mqtt->pending));
    mqtt->pending_first++;
    *(is_publish ? &mqtt->publishes : &mqtt->subscribes) -= 1;
    return true;
}

static void kd_pending_forget(struct kd_mqtt *mqtt)
{
    mqtt->pending_first = mqtt->pending_end = mqtt->publishes = mqtt->subscribes = 0;
}

/* ---- events ---- */

static void kd_mqtt_on_connected(struct kd_mqtt *mqtt, const struct kd_event *event)
{
    mqtt->session = event->u.session;
    if (mqtt->ops->connected)
        mqtt->ops->connected(mqtt->ctx, &event->u.session);
}

static void kd_mqtt_on_ended(struct kd_mqtt *mqtt, const struct kd_event *event)
{
    mqtt->session = (struct kd_mqtt_session){ 0 };
    kd_pending_forget(mqtt);
    if (mqtt->ops->disconnected)
        mqtt->ops->disconnected(mqtt->ctx, &event->u.end);
    kd_link_begin(&mqtt->link); /* now the will of the next connection is set */
}

static void kd_mqtt_on_message(struct kd_mqtt *mqtt, const struct kd_event *event)
{
    if (mqtt->ops->message)
        mqtt->ops->message(mqtt->ctx, &event->u.message);
}

static void kd_mqtt_on_published(struct kd_mqtt *mqtt, const struct kd_event *event)
{
    uint64_t token = 0;
    if (kd_pending_take(mqtt, event->u.published.mid, true, &token) && mqtt->ops->published)
        mqtt->ops->published(mqtt->ctx, token, event->u.published.reason);
}

static void kd_mqtt_on_subscribed(struct kd_mqtt *mqtt, const struct kd_event *event)
{
    uint64_t token = 0;
    if (kd_pending_take(mqtt, event->u.subscribed.mid, false, &token) && mqtt->ops->subscribed)
        mqtt->ops->subscribed(mqtt->ctx, token, event->u.subscribed.reasons, event->u.subscribed.count);
}

static void (*const kd_mqtt_handlers[])(struct kd_mqtt *mqtt, const struct kd_event *event) = {
    [KD_EVENT_CONNECTED] = kd_mqtt_on_connected,   [KD_EVENT_ENDED] = kd_mqtt_on_ended,
    [KD_EVENT_MESSAGE] = kd_mqtt_on_message,       [KD_EVENT_PUBLISHED] = kd_mqtt_on_published,
    [KD_EVENT_SUBSCRIBED] = kd_mqtt_on_subscribed,
};

/** A callback may close the client: what is left of the batch is then freed unseen. */
static void kd_mqtt_on_wake(uv_async_t *wake)
{
    struct kd_mqtt *mqtt = wake->data;
    if (!mqtt->has_begun)
        kd_link_begin(&mqtt->link);
    mqtt->has_begun = true;
    struct kd_event *event = kd_inbox_take(&mqtt->link.inbox);
    while (event) {
        struct kd_event *next = event->next;
        if (!mqtt->is_closed)
            kd_mqtt_handlers[event->kind](mqtt, event);
        kd_inbox_done(&mqtt->link.inbox, event);
        event = next;
    }
    if (!mqtt->is_closed && mqtt->ops->drained)
        mqtt->ops->drained(mqtt->ctx);
}

/* ---- opening ---- */

/** A terminated copy in *ret, NULL for an empty text. */
static enum kd_code kd_option_text(const char *name, struct kd_str text, char **ret, struct kd_err *err)
{
    *ret = NULL;
    if (text.n == 0)
        return KD_OK;
    if (memchr(text.p, '\0', text.n))
        return kd_fail_field(err, KD_INVALID, name, "%s holds a 0 byte", name);
    char *copy = malloc(text.n + 1);
    if (copy == NULL)
        return kd_fail(err, KD_INTERNAL, 0, "no memory for %s", name);
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    *ret = copy;
    return KD_OK;
}

static enum kd_code kd_option_number(const char *name, int64_t value, int64_t fallback, int64_t min, int64_t max, int64_t *ret,
                                     struct kd_err *err)
{
    int64_t number = value ? value : fallback;
    if (number < min || number > max)
        return kd_fail_field(err, KD_INVALID, name, "%s is %lld, must be %lld to %lld", name, (long long)number, (long long)min,
                             (long long)max);
    *ret = number;
    return KD_OK;
}

static enum kd_code kd_options_read_texts(const struct kd_mqtt_options *o, struct kd_link_settings *s, struct kd_err *err)
{
    const struct {
        const char *name;
        struct kd_str text;
        char **at;
    } rows[] = {
        { "address", o->address, &s->address_text }, { "client_id", o->client_id, &s->client_id },
        { "ca_file", o->ca_file, &s->ca_file },      { "cert_file", o->cert_file, &s->cert_file },
        { "key_file", o->key_file, &s->key_file },   { "username", o->username, &s->username },
        { "password", o->password, &s->password },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++)
        if (kd_option_text(rows[i].name, rows[i].text, rows[i].at, err) != KD_OK)
            return KD_INVALID;
    if (s->client_id == NULL)
        return kd_fail_field(err, KD_INVALID, "client_id", "client_id is missing");
    if ((s->cert_file == NULL) != (s->key_file == NULL))
        return kd_fail_field(err, KD_INVALID, "key_file", "cert_file and key_file go together: set both or none");
    return KD_OK;
}

static enum kd_code kd_options_read_numbers(const struct kd_mqtt_options *o, struct kd_link_settings *s, int64_t *ret_queue,
                                            struct kd_err *err)
{
    int64_t keep_alive_s = 0, min_us = 0, max_us = 0, receive = 0, send = 0, packet = 0, queue = 0;
    const struct {
        const char *name;
        int64_t value, fallback, min, max, *at;
    } rows[] = {
        { "keep_alive_s", o->keep_alive_s, 60, 5, 65535, &keep_alive_s },
        { "backoff_min_us", o->backoff_min_us, KD_US_PER_S, 1000, 3600 * KD_US_PER_S, &min_us },
        { "backoff_max_us", o->backoff_max_us, 60 * KD_US_PER_S, 1000, 86400 * KD_US_PER_S, &max_us },
        { "receive_maximum", o->receive_maximum, 100, 1, 65535, &receive },
        { "send_maximum", o->send_maximum, 100, 1, KD_MQTT_SEND_MAX, &send },
        { "packet_bytes_max", o->packet_bytes_max, 1048576, 1024, 268435455, &packet },
        { "queue_bytes_max", (int64_t)o->queue_bytes_max, 4194304, 1024, INT64_C(1) << 32, &queue },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++)
        if (kd_option_number(rows[i].name, rows[i].value, rows[i].fallback, rows[i].min, rows[i].max, rows[i].at, err) != KD_OK)
            return KD_INVALID;
    s->keep_alive_s = (int)keep_alive_s;
    s->backoff_min_us = min_us;
    s->backoff_max_us = max_us < min_us ? min_us : max_us;
    s->receive_maximum = (int)receive;
    s->send_maximum = (int)send;
    s->packet_bytes_max = (uint32_t)packet;
    *ret_queue = queue;
    return KD_OK;
}

static void kd_mqtt_release(struct kd_mqtt *mqtt)
{
    if (atomic_fetch_sub(&mqtt->users, 1) > 1)
        return;
    kd_link_clear(&mqtt->link);
    kd_inbox_clear(&mqtt->link.inbox);
    free(mqtt->pending);
    free(mqtt);
}

static void kd_mqtt_on_thread_end(struct kd_link *link)
{
    kd_mqtt_release((struct kd_mqtt *)link);
}

static void kd_mqtt_on_handle_closed(uv_handle_t *handle)
{
    kd_mqtt_release(handle->data);
}

static void kd_mqtt_freep(struct kd_mqtt **mqtt)
{
    if (*mqtt == NULL)
        return;
    kd_link_settings_clear(&(*mqtt)->link.settings);
    free(*mqtt);
}

enum kd_code kd_mqtt_open(uv_loop_t *loop, const struct kd_mqtt_options *options, const struct kd_mqtt_ops *ops, void *ctx,
                          struct kd_mqtt **ret, struct kd_err *err)
{
    KD_AUTO(kd_mqtt_freep) struct kd_mqtt *mqtt = calloc(1, sizeof(*mqtt));
    if (mqtt == NULL)
        return kd_fail(err, KD_INTERNAL, 0, "no memory for the MQTT client");
    int64_t queue_bytes = 0;
    struct kd_link_settings *settings = &mqtt->link.settings;
    enum kd_code code = kd_mqtt_address_parse(options->address, &settings->address, err);
    code = code ? code : kd_options_read_texts(options, settings, err);
    code = code ? code : kd_options_read_numbers(options, settings, &queue_bytes, err);
    if (code != KD_OK)
        return code;
    (void)mosquitto_lib_init(); /* counts its calls */
    mqtt->ops = ops;
    mqtt->ctx = ctx;
    atomic_init(&mqtt->users, 2);
    int rc = uv_async_init(loop, &mqtt->wake, kd_mqtt_on_wake);
    if (rc)
        return kd_fail(err, KD_INTERNAL, rc, "prepare the MQTT client: %s", uv_strerror(rc));
    mqtt->wake.data = mqtt;
    kd_inbox_init(&mqtt->link.inbox, (size_t)queue_bytes, &mqtt->wake);
    code = kd_link_start(&mqtt->link, err);
    struct kd_mqtt *made = KD_TAKE(mqtt, NULL);
    if (code == KD_OK) {
        (void)uv_async_send(&made->wake); /* the first attempt begins when the loop runs */
        *ret = made;
        return KD_OK;
    }
    atomic_store(&made->users, 1); /* no thread */
    uv_close((uv_handle_t *)&made->wake, kd_mqtt_on_handle_closed);
    return code;
}

struct kd_mqtt *kd_mqtt_close(struct kd_mqtt *mqtt, enum kd_mqtt_farewell farewell)
{
    if (mqtt == NULL || mqtt->is_closed)
        return NULL;
    mqtt->is_closed = true;
    if (kd_link_stop(&mqtt->link, farewell, kd_mqtt_on_thread_end))
        atomic_fetch_sub(&mqtt->users, 1);
    uv_close((uv_handle_t *)&mqtt->wake, kd_mqtt_on_handle_closed);
    return NULL;
}

/* ---- sending ---- */

static const struct {
    int rc;
    enum kd_code code;
    const char *text;
} kd_send_codes[] = {
    { MOSQ_ERR_NO_CONN, KD_UNAVAILABLE, "not connected to the broker" },
    { MOSQ_ERR_CONN_LOST, KD_UNAVAILABLE, "not connected to the broker" },
    { MOSQ_ERR_OVERSIZE_PACKET, KD_TOO_LARGE, "larger than the broker's Maximum Packet Size" },
    { MOSQ_ERR_PAYLOAD_SIZE, KD_TOO_LARGE, "larger than MQTT allows" },
    { MOSQ_ERR_INVAL, KD_INVALID, "not a valid topic" },
    { MOSQ_ERR_MALFORMED_UTF8, KD_INVALID, "not valid UTF-8" },
};

static enum kd_code kd_send_fail(int rc, struct kd_str topic, struct kd_err *err)
{
    for (size_t i = 0; i < KD_COUNT(kd_send_codes); i++)
        if (kd_send_codes[i].rc == rc)
            return kd_fail(err, kd_send_codes[i].code, rc, "'%.*s': %s", KD_ARG(topic), kd_send_codes[i].text);
    return kd_fail(err, KD_INTERNAL, rc, "'%.*s': %s", KD_ARG(topic), mosquitto_strerror(rc));
}

/** The library wants terminated texts. */
struct kd_sendable {
    char s[KD_MQTT_TOPIC_MAX + 1];
};

static bool kd_sendable(struct kd_str text, struct kd_sendable *ret)
{
    return (text.n == 0 || memchr(text.p, '\0', text.n) == NULL) && kd_str_copy(text, ret->s, sizeof(ret->s));
}

static void kd_mqtt_propertiesp(mosquitto_property **properties)
{
    mosquitto_property_free_all(properties);
}

static enum kd_code kd_message_properties(const struct kd_mqtt_message *message, mosquitto_property **ret, struct kd_err *err)
{
    struct kd_sendable key, value;
    bool fits = kd_sendable(message->response_topic, &value) && message->correlation_data.n <= UINT16_MAX;
    int rc = MOSQ_ERR_SUCCESS;
    if (fits && message->response_topic.n)
        rc = mosquitto_property_add_string(ret, MQTT_PROP_RESPONSE_TOPIC, value.s);
    if (fits && rc == MOSQ_ERR_SUCCESS && message->correlation_data.n)
        rc = mosquitto_property_add_binary(ret, MQTT_PROP_CORRELATION_DATA, message->correlation_data.p,
                                           (uint16_t)message->correlation_data.n);
    for (size_t i = 0; fits && rc == MOSQ_ERR_SUCCESS && i < message->property_count; i++) {
        fits = kd_sendable(message->properties[i].key, &key) && kd_sendable(message->properties[i].value, &value);
        if (fits)
            rc = mosquitto_property_add_string_pair(ret, MQTT_PROP_USER_PROPERTY, key.s, value.s);
    }
    if (!fits)
        return kd_fail(err, KD_INVALID, 0, "'%.*s': a property is too long or holds a 0 byte", KD_ARG(message->topic));
    return rc ? kd_send_fail(rc, message->topic, err) : KD_OK;
}

/** What must hold for any message, also for a will. */
static enum kd_code kd_message_check(const struct kd_mqtt_message *message, struct kd_sendable *ret_topic, struct kd_err *err)
{
    if (message->topic.n == 0 || !kd_sendable(message->topic, ret_topic) || mosquitto_pub_topic_check(ret_topic->s))
        return kd_fail(err, KD_INVALID, 0, "'%.*s' is not a topic", (int)(message->topic.n < 64 ? message->topic.n : 64),
                       message->topic.p ? message->topic.p : "");
    if (message->payload.n > MQTT_MAX_PAYLOAD)
        return kd_send_fail(MOSQ_ERR_PAYLOAD_SIZE, message->topic, err);
    return KD_OK;
}

static enum kd_code kd_mqtt_send_fail_offline(struct kd_err *err)
{
    return kd_fail(err, KD_UNAVAILABLE, 0, "not connected to the broker");
}

enum kd_code kd_mqtt_publish(struct kd_mqtt *mqtt, const struct kd_mqtt_message *message, struct kd_err *err)
{
    KD_AUTO(kd_mqtt_propertiesp) mosquitto_property *properties = NULL;
    struct kd_sendable topic;
    if (!kd_mqtt_is_connected(mqtt))
        return kd_mqtt_send_fail_offline(err);
    enum kd_code code = kd_message_check(message, &topic, err);
    code = code ? code : kd_message_properties(message, &properties, err);
    if (code != KD_OK)
        return code;
    if (kd_mqtt_room(mqtt) == 0 || !kd_pending_has_room(mqtt))
        return kd_fail(err, KD_UNAVAILABLE, 0, "%zu messages are in flight already", mqtt->publishes);
    struct mosquitto *mosq = kd_link_borrow(&mqtt->link, mqtt->session.connection);
    if (mosq == NULL)
        return kd_mqtt_send_fail_offline(err);
    int mid = 0;
    int rc = mosquitto_publish_v5(mosq, &mid, topic.s, (int)message->payload.n, message->payload.p, message->qos, message->retain,
                                  properties);
    kd_link_give(&mqtt->link);
    if (rc)
        return kd_send_fail(rc, message->topic, err);
    kd_pending_add(mqtt, mid, true, message->token);
    return KD_OK;
}

typedef int kd_filters_call(struct mosquitto *mosq, int *mid, int count, char *const *const filters);

static int kd_call_subscribe(struct mosquitto *mosq, int *mid, int count, char *const *const filters)
{
    return mosquitto_subscribe_multiple(mosq, mid, count, filters, 1, 0, NULL);
}

static int kd_call_unsubscribe(struct mosquitto *mosq, int *mid, int count, char *const *const filters)
{
    return mosquitto_unsubscribe_multiple(mosq, mid, count, filters, NULL);
}

/** Terminated copies of the filters in one allocation. */
static enum kd_code kd_filters_copy(const struct kd_str *filters, size_t count, char *ret[KD_MQTT_FILTERS_MAX], char **ret_owned,
                                    struct kd_err *err)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        if (filters[i].n == 0 || filters[i].n > KD_MQTT_TOPIC_MAX || memchr(filters[i].p, '\0', filters[i].n))
            return kd_fail(err, KD_INVALID, 0, "'%.*s' is not a topic filter", KD_ARG(filters[i]));
        bytes += filters[i].n + 1;
    }
    char *at = calloc(1, bytes);
    if (at == NULL)
        return kd_fail(err, KD_INTERNAL, 0, "no memory for %zu filters", count);
    for (size_t i = 0; i < count; i++) {
        ret[i] = at;
        memcpy(at, filters[i].p, filters[i].n);
        at += filters[i].n + 1;
    }
    *ret_owned = ret[0];
    return KD_OK;
}

static enum kd_code kd_mqtt_send_filters(struct kd_mqtt *mqtt, const struct kd_str *filters, size_t count, uint64_t token,
                                         kd_filters_call *call, struct kd_err *err)
{
    char *texts[KD_MQTT_FILTERS_MAX] = { NULL };
    KD_AUTO(kd_freep) char *owned = NULL;
    if (!kd_mqtt_is_connected(mqtt))
        return kd_mqtt_send_fail_offline(err);
    if (count == 0 || count > KD_MQTT_FILTERS_MAX)
        return kd_fail(err, KD_INVALID, 0, "%zu filters, must be 1 to %d", count, KD_MQTT_FILTERS_MAX);
    enum kd_code code = kd_filters_copy(filters, count, texts, &owned, err);
    if (code != KD_OK)
        return code;
    if (mqtt->subscribes >= KD_MQTT_SUBSCRIBES_MAX || !kd_pending_has_room(mqtt))
        return kd_fail(err, KD_UNAVAILABLE, 0, "%zu subscriptions wait for their answer already", mqtt->subscribes);
    struct mosquitto *mosq = kd_link_borrow(&mqtt->link, mqtt->session.connection);
    if (mosq == NULL)
        return kd_mqtt_send_fail_offline(err);
    int mid = 0;
    int rc = call(mosq, &mid, (int)count, texts);
    kd_link_give(&mqtt->link);
    if (rc)
        return kd_send_fail(rc, filters[0], err);
    kd_pending_add(mqtt, mid, false, token);
    return KD_OK;
}

enum kd_code kd_mqtt_subscribe(struct kd_mqtt *mqtt, const struct kd_str *filters, size_t count, uint64_t token, struct kd_err *err)
{
    return kd_mqtt_send_filters(mqtt, filters, count, token, kd_call_subscribe, err);
}

enum kd_code kd_mqtt_unsubscribe(struct kd_mqtt *mqtt, const struct kd_str *filters, size_t count, uint64_t token,
                                 struct kd_err *err)
{
    return kd_mqtt_send_filters(mqtt, filters, count, token, kd_call_unsubscribe, err);
}

enum kd_code kd_mqtt_will_set(struct kd_mqtt *mqtt, const struct kd_mqtt_message *will, struct kd_err *err)
{
    struct kd_event *copy = NULL;
    struct kd_sendable topic;
    if (will) {
        enum kd_code code = kd_message_check(will, &topic, err);
        if (code != KD_OK)
            return code;
        copy = kd_event_of_message(will);
        if (copy == NULL)
            return kd_fail(err, KD_INTERNAL, 0, "no memory for the will");
    }
    (void)pthread_mutex_lock(&mqtt->link.mutex);
    struct kd_event *before = KD_TAKE(mqtt->link.will, copy);
    (void)pthread_mutex_unlock(&mqtt->link.mutex);
    free(before);
    return KD_OK;
}

void kd_mqtt_reconnect_after(struct kd_mqtt *mqtt, int64_t delay_us)
{
    kd_link_reconnect_after(&mqtt->link, delay_us > 0 ? delay_us : 0);
}

bool kd_mqtt_is_connected(const struct kd_mqtt *mqtt)
{
    return !mqtt->is_closed && mqtt->session.connection != 0;
}

size_t kd_mqtt_in_flight(const struct kd_mqtt *mqtt)
{
    return mqtt->publishes;
}

size_t kd_mqtt_room(const struct kd_mqtt *mqtt)
{
    bool has_room = kd_mqtt_is_connected(mqtt) && mqtt->publishes < mqtt->session.send_maximum;
    return has_room ? mqtt->session.send_maximum - mqtt->publishes : 0;
}
