/** The network thread: makes a connection, serves it to its end, waits with jitter, and begins again. Private to shared/mqtt.
 *
 *  Each connection has a libmosquitto handle of its own, so that nothing of an old one (unacknowledged messages, certificates that
 *  were renewed since) reaches the next. */
#ifndef KD_MQTT_LINK_H
#define KD_MQTT_LINK_H

#include <mosquitto.h>

#include "shared/mqtt/address.h"
#include "shared/mqtt/inbox.h"

struct kd_link_settings {
    struct kd_mqtt_address address;
    char *address_text, *client_id, *ca_file, *cert_file, *key_file, *username, *password; /* owned; NULL if empty */
    int keep_alive_s;
    int64_t backoff_min_us, backoff_max_us;
    int receive_maximum, send_maximum;
    uint32_t packet_bytes_max;
};

struct kd_link {
    struct kd_link_settings settings; /* not changed while the thread runs */
    struct kd_inbox inbox;            /* where the thread puts what happens */
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows, up to on_end */
    pthread_cond_t changed;
    struct mosquitto *mosq; /* the handle of the present connection, NULL if there is none */
    uint64_t connection;    /* its number */
    struct kd_event *will;  /* owned message for the next connection, NULL for none */
    int64_t delay_us;       /* until the next attempt, if is_delayed */
    bool may_begin;         /* the loop has seen the last end */
    bool is_delayed, is_stopping, ended;
    void (*on_end)(struct kd_link *link); /* set when the thread was left alone */
    /* the thread's own */
    unsigned attempt;
    int reason, library_code;        /* why the connection ended */
    bool has_session, was_connected; /* CONNACK came; it was reported */
    struct kd_mqtt_session session;
    char trouble[192]; /* the library's last complaint */
};

void kd_link_settings_clear(struct kd_link_settings *settings);

/** Takes the settings over. The inbox must be initialised. */
KD_MUST_CHECK enum kd_code kd_link_start(struct kd_link *link, struct kd_err *err);

/** Allows the next attempt: called once after start and once after each KD_EVENT_ENDED. */
void kd_link_begin(struct kd_link *link);

/** The handle of this connection, to be given back at once by kd_link_give; NULL if that connection is no more. */
struct mosquitto *kd_link_borrow(struct kd_link *link, uint64_t connection);
void kd_link_give(struct kd_link *link);

void kd_link_reconnect_after(struct kd_link *link, int64_t delay_us);

/** Waits up to about a second. True when the thread has ended and was joined. False when it is stuck in a system call (resolving,
 *  connecting): it then ends by itself and calls on_end as its last act, on its own thread. */
bool kd_link_stop(struct kd_link *link, enum kd_mqtt_farewell farewell, void (*on_end)(struct kd_link *link));

/** Frees everything but the inbox. The thread must have ended. */
void kd_link_clear(struct kd_link *link);

#endif
