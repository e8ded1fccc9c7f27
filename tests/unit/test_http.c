/** The HTTP client against a server in a thread of this program: what is sent, what comes back, what is refused. */
#include "tests/unit/unit.h"

#include "shared/base/own.h"
#include "shared/http/http.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { HEARD_MAX = 1 << 16 };

/** A request line's beginning and what is answered; the connection is closed afterwards if it says so. */
struct answer {
    const char *request, *reply;
    bool cut; /* close without more, whatever Content-Length said */
};

static struct {
    const struct answer *answers;
    size_t count;
    struct kd_buf heard; /* all requests */
    int listener, port;
    pthread_t thread;
    char socket_path[108];
} server;

static struct kd_str reply_of(struct kd_str request, bool *ret_cut)
{
    for (size_t i = 0; i < server.count; i++)
        if (kd_str_starts(request, kd_str(server.answers[i].request))) {
            *ret_cut = server.answers[i].cut;
            return kd_str(server.answers[i].reply);
        }
    return KD_STR("HTTP/1.1 500 No such row\r\nContent-Length: 0\r\n\r\n");
}

/** Bytes of a body that the headers announce. */
static size_t body_size(struct kd_str head)
{
    uint64_t n = 0;
    ptrdiff_t at = kd_str_find(head, KD_STR("Content-Length: "));
    struct kd_str rest = { head.p + at + 16, head.n - (size_t)at - 16 };
    return at >= 0 && kd_str_u64(kd_str_trim(kd_str_cut(&rest, '\n')), &n) ? (size_t)n : 0;
}

/** One connection: request after request. */
static void serve(int fd)
{
    char bytes[HEARD_MAX];
    size_t n = 0;
    for (;;) {
        ssize_t got = recv(fd, bytes + n, sizeof bytes - n, 0);
        if (got <= 0)
            return;
        n += (size_t)got;
        struct kd_str all = { bytes, n };
        ptrdiff_t end = kd_str_find(all, KD_STR("\r\n\r\n"));
        if (end < 0 || n < (size_t)end + 4 + body_size((struct kd_str){ bytes, (size_t)end + 4 }))
            continue;
        bool cut = false;
        struct kd_str reply = reply_of(all, &cut);
        kd_buf_add(&server.heard, all);
        n = 0;
        if (send(fd, reply.p, reply.n, MSG_NOSIGNAL) < 0 || cut)
            return;
    }
}

static void *server_main(void *ctx)
{
    (void)ctx;
    for (int fd; (fd = accept(server.listener, NULL, NULL)) >= 0; (void)close(fd))
        serve(fd);
    return NULL;
}

static void server_start(const struct answer *answers, size_t count, bool unix_socket)
{
    struct sockaddr_in tcp = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    socklen_t size = sizeof tcp;
    server.answers = answers;
    server.count = count;
    server.heard = (struct kd_buf)KD_BUF(HEARD_MAX);
    server.listener = socket(unix_socket ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server.listener >= 0);
    (void)snprintf(server.socket_path, sizeof server.socket_path, "/tmp/kedge-test-http.%d", getpid());
    if (unix_socket) {
        memcpy(local.sun_path, server.socket_path, sizeof local.sun_path);
        assert_int_equal(bind(server.listener, (struct sockaddr *)&local, sizeof local), 0);
    } else {
        assert_int_equal(bind(server.listener, (struct sockaddr *)&tcp, sizeof tcp), 0);
        assert_int_equal(getsockname(server.listener, (struct sockaddr *)&tcp, &size), 0);
        server.port = ntohs(tcp.sin_port);
    }
    assert_int_equal(listen(server.listener, 8), 0);
    assert_int_equal(pthread_create(&server.thread, NULL, server_main, NULL), 0);
}

static void server_stop(void)
{
    (void)shutdown(server.listener, SHUT_RDWR);
    (void)pthread_join(server.thread, NULL);
    (void)close(server.listener);
    (void)unlink(server.socket_path);
    kd_buf_clear(&server.heard);
}

#define OK(body, size) "HTTP/1.1 200 OK\r\nContent-Length: " size "\r\nX-One:  a b \r\n\r\n" body

static struct kd_http *open_plain(void)
{
    struct kd_http *http = NULL;
    struct kd_err err = { 0 };
    const struct kd_http_options options = { .plain_http = true };
    assert_ok(kd_http_open(&options, &http, &err), err);
    return http;
}

