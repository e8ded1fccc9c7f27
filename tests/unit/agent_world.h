/** A shell for tests of the agent's core: rows in memory, jobs that end when the test says so, time that moves when the test says so. */
#ifndef KD_TESTS_AGENT_WORLD_H
#define KD_TESTS_AGENT_WORLD_H

#include "tests/unit/unit.h"

#include <stdio.h>

#include "agent/core/core.h"
#include "shared/base/own.h"
#include "shared/model/digest.h"
#include "shared/model/name.h"

#define SHOP  "11111111111111111111111111111111"
#define SHOP2 "22222222222222222222222222222222"
#define BLOG  "33333333333333333333333333333333"
#define ENROL "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
#define OTHER "dddddddddddddddddddddddddddddddd"

enum { WORLD_ROWS = 64, WORLD_JOBS = 16, WORLD_SAID = 8, WORLD_TOPICS = 64 };

struct world_row {
    enum ag_table table;
    char key[80];
    char *value;
    size_t n;
};

struct world_job {
    uint64_t id;
    enum ag_job_kind kind;
    char uid[KD_UID_TEXT + 1], app[KD_APP_NAME_MAX + 1], key[65], release[64], uids[200];
    bool hooks, upgrade, killed;
    size_t values, blobs; /* of a prepare */
    struct {
        char uid[KD_UID_TEXT + 1], app[KD_APP_NAME_MAX + 1], key[65];
    } asked[8]; /* of an observe */
    size_t asked_n;
};

struct world {
    struct ag_core *core;
    struct kd_mono now, wake;
    uint64_t chance;
    int starts;
    struct world_row rows[WORLD_ROWS];
    size_t row_n;
    struct world_job jobs[WORLD_JOBS]; /* running; id 0 is free */
    char topics[WORLD_TOPICS][65];     /* subscribed */
    size_t topic_n;
    char hello[KD_STATE_MAX], inventory[4096]; /* the last ones */
    char status[WORLD_SAID][KD_STATE_MAX + 1]; /* the last one per uid */
    char status_uid[WORLD_SAID][KD_UID_TEXT + 1];
    size_t status_n;
    unsigned hellos, statuses, inventories; /* since the test looked */
    int64_t reconnect_us;
    char session[33];
};

/* ---- rows ---- */

static inline void world_row_put(struct world *w, const struct ag_row *row)
{
    size_t at = 0;
    while (at < w->row_n && !(w->rows[at].table == row->table && kd_str_is(row->key, w->rows[at].key)))
        at++;
    if (at == w->row_n && row->value.p)
        w->row_n++;
    else if (at == w->row_n)
        return;
    assert_true(w->row_n <= WORLD_ROWS);
    struct world_row *to = &w->rows[at];
    free(to->value);
    to->value = NULL;
    if (!row->value.p) {
        *to = w->rows[--w->row_n];
        w->rows[w->row_n].value = NULL;
        return;
    }
    to->table = row->table;
    assert_true(kd_str_copy(row->key, to->key, sizeof to->key));
    to->value = malloc(row->value.n + 1);
    memcpy(to->value, row->value.p, row->value.n);
    to->value[row->value.n] = '\0';
    to->n = row->value.n;
}

static inline const struct world_row *world_row(const struct world *w, enum ag_table table, const char *key)
{
    for (size_t i = 0; i < w->row_n; i++)
        if (w->rows[i].table == table && strcmp(w->rows[i].key, key) == 0)
            return &w->rows[i];
    return NULL;
}

/* ---- wishes ---- */

static inline void world_said(struct world *w, struct kd_str payload)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 20);
    struct kd_status status;
    struct kd_err err;
    assert_ok(kd_json_decode(&kd_status_shape, payload, &arena, &status, &err), err);
    size_t at = 0;
    while (at < w->status_n && !kd_str_is(status.uid, w->status_uid[at]))
        at++;
    assert_true(at < WORLD_SAID);
    w->status_n += at == w->status_n;
    (void)kd_str_copy(status.uid, w->status_uid[at], sizeof w->status_uid[at]);
    assert_true(kd_str_copy(payload, w->status[at], sizeof w->status[at]));
    w->statuses++;
}

static inline void world_publish(struct world *w, const struct ag_wish *wish)
{
    assert_non_null(wish->payload.p);
    switch (wish->topic) {
    case AG_TOPIC_HELLO:
        assert_true(kd_str_copy(wish->payload, w->hello, sizeof w->hello));
        w->hellos++;
        break;
    case AG_TOPIC_STATUS:
        world_said(w, wish->payload);
        break;
    case AG_TOPIC_INVENTORY:
        assert_true(kd_str_copy(wish->payload, w->inventory, sizeof w->inventory));
        w->inventories++;
        break;
    }
}

