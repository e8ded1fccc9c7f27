/** Requests and their replies. */
#include "coordinator/cli/client.h"

#include <stdio.h>

#include "shared/base/own.h"
#include "shared/model/fields.h"
#include "shared/model/messages.h"
#include "shared/model/name.h"
#include "shared/model/topic.h"
#include "shared/mqtt/mqtt.h"
#include "shared/os/clock.h"
#include "shared/os/file.h"
#include "shared/os/random.h"

enum {
    CT_ID_CHARS = 32,
    CT_CONNECT_US = 10000000,  /* how long a first connection may take */
    CT_ATTEMPTS_US = 2000000,  /* the same once an attempt has failed */
    CT_REPEAT_US = 5000000,    /* a request without a reply is sent again after this */
    CT_UNHEARD_US = 500000,    /* the same where the broker said that nobody listens */
    CT_REASON_NO_MATCH = 0x10, /* PUBACK: nobody has subscribed to this topic */
    CT_TOKEN_REPLIES = 1,
    CT_TOKEN_STATES = 2,
    CT_REPLY_MEMORY = 4 * 1024 * 1024,
};

struct ct_client {
    const struct ct_settings *settings;
    uv_loop_t loop;
    uv_timer_t alarm;
    struct kd_mqtt *mqtt;
    char operator_name[KD_OPERATOR_MAX + 1];
    char reply_topic[KD_TOPIC_MAX + 1];
    unsigned connections;
    bool is_ready, is_lost; /* subscribed to the replies; the last failure was a missing connection */
    struct kd_err trouble;  /* why there is no connection, or what the broker refused */
    /* the request at hand */
    struct kd_str topic;
    const struct kd_buf *body;
    const char *id; /* NULL: no request is at hand */
    struct kd_mono sent;
    bool was_sent, is_unheard;
    struct kd_buf reply;
    bool has_reply, is_refused;
    /* what is watched */
    char watched[KD_TOPIC_MAX + 1];
    ct_on_state *on_state;
    void *state_ctx;
};

/* ---- callbacks ---- */

static void ct_on_connected(void *ctx, const struct kd_mqtt_session *session)
{
    (void)session;
    struct ct_client *client = ctx;
    client->connections++;
    client->was_sent = false;
    const struct kd_str replies = kd_str(client->reply_topic), states = kd_str(client->watched);
    enum kd_code code = kd_mqtt_subscribe(client->mqtt, &replies, 1, CT_TOKEN_REPLIES, &client->trouble);
    if (code == KD_OK && states.n)
        code = kd_mqtt_subscribe(client->mqtt, &states, 1, CT_TOKEN_STATES, &client->trouble);
    if (code != KD_OK)
        kd_mqtt_reconnect_after(client->mqtt, CT_UNHEARD_US);
}

static void ct_on_disconnected(void *ctx, const struct kd_mqtt_end *end)
{
    struct ct_client *client = ctx;
    client->is_ready = false;
    (void)kd_fail(&client->trouble, KD_UNAVAILABLE, end->reason, "%s", end->text);
}

static void ct_on_subscribed(void *ctx, uint64_t token, const int *reasons, size_t count)
{
    struct ct_client *client = ctx;
    bool granted = count && reasons[0] < 0x80;
    client->is_ready |= granted && token == CT_TOKEN_REPLIES;
    if (!granted && count) {
        client->is_refused = true;
        (void)kd_fail(&client->trouble, KD_FORBIDDEN, reasons[0], "the broker does not let '%s' subscribe to %s in project '%.*s'",
                      client->operator_name, token == CT_TOKEN_REPLIES ? "replies" : "states", KD_ARG(client->settings->project));
    }
}

static void ct_on_published(void *ctx, uint64_t token, int reason)
{
    (void)token;
    struct ct_client *client = ctx;
    client->is_unheard = reason == CT_REASON_NO_MATCH;
    if (reason < 0x80)
        return;
    client->is_refused = true;
    (void)kd_fail(&client->trouble, KD_FORBIDDEN, reason,
                  "the broker does not let '%s' send requests to project '%.*s' (reason %d)", client->operator_name,
                  KD_ARG(client->settings->project), reason);
}

