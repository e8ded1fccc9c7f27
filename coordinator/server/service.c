/** The coordinator without its shell: batches, their transactions, and what leaves afterwards. */
#include "coordinator/server/service.h"

#include "coordinator/server/kinds.h"
#include "coordinator/server/rollouts.h"
#include "coordinator/server/state.h"
#include "shared/base/own.h"
#include "shared/base/plant.h"
#include "shared/model/digest.h"
#include "shared/model/fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

enum {
    CO_BATCH_MEMORY = 256 * 1024 * 1024, /* bytes that a batch may use for what leaves after it */
    CO_LETTERS_MAX = 64 * 1024 * 1024,   /* bytes of messages that wait for room in the transport */
};

struct co_touched {
    struct co_touched *next;
    struct kd_str project, cluster;
};

const struct co_service_options *co_options(const struct co_work *work)
{
    return &work->service->options;
}

void co_note(struct co_service *service, int level, const char *event, const char *fmt, ...)
{
    char text[CO_LOG_LINE];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    service->ops->log(service->ctx, level, event, text);
}

uint64_t co_chance(struct co_work *work)
{
    return work->service->ops->chance(work->service->ctx);
}

static void co_random_text(struct co_service *service, char ret[33])
{
    for (int half = 0; half < 2; half++) {
        struct kd_key hex = co_number_key(service->ops->chance(service->ctx));
        memcpy(ret + 16 * half, hex.p, 16);
    }
    ret[32] = '\0';
}

struct kd_str co_new_uid(struct co_work *work)
{
    char text[33];
    co_random_text(work->service, text);
    return kd_arena_copy(work->arena, kd_str(text));
}

struct kd_str co_time_text(struct co_work *work)
{
    char text[KD_TIME_TEXT];
    kd_wall_text(work->wall, text);
    return kd_arena_copy(work->arena, kd_str(text));
}

void co_send(struct co_work *work, struct kd_str topic, struct kd_str payload, struct kd_str correlation, bool retain)
{
    struct co_letter *letter = KD_NEW(work->batch, struct co_letter);
    struct co_letter copy = { .topic = kd_arena_copy(work->batch, topic),
                              .payload = kd_arena_copy(work->batch, payload),
                              .correlation = kd_arena_copy(work->batch, correlation),
                              .retain = retain };
    if (!letter || !copy.topic.p || !copy.payload.p || !copy.correlation.p) { /* never half: an empty payload would clear a topic */
        co_note(work->service, LOG_ERR, "batch.full", "topic=%.*s", KD_ARG(topic));
        return;
    }
    *letter = copy;
    *work->last_letter = letter;
    work->last_letter = &letter->next;
}

void co_touch(struct co_work *work, struct kd_str cluster)
{
    const struct co_touched *last = work->touched;
    if (last && kd_str_eq(last->cluster, cluster) && kd_str_eq(last->project, work->project))
        return;
    struct co_touched *touched = KD_NEW(work->batch, struct co_touched);
    if (touched) {
        *touched = (struct co_touched){ work->touched, kd_arena_copy(work->batch, work->project),
                                        kd_arena_copy(work->batch, cluster) };
        work->touched = touched;
    }
}

#define T struct co_project
static const struct kd_json_field co_project_fields[] = {
    F_OBJECT(T, version, &kd_version_shape, "version", .required = true),
    F_OBJECT(T, heard, &kd_version_shape, "heard", .required = true),
};
static const struct kd_json_shape co_project_shape = KD_SHAPE(T, co_project_fields, "a project");
#undef T

struct co_project co_project_get(struct co_work *work)
{
    struct co_project project = { 0 };
    (void)co_read(work, work->spec, CO_PROJECT, work->project, &co_project_shape, &project);
    return project;
}

void co_project_put(struct co_work *work, const struct co_project *project)
{
    co_write(work, work->spec, CO_PROJECT, work->project, &co_project_shape, project);
}

bool co_read(struct co_work *work, struct kd_txn *txn, int table, struct kd_str key, const struct kd_json_shape *shape, void *ret)
{
    struct kd_err err;
    struct kd_str bytes;
    if (!kd_txn_get(txn, table, key, &bytes))
        return false;
    if (kd_json_decode(shape, bytes, work->arena, ret, &err) == KD_OK)
        return true;
    co_note(work->service, LOG_ERR, "store.damaged", "what=\"%s\" key=%.*s why=\"%s\"", shape->what, KD_ARG(key), err.story);
    memset(ret, 0, shape->size);
    return false;
}