static inline void world_start_job(struct world *w, const struct ag_wish *wish)
{
    struct world_job *job = NULL;
    for (size_t i = 0; i < WORLD_JOBS && !job; i++)
        job = w->jobs[i].id ? NULL : &w->jobs[i];
    assert_non_null(job);
    *job = (struct world_job){ .id = wish->job, .kind = (enum ag_job_kind)wish->request->kind, .values = wish->values.n };
    for (size_t i = 0; i < wish->values.n; i++)
        job->blobs += wish->values.v[i].blobs.n;
    if (job->kind == AG_JOB_OBSERVE) {
        for (size_t i = 0; i < wish->request->apps.n && i < 8; i++, job->asked_n++) {
            const struct ag_job_app *app = &wish->request->apps.v[i];
            (void)kd_str_copy(app->uid, job->asked[i].uid, sizeof job->asked[i].uid);
            (void)kd_str_copy(app->name, job->asked[i].app, sizeof job->asked[i].app);
            (void)kd_str_copy(app->key, job->asked[i].key, sizeof job->asked[i].key);
        }
        return;
    }
    const struct ag_job_app *app = &wish->request->apps.v[0];
    assert_int_equal(wish->request->apps.n, 1);
    (void)kd_str_copy(app->uid, job->uid, sizeof job->uid);
    (void)kd_str_copy(app->name, job->app, sizeof job->app);
    (void)kd_str_copy(app->key, job->key, sizeof job->key);
    (void)kd_str_copy(app->release, job->release, sizeof job->release);
    for (size_t i = 0; i < app->uids.n; i++)
        (void)snprintf(job->uids + strlen(job->uids), sizeof job->uids - strlen(job->uids), "%.*s ", KD_ARG(app->uids.v[i]));
    job->hooks = app->run_hooks;
    job->upgrade = app->upgrade;
}

static inline void world_topic(struct world *w, struct kd_str digest, bool on)
{
    size_t at = 0;
    while (at < w->topic_n && !kd_str_is(digest, w->topics[at]))
        at++;
    if (on && at == w->topic_n) {
        assert_true(at < WORLD_TOPICS);
        (void)kd_str_copy(digest, w->topics[w->topic_n++], sizeof w->topics[at]);
    } else if (!on && at < w->topic_n) {
        memmove(w->topics[at], w->topics[--w->topic_n], sizeof w->topics[at]);
    }
}

static inline void world_carry_out(struct world *w, const struct ag_wish *wish)
{
    switch (wish->kind) {
    case AG_SUBSCRIBE:
    case AG_UNSUBSCRIBE:
        world_topic(w, wish->digest, wish->kind == AG_SUBSCRIBE);
        break;
    case AG_PUBLISH:
        world_publish(w, wish);
        break;
    case AG_JOB:
        world_start_job(w, wish);
        break;
    case AG_KILL:
        for (size_t i = 0; i < WORLD_JOBS; i++)
            w->jobs[i].killed |= w->jobs[i].id == wish->job;
        break;
    case AG_WAKE:
        w->wake = wish->at;
        break;
    case AG_RECONNECT_AFTER:
        w->reconnect_us = wish->delay_us;
        break;
    case AG_LOG:
    case AG_WISH_COUNT:
        break;
    }
}

static inline void world_step(struct world *w, struct ag_event event)
{
    struct ag_step step;
    event.now = w->now;
    event.chance = w->chance += UINT64_C(0x9E3779B97F4A7C15);
    ag_core_step(w->core, &event, &step);
    for (size_t i = 0; i < step.rows.n; i++)
        world_row_put(w, &step.rows.v[i]);
    for (size_t i = 0; i < step.wishes.n; i++)
        world_carry_out(w, &step.wishes.v[i]);
}

/* ---- events ---- */

static inline void world_start(struct world *w)
{
    struct ag_core_options options = ag_core_defaults();
    const struct kd_str features[] = { KD_STR("podman") };
    options.project = KD_STR("acme");
    options.cluster = KD_STR("edge");
    options.features = (struct kd_strs){ (struct kd_str *)features, 1 };
    w->core = ag_core_open(&options);
    assert_non_null(w->core);
    w->wake = KD_NEVER;
    w->topic_n = 0;
    memset(w->jobs, 0, sizeof w->jobs);
    for (size_t i = 0; i < w->row_n; i++) {
        struct kd_err err = { 0 };
        assert_ok(ag_core_load(w->core, w->rows[i].table, kd_str(w->rows[i].key), (struct kd_str){ w->rows[i].value, w->rows[i].n },
                               &err),
                  err);
    }
    (void)snprintf(w->session, sizeof w->session, "%032d", ++w->starts);
    world_step(w, (struct ag_event){ .kind = AG_STARTED, .text = kd_str(w->session) });
}