static void ct_on_message(void *ctx, const struct kd_mqtt_message *message)
{
    struct ct_client *client = ctx;
    if (!kd_str_is(message->topic, client->reply_topic)) {
        if (client->on_state)
            client->on_state(client->state_ctx, message->topic, message->payload);
        return;
    }
    if (client->id == NULL || client->has_reply || !kd_str_is(message->correlation_data, client->id))
        return; /* a late reply to an earlier request, or a repeated one */
    kd_buf_reset(&client->reply);
    kd_buf_add(&client->reply, message->payload);
    client->has_reply = true;
}

static const struct kd_mqtt_ops ct_ops = { .connected = ct_on_connected,
                                           .disconnected = ct_on_disconnected,
                                           .message = ct_on_message,
                                           .published = ct_on_published,
                                           .subscribed = ct_on_subscribed };

/* ---- the loop ---- */

static void ct_on_alarm(uv_timer_t *alarm)
{
    (void)alarm; /* only ends the turn */
}

void ct_client_turn(struct ct_client *client, struct kd_mono deadline)
{
    int64_t left_us = deadline.us - kd_mono_now().us;
    if (left_us <= 0)
        return;
    (void)uv_timer_start(&client->alarm, ct_on_alarm, (uint64_t)left_us / 1000 + 1, 0);
    (void)uv_run(&client->loop, UV_RUN_ONCE);
    (void)uv_timer_stop(&client->alarm);
}

unsigned ct_client_connections(const struct ct_client *client)
{
    return client->connections;
}

bool ct_client_is_lost(const struct ct_client *client)
{
    return client->is_lost;
}

struct kd_mono ct_client_deadline(const struct ct_client *client)
{
    return (struct kd_mono){ kd_mono_now().us + client->settings->timeout_us };
}

static struct kd_mono ct_earlier(struct kd_mono a, struct kd_mono b)
{
    return a.us < b.us ? a : b;
}

/* ---- opening and closing ---- */

static enum kd_code ct_read_password(const struct ct_settings *settings, struct kd_buf *password, struct kd_err *err)
{
    if (settings->password_file.n == 0)
        return KD_OK;
    if (kd_file_read(settings->password_file.p, password, err) != KD_OK)
        return kd_wrap(err, "password_file");
    struct kd_str rest = kd_buf_str(password);
    password->n = kd_str_cut(&rest, '\n').n;
    return KD_OK;
}

static enum kd_code ct_client_start(struct ct_client *client, struct kd_err *err)
{
    char random[17], id[KD_OPERATOR_MAX + 32];
    struct kd_buf password = KD_BUF(1024);
    const struct ct_settings *s = client->settings;
    enum kd_code code = ct_read_password(s, &password, err);
    kd_random_text(random, sizeof(random) - 1);
    (void)snprintf(id, sizeof(id), "%s/%s", client->operator_name, random);
    (void)snprintf(client->reply_topic, sizeof(client->reply_topic), KD_TOPIC_ROOT "%.*s/reply/%s/%s", KD_ARG(s->project),
                   client->operator_name, random);
    const struct kd_mqtt_options options = { .address = s->broker,
                                             .client_id = kd_str(id),
                                             .ca_file = s->ca_file,
                                             .cert_file = s->cert_file,
                                             .key_file = s->key_file,
                                             .username = s->username,
                                             .password = kd_buf_str(&password),
                                             .backoff_min_us = 100000,
                                             .backoff_max_us = 1000000 };
    code = code ? code : kd_mqtt_open(&client->loop, &options, &ct_ops, client, &client->mqtt, err);
    if (password.p)
        explicit_bzero(password.p, password.cap);
    kd_buf_clear(&password);
    return code;
}

static enum kd_code ct_client_name(struct ct_client *client, struct kd_err *err)
{
    struct kd_str name = client->settings->operator_name;
    const char *account = getenv("USER");
    if (name.n == 0)
        name = kd_str(account && account[0] ? account : "operator");
    if (!kd_is_operator(name) || !kd_str_copy(name, client->operator_name, sizeof(client->operator_name)))
        return kd_fail_field(err, KD_INVALID, "operator", "operator '%.*s' must be letters, digits and . _ @ -, at most %d",
                             KD_ARG(name), KD_OPERATOR_MAX);
    if (!kd_is_name(client->settings->project))
        return kd_fail_field(err, KD_INVALID, "project", "project '%.*s' %s", KD_ARG(client->settings->project), KD_NAME_RULE);
    return KD_OK;
}

static void ct_client_closep(struct ct_client **client)
{
    *client = ct_client_close(*client);
}

