/** Drives the MQTT client for tests/system/test_mqtt.py: orders as lines on standard input, events as lines on standard output.
 *
 *  mqtt_driver OPTION=VALUE…        options of struct kd_mqtt_options
 *  publish TOKEN TOPIC PAYLOAD      retain TOKEN TOPIC PAYLOAD     request TOKEN TOPIC RESPONSE CORRELATION
 *  burst COUNT TOPIC                keeps as many in flight as it may until all are acknowledged
 *  subscribe TOKEN FILTER…          unsubscribe TOKEN FILTER…
 *  will TOPIC PAYLOAD               reconnect MICROSECONDS         stall MILLISECONDS (the loop sleeps)
 *  large TOKEN TOPIC BYTES          count (messages from now on)    close disconnect|will|vanish */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "shared/base/own.h"
#include "shared/mqtt/mqtt.h"

enum { LINE_MAX_BYTES = 65536, WORDS_MAX = 16 };

static struct {
    struct kd_mqtt *mqtt;
    uv_pipe_t input;
    char buffer[LINE_MAX_BYTES];
    size_t used;
    char burst_topic[256];
    uint64_t burst_left, burst_acknowledged, burst_count, received;
    bool is_counting; /* messages are counted instead of printed */
} driver;

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vprintf(fmt, args);
    va_end(args);
    (void)putchar('\n');
    (void)fflush(stdout);
}

static void say_outcome(const char *what, enum kd_code code, const struct kd_err *err)
{
    say("%s %s %s", what, kd_code_word(code), code == KD_OK ? "" : err->story);
}

static void burst_on(void)
{
    while (driver.burst_left && kd_mqtt_room(driver.mqtt)) {
        struct kd_mqtt_message message = { .topic = kd_str(driver.burst_topic), .payload = KD_STR("burst"), .qos = 1 };
        message.token = UINT64_MAX;
        if (kd_mqtt_publish(driver.mqtt, &message, NULL) != KD_OK)
            return;
        driver.burst_left--;
    }
}

static void on_connected(void *ctx, const struct kd_mqtt_session *session)
{
    (void)ctx;
    say("connected %llu packet=%u send=%u keep_alive=%d", (unsigned long long)session->connection, session->packet_bytes_max,
        session->send_maximum, session->keep_alive_s);
}

static void on_disconnected(void *ctx, const struct kd_mqtt_end *end)
{
    (void)ctx;
    say("disconnected %d %d %s", end->was_connected, end->reason, end->text);
}

static void on_message(void *ctx, const struct kd_mqtt_message *m)
{
    (void)ctx;
    driver.received++;
    if (driver.is_counting)
        return;
    (void)printf("message %.*s %.*s retain=%d response=%.*s correlation=%.*s", KD_ARG(m->topic), KD_ARG(m->payload), m->retain,
                 KD_ARG(m->response_topic), KD_ARG(m->correlation_data));
    for (size_t i = 0; i < m->property_count; i++)
        (void)printf(" %.*s:%.*s", KD_ARG(m->properties[i].key), KD_ARG(m->properties[i].value));
    say("%s", "");
}

static void on_published(void *ctx, uint64_t token, int reason)
{
    (void)ctx;
    if (token != UINT64_MAX) {
        say("published %llu %d", (unsigned long long)token, reason);
        return;
    }
    if (++driver.burst_acknowledged == driver.burst_count)
        say("burst %llu", (unsigned long long)driver.burst_acknowledged);
    burst_on();
}

static void on_subscribed(void *ctx, uint64_t token, const int *reasons, size_t count)
{
    (void)ctx;
    (void)printf("subscribed %llu", (unsigned long long)token);
    for (size_t i = 0; i < count; i++)
        (void)printf(" %d", reasons[i]);
    say("%s", "");
}

static void on_drained(void *ctx)
{
    (void)ctx;
    if (driver.is_counting)
        say("received %llu", (unsigned long long)driver.received);
}