void co_write(struct co_work *work, struct kd_txn *txn, int table, struct kd_str key, const struct kd_json_shape *shape,
              const void *value)
{
    (void)work;
    KD_AUTO(kd_buf_clear) struct kd_buf json = KD_BUF(KD_VALUE_MAX);
    kd_json_encode(shape, value, &json);
    if (json.overflow) /* an empty key fails the transaction: nothing half done is kept */
        key = CO_NONE;
    kd_txn_put(txn, table, key, kd_buf_str(&json));
}

/* ---- transactions ---- */

static bool co_work_open(struct co_service *service, struct co_work *work, bool write)
{
    struct kd_err err = { .story = "out of memory" };
    *work = (struct co_work){ .service = service, .project = service->project };
    work->arena = calloc(1, sizeof *work->arena);
    work->batch = calloc(1, sizeof *work->batch);
    work->last_letter = &work->letters;
    work->now = service->ops->now(service->ctx);
    work->wall = service->ops->wall(service->ctx);
    work->uptime_ms = service->uptime_ms + (uint64_t)(work->now.us - service->started.us) / 1000;
    if (!work->arena || !work->batch || kd_txn_begin(service->status, write, &work->status, &err) != KD_OK ||
        kd_txn_begin(service->spec, write, &work->spec, &err) != KD_OK) {
        co_note(service, LOG_ERR, "store.unavailable", "why=\"%s\"", err.story);
        co_work_abort(work);
        return false;
    }
    *work->arena = (struct kd_arena)KD_ARENA(CO_MESSAGE_MEMORY);
    *work->batch = (struct kd_arena)KD_ARENA(CO_BATCH_MEMORY);
    return true;
}

bool co_work_begin(struct co_service *service, struct co_work *work)
{
    if (!co_work_open(service, work, true))
        return false;
    if (service->uneven)
        co_kinds_recount(work);
    return true;
}

bool co_work_read(struct co_service *service, struct co_work *work)
{
    return co_work_open(service, work, false);
}

static void co_work_free(struct co_work *work)
{
    if (work->arena)
        kd_arena_clear(work->arena);
    if (work->batch)
        kd_arena_clear(work->batch);
    free(work->arena);
    free(work->batch);
    *work = (struct co_work){ 0 };
}

void co_work_abort(struct co_work *work)
{
    if (work->spec)
        kd_txn_abort(work->spec);
    if (work->status)
        kd_txn_abort(work->status);
    co_work_free(work);
}

/** The memory of one message ends, the batch goes on. */
static void co_work_next(struct co_work *work)
{
    kd_arena_clear(work->arena);
    *work->arena = (struct kd_arena)KD_ARENA(CO_MESSAGE_MEMORY);
    work->project = work->service->project;
}

static void co_manifests_make(struct co_work *work)
{
    for (const struct co_touched *one = work->touched; one; one = one->next) {
        work->project = one->project;
        co_manifest_make(work, one->cluster);
        co_work_next(work);
    }
    work->touched = NULL;
}

static void co_letter_free(struct co_letter *letter)
{
    free((void *)(uintptr_t)letter->topic.p);
    free(letter);
}

static bool co_letter_go(struct co_service *service, const struct co_letter *letter)
{
    struct co_publish message = { letter->topic, letter->payload, letter->correlation, letter->retain, 0 };
    return service->ops->publish(service->ctx, &message);
}

/** Keeps a letter that the transport had no room for. Beyond a limit it is dropped: its receiver asks again. */
static void co_letter_keep(struct co_service *service, const struct co_letter *letter)
{
    size_t bytes = letter->topic.n + letter->payload.n + letter->correlation.n;
    struct co_letter *kept = malloc(sizeof *kept);
    char *text = malloc(bytes + 1);
    if (!kept || !text || service->letter_bytes + bytes > CO_LETTERS_MAX) {
        free(kept);
        free(text);
        return;
    }
    struct kd_buf all = { .p = text, .cap = bytes + 1, .max = bytes };
    kd_buf_add(&all, letter->topic);
    kd_buf_add(&all, letter->payload);
    kd_buf_add(&all, letter->correlation);
    *kept = (struct co_letter){ .topic = { text, letter->topic.n },
                                .payload = { text + letter->topic.n, letter->payload.n },
                                .correlation = { text + letter->topic.n + letter->payload.n, letter->correlation.n },
                                .retain = letter->retain };
    *service->last_letter = kept;
    service->last_letter = &kept->next;
    service->letter_bytes += bytes;
}

