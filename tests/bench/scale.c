/** How the coordinator's service does with very many clusters: time and memory of one deployment on all of them, hellos and statuses a
 *  second in batches over stores on disk. Usage: scale CLUSTERS DIRECTORY (a new one; it is left behind). Prints key=value lines. */
#include "coordinator/server/service.h"
#include "coordinator/server/tables.h"
#include "shared/base/own.h"
#include "shared/model/digest.h"
#include "shared/model/messages.h"
#include "shared/os/clock.h"
#include "shared/os/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { SCALE_BATCH = 1000, SCALE_TEXT = 1024, SCALE_PENDING = 4096 };

struct scale {
    struct co_service *service;
    uint64_t lookup, pending[SCALE_PENDING];
    size_t pending_n, published, clusters;
    char uid[64], digest[128], probe[256];
    char topic[SCALE_BATCH][SCALE_TEXT], payload[SCALE_BATCH][SCALE_TEXT];
    struct co_message batch[SCALE_BATCH];
};

static void scale_notice(struct scale *s, const struct co_publish *m)
{
    static const char uid[] = "\"uid\":\"", digest[] = "\"digest\":\"";
    const char *at = m->payload.n ? memmem(m->payload.p, m->payload.n, digest, strlen(digest)) : NULL;
    if (kd_str_ends(m->topic, KD_STR("/reply/ada/deploy")) && (at = memmem(m->payload.p, m->payload.n, uid, strlen(uid))))
        (void)snprintf(s->uid, sizeof s->uid, "%.32s", at + strlen(uid));
    else if (kd_str_ends(m->topic, KD_STR("/marker")) && !m->retain)
        (void)kd_str_copy(m->payload, s->probe, sizeof s->probe);
    else if (kd_str_ends(m->topic, KD_STR("/manifest")) && at)
        (void)snprintf(s->digest, sizeof s->digest, "%.71s", at + strlen(digest));
}

static bool scale_publish(void *ctx, const struct co_publish *m)
{
    struct scale *s = ctx;
    if (m->token && s->pending_n == SCALE_PENDING)
        return false;
    scale_notice(s, m);
    if (m->token)
        s->pending[s->pending_n++] = m->token;
    s->published++;
    return true;
}

static size_t scale_room(void *ctx)
{
    return SCALE_PENDING - ((struct scale *)ctx)->pending_n;
}

static void scale_subscribe(void *ctx, struct kd_str filter, bool on)
{
    (void)ctx, (void)filter, (void)on;
}

static void scale_resolve(void *ctx, const struct co_lookup *lookup)
{
    ((struct scale *)ctx)->lookup = lookup->id;
}

static struct kd_mono scale_now(void *ctx)
{
    (void)ctx;
    return kd_mono_now();
}

static struct kd_wall scale_wall(void *ctx)
{
    (void)ctx;
    return kd_wall_now();
}

static uint64_t scale_chance(void *ctx)
{
    (void)ctx;
    return kd_random_u64();
}

static void scale_log(void *ctx, int level, const char *event, const char *text)
{
    (void)ctx;
    if (level <= 3)
        (void)fprintf(stderr, "%s %s\n", event, text);
}

static const struct co_service_ops scale_ops = { .publish = scale_publish,
                                                 .room = scale_room,
                                                 .subscribe = scale_subscribe,
                                                 .resolve = scale_resolve,
                                                 .now = scale_now,
                                                 .wall = scale_wall,
                                                 .chance = scale_chance,
                                                 .log = scale_log };

static double scale_seconds(struct kd_mono since)
{
    return (double)(kd_mono_now().us - since.us) / 1e6;
}

static long scale_peak_mb(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024;
}

/** What the coordinator sends to itself comes back. */
static void scale_echo(struct scale *s)
{
    char text[sizeof s->probe];
    (void)kd_str_copy(kd_str(s->probe), text, sizeof text);
    s->probe[0] = '\0';
    struct co_message message = { .topic = KD_STR(KD_TOPIC_ROOT "default/marker"), .payload = kd_str(text) };
    if (text[0])
        co_service_batch(s->service, &message, 1);
}