/** http://127.0.0.1:port and the path, in the caller's buffer. */
static struct kd_str url_of(const char *path, char ret[200])
{
    (void)snprintf(ret, 200, "http://127.0.0.1:%d%s", server.port, path);
    return kd_str(ret);
}

static void test_methods(void **state)
{
    (void)state;
    static const struct answer answers[] = {
        { "GET /a?x=1 HTTP/1.1\r\n", OK("body", "4"), false },
        { "POST /b HTTP/1.1\r\n", "HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n", false },
        { "PUT /c HTTP/1.1\r\n", OK("", "0"), false },
        { "DELETE /d HTTP/1.1\r\n", "HTTP/1.1 204 Gone\r\n\r\n", false },
        { "HEAD /e HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n", false },
        { "POST /f HTTP/1.1\r\n", "HTTP/1.1 304 Same\r\n\r\n", false },
    };
    static const struct {
        enum kd_http_method method;
        const char *path, *body;
        int status;
        const char *reply;
    } rows[] = {
        { KD_HTTP_GET, "/a?x=1", "", 200, "body" }, { KD_HTTP_POST, "/b", "{\"n\":1}", 201, "" },
        { KD_HTTP_PUT, "/c", "xyz", 200, "" },      { KD_HTTP_DELETE, "/d", "", 204, "" },
        { KD_HTTP_HEAD, "/e", "", 200, "" },        { KD_HTTP_POST, "/f", "", 304, "" },
        { KD_HTTP_GET, "/a?x=1", "", 200, "body" },
    };
    char url[200];
    server_start(answers, KD_COUNT(answers), false);
    KD_AUTO(kd_http_closep) struct kd_http *http = open_plain();
    struct kd_http_header json = { KD_STR("Content-Type"), KD_STR("application/json") };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(kd_http_response_clear) struct kd_http_response response = { 0 };
        struct kd_err err = { 0 };
        const struct kd_http_request request = {
            .method = rows[i].method, .url = url_of(rows[i].path, url), .body = kd_str(rows[i].body), .headers = { &json, i == 1 }
        };
        assert_ok(kd_http_do(http, &request, &response, &err), err);
        assert_int_equal(response.status, rows[i].status);
        assert_str(kd_buf_str(&response.body), rows[i].reply);
    }
    struct kd_str heard = kd_buf_str(&server.heard);
    assert_true(kd_str_find(heard, KD_STR("Content-Type: application/json\r\n")) > 0);
    assert_true(kd_str_find(heard, KD_STR("x-www-form-urlencoded")) < 0);
    assert_true(kd_str_find(heard, KD_STR("\r\n\r\n{\"n\":1}PUT /c")) > 0);
    http = kd_http_close(http);
    server_stop();
}

static void test_headers(void **state)
{
    (void)state;
    static const struct answer answers[] = { { "GET /", OK("", "0"), false } };
    char url[200];
    server_start(answers, KD_COUNT(answers), false);
    KD_AUTO(kd_http_closep) struct kd_http *http = open_plain();
    KD_AUTO(kd_http_response_clear) struct kd_http_response response = { 0 };
    struct kd_err err = { 0 };
    struct kd_http_request request = { .url = url_of("/", url) };
    assert_ok(kd_http_do(http, &request, &response, &err), err);
    assert_str(kd_http_header(&response, "x-ONE"), "a b");
    assert_null(kd_http_header(&response, "X-Two").p);
    struct kd_http_header evil = { KD_STR("X-A"), KD_STR("1\r\nX-B: 2") };
    request.headers = (struct kd_http_headers){ &evil, 1 };
    assert_int_equal(kd_http_do(http, &request, &response, &err), KD_INVALID);
    http = kd_http_close(http);
    server_stop();
}

/** Every refusal has its class, and its body can be read. */
static void test_refusals(void **state)
{
    (void)state;
    static const struct answer answers[] = {
        { "GET /404", "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\n{}", false },
        { "GET /401", "HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n{}", false },
        { "GET /409", "HTTP/1.1 409 No\r\nContent-Length: 2\r\n\r\n{}", false },
        { "GET /429", "HTTP/1.1 429 No\r\nContent-Length: 2\r\n\r\n{}", false },
        { "GET /500", "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n{}", false },
        { "GET /400", "HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\n{}", false },
    };
    static const struct {
        const char *path;
        enum kd_code code;
    } rows[] = { { "/404", KD_NOT_FOUND },   { "/401", KD_FORBIDDEN },   { "/409", KD_CONFLICT },
                 { "/429", KD_UNAVAILABLE }, { "/500", KD_UNAVAILABLE }, { "/400", KD_INVALID } };
    char url[200];
    server_start(answers, KD_COUNT(answers), false);
    KD_AUTO(kd_http_closep) struct kd_http *http = open_plain();
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(kd_http_response_clear) struct kd_http_response response = { 0 };
        struct kd_err err = { 0 };
        const struct kd_http_request request = { .url = url_of(rows[i].path, url) };
        assert_int_equal(kd_http_do(http, &request, &response, &err), rows[i].code);
        assert_str(kd_buf_str(&response.body), "{}");
        assert_non_null(strstr(err.story, rows[i].path));
    }
    http = kd_http_close(http);
    server_stop();
}

