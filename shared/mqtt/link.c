/** The network thread. */
#include "shared/mqtt/link.h"

#include <errno.h>
#include <mqtt_protocol.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include "shared/base/backoff.h"
#include "shared/base/own.h"

enum {
    KD_LINK_STACK_BYTES = 262144,  /* a TLS handshake and the resolver need less than half */
    KD_LINK_STEADY_US = 10000000,  /* a connection that lasted so long starts the backoff anew */
    KD_LINK_CONNACK_US = 30000000, /* a broker that accepts and says nothing is given up then */
    KD_LINK_CONNACK_MS = 500,      /* turn of the loop while waiting for that */
    KD_LINK_FAREWELL_US = 1000000,
};

/** Where Debian, Fedora and Alpine keep the certificates that the system trusts. */
static const char kd_link_system_ca[] = "/etc/ssl/certs";

static int64_t kd_link_now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* the clock of the condition variable */
    return (int64_t)now.tv_sec * KD_US_PER_S + now.tv_nsec / 1000;
}

static struct timespec kd_link_timespec(int64_t us)
{
    return (struct timespec){ .tv_sec = (time_t)(us / KD_US_PER_S), .tv_nsec = (long)(us % KD_US_PER_S) * 1000 };
}

/* ---- callbacks of the library, on the network thread ---- */

static void kd_link_on_log(struct mosquitto *mosq, void *ctx, int level, const char *text)
{
    (void)mosq;
    struct kd_link *link = ctx;
    bool is_ours = pthread_equal(pthread_self(), link->thread) != 0; /* a publish logs on the loop's thread */
    if (is_ours && (level == MOSQ_LOG_ERR || level == MOSQ_LOG_WARNING))
        (void)snprintf(link->trouble, sizeof(link->trouble), "%s", text);
}

static void kd_link_on_connect(struct mosquitto *mosq, void *ctx, int reason, int flags, const mosquitto_property *properties)
{
    (void)mosq, (void)flags;
    struct kd_link *link = ctx;
    link->reason = reason;
    if (reason != 0)
        return;
    uint16_t receive_maximum = (uint16_t)link->settings.send_maximum, keep_alive_s = (uint16_t)link->settings.keep_alive_s;
    uint32_t packet_bytes_max = UINT32_MAX;
    (void)mosquitto_property_read_int16(properties, MQTT_PROP_RECEIVE_MAXIMUM, &receive_maximum, false);
    (void)mosquitto_property_read_int16(properties, MQTT_PROP_SERVER_KEEP_ALIVE, &keep_alive_s, false);
    (void)mosquitto_property_read_int32(properties, MQTT_PROP_MAXIMUM_PACKET_SIZE, &packet_bytes_max, false);
    int in_flight = receive_maximum < link->settings.send_maximum ? receive_maximum : link->settings.send_maximum;
    link->session = (struct kd_mqtt_session){ .connection = link->connection,
                                              .packet_bytes_max = packet_bytes_max,
                                              .send_maximum = (unsigned)in_flight,
                                              .keep_alive_s = keep_alive_s };
    link->has_session = true;
}

static void kd_link_on_disconnect(struct mosquitto *mosq, void *ctx, int code, const mosquitto_property *properties)
{
    (void)mosq, (void)properties;
    struct kd_link *link = ctx;
    if (code >= 0x80) /* a reason of MQTT, from the broker; below are codes of the library */
        link->reason = code;
    else
        link->library_code = code;
}

static void kd_link_on_publish(struct mosquitto *mosq, void *ctx, int mid, int reason, const mosquitto_property *properties)
{
    (void)mosq, (void)properties;
    (void)kd_inbox_push(&((struct kd_link *)ctx)->inbox, kd_event_of_published(mid, reason));
}

static void kd_link_on_subscribe(struct mosquitto *mosq, void *ctx, int mid, int count, const int *reasons,
                                 const mosquitto_property *properties)
{
    (void)mosq, (void)properties;
    (void)kd_inbox_push(&((struct kd_link *)ctx)->inbox, kd_event_of_subscribed(mid, reasons, count > 0 ? (size_t)count : 0));
}

static void kd_link_on_unsubscribe(struct mosquitto *mosq, void *ctx, int mid, const mosquitto_property *properties)
{
    (void)mosq, (void)properties;
    (void)kd_inbox_push(&((struct kd_link *)ctx)->inbox, kd_event_of_subscribed(mid, NULL, 0));
}

