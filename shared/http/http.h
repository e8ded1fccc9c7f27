/** HTTP for job processes and worker threads: one blocking request at a time on a handle that keeps its connections.
 *
 *  A handle belongs to one thread at a time. Nothing is trusted: sizes, times, headers and redirects are bounded. Over TLS the
 *  server's certificate is always checked; plain http:// is refused unless the options allow it (a Unix socket needs no TLS). */
#ifndef KD_HTTP_HTTP_H
#define KD_HTTP_HTTP_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

#define KD_HTTP_METHODS(X)        X(GET, "GET") X(HEAD, "HEAD") X(PUT, "PUT") X(POST, "POST") X(DELETE, "DELETE")
#define KD_HTTP_AS_ENUM(id, word) KD_HTTP_##id,
enum kd_http_method { KD_HTTP_METHODS(KD_HTTP_AS_ENUM) KD_HTTP_METHOD_COUNT };

enum {
    KD_HTTP_REDIRECTS_MAX = 5,
    KD_HTTP_URL_MAX = 4096,             /* bytes */
    KD_HTTP_HEADERS_MAX = 64 * 1024,    /* bytes of one response's headers */
    KD_HTTP_BODY_MAX = 4 * 1024 * 1024, /* bytes of a body in memory where the request names no other limit */
    KD_HTTP_ERROR_BODY_MAX = 64 * 1024  /* bytes kept of the body of a refusal where the request has a sink; more is dropped */
};

struct kd_http; /* a handle; private to http.c */

struct kd_http_options {
    const char *socket_path; /* a Unix socket to connect to, whatever the URL's host says; NULL: TCP */
    const char *ca_file;     /* PEM file of the authorities to trust; NULL: those of the system */
    bool plain_http;         /* http:// is allowed over TCP */
    int64_t connect_ms;      /* for name, TCP and TLS together; 0: 10 s */
};

struct kd_http_header {
    struct kd_str name, value; /* names are compared without case */
};

struct kd_http_headers {
    struct kd_http_header *v;
    size_t n;
};

/** What came back. Also filled where kd_http_do failed with the class of a status, so that the body can be read then too. */
struct kd_http_response {
    int status;         /* 0: nothing came back */
    bool elsewhere;     /* after a redirect: another host, port or scheme than the URL's answered */
    struct kd_buf body; /* owned; whole unless a sink took it; for status >= 400 always here */
    uint64_t from;      /* where the body begins in the content: of Content-Range with status 206, else 0 */
    struct kd_buf raw;  /* owned; the last response's header lines, for kd_http_header */
};

/** Takes a piece of a 2xx body. `head` has status, from and headers. Anything but KD_OK ends the transfer and becomes its result.
 */
typedef enum kd_code kd_http_sink(void *ctx, const struct kd_http_response *head, struct kd_str piece, struct kd_err *err);

struct kd_http_request {
    enum kd_http_method method;
    struct kd_str url;              /* absolute; with a Unix socket e.g. http://d/v4.0.0/libpod/info */
    struct kd_str authorization;    /* value of the header; never sent to another host, port or scheme than the URL's */
    struct kd_http_headers headers; /* further ones; they follow redirects */
    struct kd_str body;             /* POST, PUT: sent with its length; no Content-Type unless headers name one */
    uint64_t from;                  /* > 0: ask for the content from this byte on (Range); the answer may still be 200 and whole */
    size_t body_max;                /* bytes of a body in memory; more is KD_TOO_LARGE; 0: KD_HTTP_BODY_MAX */
    kd_http_sink *sink;             /* takes the body instead of response.body; NULL: in memory */
    void *sink_ctx;
    int64_t total_ms; /* for all of it, redirects too; 0: no limit */
    int64_t quiet_s;  /* the transfer ends when for so long less than a byte a second arrived; 0: no limit */
};

/** Opens a handle; connects to nothing yet. The texts of the options are copied. */
KD_MUST_CHECK enum kd_code kd_http_open(const struct kd_http_options *options, struct kd_http **ret, struct kd_err *err);

/** Closes the handle and its connections. Takes NULL, returns NULL. */
struct kd_http *kd_http_close(struct kd_http *http);

/** kd_http_close for KD_AUTO. */
void kd_http_closep(struct kd_http **http);

/** One request; GET and HEAD follow redirects (never from https to http). *ret is set up here and must be cleared by the caller in
 * any case (start from {0}). KD_OK: status 2xx or 304. Else the class of the status (kd_http_class), or, without a status:
 * KD_UNAVAILABLE (name, connection, TLS, time), KD_FORBIDDEN (plain http, a redirect that may not be followed), KD_INVALID (URL),
 * KD_TOO_LARGE (body, headers), or what the sink said. */
KD_MUST_CHECK enum kd_code kd_http_do(struct kd_http *http, const struct kd_http_request *request, struct kd_http_response *ret,
                                      struct kd_err *err);

/** Frees what a response owns. For KD_AUTO. */
void kd_http_response_clear(struct kd_http_response *response);

/** The value of a header of the response (the first one), borrowed; {NULL, 0} if it is not there. */
struct kd_str kd_http_header(const struct kd_http_response *response, const char *name);

/** The class of a status: 2xx and 304 KD_OK; 401, 403 KD_FORBIDDEN; 404, 410 KD_NOT_FOUND; 409, 412 KD_CONFLICT; 413 KD_TOO_LARGE;
 *  405, 501 and 3xx KD_UNSUPPORTED; 408, 425, 429 and 5xx KD_UNAVAILABLE; other 4xx KD_INVALID. */
enum kd_code kd_http_class(int status);

#endif