static const struct kd_mqtt_ops ops = { on_connected, on_disconnected, on_message, on_published, on_subscribed, on_drained };

static uint64_t number(struct kd_str word)
{
    uint64_t value = 0;
    (void)kd_str_u64(word, &value);
    return value;
}

static void do_publish(const struct kd_str *w, size_t n)
{
    (void)n;
    struct kd_err err = { 0 };
    struct kd_mqtt_message message = { .topic = w[2], .payload = w[3], .qos = 1, .token = number(w[1]) };
    message.retain = kd_str_is(w[0], "retain");
    say_outcome("publish", kd_mqtt_publish(driver.mqtt, &message, &err), &err);
}

static void do_request(const struct kd_str *w, size_t n)
{
    (void)n;
    struct kd_err err = { 0 };
    const struct kd_mqtt_property properties[] = { { KD_STR("one"), KD_STR("1") }, { KD_STR("two"), KD_STR("2") } };
    struct kd_mqtt_message message = { .topic = w[2],
                                       .payload = KD_STR("request"),
                                       .response_topic = w[3],
                                       .correlation_data = w[4],
                                       .properties = properties,
                                       .property_count = 2,
                                       .qos = 1,
                                       .token = number(w[1]) };
    say_outcome("publish", kd_mqtt_publish(driver.mqtt, &message, &err), &err);
}

static void do_large(const struct kd_str *w, size_t n)
{
    (void)n;
    struct kd_err err = { 0 };
    size_t bytes = (size_t)number(w[3]);
    KD_AUTO(kd_freep) char *payload = calloc(1, bytes);
    struct kd_mqtt_message message = { .topic = w[2], .payload = { payload, bytes }, .qos = 1, .token = number(w[1]) };
    say_outcome("publish", kd_mqtt_publish(driver.mqtt, &message, &err), &err);
}

static void do_burst(const struct kd_str *w, size_t n)
{
    (void)n;
    driver.burst_left = driver.burst_count = number(w[1]);
    driver.burst_acknowledged = 0;
    (void)kd_str_copy(w[2], driver.burst_topic, sizeof(driver.burst_topic));
    burst_on();
}

static void do_subscribe(const struct kd_str *w, size_t n)
{
    struct kd_err err = { 0 };
    say_outcome("subscribe", kd_mqtt_subscribe(driver.mqtt, w + 2, n - 2, number(w[1]), &err), &err);
}

static void do_unsubscribe(const struct kd_str *w, size_t n)
{
    struct kd_err err = { 0 };
    say_outcome("unsubscribe", kd_mqtt_unsubscribe(driver.mqtt, w + 2, n - 2, number(w[1]), &err), &err);
}

static void do_will(const struct kd_str *w, size_t n)
{
    (void)n;
    struct kd_err err = { 0 };
    struct kd_mqtt_message will = { .topic = w[1], .payload = w[2] };
    say_outcome("will", kd_mqtt_will_set(driver.mqtt, &will, &err), &err);
}

static void do_reconnect(const struct kd_str *w, size_t n)
{
    (void)n;
    kd_mqtt_reconnect_after(driver.mqtt, (int64_t)number(w[1]));
}

static void do_stall(const struct kd_str *w, size_t n)
{
    (void)n;
    struct timespec pause = { .tv_sec = (time_t)(number(w[1]) / 1000), .tv_nsec = (long)(number(w[1]) % 1000) * 1000000 };
    (void)nanosleep(&pause, NULL);
    say("stalled");
}

static void do_count(const struct kd_str *w, size_t n)
{
    (void)w, (void)n;
    driver.is_counting = true;
}

static void do_close(const struct kd_str *w, size_t n)
{
    (void)n;
    bool is_will = kd_str_is(w[1], "will"), vanishes = kd_str_is(w[1], "vanish");
    driver.mqtt = kd_mqtt_close(driver.mqtt, is_will ? KD_MQTT_DISCONNECT_WILL : vanishes ? KD_MQTT_VANISH : KD_MQTT_DISCONNECT);
    uv_close((uv_handle_t *)&driver.input, NULL);
    say("closed");
}