/** The parts of a message that the library gives as copies of its own. */
struct kd_link_parts {
    char *response_topic, *keys[KD_MQTT_PROPERTIES_MAX], *values[KD_MQTT_PROPERTIES_MAX];
    void *correlation_data;
    struct kd_mqtt_property properties[KD_MQTT_PROPERTIES_MAX];
};

static void kd_link_parts_clear(struct kd_link_parts *parts)
{
    free(parts->response_topic);
    free(parts->correlation_data);
    for (size_t i = 0; i < KD_MQTT_PROPERTIES_MAX; i++) {
        free(parts->keys[i]);
        free(parts->values[i]);
    }
}

static void kd_link_read_properties(const mosquitto_property *list, struct kd_link_parts *parts, struct kd_mqtt_message *message)
{
    uint16_t n = 0;
    if (mosquitto_property_read_string(list, MQTT_PROP_RESPONSE_TOPIC, &parts->response_topic, false))
        message->response_topic = kd_str(parts->response_topic);
    if (mosquitto_property_read_binary(list, MQTT_PROP_CORRELATION_DATA, &parts->correlation_data, &n, false))
        message->correlation_data = (struct kd_str){ parts->correlation_data, n };
    size_t i = 0;
    const mosquitto_property *at = list;
    while (i < KD_MQTT_PROPERTIES_MAX) {
        at = mosquitto_property_read_string_pair(at, MQTT_PROP_USER_PROPERTY, &parts->keys[i], &parts->values[i], i > 0);
        if (at == NULL)
            break;
        parts->properties[i] = (struct kd_mqtt_property){ kd_str(parts->keys[i]), kd_str(parts->values[i]) };
        i++;
    }
    message->properties = parts->properties;
    message->property_count = i;
}

static void kd_link_on_message(struct mosquitto *mosq, void *ctx, const struct mosquitto_message *from,
                               const mosquitto_property *properties)
{
    (void)mosq;
    KD_AUTO(kd_link_parts_clear) struct kd_link_parts parts = { 0 };
    struct kd_mqtt_message message = { .topic = kd_str(from->topic),
                                       .payload = { from->payload, (size_t)from->payloadlen },
                                       .qos = from->qos,
                                       .retain = from->retain };
    if (properties)
        kd_link_read_properties(properties, &parts, &message);
    (void)kd_inbox_push(&((struct kd_link *)ctx)->inbox, kd_event_of_message(&message));
}

/* ---- one connection ---- */

static bool kd_link_can_read(struct kd_link *link, const char *option, const char *path)
{
    if (path == NULL || access(path, R_OK) == 0)
        return true;
    (void)snprintf(link->trouble, sizeof(link->trouble), "%s '%s': %s", option, path, strerror(errno));
    return false;
}

static int kd_link_set_tls(struct kd_link *link, struct mosquitto *mosq)
{
    const struct kd_link_settings *s = &link->settings;
    if (!s->address.tls)
        return MOSQ_ERR_SUCCESS;
    if (!kd_link_can_read(link, "ca_file", s->ca_file) || !kd_link_can_read(link, "cert_file", s->cert_file) ||
        !kd_link_can_read(link, "key_file", s->key_file))
        return MOSQ_ERR_TLS;
    int rc = mosquitto_tls_set(mosq, s->ca_file, s->ca_file ? NULL : kd_link_system_ca, s->cert_file, s->key_file, NULL);
    return rc ? rc : mosquitto_tls_insecure_set(mosq, false);
}

static int kd_link_set_will(struct kd_link *link, struct mosquitto *mosq)
{
    (void)pthread_mutex_lock(&link->mutex);
    int rc = MOSQ_ERR_SUCCESS;
    if (link->will) {
        const struct kd_mqtt_message *will = &link->will->u.message;
        rc = mosquitto_will_set_v5(mosq, will->topic.p, (int)will->payload.n, will->payload.p, 1, will->retain, NULL);
    }
    (void)pthread_mutex_unlock(&link->mutex);
    return rc;
}

