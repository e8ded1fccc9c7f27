/** Registries of Helm charts: which bytes a name and version stand for, and those bytes, checked.
 *
 *  oci://HOST[:PORT]/PATH is an OCI registry (the digest is that of the chart's manifest), http(s)://… a Helm repository with an
 *  index.yaml (the digest is that of the chart's archive). Calls block, belong to a job process or a worker thread, and start from
 *  nothing but their arguments. Credentials go to the registry and to the token server that it names, nowhere else. */
#ifndef KD_REGISTRY_REGISTRY_H
#define KD_REGISTRY_REGISTRY_H

#include "shared/model/digest.h"
#include "shared/registry/cache.h"

enum {
    KD_CHART_BYTES_MAX = 64 * 1024 * 1024, /* of a chart's archive */
    KD_MANIFEST_MAX = 1024 * 1024,         /* bytes of a manifest */
    KD_INDEX_MAX = 32 * 1024 * 1024,       /* bytes of a Helm repository's index */
    KD_REGISTRY_HOST_MAX = 300,            /* bytes: host and port */
};

/** How one registry is reached. Texts may be NULL or empty: none. */
struct kd_registry_access {
    const char *username, *password;
    const char *ca_file; /* PEM file; none: the authorities of the system */
    bool plain_http;     /* reached without TLS */
    int64_t limit_ms;    /* for one request; 0: 60 s, fetching a chart 15 min */
};

struct kd_chart_name {
    struct kd_str root; /* oci://HOST[:PORT][/PATH], https://HOST[:PORT][/PATH], http://… (with plain_http) */
    struct kd_str name, version;
};

/** The digest that the registry reports for this name and version now.
 *  KD_NOT_FOUND: it has no such chart or version. KD_UNAVAILABLE: cannot be reached now. KD_FORBIDDEN: credentials, or plain http
 *  that is not allowed. KD_UNSUPPORTED: no Helm chart, or a scheme that nobody knows. KD_INVALID: the name, or what it answered. */
KD_MUST_CHECK enum kd_code kd_registry_resolve(const struct kd_registry_access *access, const struct kd_chart_name *chart,
                                               struct kd_digest *ret, struct kd_err *err);

/** The archive (.tgz) of the chart with exactly this digest: from the cache, else fetched into it. A transfer that was cut goes on
 *  where it stopped, also in another process after a crash. *ret must be closed by kd_cache_entry_close. Fails as
 *  kd_registry_resolve; KD_TOO_LARGE: more than KD_CHART_BYTES_MAX; KD_INVALID: the bytes do not have that digest. */
KD_MUST_CHECK enum kd_code kd_registry_fetch(const struct kd_registry_access *access, const struct kd_chart_name *chart,
                                             const struct kd_digest *digest, const struct kd_cache *cache,
                                             struct kd_cache_entry *ret, struct kd_err *err);

/** HOST[:PORT] of a root, borrowed from it; {NULL, 0} if it has none. */
struct kd_str kd_registry_host(struct kd_str root);

#endif
