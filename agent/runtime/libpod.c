/** libpod: Podman's REST API over its Unix socket. */
#include "agent/runtime/libpod.h"

#include "shared/base/own.h"
#include "shared/base/utf8.h"
#include "shared/http/http.h"
#include "shared/model/digest.h"
#include "shared/model/json.h"
#include "shared/os/clock.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define AG_LIBPOD_ROOT "http://podman/v4.0.0/libpod/"

enum {
    AG_LIST_MAX = 32 * 1024 * 1024, /* bytes of a list of containers: about 1.5 KB each */
    AG_ANSWER_MAX = 1024 * 1024,    /* bytes of any other answer */
    AG_LISTED_MAX = 16384,          /* containers in one list */
    AG_WAIT_MS = 20,                /* how often Podman looks whether a container has ended */
    AG_SAID_MAX = 300,              /* bytes of Podman's own words in a story */
};

struct ag_libpod {
    struct kd_http *http;
    const struct ag_host *host; /* borrowed */
    struct kd_buf url;
};

enum kd_code ag_libpod_open(const struct ag_host *host, struct ag_libpod **ret, struct kd_err *err)
{
    KD_AUTO(ag_libpod_closep) struct ag_libpod *pod = calloc(1, sizeof *pod);
    if (!pod)
        return kd_fail(err, KD_INTERNAL, 0, "out of memory");
    pod->host = host;
    pod->url.max = KD_HTTP_URL_MAX;
    const struct kd_http_options options = { .socket_path = host->socket.p };
    enum kd_code code = kd_http_open(&options, &pod->http, err);
    if (code == KD_OK)
        *ret = KD_TAKE(pod, NULL);
    return code;
}

struct ag_libpod *ag_libpod_close(struct ag_libpod *pod)
{
    if (pod) {
        pod->http = kd_http_close(pod->http);
        kd_buf_clear(&pod->url);
        free(pod);
    }
    return NULL;
}

void ag_libpod_closep(struct ag_libpod **pod)
{
    *pod = ag_libpod_close(*pod);
}

int64_t ag_libpod_left_ms(const struct ag_libpod *pod)
{
    int64_t left = (pod->host->deadline.us - kd_mono_now().us) / 1000;
    return left > 1 ? left : 1;
}

/* ---- one call ---------------------------------------------------------------------------------------------------------- */

struct ag_call {
    enum kd_http_method method;
    struct kd_str body; /* JSON */
    struct kd_str auth; /* value of X-Registry-Auth */
    size_t max;         /* bytes of the answer, 0: AG_ANSWER_MAX */
    int64_t wait_ms;    /* KD_TIMEOUT after so long, 0: at the deadline */
};

static void ag_url_encode(struct kd_buf *out, struct kd_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (isalnum(c) || (c && strchr("-._~", c)))
            kd_buf_add_char(out, (char)c);
        else
            kd_buf_printf(out, "%%%02X", c);
    }
}

/** containers/<name>/start: names and filters between `before` and `after` are encoded. */
static struct kd_str ag_url(struct ag_libpod *pod, const char *before, struct kd_str name, const char *after)
{
    kd_buf_reset(&pod->url);
    kd_buf_printf(&pod->url, AG_LIBPOD_ROOT "%s", before);
    ag_url_encode(&pod->url, name);
    kd_buf_add(&pod->url, kd_str(after));
    return kd_buf_str(&pod->url);
}

struct ag_said {
    struct kd_str cause, message;
};

static const struct kd_json_field said_rows[] = {
    { .name = "cause", .kind = KD_JSON_TEXT, .at = offsetof(struct ag_said, cause), .max = AG_ANSWER_MAX },
    { .name = "message", .kind = KD_JSON_TEXT, .at = offsetof(struct ag_said, message), .max = AG_ANSWER_MAX },
};
static const struct kd_json_shape said_shape = {
    "Podman's answer", sizeof(struct ag_said), said_rows, KD_COUNT(said_rows), false, NULL
};

/** What causes mean to us; Podman gives most of them as status 500. */
static const struct {
    const char *cause;
    enum kd_code code;
} ag_causes[] = {
    { "network not found", KD_CONFLICT },  { "image not known", KD_NOT_FOUND },    { "no such container", KD_NOT_FOUND },
    { "no such pod", KD_NOT_FOUND },       { "no such volume", KD_NOT_FOUND },     { "that name is already in use", KD_EXISTS },
    { "pod already exists", KD_EXISTS },   { "volume already exists", KD_EXISTS }, { "network already exists", KD_EXISTS },
    { "volume is being used", KD_IN_USE },
};