static int kd_link_set_options(struct kd_link *link, struct mosquitto *mosq)
{
    const struct {
        enum mosq_opt_t option;
        int value;
    } rows[] = {
        { MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5 },
        { MOSQ_OPT_TCP_NODELAY, 1 },
        { MOSQ_OPT_RECEIVE_MAXIMUM, link->settings.receive_maximum },
        { MOSQ_OPT_SEND_MAXIMUM, link->settings.send_maximum },
    };
    int rc = mosquitto_threaded_set(mosq, true);
    for (size_t i = 0; i < KD_COUNT(rows) && rc == MOSQ_ERR_SUCCESS; i++)
        rc = mosquitto_int_option(mosq, rows[i].option, rows[i].value);
    if (rc == MOSQ_ERR_SUCCESS && link->settings.username)
        rc = mosquitto_username_pw_set(mosq, link->settings.username, link->settings.password);
    return rc;
}

static void kd_link_set_callbacks(struct mosquitto *mosq)
{
    mosquitto_log_callback_set(mosq, kd_link_on_log);
    mosquitto_connect_v5_callback_set(mosq, kd_link_on_connect);
    mosquitto_disconnect_v5_callback_set(mosq, kd_link_on_disconnect);
    mosquitto_publish_v5_callback_set(mosq, kd_link_on_publish);
    mosquitto_subscribe_v5_callback_set(mosq, kd_link_on_subscribe);
    mosquitto_unsubscribe_v5_callback_set(mosq, kd_link_on_unsubscribe);
    mosquitto_message_v5_callback_set(mosq, kd_link_on_message);
}

static void kd_link_mosqp(struct mosquitto **mosq)
{
    if (*mosq)
        mosquitto_destroy(*mosq);
}

static void kd_link_propertiesp(mosquitto_property **properties)
{
    mosquitto_property_free_all(properties);
}

/** Resolves, connects, shakes hands and sends CONNECT. Blocks as long as the system makes it. */
static int kd_link_connect(struct kd_link *link, struct mosquitto *mosq)
{
    KD_AUTO(kd_link_propertiesp) mosquitto_property *properties = NULL;
    int rc = kd_link_set_options(link, mosq);
    rc = rc ? rc : kd_link_set_tls(link, mosq);
    rc = rc ? rc : kd_link_set_will(link, mosq);
    rc = rc ? rc : mosquitto_property_add_int32(&properties, MQTT_PROP_MAXIMUM_PACKET_SIZE, link->settings.packet_bytes_max);
    if (rc)
        return rc;
    kd_link_set_callbacks(mosq);
    const struct kd_mqtt_address *address = &link->settings.address;
    errno = 0;
    rc = mosquitto_connect_bind_v5(mosq, address->host, address->port, link->settings.keep_alive_s, NULL, properties);
    if (rc == MOSQ_ERR_ERRNO)
        (void)snprintf(link->trouble, sizeof(link->trouble), "%s", strerror(errno));
    return rc;
}

/** Makes the handle known to the loop's thread. False when that wants no connection any more. */
static bool kd_link_lend(struct kd_link *link, struct mosquitto *mosq)
{
    (void)pthread_mutex_lock(&link->mutex);
    bool wanted = !link->is_stopping && !link->is_delayed;
    if (wanted)
        link->mosq = mosq;
    (void)pthread_mutex_unlock(&link->mutex);
    return wanted;
}

static void kd_link_withdraw(struct kd_link *link)
{
    (void)pthread_mutex_lock(&link->mutex);
    link->mosq = NULL;
    (void)pthread_mutex_unlock(&link->mutex);
}

/** Serves the connection until it ends. The loop is told of it only here, after the library has digested the CONNACK: what is
 *  published before that would be sent twice. */
static int kd_link_serve(struct kd_link *link, struct mosquitto *mosq)
{
    int64_t deadline_us = kd_link_now_us() + KD_LINK_CONNACK_US;
    for (;;) {
        int rc = mosquitto_loop(mosq, link->was_connected ? link->settings.keep_alive_s * 1000 : KD_LINK_CONNACK_MS, 1);
        if (rc)
            return link->library_code ? link->library_code : rc;
        if (link->has_session && !link->was_connected) {
            link->was_connected = true;
            (void)kd_inbox_push(&link->inbox, kd_event_of_session(&link->session));
        }
        if (!link->was_connected && kd_link_now_us() > deadline_us)
            return MOSQ_ERR_KEEPALIVE;
    }
}

