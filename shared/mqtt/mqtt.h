/** MQTT 5 for daemons and the command line: one connection that is kept up for ever by a thread of its own.
 *
 *  All functions are called on the thread of the libuv loop, all callbacks run there, and nothing blocks it. The network thread
 *  resolves, connects and shakes hands, and comes back with full jitter after every end, also after a DNS, TLS or authentication
 *  error. What arrives waits in a queue bounded by bytes; while that is full the thread stops reading, so that TCP pushes back.
 *
 *  A connection starts clean and leaves no session behind. Nothing is queued while there is no connection: the caller keeps what
 *  it wants to be sent and publishes it after `connected`. Callers subscribe again after each `connected`. */
#ifndef KD_MQTT_MQTT_H
#define KD_MQTT_MQTT_H

#include <uv.h>

#include "shared/base/err.h"
#include "shared/base/str.h"
#include "shared/base/time.h"

struct kd_mqtt;

enum {
    KD_MQTT_SESSION_TAKEN_OVER = 0x8E, /* reason of an end: another client came with this client identifier */
    KD_MQTT_TOPIC_MAX = 1024,          /* bytes of a topic or filter that Kedge uses */
    KD_MQTT_PROPERTIES_MAX = 16,       /* user properties of one message; further ones are not read */
    KD_MQTT_FILTERS_MAX = 64,          /* filters of one subscribe or unsubscribe */
};

struct kd_mqtt_property {
    struct kd_str key, value;
};

/** kd_mqtt_open copies the texts. Zero takes the default of a number. Files are read anew at each connect, so that renewed
 *  certificates need no restart. */
struct kd_mqtt_options {
    struct kd_str address;   /* "mqtts://host[:8883]" or "mqtt://host[:1883]"; a numeric IPv6 address stands in [] */
    struct kd_str client_id; /* required */
    struct kd_str ca_file;   /* mqtts: certificates to trust; "" for those of the system */
    struct kd_str cert_file, key_file;
    struct kd_str username, password;
    int keep_alive_s;          /* default 60, 5 to 65535; a dead link is known after at most twice that */
    int64_t backoff_min_us;    /* default 1 s: attempt n waits 1 us to min * 2^n, at most max */
    int64_t backoff_max_us;    /* default 60 s */
    unsigned receive_maximum;  /* default 100: messages in flight to us, 1 to 65535 */
    unsigned send_maximum;     /* default 100: publishes in flight from us, 1 to 10000; the broker may lower it */
    uint32_t packet_bytes_max; /* default 1 MiB: larger packets may not be sent to us */
    size_t queue_bytes_max;    /* default 4 MiB: what has arrived and was not handed over yet */
};

/** In callbacks everything is borrowed and ends with the callback. Absent parts are {NULL, 0}. */
struct kd_mqtt_message {
    struct kd_str topic, payload;
    struct kd_str response_topic, correlation_data;
    const struct kd_mqtt_property *properties; /* user properties, in order */
    size_t property_count;
    int qos; /* 0 or 1 */
    bool retain;
    uint64_t token; /* publish: chosen by the caller, comes back in `published` */
};

/** What the broker said when the connection was made. */
struct kd_mqtt_session {
    uint64_t connection;       /* 1, 2, … since open */
    uint32_t packet_bytes_max; /* the broker's Maximum Packet Size; UINT32_MAX if it names none */
    unsigned send_maximum;     /* publishes that may be in flight now */
    int keep_alive_s;          /* as the broker wants it */
};

/** The end of a connection, or of an attempt to make one. */
struct kd_mqtt_end {
    bool was_connected;
    int reason;       /* MQTT 5 reason code of a CONNACK or DISCONNECT, 0 if the end had none */
    const char *text; /* one line for people: what happened, with the address */
    int64_t retry_us; /* until the next attempt */
};

