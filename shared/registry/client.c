/** Requests with the authorisation that the registry asks for, and transfers that survive being cut. */
#include "shared/registry/client.h"

#include "shared/base/own.h"
#include "shared/registry/token.h"

enum {
    KD_LIMIT_MS = 60 * 1000,            /* one request */
    KD_FETCH_LIMIT_MS = 15 * 60 * 1000, /* one transfer of a chart */
    KD_QUIET_S = 30,                    /* a transfer that stands still for so long is cut */
    KD_STALLS_MAX = 3,                  /* attempts in a row that bring nothing new */
};

void kd_client_open(const struct kd_registry_access *access, struct kd_str home, struct kd_client *ret)
{
    *ret = (struct kd_client){ .access = access, .home = home, .authorization = KD_BUF(KD_TOKEN_MAX + 16) };
}

void kd_client_close(struct kd_client *client)
{
    client->http = kd_http_close(client->http);
    kd_buf_clear(&client->authorization);
}

static bool kd_is_set(const char *text)
{
    return text && text[0];
}

static int64_t kd_limit_ms(const struct kd_client *client, int64_t standard)
{
    return client->access->limit_ms > 0 ? client->access->limit_ms : standard;
}

/** Asks the token server that the challenge names; with the credentials where there are some. */
static enum kd_code kd_get_token(struct kd_client *client, const struct kd_challenge *challenge, struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf url = KD_BUF(KD_HTTP_URL_MAX), basic = KD_BUF(KD_TOKEN_MAX);
    KD_AUTO(kd_http_response_clear) struct kd_http_response response = { 0 };
    kd_token_url(challenge, &url);
    if (kd_is_set(client->access->username))
        kd_basic(client->access->username, client->access->password, &basic);
    const struct kd_http_request request = { .method = KD_HTTP_GET,
                                             .url = kd_buf_str(&url),
                                             .authorization = kd_buf_str(&basic),
                                             .body_max = KD_TOKEN_ANSWER_MAX,
                                             .total_ms = kd_limit_ms(client, KD_LIMIT_MS) };
    enum kd_code code = kd_http_do(client->http, &request, &response, err);
    if (code == KD_OK)
        code = kd_token_read(kd_buf_str(&response.body), &client->authorization, err);
    if (code != KD_OK)
        (void)kd_wrap(err, "get a token");
    return code;
}

/** Makes what the registry asks for; KD_FORBIDDEN where there is nothing that would help. */
static enum kd_code kd_authorize(struct kd_client *client, struct kd_str header, struct kd_err *err)
{
    struct kd_challenge challenge = kd_challenge_parse(header);
    kd_buf_reset(&client->authorization);
    if (challenge.kind == KD_CHALLENGE_BEARER)
        return kd_get_token(client, &challenge, err);
    if (challenge.kind == KD_CHALLENGE_BASIC && kd_is_set(client->access->username)) {
        kd_basic(client->access->username, client->access->password, &client->authorization);
        return KD_OK;
    }
    return kd_fail(err, KD_FORBIDDEN, 0, "%.*s wants credentials: set username and password_file for it", KD_ARG(client->home));
}

enum kd_code kd_client_do(struct kd_client *client, const struct kd_http_request *request, struct kd_http_response *ret,
                          struct kd_err *err)
{
    const struct kd_http_options options = { .ca_file = client->access->ca_file, .plain_http = client->access->plain_http };
    bool home = kd_str_eq(kd_registry_host(request->url), client->home);
    struct kd_http_request with = *request;
    enum kd_code code = client->http ? KD_OK : kd_http_open(&options, &client->http, err);
    if (code != KD_OK)
        return code;
    with.authorization = home ? kd_buf_str(&client->authorization) : (struct kd_str){ NULL, 0 };
    code = kd_http_do(client->http, &with, ret, err);
    if (ret->status != 401 || !home || ret->elsewhere)
        return code;
    code = kd_authorize(client, kd_http_header(ret, "WWW-Authenticate"), err);
    if (code != KD_OK)
        return code;
    with.authorization = kd_buf_str(&client->authorization);
    code = kd_http_do(client->http, &with, ret, err);
    return ret->status == 401 ? kd_fail(err, KD_FORBIDDEN, 0, "%.*s refuses these credentials", KD_ARG(client->home)) : code;
}

/* ---- transfers ---- */

struct kd_transfer {
    struct kd_cache_part *part;
    bool begun; /* the first piece of this answer has come */
};