/** The failure as a sentence of Podman's own words. */
static enum kd_code ag_call_fail(const struct kd_http_response *answer, enum kd_code code, struct kd_err *err)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(2 * AG_ANSWER_MAX);
    struct ag_said said = { { NULL, 0 }, { NULL, 0 } };
    if (!answer->status || kd_json_decode(&said_shape, kd_buf_str(&answer->body), &arena, &said, NULL) != KD_OK || !said.message.n)
        return code;
    for (size_t i = 0; i < KD_COUNT(ag_causes); i++)
        if (kd_str_is(said.cause, ag_causes[i].cause))
            code = ag_causes[i].code;
    return kd_fail(err, code, 0, "Podman says: %.*s", KD_ARG(kd_utf8_head(said.message, AG_SAID_MAX)));
}

/** The time that a call may take. */
static int64_t ag_call_ms(const struct ag_libpod *pod, const struct ag_call *call)
{
    int64_t left = ag_libpod_left_ms(pod);
    return call->wait_ms && call->wait_ms < left ? call->wait_ms : left;
}

static enum kd_code ag_call(struct ag_libpod *pod, struct kd_str url, const struct ag_call *call, struct kd_http_response *ret,
                            struct kd_err *err)
{
    struct kd_http_header headers[] = { { KD_STR("Content-Type"), KD_STR("application/json") },
                                        { KD_STR("X-Registry-Auth"), call->auth } };
    const struct kd_http_request request = {
        .method = call->method,
        .url = url,
        .headers = { headers, call->auth.n ? 2 : 1 },
        .body = call->body,
        .body_max = call->max ? call->max : AG_ANSWER_MAX,
        .total_ms = ag_call_ms(pod, call),
    };
    struct kd_err own = { KD_OK, 0, "", "" };
    int64_t begin_us = kd_mono_now().us;
    if (!url.n)
        return kd_fail(err, KD_INVALID, 0, "a name is too long for Podman");
    enum kd_code code = kd_http_do(pod->http, &request, ret, &own);
    if (code == KD_OK)
        return KD_OK;
    if (err)
        *err = own;
    if (!ret->status && kd_mono_now().us - begin_us >= request.total_ms * 1000)
        return kd_fail(err, KD_TIMEOUT, 0, "Podman did not answer in time");
    return ag_call_fail(ret, code, err);
}

/** A call whose answer says nothing but that it was done. */
static enum kd_code ag_do(struct ag_libpod *pod, enum kd_http_method method, struct kd_str url, struct kd_str body,
                          struct kd_err *err)
{
    KD_AUTO(kd_http_response_clear) struct kd_http_response answer = { 0 };
    return ag_call(pod, url, &(struct ag_call){ .method = method, .body = body }, &answer, err);
}

#define NO_BODY ((struct kd_str){ NULL, 0 })

/* ---- lists -------------------------------------------------------------------------------------------------------------- */

struct ag_row_labels {
    struct kd_str uid, deployment, app, namespace, release, object, hash, ordinal, attempt, grace, hook, keep;
};

struct ag_row_port {
    uint64_t host;
};

struct ag_row {
    struct kd_str id, state, pod_id, pod_name;
    struct kd_strs names;
    struct ag_row_labels labels;
    int64_t exit_code;
    bool infra;
    struct {
        struct ag_row_port *v;
        size_t n;
    } ports;
};

struct ag_rows {
    struct {
        struct ag_row *v;
        size_t n;
    } rows;
};

#define LABEL(key, member)                                                                                                         \
    {                                                                                                                              \
        .name = "kedge." key, .kind = KD_JSON_TEXT, .at = offsetof(struct ag_row_labels, member)                                   \
    }
static const struct kd_json_field label_rows[] = {
    LABEL("uid", uid),         LABEL("deployment", deployment), LABEL("app", app),   LABEL("namespace", namespace),
    LABEL("release", release), LABEL("kind", object),           LABEL("hash", hash), LABEL("ordinal", ordinal),
    LABEL("attempt", attempt), LABEL("grace", grace),           LABEL("hook", hook), LABEL("keep", keep),
};
static const struct kd_json_shape label_shape = { "labels", sizeof(struct ag_row_labels), label_rows, KD_COUNT(label_rows), false,
                                                  NULL };

