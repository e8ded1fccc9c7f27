/** HTTP over libcurl's easy interface. Redirects are followed here, not by libcurl, so that what may go where stands in one place.
 */
#include "shared/http/http.h"

#include "shared/base/own.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>

#define KD_HTTP_AS_WORD(id, word) [KD_HTTP_##id] = word,

enum { KD_HTTP_CONNECT_MS = 10000, KD_HTTP_LINE_MAX = 64 * 1024 /* bytes of a header that is sent */ };

static const char *const kd_http_words[KD_HTTP_METHOD_COUNT] = { KD_HTTP_METHODS(KD_HTTP_AS_WORD) };

struct kd_http {
    CURL *curl; /* owned */
    bool unix_socket, plain_http;
    char why[CURL_ERROR_SIZE]; /* libcurl's words for the last failure */
};

/** One exchange, as the callbacks see it. */
struct kd_exchange {
    CURL *curl;
    const struct kd_http_request *request;
    struct kd_http_response *response;
    bool head_read;
    enum kd_code sink_code; /* what the sink or a limit said; KD_OK while nothing */
    struct kd_err *err;
};

static pthread_once_t kd_http_once = PTHREAD_ONCE_INIT;
static CURLcode kd_http_ready;

/** libcurl's start-up costs milliseconds, so it waits for the first handle. */
static void kd_http_start(void)
{
    kd_http_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void kd_slistp(struct curl_slist **list)
{
    curl_slist_free_all(*list);
}

enum kd_code kd_http_class(int status)
{
    static const struct {
        int from, to;
        enum kd_code code;
    } rows[] = {
        { 200, 299, KD_OK },          { 304, 304, KD_OK },          { 300, 399, KD_UNSUPPORTED }, { 401, 401, KD_FORBIDDEN },
        { 403, 403, KD_FORBIDDEN },   { 404, 404, KD_NOT_FOUND },   { 405, 405, KD_UNSUPPORTED }, { 408, 408, KD_UNAVAILABLE },
        { 409, 409, KD_CONFLICT },    { 410, 410, KD_NOT_FOUND },   { 412, 412, KD_CONFLICT },    { 413, 413, KD_TOO_LARGE },
        { 425, 425, KD_UNAVAILABLE }, { 429, 429, KD_UNAVAILABLE }, { 400, 499, KD_INVALID },     { 501, 501, KD_UNSUPPORTED },
        { 500, 599, KD_UNAVAILABLE },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++)
        if (status >= rows[i].from && status <= rows[i].to)
            return rows[i].code;
    return KD_INTERNAL;
}

struct kd_str kd_http_header(const struct kd_http_response *response, const char *name)
{
    struct kd_str left = kd_buf_str(&response->raw);
    size_t n = strlen(name);
    while (left.n) {
        struct kd_str value = kd_str_cut(&left, '\n');
        struct kd_str key = kd_str_cut(&value, ':');
        if (key.n == n && strncasecmp(key.p, name, n) == 0)
            return kd_str_trim(value);
    }
    return (struct kd_str){ NULL, 0 };
}

void kd_http_response_clear(struct kd_http_response *response)
{
    kd_buf_clear(&response->body);
    kd_buf_clear(&response->raw);
}

/** Forgets what an earlier hop brought. */
static void kd_response_reset(struct kd_http_response *response)
{
    response->status = 0;
    response->from = 0;
    kd_buf_reset(&response->body);
    kd_buf_reset(&response->raw);
}

/** libcurl hands over one line at a time; a status line starts anew (after "100 Continue", say). */
static size_t kd_on_header(char *at, size_t size, size_t count, void *ctx)
{
    struct kd_exchange *x = ctx;
    struct kd_str line = { at, size * count };
    if (kd_str_starts(line, KD_STR("HTTP/")))
        kd_buf_reset(&x->response->raw);
    else
        kd_buf_add(&x->response->raw, line);
    if (!x->response->raw.overflow)
        return line.n;
    x->sink_code = kd_fail(x->err, KD_TOO_LARGE, 0, "the response has more than %d bytes of headers", KD_HTTP_HEADERS_MAX);
    return 0;
}

/** Where a 206 begins: "Content-Range: bytes 500-999/1000". False where the header is not of that form. */
static bool kd_read_range(struct kd_http_response *response)
{
    struct kd_str range = kd_http_header(response, "Content-Range");
    if (!kd_str_starts(range, KD_STR("bytes ")))
        return false;
    range = (struct kd_str){ range.p + 6, range.n - 6 };
    return kd_str_u64(kd_str_trim(kd_str_cut(&range, '-')), &response->from);
}

/** Before the first byte of the body: the status, and where the body begins. */
static enum kd_code kd_read_head(struct kd_exchange *x)
{
    long status = 0;
    (void)curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
    x->head_read = true;
    x->response->status = (int)status;
    x->response->from = 0;
    if (status == 206 && !kd_read_range(x->response))
        return kd_fail(x->err, KD_UNSUPPORTED, 0, "the server sent a part without saying which one");
    return KD_OK;
}

static enum kd_code kd_keep_body(struct kd_exchange *x, struct kd_str piece)
{
    struct kd_buf *body = &x->response->body;
    size_t left = body->max - body->n;
    bool refusal = x->response->status >= 300;
    kd_buf_add(body, refusal && piece.n > left ? (struct kd_str){ piece.p, left } : piece);
    return body->overflow ? kd_fail(x->err, KD_TOO_LARGE, 0, "the response has more than %zu bytes", body->max) : KD_OK;
}

static size_t kd_on_body(char *at, size_t size, size_t count, void *ctx)
{
    struct kd_exchange *x = ctx;
    struct kd_str piece = { at, size * count };
    if (!x->head_read)
        x->sink_code = kd_read_head(x);
    if (x->sink_code == KD_OK)
        x->sink_code = x->request->sink && x->response->status < 300
                           ? x->request->sink(x->request->sink_ctx, x->response, piece, x->err)
                           : kd_keep_body(x, piece);
    return x->sink_code == KD_OK ? piece.n : 0;
}

static CURLcode kd_http_set_up(struct kd_http *http, const struct kd_http_options *options)
{
    CURL *c = http->curl;
    CURLcode bad = curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    bad = bad ? bad : curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, http->plain_http ? "http,https" : "https");
    bad = bad ? bad : curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    bad = bad ? bad : curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    bad = bad ? bad : curl_easy_setopt(c, CURLOPT_USERAGENT, "kedge");
    bad = bad ? bad : curl_easy_setopt(c, CURLOPT_ERRORBUFFER, http->why);
    bad = bad ? bad
              : curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
                                 (long)(options->connect_ms > 0 ? options->connect_ms : KD_HTTP_CONNECT_MS));
    if (http->unix_socket) {
        bad = bad ? bad : curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, options->socket_path);
        bad = bad ? bad : curl_easy_setopt(c, CURLOPT_PROXY, "");
    }
    if (options->ca_file && options->ca_file[0])
        bad = bad ? bad : curl_easy_setopt(c, CURLOPT_CAINFO, options->ca_file);
    return bad;
}

