/** What the network thread hands to the loop. */
#include "shared/mqtt/inbox.h"

#include <stdlib.h>

static struct kd_event *kd_event_new(enum kd_event_kind kind, size_t data_bytes)
{
    size_t bytes = sizeof(struct kd_event) + data_bytes;
    struct kd_event *event = calloc(1, bytes);
    if (event == NULL)
        return NULL;
    event->bytes = bytes;
    event->kind = kind;
    return event;
}

struct kd_event *kd_event_of_session(const struct kd_mqtt_session *session)
{
    struct kd_event *event = kd_event_new(KD_EVENT_CONNECTED, 0);
    if (event)
        event->u.session = *session;
    return event;
}

struct kd_event *kd_event_of_published(int mid, int reason)
{
    struct kd_event *event = kd_event_new(KD_EVENT_PUBLISHED, 0);
    if (event) {
        event->u.published.mid = mid;
        event->u.published.reason = reason;
    }
    return event;
}

struct kd_event *kd_event_of_subscribed(int mid, const int *reasons, size_t count)
{
    struct kd_event *event = kd_event_new(KD_EVENT_SUBSCRIBED, count * sizeof(*reasons));
    if (event == NULL)
        return NULL;
    if (count)
        memcpy(event->data, reasons, count * sizeof(*reasons));
    event->u.subscribed.mid = mid;
    event->u.subscribed.reasons = (const int *)event->data;
    event->u.subscribed.count = count;
    return event;
}

struct kd_event *kd_event_of_end(const struct kd_mqtt_end *end)
{
    struct kd_str text = kd_str(end->text);
    struct kd_event *event = kd_event_new(KD_EVENT_ENDED, text.n + 1);
    if (event == NULL)
        return NULL;
    if (text.n)
        memcpy(event->data, text.p, text.n);
    event->u.end = *end;
    event->u.end.text = (const char *)event->data;
    return event;
}

/** Copies to *at, which moves on. An absent part stays absent. */
static struct kd_str kd_event_keep(char **at, struct kd_str s)
{
    if (s.p == NULL)
        return s;
    if (s.n)
        memcpy(*at, s.p, s.n);
    struct kd_str kept = { *at, s.n };
    *at += s.n + 1; /* terminated: the memory is zeroed */
    return kept;
}

struct kd_event *kd_event_of_message(const struct kd_mqtt_message *message)
{
    size_t pairs = message->property_count * sizeof(*message->properties), texts = 4;
    texts += message->topic.n + message->payload.n + message->response_topic.n + message->correlation_data.n;
    for (size_t i = 0; i < message->property_count; i++)
        texts += message->properties[i].key.n + message->properties[i].value.n + 2;
    struct kd_event *event = kd_event_new(KD_EVENT_MESSAGE, pairs + texts);
    if (event == NULL)
        return NULL;
    struct kd_mqtt_property *properties = (struct kd_mqtt_property *)event->data;
    char *at = (char *)event->data + pairs;
    struct kd_mqtt_message *copy = &event->u.message;
    *copy = *message;
    copy->topic = kd_event_keep(&at, message->topic);
    copy->payload = kd_event_keep(&at, message->payload);
    copy->response_topic = kd_event_keep(&at, message->response_topic);
    copy->correlation_data = kd_event_keep(&at, message->correlation_data);
    copy->properties = properties;
    for (size_t i = 0; i < message->property_count; i++) {
        properties[i].key = kd_event_keep(&at, message->properties[i].key);
        properties[i].value = kd_event_keep(&at, message->properties[i].value);
    }
    return event;
}

void kd_inbox_init(struct kd_inbox *inbox, size_t max, uv_async_t *wake)
{
    *inbox = (struct kd_inbox){ .wake = wake, .max = max };
    inbox->last = &inbox->first;
    (void)pthread_mutex_init(&inbox->mutex, NULL);
    (void)pthread_cond_init(&inbox->room, NULL);
}

bool kd_inbox_push(struct kd_inbox *inbox, struct kd_event *event)
{
    if (event == NULL)
        return false;
    (void)pthread_mutex_lock(&inbox->mutex);
    while (!inbox->closed && inbox->bytes && event->bytes > inbox->max - (inbox->bytes < inbox->max ? inbox->bytes : inbox->max))
        (void)pthread_cond_wait(&inbox->room, &inbox->mutex);
    bool taken = !inbox->closed;
    if (taken) {
        *inbox->last = event;
        inbox->last = &event->next;
        inbox->bytes += event->bytes;
        (void)uv_async_send(inbox->wake);
    }
    (void)pthread_mutex_unlock(&inbox->mutex);
    if (!taken)
        free(event);
    return taken;
}

struct kd_event *kd_inbox_take(struct kd_inbox *inbox)
{
    (void)pthread_mutex_lock(&inbox->mutex);
    struct kd_event *first = inbox->first;
    inbox->first = NULL;
    inbox->last = &inbox->first;
    (void)pthread_mutex_unlock(&inbox->mutex);
    return first;
}

void kd_inbox_done(struct kd_inbox *inbox, struct kd_event *event)
{
    (void)pthread_mutex_lock(&inbox->mutex);
    inbox->bytes -= event->bytes;
    (void)pthread_cond_signal(&inbox->room);
    (void)pthread_mutex_unlock(&inbox->mutex);
    free(event);
}

void kd_inbox_close(struct kd_inbox *inbox)
{
    (void)pthread_mutex_lock(&inbox->mutex);
    inbox->closed = true;
    (void)pthread_cond_broadcast(&inbox->room);
    (void)pthread_mutex_unlock(&inbox->mutex);
}

void kd_inbox_clear(struct kd_inbox *inbox)
{
    while (inbox->first) {
        struct kd_event *event = inbox->first;
        inbox->first = event->next;
        free(event);
    }
    (void)pthread_cond_destroy(&inbox->room);
    (void)pthread_mutex_destroy(&inbox->mutex);
}