static const struct kd_json_field port_rows[] = {
    { .name = "host_port", .kind = KD_JSON_COUNT, .at = offsetof(struct ag_row_port, host) },
};
static const struct kd_json_shape port_shape = { "port", sizeof(struct ag_row_port), port_rows, KD_COUNT(port_rows), false, NULL };

static const struct kd_json_field row_rows[] = {
    { .name = "Id", .kind = KD_JSON_TEXT, .at = offsetof(struct ag_row, id), .required = true },
    { .name = "State", .kind = KD_JSON_TEXT, .at = offsetof(struct ag_row, state), .required = true },
    { .name = "Names", .kind = KD_JSON_TEXTS, .at = offsetof(struct ag_row, names), .required = true, .min = 1 },
    { .name = "Pod", .kind = KD_JSON_TEXT, .at = offsetof(struct ag_row, pod_id) },
    { .name = "PodName", .kind = KD_JSON_TEXT, .at = offsetof(struct ag_row, pod_name) },
    { .name = "Labels", .kind = KD_JSON_OBJECT, .at = offsetof(struct ag_row, labels), .shape = &label_shape },
    { .name = "ExitCode", .kind = KD_JSON_NUMBER, .at = offsetof(struct ag_row, exit_code) },
    { .name = "IsInfra", .kind = KD_JSON_FLAG, .at = offsetof(struct ag_row, infra) },
    { .name = "Ports", .kind = KD_JSON_LIST, .at = offsetof(struct ag_row, ports), .shape = &port_shape },
};
static const struct kd_json_shape row_shape = { "container", sizeof(struct ag_row), row_rows, KD_COUNT(row_rows), false, NULL };

static const struct kd_json_field rows_rows[] = {
    { .name = "v", .kind = KD_JSON_LIST, .at = 0, .max = AG_LISTED_MAX, .shape = &row_shape },
};
static const struct kd_json_shape rows_shape = {
    "containers", sizeof(struct ag_rows), rows_rows, KD_COUNT(rows_rows), false, NULL
};

static const struct {
    const char *word;
    enum ag_seen_state state;
} ag_states[] = {
    { "running", AG_SEEN_RUNNING },   { "exited", AG_SEEN_ENDED },       { "stopped", AG_SEEN_ENDED },
    { "created", AG_SEEN_CREATED },   { "configured", AG_SEEN_CREATED }, { "initialized", AG_SEEN_CREATED },
    { "stopping", AG_SEEN_STOPPING }, { "removing", AG_SEEN_STOPPING },
};

static enum ag_seen_state ag_state_of(struct kd_str word)
{
    for (size_t i = 0; i < KD_COUNT(ag_states); i++)
        if (kd_str_is(word, ag_states[i].word))
            return ag_states[i].state;
    return AG_SEEN_OTHER;
}

static uint64_t ag_label_number(struct kd_str text)
{
    uint64_t number = 0;
    return kd_str_u64(text, &number) ? number : 0;
}

static void ag_seen_of(const struct ag_row *row, struct ag_seen *ret)
{
    const struct ag_row_labels *l = &row->labels;
    *ret = (struct ag_seen){
        .id = row->id,
        .name = row->names.v[0],
        .pod_id = row->pod_id,
        .pod_name = row->pod_name,
        .uid = l->uid,
        .deployment = l->deployment,
        .app = l->app,
        .namespace = l->namespace,
        .release = l->release,
        .object = l->object,
        .hash = l->hash,
        .ordinal = ag_label_number(l->ordinal),
        .attempt = ag_label_number(l->attempt),
        .grace_s = ag_label_number(l->grace),
        .state = ag_state_of(row->state),
        .exit_code = row->exit_code,
        .infra = row->infra,
        .hook = l->hook.n > 0,
    };
    for (size_t i = 0; i < row->ports.n; i++)
        ret->publishes |= row->ports.v[i].host > 0;
}