/** All on the loop's thread. Each may call any function of this header, kd_mqtt_close too. Members may be NULL. */
struct kd_mqtt_ops {
    void (*connected)(void *ctx, const struct kd_mqtt_session *session);
    /** What was in flight gets no `published` any more: it may or may not have arrived; publish it again if it matters. Also
     *  called after every failed attempt (was_connected false). */
    void (*disconnected)(void *ctx, const struct kd_mqtt_end *end);
    void (*message)(void *ctx, const struct kd_mqtt_message *message);
    /** The broker has it (reason < 0x80), or refused it (reason ≥ 0x80). QoS 1 only; for QoS 0 it is called once it was sent. */
    void (*published)(void *ctx, uint64_t token, int reason);
    /** One reason code per filter, in their order; ≥ 0x80 is a refusal. Answers unsubscribe too, then with count 0. */
    void (*subscribed)(void *ctx, uint64_t token, const int *reasons, size_t count);
    /** After everything that had arrived so far was handed over: the end of a batch. */
    void (*drained)(void *ctx);
};

/** Checks the options and starts connecting. `ops` and `ctx` live until kd_mqtt_close. KD_INVALID names the option in
 *  err->field ("address"). A broker that is not there is no failure. */
KD_MUST_CHECK enum kd_code kd_mqtt_open(uv_loop_t *loop, const struct kd_mqtt_options *options, const struct kd_mqtt_ops *ops,
                                        void *ctx, struct kd_mqtt **ret, struct kd_err *err);

enum kd_mqtt_farewell {
    KD_MQTT_DISCONNECT,      /* DISCONNECT: the broker drops the will */
    KD_MQTT_DISCONNECT_WILL, /* DISCONNECT with reason 0x04: the broker sends the will */
    KD_MQTT_VANISH,          /* closes the socket, as a crash does */
};

/** Ends connection and thread; takes NULL, returns NULL. No callback comes after this. What was published before is sent before
 *  the farewell if that takes less than a second. The memory is freed in the loop's next turn: run it once more. */
struct kd_mqtt *kd_mqtt_close(struct kd_mqtt *mqtt, enum kd_mqtt_farewell farewell);

/** KD_UNAVAILABLE: not connected, or as many in flight as allowed (kd_mqtt_is_connected tells which): try again after `connected`
 *  or `published`. KD_TOO_LARGE: beyond the broker's Maximum Packet Size. KD_INVALID: not a topic. Copies everything. */
KD_MUST_CHECK enum kd_code kd_mqtt_publish(struct kd_mqtt *mqtt, const struct kd_mqtt_message *message, struct kd_err *err);

/** All filters in one packet, QoS 1. As kd_mqtt_publish; the answer is `subscribed` with the token. */
KD_MUST_CHECK enum kd_code kd_mqtt_subscribe(struct kd_mqtt *mqtt, const struct kd_str *filters, size_t count, uint64_t token,
                                             struct kd_err *err);
KD_MUST_CHECK enum kd_code kd_mqtt_unsubscribe(struct kd_mqtt *mqtt, const struct kd_str *filters, size_t count, uint64_t token,
                                               struct kd_err *err);

/** The will of the next connection (QoS 1; token is not used), copied; NULL for none. In time are calls before the loop runs after
 *  open, and in `disconnected`: the next attempt waits for that to return. */
KD_MUST_CHECK enum kd_code kd_mqtt_will_set(struct kd_mqtt *mqtt, const struct kd_mqtt_message *will, struct kd_err *err);

/** Ends the connection if there is one, and makes the next attempt after the delay instead of the usual backoff. */
void kd_mqtt_reconnect_after(struct kd_mqtt *mqtt, int64_t delay_us);

/** True between `connected` and the moment when the end is known. */
bool kd_mqtt_is_connected(const struct kd_mqtt *mqtt);

/** Publishes that wait for their `published`, and how many more may be made now (0 when not connected). */
size_t kd_mqtt_in_flight(const struct kd_mqtt *mqtt);
size_t kd_mqtt_room(const struct kd_mqtt *mqtt);

#endif