enum kd_code kd_http_open(const struct kd_http_options *options, struct kd_http **ret, struct kd_err *err)
{
    (void)pthread_once(&kd_http_once, kd_http_start);
    KD_AUTO(kd_http_closep) struct kd_http *http = calloc(1, sizeof *http);
    if (kd_http_ready != CURLE_OK || !http)
        return kd_fail(err, KD_INTERNAL, -(int)kd_http_ready, "cannot start the HTTP client");
    http->unix_socket = options->socket_path && options->socket_path[0];
    http->plain_http = options->plain_http || http->unix_socket;
    http->curl = curl_easy_init();
    CURLcode bad = http->curl ? kd_http_set_up(http, options) : CURLE_OUT_OF_MEMORY;
    if (bad != CURLE_OK)
        return kd_fail(err, KD_INTERNAL, -(int)bad, "set up the HTTP client: %s", curl_easy_strerror(bad));
    *ret = KD_TAKE(http, NULL);
    return KD_OK;
}

struct kd_http *kd_http_close(struct kd_http *http)
{
    if (!http)
        return NULL;
    curl_easy_cleanup(http->curl);
    free(http);
    return NULL;
}

void kd_http_closep(struct kd_http **http)
{
    *http = kd_http_close(*http);
}

/** A URL as it may be told: without what stands behind ? (signed addresses carry secrets there). */
static struct kd_str kd_url_told(struct kd_str url)
{
    return kd_str_cut(&url, '?');
}