struct taken {
    struct kd_buf text;
    uint64_t from;
    enum kd_code answer;
};

static enum kd_code take(void *ctx, const struct kd_http_response *head, struct kd_str piece, struct kd_err *err)
{
    struct taken *taken = ctx;
    taken->from = head->from;
    kd_buf_add(&taken->text, piece);
    return taken->answer == KD_OK ? KD_OK : kd_fail(err, taken->answer, 0, "enough");
}

static void test_sink(void **state)
{
    (void)state;
    static const struct answer answers[] = {
        { "GET /whole", OK("0123456789", "10"), false },
        { "GET /part", "HTTP/1.1 206 Part\r\nContent-Range: bytes 4-9/10\r\nContent-Length: 6\r\n\r\n456789", false },
        { "GET /mute", "HTTP/1.1 206 Part\r\nContent-Length: 6\r\n\r\n456789", false },
        { "GET /gone", "HTTP/1.1 404 No\r\nContent-Length: 3\r\n\r\nwhy", false },
        { "GET /cut", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123", true },
    };
    static const struct {
        const char *path;
        enum kd_code answer, want;
        const char *text, *body;
        uint64_t from;
    } rows[] = {
        { "/whole", KD_OK, KD_OK, "0123456789", "", 0 },  { "/part", KD_OK, KD_OK, "456789", "", 4 },
        { "/mute", KD_OK, KD_UNSUPPORTED, "", "", 0 },    { "/gone", KD_OK, KD_NOT_FOUND, "", "why", 0 },
        { "/cut", KD_OK, KD_UNAVAILABLE, "0123", "", 0 }, { "/whole", KD_CONFLICT, KD_CONFLICT, "0123456789", "", 0 },
    };
    char url[200];
    server_start(answers, KD_COUNT(answers), false);
    KD_AUTO(kd_http_closep) struct kd_http *http = open_plain();
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(kd_http_response_clear) struct kd_http_response response = { 0 };
        struct taken taken = { .text = KD_BUF(100), .answer = rows[i].answer };
        const struct kd_http_request request = { .url = url_of(rows[i].path, url), .from = 4, .sink = take, .sink_ctx = &taken };
        assert_int_equal(kd_http_do(http, &request, &response, NULL), rows[i].want);
        assert_str(kd_buf_str(&taken.text), rows[i].text);
        assert_str(kd_buf_str(&response.body), rows[i].body);
        assert_int_equal(taken.from, rows[i].from);
        kd_buf_clear(&taken.text);
    }
    assert_true(kd_str_find(kd_buf_str(&server.heard), KD_STR("Range: bytes=4-\r\n")) > 0);
    http = kd_http_close(http);
    server_stop();
}

static void test_limits(void **state)
{
    (void)state;
    static const struct answer answers[] = {
        { "GET /body", OK("0123456789", "10"), false },
        { "GET /silent", "", false },
    };
    char url[200];
    server_start(answers, KD_COUNT(answers), false);
    KD_AUTO(kd_http_closep) struct kd_http *http = open_plain();
    KD_AUTO(kd_http_response_clear) struct kd_http_response response = { 0 };
    struct kd_http_request request = { .url = url_of("/body", url), .body_max = 9 };
    assert_int_equal(kd_http_do(http, &request, &response, NULL), KD_TOO_LARGE);
    request.body_max = 10;
    assert_int_equal(kd_http_do(http, &request, &response, NULL), KD_OK);
    request = (struct kd_http_request){ .url = url_of("/silent", url), .total_ms = 50 };
    assert_int_equal(kd_http_do(http, &request, &response, NULL), KD_UNAVAILABLE);
    http = kd_http_close(http);
    server_stop();
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        enum kd_code want;
    } rows[] = {
        { "http://127.0.0.1:1/", KD_FORBIDDEN },
        { "ftp://127.0.0.1/", KD_INVALID },
        { "", KD_INVALID },
        { "https://user:pw@127.0.0.1/", KD_INVALID },
        { "/path", KD_INVALID },
        { "file:///etc/passwd", KD_INVALID },
        { "https://127.0.0.1:1/", KD_UNAVAILABLE },
    };
    struct kd_http *http = NULL;
    const struct kd_http_options options = { .connect_ms = 2000 };
    assert_int_equal(kd_http_open(&options, &http, NULL), KD_OK);
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(kd_http_response_clear) struct kd_http_response response = { 0 };
        struct kd_err err = { 0 };
        const struct kd_http_request request = { .url = kd_str(rows[i].url) };
        assert_int_equal(kd_http_do(http, &request, &response, &err), rows[i].want);
        assert_true(err.story[0] && !strstr(err.story, "pw@"));
    }
    http = kd_http_close(http);
}