/** {"label":["kedge.project=p","kedge.app=a"]}, encoded. */
static struct kd_str ag_list_url(struct ag_libpod *pod, const char *path, struct kd_str app)
{
    KD_AUTO(kd_buf_clear) struct kd_buf filter = KD_BUF(KD_HTTP_URL_MAX);
    kd_buf_printf(&filter, "{\"label\":[\"kedge.project=%.*s\"", KD_ARG(pod->host->project));
    if (app.n)
        kd_buf_printf(&filter, ",\"kedge.app=%.*s\"", KD_ARG(app));
    kd_buf_add(&filter, KD_STR("]}"));
    return ag_url(pod, path, kd_buf_str(&filter), "");
}

/** Lists come as [..]; our tables read objects: {"v":[..]}. */
static enum kd_code ag_get_list(struct ag_libpod *pod, struct kd_str url, const struct kd_json_shape *shape, struct kd_arena *arena,
                                void *ret, struct kd_err *err)
{
    KD_AUTO(kd_http_response_clear) struct kd_http_response answer = { 0 };
    KD_AUTO(kd_buf_clear) struct kd_buf object = KD_BUF(AG_LIST_MAX + 16);
    enum kd_code code = ag_call(pod, url, &(struct ag_call){ .method = KD_HTTP_GET, .max = AG_LIST_MAX }, &answer, err);
    if (code != KD_OK)
        return code;
    struct kd_str list = kd_str_trim(kd_buf_str(&answer.body));
    kd_buf_printf(&object, "{\"v\":");
    kd_buf_add(&object, list.n ? list : KD_STR("[]"));
    kd_buf_add_char(&object, '}');
    return kd_json_decode(shape, kd_buf_str(&object), arena, ret, err);
}

enum kd_code ag_libpod_list(struct ag_libpod *pod, struct kd_str app, struct kd_arena *arena, struct ag_seens *ret,
                            struct kd_err *err)
{
    struct ag_rows list = { { NULL, 0 } };
    enum kd_code code = ag_get_list(pod, ag_list_url(pod, "containers/json?all=true&filters=", app), &rows_shape, arena, &list,
                                    err);
    if (code != KD_OK)
        return kd_wrap(err, "list containers");
    struct ag_seen *seen = kd_arena_alloc(arena, (list.rows.n + 1) * sizeof *seen);
    if (!seen)
        return kd_fail(err, KD_TOO_LARGE, 0, "there are more containers than memory for their list");
    for (size_t i = 0; i < list.rows.n; i++)
        ag_seen_of(&list.rows.v[i], &seen[i]);
    *ret = (struct ag_seens){ seen, list.rows.n };
    return KD_OK;
}

struct ag_inspect {
    bool out_of_memory;
};
struct ag_inspected {
    struct ag_inspect state;
};
static const struct kd_json_field inspect_rows[] = {
    { .name = "OOMKilled", .kind = KD_JSON_FLAG, .at = offsetof(struct ag_inspect, out_of_memory) },
};
static const struct kd_json_shape inspect_shape = { "state", sizeof(struct ag_inspect), inspect_rows, KD_COUNT(inspect_rows), false,
                                                    NULL };
static const struct kd_json_field inspected_rows[] = {
    { .name = "State", .kind = KD_JSON_OBJECT, .at = offsetof(struct ag_inspected, state), .shape = &inspect_shape },
};
static const struct kd_json_shape inspected_shape = { "container",    sizeof(struct ag_inspected),
                                                      inspected_rows, KD_COUNT(inspected_rows),
                                                      false,          NULL };

bool ag_libpod_is_out_of_memory(struct ag_libpod *pod, struct kd_str id)
{
    KD_AUTO(kd_http_response_clear) struct kd_http_response answer = { 0 };
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_ANSWER_MAX);
    struct ag_inspected found = { { false } };
    return ag_call(pod, ag_url(pod, "containers/", id, "/json"), &(struct ag_call){ .method = KD_HTTP_GET }, &answer, NULL) ==
               KD_OK &&
           kd_json_decode(&inspected_shape, kd_buf_str(&answer.body), &arena, &found, NULL) == KD_OK && found.state.out_of_memory;
}

/* ---- containers and pods ------------------------------------------------------------------------------------------------ */