/** scheme://host[:port] of a URL. */
static struct kd_str kd_url_origin(struct kd_str url)
{
    ptrdiff_t at = kd_str_find(url, KD_STR("://"));
    size_t n = at < 0 ? 0 : (size_t)at + 3;
    while (n < url.n && !strchr("/?#", url.p[n]))
        n++;
    return (struct kd_str){ url.p, n };
}

static enum kd_code kd_check_url(const struct kd_http *http, struct kd_str url, struct kd_err *err)
{
    bool plain = kd_str_starts(url, KD_STR("http://"));
    struct kd_str told = kd_url_told(url), origin = kd_url_origin(url);
    if ((!plain && !kd_str_starts(url, KD_STR("https://"))) || url.n > KD_HTTP_URL_MAX)
        return kd_fail(err, KD_INVALID, 0, "'%.*s' is not an http or https address", (int)(told.n < 200 ? told.n : 200), told.p);
    if (memchr(origin.p, '@', origin.n))
        return kd_fail(err, KD_INVALID, 0, "an address may not contain a user name or password");
    if (plain && !http->plain_http)
        return kd_fail(err, KD_FORBIDDEN, 0, "%.*s: plain http is not allowed (set plain_http for this registry to allow it)",
                       KD_ARG(origin));
    return KD_OK;
}

/** Appends "name: value"; a control character in it could start another header. */
static enum kd_code kd_add_header(struct curl_slist **list, struct kd_str name, struct kd_str value, struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf line = KD_BUF(KD_HTTP_LINE_MAX);
    kd_buf_add(&line, name);
    kd_buf_add(&line, value.n ? KD_STR(": ") : KD_STR(":"));
    kd_buf_add(&line, value);
    for (size_t i = 0; i < line.n; i++)
        if ((unsigned char)line.p[i] < 0x20 || line.p[i] == 0x7f)
            return kd_fail(err, KD_INVALID, 0, "header %.*s contains a control character", KD_ARG(name));
    struct curl_slist *longer = line.overflow ? NULL : curl_slist_append(*list, line.p);
    if (!longer)
        return kd_fail(err, KD_TOO_LARGE, 0, "header %.*s is too long", KD_ARG(name));
    *list = longer;
    return KD_OK;
}

static bool kd_names_type(const struct kd_http_headers *headers)
{
    for (size_t i = 0; i < headers->n; i++)
        if (headers->v[i].name.n == 12 && strncasecmp(headers->v[i].name.p, "Content-Type", 12) == 0)
            return true;
    return false;
}

static enum kd_code kd_make_headers(const struct kd_http_request *request, bool home, struct curl_slist **ret, struct kd_err *err)
{
    char range[40];
    enum kd_code code = kd_add_header(ret, KD_STR("Expect"), KD_STR(""), err);
    for (size_t i = 0; i < request->headers.n && code == KD_OK; i++)
        code = kd_add_header(ret, request->headers.v[i].name, request->headers.v[i].value, err);
    if (code == KD_OK && !kd_names_type(&request->headers))
        code = kd_add_header(ret, KD_STR("Content-Type"), KD_STR(""), err);
    if (code == KD_OK && home && request->authorization.n)
        code = kd_add_header(ret, KD_STR("Authorization"), request->authorization, err);
    if (code == KD_OK && request->from > 0) {
        (void)snprintf(range, sizeof range, "bytes=%llu-", (unsigned long long)request->from);
        code = kd_add_header(ret, KD_STR("Range"), kd_str(range), err);
    }
    return code;
}