/** localhost and 127.0.0.1 are one server and two hosts: what is secret stays with the first. The server has one connection at a
 *  time, so that it closes each. */
static void test_redirects(void **state)
{
    (void)state;
    char reply[6][200], url[200];
    struct answer answers[6] = { { "GET /same", reply[0], true },  { "GET /other", reply[1], true },
                                 { "GET /loop", reply[2], true },  { "GET /end", OK("end", "3"), true },
                                 { "POST /same", reply[0], true }, { "GET /file", reply[3], true } };
    server_start(answers, KD_COUNT(answers), false);
    (void)snprintf(reply[0], 200, "HTTP/1.1 302 There\r\nLocation: /end?a\r\nContent-Length: 0\r\n\r\n");
    (void)snprintf(reply[1], 200, "HTTP/1.1 307 There\r\nLocation: http://localhost:%d/end?b\r\nContent-Length: 0\r\n\r\n",
                   server.port);
    (void)snprintf(reply[2], 200, "HTTP/1.1 301 There\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n");
    (void)snprintf(reply[3], 200, "HTTP/1.1 302 There\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
    static const struct {
        enum kd_http_method method;
        const char *path;
        enum kd_code want;
        bool elsewhere;
    } rows[] = {
        { KD_HTTP_GET, "/same", KD_OK, false },          { KD_HTTP_GET, "/other", KD_OK, true },
        { KD_HTTP_GET, "/loop", KD_UNAVAILABLE, false }, { KD_HTTP_POST, "/same", KD_UNSUPPORTED, false },
        { KD_HTTP_GET, "/file", KD_INVALID, false },
    };
    KD_AUTO(kd_http_closep) struct kd_http *http = open_plain();
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(kd_http_response_clear) struct kd_http_response response = { 0 };
        const struct kd_http_request request = { .method = rows[i].method,
                                                 .url = url_of(rows[i].path, url),
                                                 .authorization = KD_STR("Bearer secret") };
        assert_int_equal(kd_http_do(http, &request, &response, NULL), rows[i].want);
        assert_true(response.elsewhere == rows[i].elsewhere);
    }
    struct kd_str heard = kd_buf_str(&server.heard);
    ptrdiff_t same = kd_str_find(heard, KD_STR("GET /end?a")), other = kd_str_find(heard, KD_STR("GET /end?b"));
    assert_true(same > 0 && other > same);
    struct kd_str to_same = { heard.p + same, 120 }, to_other = { heard.p + other, 120 };
    assert_true(kd_str_find(to_same, KD_STR("Bearer secret")) > 0);
    to_other.n = (size_t)kd_str_find(to_other, KD_STR("\r\n\r\n"));
    assert_true(kd_str_find(to_other, KD_STR("Bearer secret")) < 0);
    http = kd_http_close(http);
    server_stop();
}

static void test_unix_socket(void **state)
{
    (void)state;
    static const struct answer answers[] = { { "GET /v4/info", OK("pod", "3"), false } };
    server_start(answers, KD_COUNT(answers), true);
    struct kd_http *http = NULL;
    struct kd_err err = { 0 };
    const struct kd_http_options options = { .socket_path = server.socket_path };
    KD_AUTO(kd_http_response_clear) struct kd_http_response response = { 0 };
    const struct kd_http_request request = { .url = KD_STR("http://d/v4/info") };
    assert_ok(kd_http_open(&options, &http, &err), err);
    assert_ok(kd_http_do(http, &request, &response, &err), err);
    assert_str(kd_buf_str(&response.body), "pod");
    http = kd_http_close(http);
    server_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_methods),   cmocka_unit_test(test_headers),     cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_sink),      cmocka_unit_test(test_limits),      cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_redirects), cmocka_unit_test(test_unix_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