/** The broker answers until there is nothing left to publish. */
static void scale_drain(struct scale *s)
{
    for (int idle = 0; idle < 3;) {
        idle = s->pending_n || s->probe[0] ? 0 : idle + 1;
        scale_echo(s);
        while (s->pending_n)
            co_service_published(s->service, s->pending[--s->pending_n], 0);
        (void)co_service_tick(s->service);
    }
}

static void scale_ask(struct scale *s, const char *request, const char *id, const char *body)
{
    char topic[256], to[256];
    (void)snprintf(topic, sizeof topic, KD_TOPIC_ROOT "default/request/ada/%s", request);
    (void)snprintf(to, sizeof to, KD_TOPIC_ROOT "default/reply/ada/%s", id);
    struct co_message message = { .topic = kd_str(topic), .payload = kd_str(body), .response_topic = kd_str(to) };
    co_service_batch(s->service, &message, 1);
}

/** One message per cluster in batches; prints how many a second. */
static void scale_all(struct scale *s, const char *what, void (*fill)(struct scale *s, size_t cluster, char *topic, char *payload),
                      const char *response)
{
    struct kd_mono begin = kd_mono_now();
    for (size_t i = 0, n = 0; i < s->clusters; i++) {
        fill(s, i, s->topic[n], s->payload[n]);
        s->batch[n] = (struct co_message){ kd_str(s->topic[n]), kd_str(s->payload[n]), kd_str(response), { NULL, 0 }, false };
        if (++n == SCALE_BATCH || i + 1 == s->clusters) {
            co_service_batch(s->service, s->batch, n);
            n = 0;
        }
    }
    double seconds = scale_seconds(begin);
    (void)printf("%s_per_s=%.0f %s_s=%.2f peak_mb=%ld\n", what, (double)s->clusters / seconds, what, seconds, scale_peak_mb());
}

static void scale_create(struct scale *s, size_t cluster, char *topic, char *payload)
{
    (void)s;
    (void)snprintf(topic, SCALE_TEXT, KD_TOPIC_ROOT "default/request/ada/cluster/create");
    (void)snprintf(payload, SCALE_TEXT, "{\"name\":\"store-%06zu\",\"labels\":{\"chain\":\"demo\",\"region\":\"r%zu\"}}", cluster,
                   cluster % 50);
}

static void scale_hello(struct scale *s, size_t cluster, char *topic, char *payload)
{
    (void)s;
    (void)snprintf(topic, SCALE_TEXT, KD_TOPIC_ROOT "default/clusters/store-%06zu/hello", cluster);
    (void)snprintf(
        payload, SCALE_TEXT,
        "{\"state\":\"online\",\"session\":\"s%zu\",\"start\":1,\"connection\":1,\"store\":\"t%zu\",\"manifest\":{\"epoch\":1,"
        "\"n\":1}}",
        cluster, cluster);
}

static void scale_status(struct scale *s, size_t cluster, char *topic, char *payload)
{
    (void)snprintf(topic, SCALE_TEXT, KD_TOPIC_ROOT "default/clusters/store-%06zu/status/shop", cluster);
    (void)snprintf(
        payload, SCALE_TEXT,
        "{\"deployment\":\"shop\",\"uid\":\"%s\",\"digest\":\"%s\",\"session\":\"s%zu\",\"sequence\":1,\"state\":\"running\","
        "\"apps\":[{\"name\":\"web\",\"version\":\"1.0.0\",\"state\":\"running\",\"ready\":2,\"total\":2,\"age_s\":310}]}",
        s->uid, s->digest, cluster);
}

