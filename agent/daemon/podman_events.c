/** GET /libpod/events over a Unix socket: a small HTTP reader (status, one header, chunks, lines), each part bounded. */
#include "agent/daemon/podman_events.h"

#include "shared/base/backoff.h"
#include "shared/base/own.h"
#include "shared/base/time.h"
#include "shared/model/fields.h"
#include "shared/os/random.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

enum {
    AG_EVENTS_LINE_MAX = 65536,     /* bytes of one event or header line */
    AG_EVENTS_ARENA = 1024 * 1024,  /* bytes for one decoded event */
    AG_EVENTS_READ = 4096,          /* bytes read at once */
    AG_EVENTS_BASE_MS = 1000,       /* milliseconds, waiting for a service that went away */
    AG_EVENTS_CAP_MS = 30000,       /* milliseconds */
    AG_EVENTS_ATTRIBUTES = 1000,    /* labels of a container */
    AG_EVENTS_PATH_MAX = 108,       /* bytes of a Unix socket's path */
    AG_EVENTS_CHUNK_MAX = 16777216, /* bytes of one chunk */
};

enum ag_reading { AG_READING_STATUS, AG_READING_HEADERS, AG_READING_CHUNK, AG_READING_DATA, AG_READING_DATA_END };

struct ag_podman_events {
    uv_loop_t *loop;
    struct ag_podman_events_options options;
    char path[AG_EVENTS_PATH_MAX], project[64], version[32];
    uv_pipe_t pipe;
    uv_timer_t timer;
    uv_connect_t connect;
    uv_write_t write;
    char request[512], read[AG_EVENTS_READ];
    struct kd_buf line, head; /* what came of the current event; of the current line of the protocol */
    enum ag_reading reading;
    size_t left; /* bytes of the chunk that are still to come */
    bool chunked, is_up, said_down, closing, pipe_open;
    unsigned attempt;
    int handles;
};

static void ag_events_begin(struct ag_podman_events *events);

/* ---- events ---- */

struct ag_event_actor {
    struct kd_pairs attributes;
};

struct ag_event_line {
    struct kd_str action, status;
    struct ag_event_actor actor;
};

#define T struct ag_event_actor
static const struct kd_json_field ag_actor_fields[] = {
    F_PAIRS(T, attributes, "Attributes", .max = AG_EVENTS_ATTRIBUTES),
};
static const struct kd_json_shape ag_actor_shape = KD_SHAPE(T, ag_actor_fields, "an event's actor");
#undef T

#define T struct ag_event_line
static const struct kd_json_field ag_line_fields[] = {
    F_TEXT(T, action, "Action"),
    F_TEXT(T, status, "status"),
    F_OBJECT(T, actor, &ag_actor_shape, "Actor"),
};
static const struct kd_json_shape ag_line_shape = KD_SHAPE(T, ag_line_fields, "an event");
#undef T

static struct kd_str ag_attribute(const struct ag_event_line *line, const char *key)
{
    for (size_t i = 0; i < line->actor.attributes.n; i++)
        if (kd_str_is(line->actor.attributes.v[i].key, key))
            return line->actor.attributes.v[i].value;
    return KD_STR("");
}

/** One event. What cannot be read may have been anything. */
static void ag_event_line_take(struct ag_podman_events *events, struct kd_str text)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_EVENTS_ARENA);
    struct ag_event_line line = { 0 };
    if (kd_json_decode(&ag_line_shape, text, &arena, &line, NULL) != KD_OK)
        line = (struct ag_event_line){ 0 };
    events->options.changed(events->options.ctx, ag_attribute(&line, "kedge.uid"), ag_attribute(&line, "kedge.app"));
}

/* ---- HTTP ---- */

static void ag_events_end(struct ag_podman_events *events, const char *why);

static void ag_events_up(struct ag_podman_events *events)
{
    events->is_up = true;
    events->said_down = false;
    events->attempt = 0;
    events->options.up(events->options.ctx, kd_str(events->version));
    events->options.changed(events->options.ctx, KD_STR(""), KD_STR("")); /* what happened before is not in the stream */
}

static bool ag_header_is(struct kd_str *line, const char *name)
{
    size_t n = strlen(name);
    if (line->n <= n || strncasecmp(line->p, name, n) != 0 || line->p[n] != ':')
        return false;
    *line = kd_str_trim((struct kd_str){ line->p + n + 1, line->n - n - 1 });
    return true;
}

