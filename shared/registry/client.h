/** One conversation with a registry: HTTP, and the authorisation that it asks for. Used by the files of this folder only. */
#ifndef KD_REGISTRY_CLIENT_H
#define KD_REGISTRY_CLIENT_H

#include "shared/http/http.h"
#include "shared/registry/registry.h"

struct kd_client {
    const struct kd_registry_access *access; /* borrowed */
    struct kd_str home;                      /* borrowed; the only HOST[:PORT] that gets credentials */
    struct kd_http *http;                    /* owned; NULL before the first request */
    struct kd_buf authorization;             /* owned; what the registry last asked for: "Basic …", "Bearer …", empty */
};

/** Sets up; connects to nothing before the first request. */
void kd_client_open(const struct kd_registry_access *access, struct kd_str home, struct kd_client *ret);

/** For KD_AUTO; start from {0}. */
void kd_client_close(struct kd_client *client);

/** kd_http_do with the authorisation; where the answer is 401, gets what it asks for and tries once more. */
KD_MUST_CHECK enum kd_code kd_client_do(struct kd_client *client, const struct kd_http_request *request,
                                        struct kd_http_response *ret, struct kd_err *err);

/** Fetches content of that digest from an address into the cache, going on where an earlier transfer stopped; gives up when several
 *  attempts in a row brought nothing new. size 0: not known, at most KD_CHART_BYTES_MAX. Fails as kd_registry_fetch. */
KD_MUST_CHECK enum kd_code kd_client_fetch(struct kd_client *client, struct kd_str url, const struct kd_digest *digest,
                                           uint64_t size, const struct kd_cache *cache, struct kd_cache_entry *ret,
                                           struct kd_err *err);

/** What a registry speaks: a row per scheme. */
struct kd_registry_kind {
    const char *scheme; /* "oci://" */
    enum kd_code (*resolve)(struct kd_client *client, const struct kd_chart_name *chart, struct kd_digest *ret, struct kd_err *err);
    enum kd_code (*fetch)(struct kd_client *client, const struct kd_chart_name *chart, const struct kd_digest *digest,
                          const struct kd_cache *cache, struct kd_cache_entry *ret, struct kd_err *err);
};

extern const struct kd_registry_kind kd_registry_oci, kd_registry_https, kd_registry_http;

#endif