/** One attempt, from the handle to its end. Returns the library's code. */
static int kd_link_once(struct kd_link *link)
{
    KD_AUTO(kd_link_mosqp) struct mosquitto *mosq = mosquitto_new(link->settings.client_id, true, link);
    if (mosq == NULL)
        return MOSQ_ERR_NOMEM;
    int rc = kd_link_connect(link, mosq);
    if (rc == MOSQ_ERR_SUCCESS && kd_link_lend(link, mosq))
        rc = kd_link_serve(link, mosq);
    kd_link_withdraw(link);
    return rc;
}

/* ---- for ever ---- */

void kd_link_begin(struct kd_link *link)
{
    (void)pthread_mutex_lock(&link->mutex);
    link->may_begin = true;
    (void)pthread_cond_broadcast(&link->changed);
    (void)pthread_mutex_unlock(&link->mutex);
}

static int64_t kd_link_backoff_us(struct kd_link *link)
{
    uint64_t chance = 0;
    (void)!getrandom(&chance, sizeof(chance), 0);
    return kd_backoff_us(link->attempt++, link->settings.backoff_min_us, link->settings.backoff_max_us, chance);
}

/** How long until the next attempt. An order of the loop goes before the backoff. */
static int64_t kd_link_next_delay_us(struct kd_link *link)
{
    int64_t delay_us = kd_link_backoff_us(link);
    (void)pthread_mutex_lock(&link->mutex);
    if (link->is_delayed)
        delay_us = link->delay_us;
    (void)pthread_mutex_unlock(&link->mutex);
    return delay_us;
}

static const char *kd_link_why(const struct kd_link *link, int rc)
{
    if (link->reason >= 0x80)
        return mosquitto_reason_string(link->reason);
    if (!link->was_connected && link->trouble[0])
        return link->trouble;
    switch (rc) {
    case MOSQ_ERR_SUCCESS:
    case MOSQ_ERR_NO_CONN:
        return "disconnected";
    case MOSQ_ERR_EAI:
        return "the name cannot be resolved";
    case MOSQ_ERR_KEEPALIVE:
        return "the broker does not answer";
    default:
        return mosquitto_strerror(rc);
    }
}

static void kd_link_report_end(struct kd_link *link, int rc, int64_t delay_us)
{
    char text[512];
    (void)snprintf(text, sizeof(text), "%s %s: %s", link->was_connected ? "connection to" : "connect to",
                   link->settings.address_text, kd_link_why(link, rc));
    const struct kd_mqtt_end end = {
        .was_connected = link->was_connected, .reason = link->reason, .text = text, .retry_us = delay_us
    };
    if (!kd_inbox_push(&link->inbox, kd_event_of_end(&end)))
        kd_link_begin(link); /* nobody will see it */
}

/** Sleeps until the next attempt is due and the loop has seen the end of the last one. False when it is time to stop. */
static bool kd_link_sleep(struct kd_link *link, int64_t delay_us)
{
    (void)pthread_mutex_lock(&link->mutex);
    int64_t due_us = kd_link_now_us() + delay_us;
    link->is_delayed = false;
    while (!link->is_stopping && (!link->may_begin || kd_link_now_us() < due_us)) {
        struct timespec due = kd_link_timespec(due_us);
        if (link->may_begin)
            (void)pthread_cond_timedwait(&link->changed, &link->mutex, &due);
        else
            (void)pthread_cond_wait(&link->changed, &link->mutex);
        if (link->is_delayed)
            due_us = kd_link_now_us() + link->delay_us;
        link->is_delayed = false;
    }
    bool goes_on = !link->is_stopping;
    link->may_begin = false;
    link->connection++;
    (void)pthread_mutex_unlock(&link->mutex);
    return goes_on;
}

static void *kd_link_run(void *arg)
{
    struct kd_link *link = arg;
    int64_t delay_us = 0;
    while (kd_link_sleep(link, delay_us)) {
        int64_t since_us = kd_link_now_us();
        link->has_session = link->was_connected = false;
        link->reason = link->library_code = 0;
        link->trouble[0] = '\0';
        int rc = kd_link_once(link);
        if (link->was_connected && kd_link_now_us() - since_us >= KD_LINK_STEADY_US)
            link->attempt = 0;
        delay_us = kd_link_next_delay_us(link);
        kd_link_report_end(link, rc, delay_us);
    }
    (void)pthread_mutex_lock(&link->mutex);
    link->ended = true;
    void (*on_end)(struct kd_link *) = link->on_end;
    (void)pthread_cond_broadcast(&link->changed);
    (void)pthread_mutex_unlock(&link->mutex);
    if (on_end)
        on_end(link);
    return NULL;
}