/** The first piece says where it begins: where we asked it to, or at 0 from a server that knows no ranges. */
static enum kd_code kd_transfer_begin(struct kd_transfer *t, const struct kd_http_response *head, struct kd_err *err)
{
    t->begun = true;
    if (head->from == kd_cache_have(t->part))
        return KD_OK;
    if (head->from == 0)
        return kd_cache_restart(t->part, err);
    return kd_fail(err, KD_UNSUPPORTED, 0, "the server sent another part than it was asked for");
}

static enum kd_code kd_on_piece(void *ctx, const struct kd_http_response *head, struct kd_str piece, struct kd_err *err)
{
    struct kd_transfer *t = ctx;
    enum kd_code code = t->begun ? KD_OK : kd_transfer_begin(t, head, err);
    return code == KD_OK ? kd_cache_add(t->part, piece, err) : code;
}

/** One request for what is missing. */
static enum kd_code kd_fetch_once(struct kd_client *client, struct kd_str url, struct kd_cache_part *part, struct kd_err *err)
{
    KD_AUTO(kd_http_response_clear) struct kd_http_response response = { 0 };
    struct kd_transfer transfer = { .part = part };
    const struct kd_http_request request = { .method = KD_HTTP_GET,
                                             .url = url,
                                             .from = kd_cache_have(part),
                                             .sink = kd_on_piece,
                                             .sink_ctx = &transfer,
                                             .total_ms = kd_limit_ms(client, KD_FETCH_LIMIT_MS),
                                             .quiet_s = KD_QUIET_S };
    enum kd_code code = kd_client_do(client, &request, &response, err);
    return response.status == 416 && request.from > 0 ? KD_OK : code; /* there is nothing behind what we have */
}

/** Request after request, as long as they bring something new. */
static enum kd_code kd_fetch_all(struct kd_client *client, struct kd_str url, uint64_t size, struct kd_cache_part *part,
                                 struct kd_err *err)
{
    uint64_t best = kd_cache_have(part);
    for (int stalls = 0; !size || kd_cache_have(part) < size;) {
        enum kd_code code = kd_fetch_once(client, url, part, err);
        if (code == KD_OK && (!size || kd_cache_have(part) == size))
            return KD_OK;
        if (code == KD_OK)
            code = kd_fail(err, KD_UNAVAILABLE, 0, "the transfer ended early");
        stalls = kd_cache_have(part) > best ? 0 : stalls + 1;
        best = kd_cache_have(part) > best ? kd_cache_have(part) : best;
        if (code != KD_UNAVAILABLE || stalls >= KD_STALLS_MAX)
            return code;
    }
    return KD_OK;
}

static enum kd_code kd_fetch_part(struct kd_client *client, struct kd_str url, const struct kd_digest *digest, uint64_t size,
                                  const struct kd_cache *cache, bool *ret_resumed, struct kd_err *err)
{
    KD_AUTO(kd_cache_part_closep) struct kd_cache_part *part = NULL;
    enum kd_code code = kd_cache_begin(cache, digest, size ? size : KD_CHART_BYTES_MAX, &part, err);
    if (code != KD_OK)
        return code == KD_EXISTS ? KD_OK : code;
    *ret_resumed = kd_cache_have(part) > 0;
    code = kd_fetch_all(client, url, size, part, err);
    return code == KD_OK ? kd_cache_commit(part, err) : code;
}

enum kd_code kd_client_fetch(struct kd_client *client, struct kd_str url, const struct kd_digest *digest, uint64_t size,
                             const struct kd_cache *cache, struct kd_cache_entry *ret, struct kd_err *err)
{
    bool resumed = false;
    if (kd_cache_find(cache, digest, ret, NULL) == KD_OK)
        return KD_OK;
    if (size > KD_CHART_BYTES_MAX)
        return kd_fail(err, KD_TOO_LARGE, 0, "the chart has %llu bytes, at most %d are taken", (unsigned long long)size,
                       KD_CHART_BYTES_MAX);
    enum kd_code code = kd_fetch_part(client, url, digest, size, cache, &resumed, err);
    if (code == KD_INVALID && resumed) /* what a crash left may have been damaged: once more from the beginning */
        code = kd_fetch_part(client, url, digest, size, cache, &resumed, err);
    return code == KD_OK ? kd_cache_find(cache, digest, ret, err) : code;
}