static void scale_time(struct scale *s, const char *what, const char *request, const char *body)
{
    struct kd_mono begin = kd_mono_now();
    scale_ask(s, request, "deploy", body);
    (void)co_service_tick(s->service);
    const struct kd_digest chart = kd_digest_of(KD_STR("chart"));
    if (s->lookup)
        co_service_resolved(s->service, s->lookup, KD_OK, kd_digest_str(&chart));
    s->lookup = 0;
    (void)printf("%s_s=%.2f peak_mb=%ld\n", what, scale_seconds(begin), scale_peak_mb());
    size_t before = s->published;
    begin = kd_mono_now();
    scale_drain(s);
    double seconds = scale_seconds(begin);
    (void)printf("%s_published=%zu published_s=%.2f peak_mb=%ld\n", what, s->published - before, seconds, scale_peak_mb());
}

static void scale_run(struct scale *s)
{
    co_service_connected(s->service);
    scale_drain(s);
    scale_ask(s, "registry/create", "x", "{\"name\":\"charts\",\"type\":\"HELM\",\"rootUrl\":\"oci://r.local\"}");
    scale_ask(
        s, "application/create", "x",
        "{\"name\":\"web\",\"version\":\"1.0.0\",\"chartName\":\"web\",\"chartVersion\":\"1.0.0\",\"helmRegistry\":\"charts\","
        "\"profiles\":[{\"name\":\"default\",\"chartValues\":\"a: 1\"}]}");
    scale_ask(s, "package/create", "x",
              "{\"name\":\"shop\",\"version\":\"1.0.0\",\"applications\":[{\"name\":\"web\",\"version\":\"1.0.0\"}]}");
    scale_all(s, "create", scale_create, KD_TOPIC_ROOT "default/reply/ada/x");
    scale_drain(s);
    scale_all(s, "hello", scale_hello, "");
    scale_time(s, "deploy", "deployment/create",
               "{\"name\":\"shop\",\"package\":{\"name\":\"shop\",\"version\":\"1.0.0\"},\"targets\":[{\"labels\":{\"chain\":"
               "\"demo\"}}]}");
    scale_all(s, "status", scale_status, "");
    scale_time(s, "list_last_page", "cluster/list", "{\"pageSize\":500,\"pageToken\":\"99500\"}");
    scale_time(s, "list_by_state", "cluster/list", "{\"filter\":\"state=offline\"}");
    scale_time(s, "status_of_one", "deployment/get", "{\"name\":\"shop\"}");
    scale_time(s, "delete", "deployment/delete", "{\"name\":\"shop\"}");
}

static bool scale_open(const char *directory, struct kd_store **spec, struct kd_store **status, struct kd_err *err)
{
    char path[4096];
    if (mkdir(directory, 0700) != 0 && errno != EEXIST)
        return false;
    (void)snprintf(path, sizeof path, "%s/spec", directory);
    if (kd_store_open(path, co_spec_table_names, CO_SPEC_TABLE_COUNT, UINT64_C(1) << 34, spec, err) != KD_OK)
        return false;
    (void)snprintf(path, sizeof path, "%s/status", directory);
    return kd_store_open(path, co_status_table_names, CO_STATUS_TABLE_COUNT, UINT64_C(1) << 34, status, err) == KD_OK;
}

int main(int argc, char **argv)
{
    KD_AUTO(kd_freep) struct scale *s = calloc(1, sizeof *s);
    struct kd_store *spec = NULL, *status = NULL;
    struct kd_err err = { .story = "usage: scale CLUSTERS DIRECTORY" };
    const struct co_service_options options = { KD_STR("default"), 3600 * KD_US_PER_S, 60 * KD_US_PER_S, 60, 86400 * KD_US_PER_S };
    bool ready = argc == 3 && s && scale_open(argv[2], &spec, &status, &err) &&
                 co_service_open(&options, spec, status, &scale_ops, s, &s->service, &err) == KD_OK;
    if (ready) {
        s->clusters = strtoul(argv[1], NULL, 10);
        scale_run(s);
        s->service = co_service_close(s->service);
    } else {
        (void)fprintf(stderr, "%s\n", err.story);
    }
    spec = kd_store_close(spec);
    status = kd_store_close(status);
    return ready ? 0 : 1;
}