static void co_letters_pump(struct co_service *service)
{
    while (service->letters && co_letter_go(service, service->letters)) {
        struct co_letter *sent = service->letters;
        service->letters = sent->next;
        service->letter_bytes -= sent->topic.n + sent->payload.n + sent->correlation.n;
        co_letter_free(sent);
    }
    if (!service->letters)
        service->last_letter = &service->letters;
}

static void co_letters_drop(struct co_service *service)
{
    while (service->letters) {
        struct co_letter *dropped = service->letters;
        service->letters = dropped->next;
        co_letter_free(dropped);
    }
    service->last_letter = &service->letters;
    service->letter_bytes = 0;
}

/** Without a connection they are dropped: who waits for one asks again. */
static void co_letters_send(struct co_work *work)
{
    struct co_service *service = work->service;
    co_letters_pump(service);
    for (const struct co_letter *letter = work->letters; letter && service->sync != CO_SYNC_OFFLINE; letter = letter->next)
        if (service->letters || !co_letter_go(service, letter))
            co_letter_keep(service, letter);
}

bool co_work_commit(struct co_work *work)
{
    struct co_service *service = work->service;
    struct kd_err err;
    co_manifests_make(work);
    if (work->spec->writes && work->status->writes) { /* the same number in both stores says that neither is ahead of the other */
        uint64_t batch = co_get_number(work->spec, CO_META, KD_STR("batch")) + 1;
        co_put_number(work->spec, CO_META, KD_STR("batch"), batch);
        co_put_number(work->status, CO_S_META, KD_STR("batch"), batch);
    }
    enum kd_code code = kd_txn_commit(KD_TAKE(work->status, NULL), &err);
    if (code == KD_OK) {
        code = kd_txn_commit(KD_TAKE(work->spec, NULL), &err);
        service->uneven = code != KD_OK;
    }
    service->counts.commits++;
    if (code != KD_OK) {
        service->counts.commit_failures++;
        co_note(service, LOG_ERR, "store.commit-failed", "why=\"%s\"", err.story);
    }
    if (code == KD_OK || KD_PLANT(REPLY_BEFORE_COMMIT))
        co_letters_send(work);
    co_work_abort(work);
    return code == KD_OK;
}

/* ---- messages ---- */

static void co_on_request(struct co_work *work, const struct kd_topic *topic, const struct co_message *message)
{
    co_request(work, topic, message);
}

static void co_on_hello(struct co_work *work, const struct kd_topic *topic, const struct co_message *message)
{
    co_agent_hello(work, topic->part[1], message->payload);
}

static void co_on_inventory(struct co_work *work, const struct kd_topic *topic, const struct co_message *message)
{
    co_agent_inventory(work, topic->part[1], message->payload);
}

static void co_on_status(struct co_work *work, const struct kd_topic *topic, const struct co_message *message)
{
    co_agent_status(work, topic->part[1], message->payload);
}

static void co_on_marker(struct co_work *work, const struct kd_topic *topic, const struct co_message *message)
{
    (void)topic;
    co_outbox_marker(work->service, message->payload, message->retain);
}

static void co_on_own(struct co_work *work, const struct kd_topic *topic, const struct co_message *message)
{
    if (message->retain && message->payload.n)
        co_outbox_found(work, topic, message->topic);
}

/** A row per kind of topic that is heard: what is subscribed, how large a payload may be, who takes it. */
static const struct co_heard {
    bool always; /* subscribed in every connection; the others only while everything is repeated */
    size_t max_bytes;
    void (*take)(struct co_work *work, const struct kd_topic *topic, const struct co_message *message);
} co_heard[KD_TOPIC_KIND_COUNT] = {
    [KD_TOPIC_REQUEST] = { true, KD_PAYLOAD_MAX, co_on_request },    [KD_TOPIC_HELLO] = { true, KD_STATE_MAX, co_on_hello },
    [KD_TOPIC_INVENTORY] = { true, KD_STATE_MAX, co_on_inventory },  [KD_TOPIC_STATUS] = { true, KD_STATE_MAX, co_on_status },
    [KD_TOPIC_MARKER] = { true, KD_STATE_MAX, co_on_marker },        [KD_TOPIC_MANIFEST] = { false, KD_PAYLOAD_MAX, co_on_own },
    [KD_TOPIC_OBJECT] = { false, KD_PAYLOAD_MAX, co_on_own },        [KD_TOPIC_STATE] = { false, KD_PAYLOAD_MAX, co_on_own },
    [KD_TOPIC_STATE_VERSION] = { false, KD_PAYLOAD_MAX, co_on_own },
};