/* ---- for the loop's thread ---- */

/** Signals are the loop's business, so the thread is born with all of them blocked. */
static int kd_link_spawn(struct kd_link *link)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    (void)sigfillset(&all);
    int rc = pthread_attr_init(&attributes);
    if (rc)
        return rc;
    (void)pthread_attr_setstacksize(&attributes, KD_LINK_STACK_BYTES);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&link->thread, &attributes, kd_link_run, link);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return rc;
}

enum kd_code kd_link_start(struct kd_link *link, struct kd_err *err)
{
    pthread_condattr_t attributes;
    (void)pthread_mutex_init(&link->mutex, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&link->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    /* The new thread reads its own id in link->thread, which pthread_create may write after it has begun. */
    (void)pthread_mutex_lock(&link->mutex);
    int rc = kd_link_spawn(link);
    (void)pthread_mutex_unlock(&link->mutex);
    return rc ? kd_fail(err, KD_INTERNAL, rc, "start the network thread: %s", strerror(rc)) : KD_OK;
}

struct mosquitto *kd_link_borrow(struct kd_link *link, uint64_t connection)
{
    (void)pthread_mutex_lock(&link->mutex);
    if (link->mosq && link->connection == connection)
        return link->mosq;
    (void)pthread_mutex_unlock(&link->mutex);
    return NULL;
}

void kd_link_give(struct kd_link *link)
{
    (void)pthread_mutex_unlock(&link->mutex);
}

void kd_link_reconnect_after(struct kd_link *link, int64_t delay_us)
{
    (void)pthread_mutex_lock(&link->mutex);
    link->delay_us = delay_us;
    link->is_delayed = true;
    if (link->mosq)
        (void)mosquitto_disconnect_v5(link->mosq, 0, NULL);
    (void)pthread_cond_broadcast(&link->changed);
    (void)pthread_mutex_unlock(&link->mutex);
}

static void kd_link_cut(struct kd_link *link)
{
    int fd = link->mosq ? mosquitto_socket(link->mosq) : -1;
    if (fd >= 0)
        (void)shutdown(fd, SHUT_RDWR); /* wakes the thread too */
}

/** With the mutex held. True once the thread has ended. */
static bool kd_link_await_end(struct kd_link *link)
{
    struct timespec until = kd_link_timespec(kd_link_now_us() + KD_LINK_FAREWELL_US);
    while (!link->ended && pthread_cond_timedwait(&link->changed, &link->mutex, &until) == 0)
        continue;
    return link->ended;
}

bool kd_link_stop(struct kd_link *link, enum kd_mqtt_farewell farewell, void (*on_end)(struct kd_link *link))
{
    kd_inbox_close(&link->inbox);
    (void)pthread_mutex_lock(&link->mutex);
    link->is_stopping = true;
    (void)pthread_cond_broadcast(&link->changed);
    if (farewell == KD_MQTT_VANISH)
        kd_link_cut(link);
    else if (link->mosq)
        (void)mosquitto_disconnect_v5(link->mosq, farewell == KD_MQTT_DISCONNECT_WILL ? MQTT_RC_DISCONNECT_WITH_WILL_MSG : 0, NULL);
    bool ended = kd_link_await_end(link);
    if (!ended && link->mosq) { /* the farewell cannot be sent */
        kd_link_cut(link);
        ended = kd_link_await_end(link);
    }
    link->on_end = ended ? NULL : on_end;
    pthread_t thread = link->thread;
    (void)pthread_mutex_unlock(&link->mutex);
    /* Once the mutex is free, a thread that was left alone may end and free the link. */
    (void)(ended ? pthread_join(thread, NULL) : pthread_detach(thread));
    return ended;
}

void kd_link_settings_clear(struct kd_link_settings *s)
{
    char *const texts[] = { s->address_text, s->client_id, s->ca_file, s->cert_file, s->key_file, s->username };
    for (size_t i = 0; i < KD_COUNT(texts); i++)
        free(texts[i]);
    if (s->password)
        explicit_bzero(s->password, strlen(s->password));
    free(s->password);
}

void kd_link_clear(struct kd_link *link)
{
    kd_link_settings_clear(&link->settings);
    free(link->will);
    (void)pthread_cond_destroy(&link->changed);
    (void)pthread_mutex_destroy(&link->mutex);
}