static void ag_header_take(struct ag_podman_events *events, struct kd_str line)
{
    if (line.n == 0) {
        events->reading = events->chunked ? AG_READING_CHUNK : AG_READING_DATA;
        events->left = events->chunked ? 0 : SIZE_MAX;
        ag_events_up(events);
    } else if (ag_header_is(&line, "Libpod-Api-Version")) {
        (void)kd_str_copy(line, events->version, sizeof events->version);
    } else if (ag_header_is(&line, "Transfer-Encoding")) {
        events->chunked = kd_str_is(line, "chunked");
    }
}

/** The hexadecimal size of a chunk; extensions behind it are not used. */
static bool ag_chunk_size(struct kd_str line, size_t *ret)
{
    static const char digits[] = "0123456789abcdef";
    size_t size = 0, n = 0;
    for (; n < line.n && isxdigit((unsigned char)line.p[n]) && size < AG_EVENTS_CHUNK_MAX; n++)
        size = size * 16 + (size_t)(strchr(digits, tolower((unsigned char)line.p[n])) - digits);
    *ret = size;
    return n > 0 && size < AG_EVENTS_CHUNK_MAX;
}

/** False: the stream is over or not what it should be. */
static bool ag_line_take(struct ag_podman_events *events, struct kd_str line, const char **ret_why)
{
    switch (events->reading) {
    case AG_READING_STATUS:
        *ret_why = "Podman's answer is not 200";
        events->reading = AG_READING_HEADERS;
        return kd_str_starts(line, KD_STR("HTTP/1.1 200"));
    case AG_READING_HEADERS:
        ag_header_take(events, line);
        return true;
    case AG_READING_CHUNK:
        *ret_why = "Podman ended the stream of events";
        events->reading = AG_READING_DATA;
        return ag_chunk_size(line, &events->left) && events->left > 0;
    case AG_READING_DATA:
        if (line.n)
            ag_event_line_take(events, line);
        return true;
    case AG_READING_DATA_END:
        events->reading = AG_READING_CHUNK;
        return true;
    }
    return false;
}

/** Adds bytes to the current line; true when it is whole. *ret_used is how many were used. */
static bool ag_line_add(struct kd_buf *line, struct kd_str bytes, size_t *ret_used)
{
    const char *end = memchr(bytes.p, '\n', bytes.n);
    size_t n = end ? (size_t)(end - bytes.p) : bytes.n;
    kd_buf_add(line, (struct kd_str){ bytes.p, n });
    *ret_used = end ? n + 1 : n;
    return end != NULL;
}

/** A line that is too long is taken for one that cannot be read. */
static bool ag_line_finish(struct ag_podman_events *events, struct kd_buf *line, const char **ret_why)
{
    struct kd_buf whole = KD_TAKE(*line, (struct kd_buf)KD_BUF(AG_EVENTS_LINE_MAX));
    struct kd_str text = whole.overflow ? KD_STR("?") : kd_str_trim(kd_buf_str(&whole));
    bool goes_on = ag_line_take(events, text, ret_why);
    kd_buf_clear(&whole);
    return goes_on;
}

/** Lines of the head and of chunk sizes are cut from the stream, lines of events from the chunks in it. */
static bool ag_bytes_take(struct ag_podman_events *events, struct kd_str bytes, const char **ret_why)
{
    while (bytes.n) {
        bool data = events->reading == AG_READING_DATA;
        size_t used = 0;
        struct kd_str piece = { bytes.p, data && events->left < bytes.n ? events->left : bytes.n };
        struct kd_buf *line = data ? &events->line : &events->head; /* an event may go on in the next chunk */
        bool whole = ag_line_add(line, piece, &used);
        if (data && events->chunked)
            events->left -= used;
        bytes = (struct kd_str){ bytes.p + used, bytes.n - used };
        if (whole && !ag_line_finish(events, line, ret_why))
            return false;
        if (data && events->chunked && events->left == 0)
            events->reading = AG_READING_DATA_END;
        if (events->closing)
            return true;
    }
    return true;
}

/* ---- connection ---- */

static void ag_events_closed(uv_handle_t *handle)
{
    struct ag_podman_events *events = handle->data;
    events->pipe_open = events->pipe_open && handle != (uv_handle_t *)&events->pipe;
    if (--events->handles > 0 || !events->closing)
        return;
    kd_buf_clear(&events->line);
    kd_buf_clear(&events->head);
    free(events);
}

static void ag_on_again(uv_timer_t *timer)
{
    ag_events_begin(timer->data);
}