static inline void world_restart(struct world *w)
{
    w->core = ag_core_close(w->core);
    w->status_n = 0;
    world_start(w);
}

static inline void world_send(struct world *w, enum ag_event_kind kind, const char *payload)
{
    world_step(w, (struct ag_event){ .kind = kind, .payload = kd_str(payload) });
}

static inline void world_connect(struct world *w)
{
    world_step(w, (struct ag_event){ .kind = AG_CONNECTED });
}

/** Lets time pass, ringing every alarm on the way. */
static inline void world_wait(struct world *w, int64_t seconds)
{
    struct kd_mono end = { w->now.us + seconds * KD_US_PER_S };
    unsigned alarms = 0;
    while (w->wake.us <= end.us) {
        w->now.us = w->wake.us > w->now.us ? w->wake.us : w->now.us;
        w->wake = KD_NEVER;
        world_step(w, (struct ag_event){ .kind = AG_DUE });
        assert_true(++alarms < 100000);
    }
    w->now = end;
}

/** The running job of a kind (for one application, "" for any), or NULL. */
static inline struct world_job *world_job(struct world *w, enum ag_job_kind kind, const char *app)
{
    for (size_t i = 0; i < WORLD_JOBS; i++)
        if (w->jobs[i].id && w->jobs[i].kind == kind && (!app[0] || strcmp(w->jobs[i].app, app) == 0))
            return &w->jobs[i];
    return NULL;
}

static inline void world_end(struct world *w, struct world_job *job, const struct ag_job_result *result)
{
    assert_non_null(job);
    uint64_t id = job->id;
    job->id = 0;
    world_step(w, (struct ag_event){ .kind = AG_JOB_ENDED, .job = id, .result = result });
}

static inline void world_fail(struct world *w, struct world_job *job, enum kd_code code, const char *why)
{
    world_end(w, job, &(struct ag_job_result){ .error = { .code = (int)code, .message = kd_str(why) } });
}

/** Ends a prepare, apply or remove well; an apply finds `found`. */
static inline void world_done(struct world *w, struct world_job *job, enum ag_found found)
{
    assert_non_null(job);
    struct ag_job_found row = {
        .uid = kd_str(job->uid), .app = kd_str(job->app), .key = kd_str(job->key), .state = (int)found, .total = 1
    };
    struct ag_job_result result = { .ok = true, .found = { .v = &row, .n = job->kind == AG_JOB_APPLY } };
    struct world_job copy = *job;
    row.uid = kd_str(copy.uid);
    row.app = kd_str(copy.app);
    row.key = kd_str(copy.key);
    world_end(w, job, &result);
}

/** Ends the running observe: everything that was asked about is as `found`, and these rows beside it. */
static inline void world_observed(struct world *w, enum ag_found found, const struct ag_job_found *more, size_t more_n)
{
    struct world_job *job = world_job(w, AG_JOB_OBSERVE, "");
    struct ag_job_found rows[16];
    size_t n = 0;
    assert_non_null(job);
    struct world_job copy = *job;
    for (size_t i = 0; i < copy.asked_n; i++)
        rows[n++] = (struct ag_job_found){ .uid = kd_str(copy.asked[i].uid),
                                           .app = kd_str(copy.asked[i].app),
                                           .key = kd_str(copy.asked[i].key),
                                           .state = (int)found,
                                           .total = 1 };
    for (size_t i = 0; i < more_n; i++)
        rows[n++] = more[i];
    world_end(w, job, &(struct ag_job_result){ .ok = true, .found = { .v = rows, .n = n } });
}

/** Everything that runs is well, whatever is asked, until nothing is to do any more. */
static inline void world_settle(struct world *w)
{
    for (int i = 0; i < 200; i++) {
        struct world_job *job = NULL;
        for (size_t j = 0; j < WORLD_JOBS && !job; j++)
            job = w->jobs[j].id ? &w->jobs[j] : NULL;
        if (!job)
            return;
        if (job->kind == AG_JOB_OBSERVE)
            world_observed(w, AG_FOUND_RUNNING, NULL, 0);
        else
            world_done(w, job, AG_FOUND_RUNNING);
    }
    fail_msg("jobs without an end");
}

/* ---- documents ---- */