/** The n-th kind that is heard always (or only while repeating); -1 after the last. */
static int co_heard_kind(bool always, size_t n)
{
    for (int kind = 0; kind < KD_TOPIC_KIND_COUNT; kind++)
        if (co_heard[kind].take && co_heard[kind].always == always && n-- == 0)
            return kind;
    return -1;
}

static struct kd_str co_filter(struct co_service *service, int kind)
{
    KD_AUTO(kd_buf_clear) struct kd_buf topic = KD_BUF(KD_TOPIC_MAX);
    const struct kd_str any = KD_STR("+");
    kd_topic_add(&topic, (enum kd_topic_kind)kind, service->project, any, any, any);
    (void)kd_str_copy(kd_buf_str(&topic), service->filter, sizeof service->filter);
    return kd_str(service->filter);
}

struct kd_str co_service_filter(struct co_service *service, size_t i)
{
    int kind = co_heard_kind(true, i);
    return kind < 0 ? CO_NONE : co_filter(service, kind);
}

static void co_repair_subscribe(struct co_service *service, bool on)
{
    for (size_t i = 0; co_heard_kind(false, i) >= 0; i++)
        service->ops->subscribe(service->ctx, co_filter(service, co_heard_kind(false, i)), on);
}

static void co_take(struct co_work *work, const struct co_message *message)
{
    struct kd_topic topic;
    struct co_service *service = work->service;
    service->counts.messages++;
    if (!kd_topic_parse(message->topic, &topic) || !co_heard[topic.kind].take || !kd_str_eq(topic.part[0], service->project)) {
        service->counts.refused_messages++;
        return;
    }
    if (message->payload.n > co_heard[topic.kind].max_bytes && topic.kind != KD_TOPIC_REQUEST) {
        service->counts.refused_messages++;
        co_note(service, LOG_WARNING, "message.too-large", "topic=%.*s bytes=%zu", KD_ARG(message->topic), message->payload.n);
        return;
    }
    co_heard[topic.kind].take(work, &topic, message);
}

void co_service_batch(struct co_service *service, const struct co_message *messages, size_t n)
{
    struct co_work work;
    if (n == 0 || !co_work_begin(service, &work))
        return;
    service->counts.batches++;
    for (size_t i = 0; i < n; i++) {
        co_take(&work, &messages[i]);
        co_work_next(&work);
    }
    (void)co_work_commit(&work);
    (void)co_outbox_pump(service);
}

/* ---- life ---- */

#ifdef KD_PLANTED
static void co_outbox_forget(struct co_work *work)
{
    struct kd_scan scan = kd_scan_prefix(CO_OUTBOX, CO_NONE);
    while (kd_scan_next(work->spec, &scan))
        (void)kd_txn_del(work->spec, CO_OUTBOX, kd_key_str(&scan.key));
}
#else
#define co_outbox_forget(work) (void)(work)
#endif

/** What a fresh pair of stores needs, and what differs after a crash between the two commits. */
static void co_service_settle(struct co_work *work)
{
    if (KD_PLANT(OUTBOX_NOT_KEPT))
        co_outbox_forget(work);
    struct co_service *service = work->service;
    struct co_project project = co_project_get(work);
    struct kd_str report;
    if (project.version.epoch == 0) {
        project.version = (struct kd_version){ (uint64_t)(work->wall.unix_ms / 1000), 0 };
        co_project_put(work, &project);
    }
    if (!kd_txn_get(work->status, CO_S_META, KD_STR("report"), &report)) {
        co_random_text(service, service->report);
        kd_txn_put(work->status, CO_S_META, KD_STR("report"), kd_str(service->report));
    } else {
        (void)kd_str_copy(report, service->report, sizeof service->report);
    }
    service->uptime_ms = co_get_number(work->spec, CO_META, KD_STR("uptime"));
    uint64_t starts = co_get_number(work->spec, CO_META, KD_STR("starts")) + 1;
    co_put_number(work->spec, CO_META, KD_STR("starts"), starts);
    service->order_epoch = project.version.epoch;
    service->order = starts << 30; /* a start leaves room for 2^30 views; starts stay below 2^23 */
    if (co_get_number(work->spec, CO_META, KD_STR("batch")) != co_get_number(work->status, CO_S_META, KD_STR("batch")))
        co_kinds_recount(work);
}