static CURLcode kd_set_method(CURL *c, const struct kd_http_request *request)
{
    bool sends = request->method == KD_HTTP_POST || request->method == KD_HTTP_PUT;
    CURLcode bad = curl_easy_setopt(c, CURLOPT_HTTPGET, 1L); /* undoes what an earlier request set */
    bad = bad ? bad : curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, NULL);
    if (request->method == KD_HTTP_HEAD)
        return bad ? bad : curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    if (sends) {
        bad = bad ? bad : curl_easy_setopt(c, CURLOPT_POST, 1L);
        bad = bad ? bad : curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.n);
        bad = bad ? bad : curl_easy_setopt(c, CURLOPT_POSTFIELDS, request->body.p ? request->body.p : "");
    }
    return bad ? bad : curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, kd_http_words[request->method]);
}

static CURLcode kd_set_exchange(CURL *c, struct kd_exchange *x, struct curl_slist *headers, long left_ms)
{
    const struct kd_http_request *request = x->request;
    CURLcode bad = kd_set_method(c, request);
    bad = bad ? bad : curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    bad = bad ? bad : curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, left_ms);
    bad = bad ? bad : curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, request->quiet_s > 0 ? 1L : 0L);
    bad = bad ? bad : curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)request->quiet_s);
    bad = bad ? bad : curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, kd_on_header);
    bad = bad ? bad : curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
    bad = bad ? bad : curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, kd_on_body);
    return bad ? bad : curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
}

/** What libcurl could not do. What a callback of ours refused has its own story already. */
static enum kd_code kd_transfer_failed(const struct kd_http *http, const struct kd_exchange *x, CURLcode bad, struct kd_str told)
{
    if (x->sink_code != KD_OK)
        return x->sink_code;
    const char *why = http->why[0] ? http->why : curl_easy_strerror(bad);
    enum kd_code code = bad == CURLE_OUT_OF_MEMORY                                        ? KD_INTERNAL
                        : bad == CURLE_URL_MALFORMAT || bad == CURLE_UNSUPPORTED_PROTOCOL ? KD_INVALID
                                                                                          : KD_UNAVAILABLE;
    return kd_fail(x->err, code, -(int)bad, "%s %.*s: %s", kd_http_words[x->request->method], KD_ARG(told), why);
}

/** One exchange with one server, no redirects; *left_ms loses the time that it took (0 stays "no limit"). */
static enum kd_code kd_http_hop(struct kd_http *http, struct kd_exchange *x, const char *url, bool home, int64_t *left_ms)
{
    KD_AUTO(kd_slistp) struct curl_slist *headers = NULL;
    enum kd_code code = kd_check_url(http, kd_str(url), x->err);
    if (code == KD_OK)
        code = kd_make_headers(x->request, home, &headers, x->err);
    if (code != KD_OK)
        return code;
    kd_response_reset(x->response);
    x->head_read = false;
    x->response->elsewhere = !home;
    http->why[0] = '\0';
    CURLcode bad = kd_set_exchange(http->curl, x, headers, (long)*left_ms);
    bad = bad ? bad : curl_easy_setopt(http->curl, CURLOPT_URL, url);
    bad = bad ? bad : curl_easy_perform(http->curl);
    if (bad != CURLE_OK)
        return kd_transfer_failed(http, x, bad, kd_url_told(kd_str(url)));
    curl_off_t took_us = 0;
    (void)curl_easy_getinfo(http->curl, CURLINFO_TOTAL_TIME_T, &took_us);
    if (*left_ms > 0)
        *left_ms = *left_ms > took_us / 1000 ? *left_ms - took_us / 1000 : 1;
    return x->head_read ? KD_OK : kd_read_head(x);
}