static const struct {
    const char *word;
    size_t words; /* at least */
    void (*run)(const struct kd_str *words, size_t n);
} orders[] = {
    { "publish", 4, do_publish },     { "retain", 4, do_publish },          { "request", 5, do_request }, { "large", 4, do_large },
    { "burst", 3, do_burst },         { "subscribe", 3, do_subscribe },     { "will", 3, do_will },       { "close", 2, do_close },
    { "reconnect", 2, do_reconnect }, { "unsubscribe", 3, do_unsubscribe }, { "stall", 2, do_stall },     { "count", 1, do_count },
};

static void obey(struct kd_str line)
{
    struct kd_str words[WORDS_MAX] = { { NULL, 0 } };
    size_t n = 0;
    while (line.n && n < WORDS_MAX)
        words[n++] = kd_str_cut(&line, ' ');
    for (size_t i = 0; driver.mqtt && i < KD_COUNT(orders); i++) {
        if (kd_str_is(words[0], orders[i].word) && n >= orders[i].words) {
            orders[i].run(words, n);
            return;
        }
    }
    say("unknown order");
}

static void on_room(uv_handle_t *handle, size_t size, uv_buf_t *ret)
{
    (void)handle, (void)size;
    *ret = uv_buf_init(driver.buffer + driver.used, (unsigned)(sizeof(driver.buffer) - driver.used));
}

static void on_input(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    (void)stream, (void)buffer;
    if (n < 0) {
        if (driver.mqtt)
            do_close((struct kd_str[]){ KD_STR("close"), KD_STR("disconnect") }, 2);
        return;
    }
    driver.used += (size_t)n;
    struct kd_str rest = { driver.buffer, driver.used };
    while (rest.n && memchr(rest.p, '\n', rest.n))
        obey(kd_str_cut(&rest, '\n'));
    memmove(driver.buffer, rest.p ? rest.p : driver.buffer, rest.n);
    driver.used = rest.n;
}

static struct kd_mqtt_options options_of(int argc, char **argv)
{
    struct kd_mqtt_options o = { 0 };
    const struct {
        const char *key;
        struct kd_str *at;
    } rows[] = {
        { "address", &o.address },   { "client_id", &o.client_id }, { "ca_file", &o.ca_file },   { "cert_file", &o.cert_file },
        { "key_file", &o.key_file }, { "username", &o.username },   { "password", &o.password },
    };
    for (int i = 1; i < argc; i++) {
        struct kd_str value = kd_str(argv[i]), key = kd_str_cut(&value, '=');
        for (size_t row = 0; row < KD_COUNT(rows); row++)
            if (kd_str_is(key, rows[row].key))
                *rows[row].at = value;
        if (kd_str_is(key, "queue"))
            o.queue_bytes_max = (size_t)number(value);
        if (kd_str_is(key, "keep_alive"))
            o.keep_alive_s = (int)number(value);
    }
    o.backoff_min_us = 50000;
    o.backoff_max_us = 500000;
    o.send_maximum = 500;
    return o;
}

int main(int argc, char **argv)
{
    struct kd_err err = { 0 };
    uv_loop_t *loop = uv_default_loop();
    struct kd_mqtt_options options = options_of(argc, argv);
    enum kd_code code = kd_mqtt_open(loop, &options, &ops, NULL, &driver.mqtt, &err);
    if (code != KD_OK) {
        say("open %s %s: %s", kd_code_word(code), err.field, err.story);
        (void)uv_run(loop, UV_RUN_DEFAULT);
        return 1;
    }
    (void)uv_pipe_init(loop, &driver.input, 0);
    (void)uv_pipe_open(&driver.input, 0);
    (void)uv_read_start((uv_stream_t *)&driver.input, on_room, on_input);
    (void)uv_run(loop, UV_RUN_DEFAULT);
    return uv_loop_close(loop) ? 2 : 0;
}