/** The network of the project: made by whoever needs it first, several jobs at once. */
static enum kd_code ag_make_network(struct ag_libpod *pod, struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf body = KD_BUF(1024);
    kd_buf_printf(&body,
                  "{\"name\":\"kedge-%.*s\",\"driver\":\"bridge\",\"dns_enabled\":true,\"labels\":{\"kedge.project\":\"%.*s\"}}",
                  KD_ARG(pod->host->project), KD_ARG(pod->host->project));
    enum kd_code code = ag_do(pod, KD_HTTP_POST, ag_url(pod, "networks/create", NO_BODY, ""), kd_buf_str(&body), err);
    if (code == KD_OK || code == KD_EXISTS)
        return KD_OK;
    kd_wrap(err, "create the network kedge-%.*s", KD_ARG(pod->host->project));
    return code;
}

static enum kd_code ag_told(enum kd_code code, const char *what, struct kd_str name, struct kd_err *err)
{
    if (code != KD_OK)
        (void)kd_wrap(err, "%s %.*s", what, KD_ARG(name));
    return code;
}

enum kd_code ag_libpod_create_container(struct ag_libpod *pod, struct kd_str name, struct kd_str body, struct kd_err *err)
{
    enum kd_code code = ag_do(pod, KD_HTTP_POST, ag_url(pod, "containers/create", NO_BODY, ""), body, err);
    if (code == KD_CONFLICT) {
        code = ag_make_network(pod, err);
        if (code == KD_OK)
            code = ag_do(pod, KD_HTTP_POST, ag_url(pod, "containers/create", NO_BODY, ""), body, err);
    }
    return ag_told(code, "create container", name, err);
}

struct ag_pod_inspected {
    struct kd_str infra;
    uint64_t containers;
};
static const struct kd_json_field pod_rows[] = {
    { .name = "InfraContainerID", .kind = KD_JSON_TEXT, .at = offsetof(struct ag_pod_inspected, infra) },
    { .name = "NumContainers", .kind = KD_JSON_COUNT, .at = offsetof(struct ag_pod_inspected, containers) },
};
static const struct kd_json_shape pod_shape = { "pod", sizeof(struct ag_pod_inspected), pod_rows, KD_COUNT(pod_rows), false, NULL };

static enum kd_code ag_inspect_pod(struct ag_libpod *pod, struct kd_str name, struct kd_arena *arena, struct ag_pod_inspected *ret)
{
    KD_AUTO(kd_http_response_clear) struct kd_http_response answer = { 0 };
    enum kd_code code = ag_call(pod, ag_url(pod, "pods/", name, "/json"), &(struct ag_call){ .method = KD_HTTP_GET }, &answer,
                                NULL);
    return code == KD_OK ? kd_json_decode(&pod_shape, kd_buf_str(&answer.body), arena, ret, NULL) : code;
}

/** Where Podman fails to create a pod, it may leave one that has no containers: no list of containers shows it. */
static void ag_drop_empty_pod(struct ag_libpod *pod, struct kd_str name)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_ANSWER_MAX);
    struct ag_pod_inspected found = { { NULL, 0 }, 0 };
    if (ag_inspect_pod(pod, name, &arena, &found) == KD_OK && found.containers == 0)
        (void)(ag_do(pod, KD_HTTP_DELETE, ag_url(pod, "pods/", name, "?force=true"), NO_BODY, NULL) == KD_OK);
}

enum kd_code ag_libpod_create_pod(struct ag_libpod *pod, struct kd_str name, struct kd_str body, struct kd_err *err)
{
    enum kd_code code = ag_do(pod, KD_HTTP_POST, ag_url(pod, "pods/create", NO_BODY, ""), body, err);
    bool lacks_network = code == KD_CONFLICT;
    if (lacks_network || code == KD_EXISTS) {
        ag_drop_empty_pod(pod, name);
        code = lacks_network ? ag_make_network(pod, err) : KD_OK;
        if (code == KD_OK)
            code = ag_do(pod, KD_HTTP_POST, ag_url(pod, "pods/create", NO_BODY, ""), body, err);
    }
    return ag_told(code, "create pod", name, err);
}

enum kd_code ag_libpod_start(struct ag_libpod *pod, struct kd_str name, struct kd_err *err)
{
    return ag_told(ag_do(pod, KD_HTTP_POST, ag_url(pod, "containers/", name, "/start"), NO_BODY, err), "start container", name,
                   err);
}