/** Closes what there is and comes back later. */
static void ag_events_end(struct ag_podman_events *events, const char *why)
{
    if (events->closing || uv_is_closing((uv_handle_t *)&events->pipe))
        return;
    uv_close((uv_handle_t *)&events->pipe, ag_events_closed);
    if (!events->said_down)
        events->options.down(events->options.ctx, why);
    events->said_down = true;
    events->is_up = false;
    int64_t wait_us = kd_backoff_us(events->attempt++, AG_EVENTS_BASE_MS * 1000, AG_EVENTS_CAP_MS * 1000, kd_random_u64());
    (void)uv_timer_start(&events->timer, ag_on_again, (uint64_t)(wait_us / 1000) + 100, 0);
}

static void ag_on_bytes_room(uv_handle_t *handle, size_t wanted, uv_buf_t *ret)
{
    struct ag_podman_events *events = handle->data;
    (void)wanted;
    *ret = uv_buf_init(events->read, AG_EVENTS_READ);
}

static void ag_on_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct ag_podman_events *events = stream->data;
    const char *why = n < 0 ? uv_strerror((int)n) : "Podman's answer cannot be read";
    if (n < 0 || !ag_bytes_take(events, (struct kd_str){ buf->base, (size_t)n }, &why))
        ag_events_end(events, why);
}

static void ag_on_asked(uv_write_t *write, int status)
{
    if (status < 0 && status != UV_ECANCELED)
        ag_events_end(write->data, uv_strerror(status));
}

static void ag_on_connect(uv_connect_t *connect, int status)
{
    struct ag_podman_events *events = connect->data;
    if (status == UV_ECANCELED)
        return;
    if (status < 0) {
        ag_events_end(events, uv_strerror(status));
        return;
    }
    uv_buf_t request = uv_buf_init(events->request, (unsigned)strlen(events->request));
    (void)uv_read_start((uv_stream_t *)&events->pipe, ag_on_bytes_room, ag_on_bytes);
    (void)uv_write(&events->write, (uv_stream_t *)&events->pipe, &request, 1, ag_on_asked);
}

static void ag_events_begin(struct ag_podman_events *events)
{
    if (events->pipe_open) { /* the old one is being closed */
        (void)uv_timer_start(&events->timer, ag_on_again, 100, 0);
        return;
    }
    (void)uv_pipe_init(events->loop, &events->pipe, 0);
    events->pipe.data = events->connect.data = events->write.data = events;
    events->pipe_open = true;
    events->handles++;
    events->reading = AG_READING_STATUS;
    events->chunked = false;
    events->left = 0;
    kd_buf_clear(&events->line);
    kd_buf_clear(&events->head);
    uv_pipe_connect(&events->connect, &events->pipe, events->path, ag_on_connect);
}

struct ag_podman_events *ag_podman_events_open(uv_loop_t *loop, const struct ag_podman_events_options *options)
{
    struct ag_podman_events *events = calloc(1, sizeof *events);
    if (!events)
        return NULL;
    events->loop = loop;
    events->options = *options;
    events->line = events->head = (struct kd_buf)KD_BUF(AG_EVENTS_LINE_MAX);
    (void)kd_str_copy(options->socket, events->path, sizeof events->path);
    (void)kd_str_copy(options->project, events->project, sizeof events->project);
    (void)snprintf(
        events->request, sizeof events->request,
        "GET /v4.0.0/libpod/events?stream=true&filters=%%7B%%22type%%22%%3A%%5B%%22container%%22%%5D%%2C%%22event%%22%%3A%%5B"
        "%%22died%%22%%2C%%22remove%%22%%2C%%22pause%%22%%5D%%2C%%22label%%22%%3A%%5B%%22kedge.project%%3D%s%%22%%5D%%7D "
        "HTTP/1.1\r\nHost: podman\r\n\r\n",
        events->project);
    (void)uv_timer_init(loop, &events->timer);
    events->timer.data = events;
    events->handles = 1;
    ag_events_begin(events);
    return events;
}

struct ag_podman_events *ag_podman_events_close(struct ag_podman_events *events)
{
    if (!events)
        return NULL;
    events->closing = true;
    if (events->pipe_open && !uv_is_closing((uv_handle_t *)&events->pipe))
        uv_close((uv_handle_t *)&events->pipe, ag_events_closed);
    uv_close((uv_handle_t *)&events->timer, ag_events_closed);
    return NULL;
}