static inline const char *world_document(const char *name, const char *uid, const char *apps, struct kd_digest *ret)
{
    static char text[50000];
    (void)snprintf(text, sizeof text,
                   "{\"deployment\":\"%s\",\"uid\":\"%s\",\"package\":{\"name\":\"pack\",\"version\":\"1.0.0\"},\"apps\":[%s]}",
                   name, uid, apps);
    *ret = kd_digest_of(kd_str(text));
    return text;
}

#define CHART(version)                                                                                                             \
    "\"namespace\":\"shop\",\"chart\":{\"registry\":\"oci://r\",\"name\":\"c\",\"version\":\"" version                             \
    "\",\"digest\":\"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}"
#define APP(name, version)       "{\"name\":\"" name "\",\"version\":\"" version "\"," CHART(version) "}"
#define APP_ON(name, version, d) "{\"name\":\"" name "\",\"version\":\"" version "\"," CHART(version) ",\"dependsOn\":[\"" d "\"]}"

/** A manifest of epoch 1 with these deployments and removals (JSON rows) and further members. */
static inline void world_manifest(struct world *w, unsigned n, const char *deployments, const char *remove, const char *more)
{
    char text[8192];
    (void)snprintf(text, sizeof text,
                   "{\"version\":{\"epoch\":1,\"n\":%u},\"cluster\":\"acme/edge\",\"enrolment\":\"" ENROL
                   "\",\"deployments\":[%s],\"remove\":[%s]%s}",
                   n, deployments, remove, more);
    world_send(w, AG_MANIFEST, text);
}

static inline const char *world_entry(const char *name, const char *uid, const struct kd_digest *digest, const char *more)
{
    static char text[4][512];
    static unsigned next;
    char *to = text[next++ % 4];
    (void)snprintf(to, sizeof text[0], "{\"name\":\"%s\",\"uid\":\"%s\",\"document\":{\"digest\":\"%s\",\"size\":500}%s}", name,
                   uid, digest->text, more);
    return to;
}

static inline void world_object(struct world *w, const char *bytes)
{
    struct kd_digest digest = kd_digest_of(kd_str(bytes));
    world_step(w, (struct ag_event){ .kind = AG_OBJECT, .text = kd_digest_hex(&digest), .payload = kd_str(bytes) });
}

/** Publishes a document of these applications as the only deployment of manifest n, and its object. */
static inline struct kd_digest world_deploy(struct world *w, unsigned n, const char *name, const char *uid, const char *apps)
{
    struct kd_digest digest;
    const char *document = world_document(name, uid, apps, &digest);
    world_manifest(w, n, world_entry(name, uid, &digest, ""), "", "");
    world_object(w, document);
    return digest;
}

/* ---- what was said ---- */

static inline struct kd_status world_status(struct world *w, const char *uid, struct kd_arena *arena)
{
    struct kd_status status = { 0 };
    struct kd_err err;
    for (size_t i = 0; i < w->status_n; i++)
        if (strcmp(w->status_uid[i], uid) == 0)
            assert_ok(kd_json_decode(&kd_status_shape, kd_str(w->status[i]), arena, &status, &err), err);
    return status;
}

/** The state that was reported last: of the deployment, or of one of its applications. "" if none was. */
static inline const char *world_state(struct world *w, const char *uid, const char *app)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 20);
    struct kd_status status = world_status(w, uid, &arena);
    if (status.uid.n == 0)
        return "";
    if (!app[0])
        return kd_app_state_word(status.state);
    for (size_t i = 0; i < status.apps.n; i++)
        if (kd_str_is(status.apps.v[i].name, app))
            return kd_app_state_word(status.apps.v[i].state);
    return "";
}

#define assert_state(w, uid, app, word) assert_string_equal(world_state(w, uid, app), word)

static inline void world_ack(struct world *w, const char *uid, const char *more)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 20);
    struct kd_status status = world_status(w, uid, &arena);
    char text[512];
    (void)snprintf(text, sizeof text, "{\"session\":\"%s\",\"acks\":[{\"uid\":\"%s\",\"sequence\":%llu%s}]}", w->session, uid,
                   (unsigned long long)status.sequence, more);
    world_send(w, AG_ACK, text);
}

static inline bool world_says(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* ---- set up ---- */

/** Started, everything observed, connected. */
static inline int world_setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->now.us = KD_US_PER_S;
    world_start(w);
    world_observed(w, AG_FOUND_RUNNING, NULL, 0);
    world_connect(w);
    *state = w;
    return w->core == NULL;
}

static inline int world_teardown(void **state)
{
    struct world *w = *state;
    w->core = ag_core_close(w->core);
    for (size_t i = 0; i < w->row_n; i++)
        free(w->rows[i].value);
    free(w);
    return 0;
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

#endif