void ag_libpod_explain(struct ag_libpod *pod, struct kd_str pod_name, struct kd_err *err)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_ANSWER_MAX);
    struct ag_pod_inspected found = { { NULL, 0 }, 0 };
    struct kd_err why = { KD_OK, 0, "", "" };
    if (ag_inspect_pod(pod, pod_name, &arena, &found) != KD_OK || !found.infra.n)
        return;
    if (ag_do(pod, KD_HTTP_POST, ag_url(pod, "containers/", found.infra, "/start"), NO_BODY, &why) != KD_OK && err)
        *err = why;
}

enum kd_code ag_libpod_wait(struct ag_libpod *pod, struct kd_str name, int64_t *ret_exit_code, struct kd_err *err)
{
    KD_AUTO(kd_http_response_clear) struct kd_http_response answer = { 0 };
    char after[64];
    uint64_t exit_code = 0;
    (void)snprintf(after, sizeof after, "/wait?condition=exited&interval=%dms", AG_WAIT_MS);
    enum kd_code code = ag_call(pod, ag_url(pod, "containers/", name, after), &(struct ag_call){ .method = KD_HTTP_POST }, &answer,
                                err);
    if (code == KD_OK && !kd_str_u64(kd_str_trim(kd_buf_str(&answer.body)), &exit_code))
        code = kd_fail(err, KD_UNAVAILABLE, 0, "Podman does not know how it ended");
    if (code == KD_OK)
        *ret_exit_code = (int64_t)exit_code;
    return ag_told(code, "wait for container", name, err);
}

/** The grace in whole seconds, at most what the deadline leaves but for two seconds of work. */
static uint64_t ag_grace_within(const struct ag_libpod *pod, uint64_t grace_s)
{
    int64_t left_s = ag_libpod_left_ms(pod) / 1000 - 2;
    if (left_s < 0)
        return 0;
    return grace_s < (uint64_t)left_s ? grace_s : (uint64_t)left_s;
}

static enum kd_code ag_remove(struct ag_libpod *pod, const char *path, struct kd_str name, uint64_t grace_s, int64_t wait_ms,
                              struct kd_err *err)
{
    KD_AUTO(kd_http_response_clear) struct kd_http_response answer = { 0 };
    char after[64];
    (void)snprintf(after, sizeof after, "?force=true&v=true&timeout=%" PRIu64, ag_grace_within(pod, grace_s));
    const struct ag_call call = { .method = KD_HTTP_DELETE, .wait_ms = wait_ms };
    enum kd_code code = ag_call(pod, ag_url(pod, path, name, after), &call, &answer, err);
    return code == KD_NOT_FOUND ? KD_OK : ag_told(code, "remove", name, err);
}

enum kd_code ag_libpod_remove_container(struct ag_libpod *pod, struct kd_str name, uint64_t grace_s, int64_t wait_ms,
                                        struct kd_err *err)
{
    return ag_remove(pod, "containers/", name, grace_s, wait_ms, err);
}

enum kd_code ag_libpod_remove_pod(struct ag_libpod *pod, struct kd_str name, uint64_t grace_s, int64_t wait_ms, struct kd_err *err)
{
    return ag_remove(pod, "pods/", name, grace_s, wait_ms, err);
}

struct ag_pod_row {
    struct kd_str name;
    struct ag_row_labels labels;
};

struct ag_pod_list {
    struct {
        struct ag_pod_row *v;
        size_t n;
    } rows;
};

static const struct kd_json_field pod_list_row_rows[] = {
    { .name = "Name", .kind = KD_JSON_TEXT, .at = offsetof(struct ag_pod_row, name), .required = true },
    { .name = "Labels", .kind = KD_JSON_OBJECT, .at = offsetof(struct ag_pod_row, labels), .shape = &label_shape },
};
static const struct kd_json_shape pod_row_shape = {
    "pod", sizeof(struct ag_pod_row), pod_list_row_rows, KD_COUNT(pod_list_row_rows), false, NULL
};
static const struct kd_json_field pod_list_rows[] = {
    { .name = "v", .kind = KD_JSON_LIST, .at = 0, .max = AG_LISTED_MAX, .shape = &pod_row_shape },
};
static const struct kd_json_shape pod_list_shape = { "pods",        sizeof(struct ag_pod_list),
                                                     pod_list_rows, KD_COUNT(pod_list_rows),
                                                     false,         NULL };

