/** The registry client for tests: one operation per run, its answer on standard output.
 *
 *      registry_driver resolve ROOT NAME VERSION            prints the digest
 *      registry_driver fetch ROOT NAME VERSION DIGEST DIR   prints the path of the archive
 *      registry_driver trim DIR LIMIT [DIGEST…]             prints the bytes that are left
 *
 *  Environment: KD_USERNAME, KD_PASSWORD, KD_CA_FILE, KD_PLAIN_HTTP (any text), KD_LIMIT_MS. Failures: "code: story", exit 1. */
#include "shared/base/own.h"
#include "shared/registry/registry.h"

#include <stdio.h>

enum { DIGESTS_MAX = 16 };

static int fail(const struct kd_err *err)
{
    (void)printf("%s: %s\n", kd_code_word(err->code), err->story);
    return 1;
}

static struct kd_registry_access access_of_environment(void)
{
    const char *limit = getenv("KD_LIMIT_MS");
    return (struct kd_registry_access){ .username = getenv("KD_USERNAME"),
                                        .password = getenv("KD_PASSWORD"),
                                        .ca_file = getenv("KD_CA_FILE"),
                                        .plain_http = getenv("KD_PLAIN_HTTP") != NULL,
                                        .limit_ms = limit ? strtol(limit, NULL, 10) : 0 };
}

static int resolve(const struct kd_chart_name *chart)
{
    const struct kd_registry_access access = access_of_environment();
    struct kd_err err = { 0 };
    struct kd_digest digest;
    if (kd_registry_resolve(&access, chart, &digest, &err) != KD_OK)
        return fail(&err);
    (void)printf("%s\n", digest.text);
    return 0;
}

static int fetch(const struct kd_chart_name *chart, const char *text, const char *directory)
{
    const struct kd_registry_access access = access_of_environment();
    KD_AUTO(kd_cache_entry_close) struct kd_cache_entry entry = KD_CACHE_ENTRY;
    struct kd_err err = { 0 };
    struct kd_digest digest;
    struct kd_cache cache;
    if (!kd_digest_parse(kd_str(text), &digest))
        return 2;
    if (kd_cache_open(directory, 1 << 30, &cache, &err) != KD_OK ||
        kd_registry_fetch(&access, chart, &digest, &cache, &entry, &err) != KD_OK)
        return fail(&err);
    (void)printf("%s\n", entry.path);
    return 0;
}

static int trim(const char *directory, const char *limit, char **digests, int n)
{
    struct kd_digest in_use[DIGESTS_MAX];
    struct kd_err err = { 0 };
    struct kd_cache cache;
    for (int i = 0; i < n; i++)
        if (i >= DIGESTS_MAX || !kd_digest_parse(kd_str(digests[i]), &in_use[i]))
            return 2;
    if (kd_cache_open(directory, strtol(limit, NULL, 10), &cache, &err) != KD_OK)
        return fail(&err);
    (void)printf("%lld\n", (long long)kd_cache_trim(&cache, in_use, (size_t)n));
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 4 && strcmp(argv[1], "trim") == 0)
        return trim(argv[2], argv[3], argv + 4, argc - 4);
    if (argc < 5)
        return 2;
    const struct kd_chart_name chart = { kd_str(argv[2]), kd_str(argv[3]), kd_str(argv[4]) };
    if (argc == 5 && strcmp(argv[1], "resolve") == 0)
        return resolve(&chart);
    return argc == 7 && strcmp(argv[1], "fetch") == 0 ? fetch(&chart, argv[5], argv[6]) : 2;
}