/** Waits for the first connection. The failure is client->trouble. */
static enum kd_code ct_client_await(struct ct_client *client)
{
    struct kd_mono now = kd_mono_now(), long_until = { now.us + CT_CONNECT_US }, until = { now.us + CT_ATTEMPTS_US };
    long_until = ct_earlier(long_until, ct_client_deadline(client));
    until = ct_earlier(until, long_until);
    while (!client->is_ready && !client->is_refused && kd_mono_now().us < long_until.us) {
        bool has_failed = client->trouble.code != KD_OK;
        if (has_failed && kd_mono_now().us >= until.us)
            break;
        ct_client_turn(client, has_failed ? until : long_until);
    }
    if (!client->is_ready && client->trouble.code == KD_OK)
        (void)kd_fail(&client->trouble, KD_UNAVAILABLE, 0, "%.*s does not answer", KD_ARG(client->settings->broker));
    return client->is_ready ? KD_OK : client->trouble.code;
}

enum kd_code ct_client_open(const struct ct_settings *settings, struct ct_client **ret, struct kd_err *err)
{
    KD_AUTO(ct_client_closep) struct ct_client *client = calloc(1, sizeof(*client));
    if (client == NULL || uv_loop_init(&client->loop) != 0) {
        free(KD_TAKE(client, NULL));
        return kd_fail(err, KD_INTERNAL, 0, "no memory for the client");
    }
    (void)uv_timer_init(&client->loop, &client->alarm);
    client->settings = settings;
    client->reply.max = CT_REPLY_MEMORY;
    enum kd_code code = ct_client_name(client, err);
    code = code ? code : ct_client_start(client, err);
    if (code != KD_OK)
        return code;
    if (ct_client_await(client) != KD_OK) {
        if (err)
            *err = client->trouble;
        return client->trouble.code;
    }
    *ret = KD_TAKE(client, NULL);
    return KD_OK;
}

struct ct_client *ct_client_close(struct ct_client *client)
{
    if (client == NULL)
        return NULL;
    client->mqtt = kd_mqtt_close(client->mqtt, KD_MQTT_DISCONNECT);
    uv_close((uv_handle_t *)&client->alarm, NULL);
    (void)uv_run(&client->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&client->loop);
    kd_buf_clear(&client->reply);
    free(client);
    return NULL;
}

/* ---- calling ---- */

struct ct_reply_error {
    struct kd_str code, message, field;
};

static const struct kd_json_field ct_reply_error_fields[] = {
    F_TEXT(struct ct_reply_error, code, "code", .required = true),
    F_TEXT(struct ct_reply_error, message, "message", .max = KD_PAYLOAD_MAX),
    F_TEXT(struct ct_reply_error, field, "field"),
};
static const struct kd_json_shape ct_reply_error_shape = KD_SHAPE(struct ct_reply_error, ct_reply_error_fields, "an error");

struct ct_reply {
    bool ok;
    struct kd_str result;
    struct ct_reply_error error;
};

static const struct kd_json_field ct_reply_fields[] = {
    F_FLAG(struct ct_reply, ok, "ok", .required = true),
    F_RAW(struct ct_reply, result, "result"),
    F_OBJECT(struct ct_reply, error, &ct_reply_error_shape, "error"),
};
static const struct kd_json_shape ct_reply_shape = KD_SHAPE(struct ct_reply, ct_reply_fields, "a reply");

static enum kd_code ct_reply_read(struct kd_str json, struct kd_arena *arena, struct kd_str *ret_result, struct kd_err *err)
{
    struct ct_reply reply;
    if (kd_json_decode(&ct_reply_shape, json, arena, &reply, err) != KD_OK) {
        (void)kd_wrap(err, "the coordinator's reply cannot be read");
        return err ? (err->code = KD_INTERNAL) : KD_INTERNAL;
    }
    if (!reply.ok)
        return kd_fail_field(err, kd_code_of(reply.error.code.p, reply.error.code.n),
                             reply.error.field.p ? reply.error.field.p : "", "%.*s", KD_ARG(reply.error.message));
    *ret_result = reply.result.p ? reply.result : KD_STR("{}");
    return KD_OK;
}

