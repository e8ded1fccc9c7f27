/** Which kind of registry an address belongs to, and the one row that does the work. */
#include "shared/registry/registry.h"

#include "shared/base/own.h"
#include "shared/registry/client.h"

static const struct kd_registry_kind *const kd_registry_kinds[] = { &kd_registry_oci, &kd_registry_https, &kd_registry_http };

struct kd_str kd_registry_host(struct kd_str root)
{
    ptrdiff_t at = kd_str_find(root, KD_STR("://"));
    if (at < 0)
        return (struct kd_str){ NULL, 0 };
    struct kd_str rest = { root.p + at + 3, root.n - (size_t)at - 3 };
    return kd_str_cut(&rest, '/');
}

static enum kd_code kd_kind_of(struct kd_str root, const struct kd_registry_kind **ret, struct kd_err *err)
{
    for (size_t i = 0; i < KD_COUNT(kd_registry_kinds); i++)
        if (kd_str_starts(root, kd_str(kd_registry_kinds[i]->scheme))) {
            *ret = kd_registry_kinds[i];
            return KD_OK;
        }
    return kd_fail(err, KD_UNSUPPORTED, 0, "'%.*s': a registry's address begins with oci://, https:// or http://",
                   (int)(root.n < 200 ? root.n : 200), root.p ? root.p : "");
}

/** Says which chart a failure is about. */
static enum kd_code kd_told(enum kd_code code, const struct kd_chart_name *chart, struct kd_err *err)
{
    if (code != KD_OK)
        (void)kd_wrap(err, "chart %.*s %.*s of %.*s", KD_ARG(chart->name), KD_ARG(chart->version), KD_ARG(chart->root));
    return code;
}

enum kd_code kd_registry_resolve(const struct kd_registry_access *access, const struct kd_chart_name *chart, struct kd_digest *ret,
                                 struct kd_err *err)
{
    KD_AUTO(kd_client_close) struct kd_client client = { 0 };
    const struct kd_registry_kind *kind = NULL;
    enum kd_code code = kd_kind_of(chart->root, &kind, err);
    kd_client_open(access, kd_registry_host(chart->root), &client);
    if (code == KD_OK)
        code = kind->resolve(&client, chart, ret, err);
    return kd_told(code, chart, err);
}

enum kd_code kd_registry_fetch(const struct kd_registry_access *access, const struct kd_chart_name *chart,
                               const struct kd_digest *digest, const struct kd_cache *cache, struct kd_cache_entry *ret,
                               struct kd_err *err)
{
    KD_AUTO(kd_client_close) struct kd_client client = { 0 };
    const struct kd_registry_kind *kind = NULL;
    enum kd_code code = kd_kind_of(chart->root, &kind, err);
    kd_client_open(access, kd_registry_host(chart->root), &client);
    if (code == KD_OK)
        code = kind->fetch(&client, chart, digest, cache, ret, err);
    return kd_told(code, chart, err);
}
