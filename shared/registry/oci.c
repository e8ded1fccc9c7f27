/** OCI registries: a tag names a manifest, the manifest names the chart's archive. */
#include "shared/base/own.h"
#include "shared/model/fields.h"
#include "shared/os/file.h"
#include "shared/registry/client.h"
#include "shared/registry/reference.h"

#define KD_CHART_TYPE    "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
#define KD_MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"

enum { KD_MANIFEST_ARENA = 4 * KD_MANIFEST_MAX };

struct kd_layer {
    struct kd_str type, digest;
    uint64_t size;
};

struct kd_manifest {
    struct {
        struct kd_layer *v;
        size_t n;
    } layers;
};

static const struct kd_json_field layer_rows[] = {
    F_TEXT(struct kd_layer, type, "mediaType", .required = true),
    F_TEXT(struct kd_layer, digest, "digest", .required = true),
    F_COUNT(struct kd_layer, size, "size", .required = true),
};
static const struct kd_json_shape layer_shape = KD_SHAPE(struct kd_layer, layer_rows, "layer");
static const struct kd_json_field manifest_rows[] = { F_LIST(struct kd_manifest, layers, &layer_shape, "layers") };
static const struct kd_json_shape manifest_shape = KD_SHAPE(struct kd_manifest, manifest_rows, "manifest");

/** https://host/v2/repository/kind/what */
static void kd_oci_url(const struct kd_client *client, const struct kd_reference *ref, const char *kind, const char *what,
                       struct kd_buf *out)
{
    kd_buf_printf(out, "%s://%s/v2/%s/%s/%s", client->access->plain_http ? "http" : "https", ref->host, ref->repository, kind,
                  what);
}

/** The chart's archive among a manifest's layers. */
static enum kd_code kd_chart_layer(struct kd_str json, struct kd_digest *ret, uint64_t *ret_size, struct kd_err *err)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(KD_MANIFEST_ARENA);
    struct kd_manifest manifest;
    enum kd_code code = kd_json_decode(&manifest_shape, json, &arena, &manifest, err);
    if (code != KD_OK)
        (void)kd_wrap(err, "read the manifest");
    for (size_t i = 0; code == KD_OK && i < manifest.layers.n; i++) {
        const struct kd_layer *layer = &manifest.layers.v[i];
        if (!kd_str_is(layer->type, KD_CHART_TYPE))
            continue;
        *ret_size = layer->size;
        return kd_digest_parse(layer->digest, ret) ? KD_OK
                                                   : kd_fail(err, KD_UNSUPPORTED, 0, "the chart's digest is not one of SHA-256");
    }
    return code == KD_OK ? kd_fail(err, KD_UNSUPPORTED, 0, "it is not a Helm chart: no part of it is %s", KD_CHART_TYPE) : code;
}

/** Gets a manifest by tag or digest; *ret_digest is that of the bytes, which the registry may not contradict. */
static enum kd_code kd_get_manifest(struct kd_client *client, const struct kd_reference *ref, const char *what, struct kd_buf *out,
                                    struct kd_digest *ret_digest, struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf url = KD_BUF(KD_HTTP_URL_MAX);
    KD_AUTO(kd_http_response_clear) struct kd_http_response response = { 0 };
    struct kd_http_header accept = { KD_STR("Accept"), KD_STR(KD_MANIFEST_TYPE) };
    kd_oci_url(client, ref, "manifests", what, &url);
    const struct kd_http_request request = { .method = KD_HTTP_GET,
                                             .url = kd_buf_str(&url),
                                             .headers = { &accept, 1 },
                                             .body_max = KD_MANIFEST_MAX,
                                             .total_ms = client->access->limit_ms > 0 ? client->access->limit_ms : 60000 };
    enum kd_code code = kd_client_do(client, &request, &response, err);
    if (code == KD_NOT_FOUND)
        return kd_fail(err, KD_NOT_FOUND, 0, "the registry does not have it");
    if (code != KD_OK)
        return code;
    struct kd_str told = kd_http_header(&response, "Docker-Content-Digest");
    *ret_digest = kd_digest_of(kd_buf_str(&response.body));
    if (told.n && kd_str_starts(told, KD_STR("sha256:")) && !kd_str_eq(told, kd_digest_str(ret_digest)))
        return kd_fail(err, KD_INVALID, 0, "the registry announced %.*s and sent %s", KD_ARG(told), ret_digest->text);
    kd_buf_add(out, kd_buf_str(&response.body));
    return KD_OK;
}

static enum kd_code kd_oci_resolve(struct kd_client *client, const struct kd_chart_name *chart, struct kd_digest *ret,
                                   struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf manifest = KD_BUF(KD_MANIFEST_MAX);
    struct kd_reference ref;
    struct kd_digest digest, archive;
    uint64_t size;
    enum kd_code code = kd_reference_make(chart->root, chart->name, chart->version, &ref, err);
    if (code == KD_OK)
        code = kd_get_manifest(client, &ref, ref.tag, &manifest, &digest, err);
    if (code == KD_OK)
        code = kd_chart_layer(kd_buf_str(&manifest), &archive, &size, err);
    if (code == KD_OK)
        *ret = digest;
    return code;
}

/** The manifest of exactly this digest: kept ones need no registry. */
static enum kd_code kd_oci_manifest(struct kd_client *client, const struct kd_reference *ref, const struct kd_digest *digest,
                                    const struct kd_cache *cache, struct kd_buf *out, struct kd_err *err)
{
    KD_AUTO(kd_cache_entry_close) struct kd_cache_entry entry = KD_CACHE_ENTRY;
    struct kd_digest real;
    if (kd_cache_find(cache, digest, &entry, NULL) == KD_OK)
        return kd_file_read(entry.path, out, err);
    enum kd_code code = kd_get_manifest(client, ref, digest->text, out, &real, err);
    return code == KD_OK ? kd_cache_put(cache, digest, kd_buf_str(out), err) : code;
}

static enum kd_code kd_oci_fetch(struct kd_client *client, const struct kd_chart_name *chart, const struct kd_digest *digest,
                                 const struct kd_cache *cache, struct kd_cache_entry *ret, struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf manifest = KD_BUF(KD_MANIFEST_MAX), url = KD_BUF(KD_HTTP_URL_MAX);
    struct kd_reference ref;
    struct kd_digest archive;
    uint64_t size = 0;
    enum kd_code code = kd_reference_make(chart->root, chart->name, chart->version, &ref, err);
    if (code == KD_OK)
        code = kd_oci_manifest(client, &ref, digest, cache, &manifest, err);
    if (code == KD_OK)
        code = kd_chart_layer(kd_buf_str(&manifest), &archive, &size, err);
    if (code != KD_OK)
        return code;
    kd_oci_url(client, &ref, "blobs", archive.text, &url);
    return kd_client_fetch(client, kd_buf_str(&url), &archive, size, cache, ret, err);
}

const struct kd_registry_kind kd_registry_oci = { "oci://", kd_oci_resolve, kd_oci_fetch };
