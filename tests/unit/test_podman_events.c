/** Podman's event stream: a server of the test's own says it in pieces of every size. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/daemon/podman_events.h"
#include "shared/base/buf.h"
#include "shared/base/own.h"

#define DIED(uid, app)                                                                                                             \
    "{\"status\":\"died\",\"Type\":\"container\",\"Action\":\"died\",\"Actor\":{\"ID\":\"1\",\"Attributes\":{\"kedge.app\":\"" app \
    "\",\"kedge.uid\":\"" uid "\",\"name\":\"x\"}}}\n"

struct world {
    uv_loop_t loop;
    uv_pipe_t server, client;
    uv_timer_t piece;
    struct ag_podman_events *events;
    char directory[64], path[96];
    struct kd_buf text; /* what the server says */
    size_t at, size;    /* said so far, bytes in one piece */
    bool client_open;
    char heard[2000]; /* what came of it */
    unsigned connections, downs;
};

static void say(struct world *w, const char *fmt, struct kd_str a, struct kd_str b)
{
    size_t n = strlen(w->heard);
    (void)snprintf(w->heard + n, sizeof w->heard - n, fmt, KD_ARG(a), KD_ARG(b));
}

static void on_changed(void *ctx, struct kd_str uid, struct kd_str app)
{
    say(ctx, "[%.*s/%.*s]", uid, app);
}

static void on_up(void *ctx, struct kd_str version)
{
    say(ctx, "up %.*s%.*s", version, KD_STR(" "));
}

static void on_down(void *ctx, const char *why)
{
    struct world *w = ctx;
    w->downs++;
    say(ctx, "down%.*s%.*s", KD_STR(" "), kd_str(why ? "" : "?"));
}

static void on_closed(uv_handle_t *handle)
{
    ((struct world *)handle->data)->client_open = false;
}

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    free(write);
}

/** One piece of the text; at its end the connection is closed. */
static void on_piece(uv_timer_t *timer)
{
    struct world *w = timer->data;
    size_t n = w->text.n - w->at < w->size ? w->text.n - w->at : w->size;
    uv_write_t *write = malloc(sizeof *write);
    uv_buf_t bytes = uv_buf_init(w->text.p + w->at, (unsigned)n);
    w->at += n;
    (void)uv_write(write, (uv_stream_t *)&w->client, &bytes, 1, on_written);
    if (w->at < w->text.n)
        return;
    (void)uv_timer_stop(timer);
    uv_close((uv_handle_t *)&w->client, on_closed);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct world *w = server->data;
    assert_int_equal(status, 0);
    assert_false(w->client_open);
    (void)uv_pipe_init(&w->loop, &w->client, 0);
    w->client.data = w;
    w->client_open = true;
    w->connections++;
    w->at = 0;
    assert_int_equal(uv_accept(server, (uv_stream_t *)&w->client), 0);
    (void)uv_timer_start(&w->piece, on_piece, 0, 1);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    (void)snprintf(w->directory, sizeof w->directory, "/tmp/kedge-events-XXXXXX");
    assert_non_null(mkdtemp(w->directory));
    (void)snprintf(w->path, sizeof w->path, "%s/sock", w->directory);
    assert_int_equal(uv_loop_init(&w->loop), 0);
    (void)uv_pipe_init(&w->loop, &w->server, 0);
    (void)uv_timer_init(&w->loop, &w->piece);
    w->server.data = w->piece.data = w;
    assert_int_equal(uv_pipe_bind(&w->server, w->path), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&w->server, 4, on_connection), 0);
    w->text = (struct kd_buf)KD_BUF(1 << 20);
    w->size = 1 << 20;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    w->events = ag_podman_events_close(w->events);
    uv_close((uv_handle_t *)&w->server, NULL);
    uv_close((uv_handle_t *)&w->piece, NULL);
    if (w->client_open && !uv_is_closing((uv_handle_t *)&w->client))
        uv_close((uv_handle_t *)&w->client, on_closed);
    (void)uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    (void)rmdir(w->directory);
    kd_buf_clear(&w->text);
    free(w);
    return 0;
}

static void begin(struct world *w)
{
    const struct ag_podman_events_options options = { kd_str(w->path), KD_STR("acme"), on_changed, on_up, on_down, w };
    w->events = ag_podman_events_open(&w->loop, &options);
    assert_non_null(w->events);
}

static void until_down(struct world *w, unsigned downs)
{
    while (w->downs < downs)
        (void)uv_run(&w->loop, UV_RUN_ONCE);
}

/** A chunk of HTTP. */
static void add_chunk(struct world *w, const char *text)
{
    kd_buf_printf(&w->text, "%zX;x=y\r\n%s\r\n", strlen(text), text);
}

static void add_head(struct world *w, const char *status)
{
    kd_buf_printf(
        &w->text,
        "HTTP/1.1 %s\r\nContent-Type: application/json\r\nlibpod-api-version: 4.3.1\r\nTransfer-Encoding: chunked\r\n\r\n", status);
}

static void test_pieces_of_every_size(void **state)
{
    struct world *w = *state;
    static const size_t sizes[] = { 1 << 20, 1, 2, 7, 64 };
    add_head(w, "200 OK");
    add_chunk(w, DIED("u1", "web"));
    add_chunk(w, DIED("u2", "db") DIED("u3", "log"));
    add_chunk(w, "{\"Action\":\"died\",\"Actor\":{\"Attributes\":{\"kedge.uid\":\"u4\",");
    add_chunk(w, "\"kedge.app\":\"half\"}}}\nnonsense\n");
    begin(w);
    for (unsigned i = 0; i < KD_COUNT(sizes); i++) {
        w->size = sizes[i];
        w->heard[0] = '\0';
        until_down(w, i + 1);
        assert_string_equal(w->heard, "up 4.3.1 [/][u1/web][u2/db][u3/log][u4/half][/]down ");
    }
    assert_int_equal(w->connections, KD_COUNT(sizes));
}

static void test_answers_that_are_no_stream(void **state)
{
    struct world *w = *state;
    add_head(w, "500 Internal Server Error");
    begin(w);
    until_down(w, 1);
    assert_string_equal(w->heard, "down ");
    while (w->connections < 2) /* tried again, said once */
        (void)uv_run(&w->loop, UV_RUN_ONCE);
    assert_string_equal(w->heard, "down ");
}

static void test_a_line_without_end(void **state)
{
    struct world *w = *state;
    add_head(w, "200 OK");
    for (int i = 0; i < 40; i++) {
        char part[4001];
        memset(part, 'x', sizeof part - 1);
        part[sizeof part - 1] = '\0';
        add_chunk(w, part);
    }
    add_chunk(w, "\n" DIED("u1", "web"));
    begin(w);
    until_down(w, 1);
    assert_string_equal(w->heard, "up 4.3.1 [/][/][u1/web]down "); /* it may have been anything */
}

static void test_nobody_there(void **state)
{
    struct world *w = *state;
    const struct ag_podman_events_options options = { KD_STR("/nowhere/sock"), KD_STR("acme"), on_changed, on_up, on_down, w };
    w->events = ag_podman_events_open(&w->loop, &options);
    until_down(w, 1);
    assert_string_equal(w->heard, "down ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pieces_of_every_size, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers_that_are_no_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_line_without_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_there, setup, teardown),
    };
    return cmocka_run_group_tests_name("podman events", tests, NULL, NULL);
}
