/** What the network thread hands to the loop: copies of events, in order, bounded by bytes. Private to shared/mqtt. */
#ifndef KD_MQTT_INBOX_H
#define KD_MQTT_INBOX_H

#include <pthread.h>
#include <stddef.h>

#include "shared/mqtt/mqtt.h"

enum kd_event_kind { KD_EVENT_CONNECTED, KD_EVENT_ENDED, KD_EVENT_MESSAGE, KD_EVENT_PUBLISHED, KD_EVENT_SUBSCRIBED };

struct kd_event {
    struct kd_event *next;
    size_t bytes; /* of this allocation */
    enum kd_event_kind kind;
    union {
        struct kd_mqtt_session session;
        struct kd_mqtt_end end;
        struct kd_mqtt_message message;
        struct {
            int mid, reason;
        } published;
        struct {
            int mid;
            const int *reasons;
            size_t count;
        } subscribed;
    } u;
    max_align_t data[]; /* what the pointers above point to */
};

/** Copies what the value points to. NULL without memory. */
struct kd_event *kd_event_of_session(const struct kd_mqtt_session *session);
struct kd_event *kd_event_of_end(const struct kd_mqtt_end *end);
struct kd_event *kd_event_of_message(const struct kd_mqtt_message *message);
struct kd_event *kd_event_of_published(int mid, int reason);
struct kd_event *kd_event_of_subscribed(int mid, const int *reasons, size_t count);

struct kd_inbox {
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t room;
    uv_async_t *wake; /* borrowed; sent while not closed */
    struct kd_event *first, **last;
    size_t bytes, max; /* waiting and being handled; the limit */
    bool closed;
};

void kd_inbox_init(struct kd_inbox *inbox, size_t max, uv_async_t *wake);

/** Network thread. Takes the event over and blocks while there is no room; an event that is larger than the limit is let in when
 *  the inbox is empty. False (and the event is freed) when closed or event is NULL. */
bool kd_inbox_push(struct kd_inbox *inbox, struct kd_event *event);

/** Loop: everything that waits, oldest first. Each event goes back by kd_inbox_done, which makes room for others. */
struct kd_event *kd_inbox_take(struct kd_inbox *inbox);
void kd_inbox_done(struct kd_inbox *inbox, struct kd_event *event);

/** Nothing is taken in any more and nobody is blocked; `wake` is not used after this. */
void kd_inbox_close(struct kd_inbox *inbox);

/** Frees what waits. No thread may use the inbox any more. */
void kd_inbox_clear(struct kd_inbox *inbox);

#endif