static bool co_project_copy(struct kd_str project, struct kd_str *ret)
{
    char *copy = malloc(project.n + 1);
    if (!copy)
        return false;
    memcpy(copy, project.p, project.n);
    ret->p = copy;
    ret->n = project.n;
    return true;
}

enum kd_code co_service_open(const struct co_service_options *options, struct kd_store *spec, struct kd_store *status,
                             const struct co_service_ops *ops, void *ctx, struct co_service **ret, struct kd_err *err)
{
    struct co_service *service = calloc(1, sizeof *service);
    if (!service || !co_project_copy(options->project, &service->project)) {
        free(service);
        return kd_fail(err, KD_INTERNAL, 0, "out of memory");
    }
    service->options = *options;
    service->options.project = service->project;
    service->spec = spec;
    service->status = status;
    service->ops = ops;
    service->ctx = ctx;
    service->started = ops->now(ctx);
    service->last_letter = &service->letters;
    service->watches = (struct kd_map)KD_MAP(sizeof(struct co_watch));
    service->next_silence = service->next_lookup = KD_NEVER;
    struct co_work work;
    bool open = co_work_begin(service, &work);
    if (open) {
        co_service_settle(&work);
        co_kinds_start(&work);
        open = co_work_commit(&work);
    }
    if (!open) {
        (void)co_service_close(service);
        return kd_fail(err, KD_UNAVAILABLE, 0, "the stores cannot be written");
    }
    *ret = service;
    return KD_OK;
}

struct co_service *co_service_close(struct co_service *service)
{
    if (service) {
        co_letters_drop(service);
        co_lookups_clear(service);
        kd_map_clear(&service->watches);
        free((void *)(uintptr_t)service->project.p);
        free(service);
    }
    return NULL;
}

void co_service_reload(struct co_service *service, const struct co_service_options *options)
{
    struct kd_str project = service->options.project;
    service->options = *options;
    service->options.project = project;
}

void co_service_connected(struct co_service *service)
{
    co_random_text(service, service->session);
    co_outbox_connected(service);
    co_agents_connected(service);
}

void co_service_disconnected(struct co_service *service)
{
    if (service->sync == CO_SYNC_REPEATING)
        co_repair_subscribe(service, false);
    co_letters_drop(service);
    co_outbox_disconnected(service);
}

void co_service_repeat_all(struct co_service *service, bool on)
{
    co_repair_subscribe(service, on);
}

void co_service_published(struct co_service *service, uint64_t token, int reason)
{
    co_outbox_published(service, token, reason);
    co_letters_pump(service);
}

static struct kd_mono co_sooner(struct kd_mono a, struct kd_mono b)
{
    return a.us < b.us ? a : b;
}

/** Uptime is written down while something waits for its hour. */
static void co_uptime_keep(struct co_work *work)
{
    struct kd_scan replies = kd_scan_prefix(CO_REPLY_DUE, CO_NONE), uploads = kd_scan_prefix(CO_UPLOAD_INFO, CO_NONE);
    if (kd_scan_next(work->spec, &replies) || kd_scan_next(work->spec, &uploads))
        co_put_number(work->spec, CO_META, KD_STR("uptime"), work->uptime_ms);
}

/** Objects, replies and uploads that have had their time; once a minute is enough. */
static struct kd_mono co_expire(struct co_service *service)
{
    struct kd_mono now = service->ops->now(service->ctx);
    struct co_work work;
    if (now.us >= service->next_clear.us && co_work_begin(service, &work)) {
        service->next_clear.us = now.us + 60 * KD_US_PER_S;
        (void)co_objects_clear(&work);
        co_requests_expire(&work);
        co_uptime_keep(&work);
        (void)co_work_commit(&work);
    }
    return service->next_clear;
}

struct kd_mono co_service_tick(struct co_service *service)
{
    struct kd_mono next = co_expire(service);
    next = co_sooner(next, co_agents_tick(service));
    next = co_sooner(next, co_lookups_tick(service));
    co_letters_pump(service);
    return co_sooner(next, co_outbox_pump(service));
}

struct co_service_counts co_service_counts(const struct co_service *service)
{
    return service->counts;
}