enum kd_code ag_libpod_list_pods(struct ag_libpod *pod, struct kd_arena *arena, struct ag_seens *ret, struct kd_err *err)
{
    struct ag_pod_list list = { { NULL, 0 } };
    enum kd_code code = ag_get_list(pod, ag_list_url(pod, "pods/json?filters=", NO_BODY), &pod_list_shape, arena, &list, err);
    if (code != KD_OK)
        return kd_wrap(err, "list pods");
    struct ag_seen *seen = kd_arena_alloc(arena, (list.rows.n + 1) * sizeof *seen);
    if (!seen)
        return kd_fail(err, KD_TOO_LARGE, 0, "there are more pods than memory for their list");
    for (size_t i = 0; i < list.rows.n; i++) {
        const struct ag_pod_row *row = &list.rows.v[i];
        seen[i] = (struct ag_seen){ .pod_name = row->name,
                                    .uid = row->labels.uid,
                                    .deployment = row->labels.deployment,
                                    .app = row->labels.app,
                                    .grace_s = ag_label_number(row->labels.grace),
                                    .infra = true };
    }
    *ret = (struct ag_seens){ seen, list.rows.n };
    return KD_OK;
}

/* ---- volumes and the network -------------------------------------------------------------------------------------------- */

struct ag_volume_row {
    struct kd_str name;
    struct ag_row_labels labels;
};

struct ag_volume_rows {
    struct {
        struct ag_volume_row *v;
        size_t n;
    } rows;
};

static const struct kd_json_field volume_rows[] = {
    { .name = "Name", .kind = KD_JSON_TEXT, .at = offsetof(struct ag_volume_row, name), .required = true },
    { .name = "Labels", .kind = KD_JSON_OBJECT, .at = offsetof(struct ag_volume_row, labels), .shape = &label_shape },
};
static const struct kd_json_shape volume_shape = { "volume",    sizeof(struct ag_volume_row),
                                                   volume_rows, KD_COUNT(volume_rows),
                                                   false,       NULL };
static const struct kd_json_field volumes_rows[] = {
    { .name = "v", .kind = KD_JSON_LIST, .at = 0, .max = AG_LISTED_MAX, .shape = &volume_shape },
};
static const struct kd_json_shape volumes_shape = { "volumes",    sizeof(struct ag_volume_rows),
                                                    volumes_rows, KD_COUNT(volumes_rows),
                                                    false,        NULL };

enum kd_code ag_libpod_list_volumes(struct ag_libpod *pod, struct kd_arena *arena, struct ag_seen_volumes *ret, struct kd_err *err)
{
    struct ag_volume_rows list = { { NULL, 0 } };
    enum kd_code code = ag_get_list(pod, ag_list_url(pod, "volumes/json?filters=", NO_BODY), &volumes_shape, arena, &list, err);
    if (code != KD_OK)
        return kd_wrap(err, "list volumes");
    struct ag_seen_volume *seen = kd_arena_alloc(arena, (list.rows.n + 1) * sizeof *seen);
    if (!seen)
        return kd_fail(err, KD_TOO_LARGE, 0, "there are more volumes than memory for their list");
    for (size_t i = 0; i < list.rows.n; i++) {
        const struct ag_volume_row *row = &list.rows.v[i];
        seen[i] = (struct ag_seen_volume){ row->name, row->labels.uid, row->labels.app, row->labels.keep.n > 0 };
    }
    *ret = (struct ag_seen_volumes){ seen, list.rows.n };
    return KD_OK;
}

enum kd_code ag_libpod_create_volume(struct ag_libpod *pod, struct kd_str name, struct kd_str body, struct kd_err *err)
{
    enum kd_code code = ag_do(pod, KD_HTTP_POST, ag_url(pod, "volumes/create", NO_BODY, ""), body, err);
    return code == KD_EXISTS ? KD_OK : ag_told(code, "create volume", name, err);
}

enum kd_code ag_libpod_remove_volume(struct ag_libpod *pod, struct kd_str name, struct kd_err *err)
{
    enum kd_code code = ag_do(pod, KD_HTTP_DELETE, ag_url(pod, "volumes/", name, ""), NO_BODY, err);
    return code == KD_NOT_FOUND ? KD_OK : ag_told(code, "remove volume", name, err);
}

void ag_libpod_drop_network(struct ag_libpod *pod)
{
    KD_AUTO(kd_buf_clear) struct kd_buf name = KD_BUF(512);
    kd_buf_printf(&name, "kedge-%.*s", KD_ARG(pod->host->project));
    if (ag_do(pod, KD_HTTP_DELETE, ag_url(pod, "networks/", kd_buf_str(&name), ""), NO_BODY, NULL) != KD_OK)
        return; /* somebody uses it: it stays */
}

