/** Helm repositories: an index.yaml that names archives and their digests. */
#include "shared/base/own.h"
#include "shared/model/yaml.h"
#include "shared/registry/client.h"

#include <cjson/cJSON.h>

enum { KD_INDEX_ARENA = 3 * KD_INDEX_MAX };

struct kd_indexed {
    struct kd_digest digest;
    struct kd_buf url; /* owned; absolute */
};

static void kd_cjsonp(cJSON **json)
{
    cJSON_Delete(*json);
}

static struct kd_str kd_member(const cJSON *object, const char *name)
{
    return kd_str(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name)));
}

/** Root and a relative address, or the absolute one. */
static void kd_join(struct kd_str root, struct kd_str url, struct kd_buf *out)
{
    bool absolute = kd_str_find(url, KD_STR("://")) > 0;
    while (root.n && root.p[root.n - 1] == '/')
        root.n--;
    if (!absolute)
        kd_buf_printf(out, "%.*s/", KD_ARG(root));
    kd_buf_add(out, url);
}

/** The row of a version in the index; NULL if there is none. */
static const cJSON *kd_index_row(const cJSON *index, const struct kd_chart_name *chart)
{
    const cJSON *entries = cJSON_GetObjectItemCaseSensitive(index, "entries");
    for (const cJSON *entry = entries ? entries->child : NULL; entry; entry = entry->next)
        for (const cJSON *row = kd_str_is(chart->name, entry->string) ? entry->child : NULL; row; row = row->next)
            if (kd_str_eq(kd_member(row, "version"), chart->version))
                return row;
    return NULL;
}

static enum kd_code kd_index_find(struct kd_str json, const struct kd_chart_name *chart, struct kd_indexed *ret, struct kd_err *err)
{
    KD_AUTO(kd_cjsonp) cJSON *index = cJSON_ParseWithLength(json.p, json.n);
    const cJSON *row = kd_index_row(index, chart);
    if (!row)
        return kd_fail(err, KD_NOT_FOUND, 0, "the repository's index does not have it");
    struct kd_str digest = kd_member(row, "digest");
    if (kd_str_starts(digest, KD_STR("sha256:")))
        digest = (struct kd_str){ digest.p + 7, digest.n - 7 };
    if (!kd_digest_parse_hex(digest, &ret->digest))
        return kd_fail(err, KD_UNSUPPORTED, 0, "the repository's index has no digest for it");
    struct kd_str url = kd_str(cJSON_GetStringValue(cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(row, "urls"), 0)));
    if (!url.n)
        return kd_fail(err, KD_UNSUPPORTED, 0, "the repository's index has no address for it");
    kd_join(chart->root, url, &ret->url);
    return KD_OK;
}

static enum kd_code kd_get_index(struct kd_client *client, const struct kd_chart_name *chart, struct kd_indexed *ret,
                                 struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf url = KD_BUF(KD_HTTP_URL_MAX);
    KD_AUTO(kd_http_response_clear) struct kd_http_response response = { 0 };
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(KD_INDEX_ARENA);
    struct kd_strs documents = { NULL, 0 };
    kd_join(chart->root, KD_STR("index.yaml"), &url);
    const struct kd_http_request request = { .method = KD_HTTP_GET,
                                             .url = kd_buf_str(&url),
                                             .body_max = KD_INDEX_MAX,
                                             .total_ms = client->access->limit_ms > 0 ? client->access->limit_ms : 60000 };
    enum kd_code code = kd_client_do(client, &request, &response, err);
    if (code == KD_OK)
        code = kd_yaml_read(kd_buf_str(&response.body), "index.yaml", KD_YAML_LAST_WINS, &arena, &documents, err);
    if (code == KD_OK && documents.n != 1)
        code = kd_fail(err, KD_INVALID, 0, "index.yaml must have one document, it has %zu", documents.n);
    return code == KD_OK ? kd_index_find(documents.v[0], chart, ret, err) : code;
}

static enum kd_code kd_helm_resolve(struct kd_client *client, const struct kd_chart_name *chart, struct kd_digest *ret,
                                    struct kd_err *err)
{
    struct kd_indexed indexed = { .url = KD_BUF(KD_HTTP_URL_MAX) };
    enum kd_code code = kd_get_index(client, chart, &indexed, err);
    if (code == KD_OK)
        *ret = indexed.digest;
    kd_buf_clear(&indexed.url);
    return code;
}

/** The index may name another content today: the digest decides. */
static enum kd_code kd_helm_fetch(struct kd_client *client, const struct kd_chart_name *chart, const struct kd_digest *digest,
                                  const struct kd_cache *cache, struct kd_cache_entry *ret, struct kd_err *err)
{
    if (kd_cache_find(cache, digest, ret, NULL) == KD_OK)
        return KD_OK;
    struct kd_indexed indexed = { .url = KD_BUF(KD_HTTP_URL_MAX) };
    enum kd_code code = kd_get_index(client, chart, &indexed, err);
    if (code == KD_OK && strcmp(indexed.digest.text, digest->text) != 0)
        code = kd_fail(err, KD_INVALID, 0, "the repository has %s under this version now, not %s", indexed.digest.text,
                       digest->text);
    if (code == KD_OK)
        code = kd_client_fetch(client, kd_buf_str(&indexed.url), digest, 0, cache, ret, err);
    kd_buf_clear(&indexed.url);
    return code;
}

const struct kd_registry_kind kd_registry_https = { "https://", kd_helm_resolve, kd_helm_fetch };
const struct kd_registry_kind kd_registry_http = { "http://", kd_helm_resolve, kd_helm_fetch };