/** The address of the next hop into `url`; KD_OK with an empty one where this answer is the last. */
static enum kd_code kd_next_hop(struct kd_http *http, const struct kd_exchange *x, struct kd_buf *url)
{
    static const int redirects[] = { 301, 302, 303, 307, 308 };
    const char *next = NULL;
    bool plain = kd_str_starts(kd_buf_str(url), KD_STR("http://"));
    bool redirect = false;
    for (size_t i = 0; i < KD_COUNT(redirects); i++)
        redirect |= x->response->status == redirects[i];
    (void)curl_easy_getinfo(http->curl, CURLINFO_REDIRECT_URL, &next);
    redirect = redirect && next && (x->request->method == KD_HTTP_GET || x->request->method == KD_HTTP_HEAD);
    kd_buf_reset(url);
    if (!redirect)
        return KD_OK;
    kd_buf_add(url, kd_str(next));
    if (url->overflow)
        return kd_fail(x->err, KD_TOO_LARGE, 0, "a redirect's address is longer than %d bytes", KD_HTTP_URL_MAX);
    if (!plain && kd_str_starts(kd_buf_str(url), KD_STR("http://")))
        return kd_fail(x->err, KD_FORBIDDEN, 0, "a redirect leads from https to http: %.*s",
                       KD_ARG(kd_url_origin(kd_buf_str(url))));
    return KD_OK;
}

/** Hop by hop to the last answer. `url` holds the first address, and is empty after the last. */
static enum kd_code kd_http_follow(struct kd_http *http, struct kd_exchange *x, struct kd_buf *url)
{
    struct kd_str origin = kd_url_origin(x->request->url);
    int64_t left_ms = x->request->total_ms;
    for (int hop = 0; hop <= KD_HTTP_REDIRECTS_MAX; hop++) {
        bool home = kd_str_eq(origin, kd_url_origin(kd_buf_str(url)));
        enum kd_code code = kd_http_hop(http, x, url->p, home, &left_ms);
        if (code == KD_OK)
            code = kd_next_hop(http, x, url);
        if (code != KD_OK || !url->n)
            return code;
    }
    return kd_fail(x->err, KD_UNAVAILABLE, 0, "%.*s redirects more than %d times", KD_ARG(kd_url_told(x->request->url)),
                   KD_HTTP_REDIRECTS_MAX);
}

enum kd_code kd_http_do(struct kd_http *http, const struct kd_http_request *request, struct kd_http_response *ret,
                        struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf url = KD_BUF(KD_HTTP_URL_MAX);
    kd_http_response_clear(ret);
    size_t body_max = request->body_max ? request->body_max : KD_HTTP_BODY_MAX;
    *ret = (struct kd_http_response){ .body = KD_BUF(request->sink ? KD_HTTP_ERROR_BODY_MAX : body_max),
                                      .raw = KD_BUF(KD_HTTP_HEADERS_MAX) };
    struct kd_exchange x = { .curl = http->curl, .request = request, .response = ret, .err = err };
    kd_buf_add(&url, request->url);
    if (url.overflow || !url.n)
        return kd_fail(err, KD_INVALID, 0, "an address has 1 to %d bytes", KD_HTTP_URL_MAX);
    enum kd_code code = kd_http_follow(http, &x, &url);
    if (code != KD_OK || kd_http_class(ret->status) == KD_OK)
        return code;
    return kd_fail(err, kd_http_class(ret->status), 0, "%s %.*s: the server answered %d", kd_http_words[request->method],
                   KD_ARG(kd_url_told(request->url)), ret->status);
}