/* ---- images ------------------------------------------------------------------------------------------------------------- */

enum kd_code ag_libpod_has_image(struct ag_libpod *pod, struct kd_str image, struct kd_err *err)
{
    enum kd_code code = ag_do(pod, KD_HTTP_GET, ag_url(pod, "images/", image, "/exists"), NO_BODY, err);
    return code == KD_NOT_FOUND ? code : ag_told(code, "look for image", image, err);
}

static const struct ag_registry_access *ag_access_of(const struct ag_host *host, struct kd_str image)
{
    struct kd_str rest = image, registry = kd_str_cut(&rest, '/');
    for (size_t i = 0; i < host->registries.n; i++)
        if (kd_str_eq(host->registries.v[i].host, registry))
            return &host->registries.v[i];
    return NULL;
}

/** {"username":…,"password":…} in the URL's base64. */
static void ag_auth_add(const struct ag_registry_access *access, struct kd_buf *out)
{
    KD_AUTO(kd_buf_clear) struct kd_buf json = KD_BUF(65536);
    kd_buf_add(&json, KD_STR("{\"username\":"));
    kd_json_add_text(&json, access->username);
    kd_buf_add(&json, KD_STR(",\"password\":"));
    kd_json_add_text(&json, access->password);
    kd_buf_add_char(&json, '}');
    kd_base64_add(out, kd_buf_str(&json));
    for (size_t i = 0; i < out->n; i++)
        out->p[i] = out->p[i] == '+' ? '-' : out->p[i] == '/' ? '_' : out->p[i];
    explicit_bzero(json.p, json.n);
}

struct ag_pull_line {
    struct kd_str error, id;
};
static const struct kd_json_field pull_rows[] = {
    { .name = "error", .kind = KD_JSON_TEXT, .at = offsetof(struct ag_pull_line, error), .max = AG_ANSWER_MAX },
    { .name = "id", .kind = KD_JSON_TEXT, .at = offsetof(struct ag_pull_line, id) },
};
static const struct kd_json_shape pull_shape = { "pull", sizeof(struct ag_pull_line), pull_rows, KD_COUNT(pull_rows), false, NULL };

/** A pull has succeeded when a line names the image, and none an error. */
static enum kd_code ag_pull_read(struct kd_str answer, struct kd_err *err)
{
    bool pulled = false;
    while (answer.n) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(2 * AG_ANSWER_MAX);
        struct kd_str line = kd_str_trim(kd_str_cut(&answer, '\n'));
        struct ag_pull_line said;
        if (!line.n || kd_json_decode(&pull_shape, line, &arena, &said, NULL) != KD_OK)
            continue;
        if (said.error.n)
            return kd_fail(err, KD_UNAVAILABLE, 0, "Podman says: %.*s", KD_ARG(kd_utf8_head(said.error, AG_SAID_MAX)));
        pulled |= said.id.n > 0;
    }
    return pulled ? KD_OK : kd_fail(err, KD_UNAVAILABLE, 0, "Podman's answer ended before the image was there");
}

enum kd_code ag_libpod_pull(struct ag_libpod *pod, struct kd_str image, struct kd_err *err)
{
    KD_AUTO(kd_http_response_clear) struct kd_http_response answer = { 0 };
    KD_AUTO(kd_buf_clear) struct kd_buf auth = KD_BUF(65536);
    const struct ag_registry_access *access = ag_access_of(pod->host, image);
    if (access && access->username.n)
        ag_auth_add(access, &auth);
    /* Without it Podman's own registries.conf says whether there is TLS. */
    const char *after = access && access->plain_http ? "&quiet=true&tlsVerify=false" : "&quiet=true";
    const struct ag_call call = { .method = KD_HTTP_POST, .auth = kd_buf_str(&auth) };
    enum kd_code code = ag_call(pod, ag_url(pod, "images/pull?reference=", image, after), &call, &answer, err);
    if (code == KD_OK)
        code = ag_pull_read(kd_buf_str(&answer.body), err);
    if (auth.p)
        explicit_bzero(auth.p, auth.n);
    return ag_told(code, "pull image", image, err);
}