/** `{"id":"…",` and the members of the body. */
static void ct_request_write(struct kd_buf *out, const char *id, struct kd_str body)
{
    struct kd_str members = kd_str_trim(body);
    members = members.n >= 2 ? (struct kd_str){ members.p + 1, members.n - 1 } : KD_STR("}");
    bool is_empty = kd_str_trim(members).p[0] == '}';
    kd_buf_printf(out, "{\"id\":\"%s\"%s", id, is_empty ? "" : ",");
    kd_buf_add(out, members);
}

/** Sends the request if it is time to, and says when to look again. */
static enum kd_code ct_call_send(struct ct_client *client, struct kd_mono *ret_again, struct kd_err *err)
{
    struct kd_mono now = kd_mono_now();
    int64_t pause_us = client->is_unheard ? CT_UNHEARD_US : CT_REPEAT_US;
    *ret_again = (struct kd_mono){ now.us + pause_us };
    if (!client->is_ready || (client->was_sent && now.us - client->sent.us < pause_us))
        return KD_OK;
    const struct kd_mqtt_message message = { .topic = client->topic,
                                             .payload = kd_buf_str(client->body),
                                             .response_topic = kd_str(client->reply_topic),
                                             .correlation_data = kd_str(client->id),
                                             .qos = 1 };
    enum kd_code code = kd_mqtt_publish(client->mqtt, &message, err);
    if (code == KD_OK) {
        client->sent = now;
        client->was_sent = true;
    }
    return code == KD_UNAVAILABLE ? KD_OK : code;
}

static enum kd_code ct_call_fail(struct ct_client *client, struct kd_err *err)
{
    client->is_lost = !client->is_ready;
    if (client->is_refused || client->is_lost) {
        if (err)
            *err = client->trouble;
        return client->trouble.code;
    }
    return client->is_unheard ? kd_fail(err, KD_TIMEOUT, 0, "no coordinator listens to project '%.*s' at %.*s",
                                        KD_ARG(client->settings->project), KD_ARG(client->settings->broker))
                              : kd_fail(err, KD_TIMEOUT, 0, "the coordinator did not reply in time");
}

static enum kd_code ct_call_wait(struct ct_client *client, struct kd_mono deadline, struct kd_err *err)
{
    struct kd_mono again = deadline;
    while (!client->has_reply) {
        if (client->is_refused || kd_mono_now().us >= deadline.us)
            return ct_call_fail(client, err);
        enum kd_code code = ct_call_send(client, &again, err);
        if (code != KD_OK)
            return code;
        ct_client_turn(client, ct_earlier(again, deadline));
    }
    return KD_OK;
}

enum kd_code ct_client_call(struct ct_client *client, const char *kind, const char *verb, struct kd_str body,
                            struct kd_mono deadline, struct kd_arena *arena, struct kd_str *ret_result, struct kd_err *err)
{
    char id[CT_ID_CHARS + 1];
    KD_AUTO(kd_buf_clear) struct kd_buf topic = KD_BUF(KD_TOPIC_MAX);
    KD_AUTO(kd_buf_clear) struct kd_buf request = KD_BUF(KD_PAYLOAD_MAX);
    kd_random_text(id, CT_ID_CHARS);
    kd_topic_add(&topic, KD_TOPIC_REQUEST, client->settings->project, kd_str(client->operator_name), kd_str(kind), kd_str(verb));
    ct_request_write(&request, id, body);
    if (request.overflow)
        return kd_fail(err, KD_TOO_LARGE, 0, "the request is larger than %d bytes", KD_PAYLOAD_MAX);
    client->topic = kd_buf_str(&topic);
    client->body = &request;
    client->id = id;
    client->was_sent = client->is_unheard = client->has_reply = client->is_lost = false;
    enum kd_code code = ct_call_wait(client, deadline, err);
    client->id = NULL;
    client->body = NULL;
    return code ? code : ct_reply_read(kd_buf_str(&client->reply), arena, ret_result, err);
}

void ct_client_watch(struct ct_client *client, const char *filter, ct_on_state *on_state, void *ctx)
{
    client->on_state = on_state;
    client->state_ctx = ctx;
    (void)snprintf(client->watched, sizeof(client->watched), KD_TOPIC_ROOT "%.*s/state/%s", KD_ARG(client->settings->project),
                   filter);
    const struct kd_str states = kd_str(client->watched);
    if (client->is_ready && kd_mqtt_subscribe(client->mqtt, &states, 1, CT_TOKEN_STATES, NULL) != KD_OK)
        kd_mqtt_reconnect_after(client->mqtt, 0); /* subscribes to both anew */
}
