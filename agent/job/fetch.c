/** Charts from registries, as the settings say each is reached. */
#include "agent/job/task.h"

#include "shared/base/own.h"
#include "shared/os/clock.h"
#include "shared/os/file.h"
#include "shared/registry/registry.h"

enum { AG_SECRET_MAX = 32 * 1024 /* bytes of a password file; tokens are long */ };

enum kd_code ag_secret_read(struct kd_str path, struct kd_arena *arena, struct kd_str *ret, struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf text = KD_BUF(AG_SECRET_MAX);
    *ret = KD_STR("");
    if (!path.n)
        return KD_OK;
    enum kd_code code = kd_file_read(path.p, &text, err);
    if (code != KD_OK)
        return code;
    struct kd_str rest = kd_buf_str(&text);
    *ret = kd_arena_copy(arena, kd_str_trim(kd_str_cut(&rest, '\n')));
    return ret->p ? KD_OK : kd_fail(err, KD_TOO_LARGE, 0, "out of memory");
}

/** How a registry is reached; without a section of its own: by TLS and without credentials. */
static enum kd_code ag_access_of(const struct ag_task *task, struct kd_str host, struct kd_registry_access *ret, struct kd_err *err)
{
    const struct ag_settings_registry *row = ag_settings_registry_of(task->settings, host);
    int64_t left_us = task->host.deadline.us - kd_mono_now().us;
    struct kd_str password = KD_STR("");
    *ret = (struct kd_registry_access){ .limit_ms = left_us > 1000 ? left_us / 1000 : 1 };
    if (!row)
        return KD_OK;
    enum kd_code code = ag_secret_read(row->password_file, task->arena, &password, err);
    ret->username = row->username.p;
    ret->password = password.p;
    ret->ca_file = row->ca_file.p;
    ret->plain_http = row->plain_http;
    return code;
}

static enum kd_code ag_fetch_from(const struct ag_task *task, const struct ag_job_app *app, struct kd_str host, struct kd_str root,
                                  const struct kd_cache *cache, struct kd_cache_entry *ret, struct kd_err *err)
{
    struct kd_registry_access access;
    struct kd_digest digest;
    const struct kd_chart_name chart = { root, app->chart.name, app->chart.version };
    if (!kd_digest_parse(app->chart.digest, &digest))
        return kd_fail(err, KD_INVALID, 0, "the chart's digest is missing");
    enum kd_code code = ag_access_of(task, host, &access, err);
    return code == KD_OK ? kd_registry_fetch(&access, &chart, &digest, cache, ret, err) : code;
}

/** The root with the mirror in the place of its host; {NULL, 0} where there is none. */
static struct kd_str ag_mirror_root(const struct ag_task *task, struct kd_str root, struct kd_str *ret_host)
{
    struct kd_str host = kd_registry_host(root);
    const struct ag_settings_registry *row = ag_settings_registry_of(task->settings, host);
    if (!row || !row->mirror.n)
        return (struct kd_str){ NULL, 0 };
    *ret_host = row->mirror;
    size_t before = (size_t)(host.p - root.p), behind = before + host.n;
    return kd_arena_printf(task->arena, "%.*s%.*s%.*s", (int)before, root.p, KD_ARG(row->mirror), (int)(root.n - behind),
                           root.p + behind);
}

enum kd_code ag_fetch_chart(const struct ag_task *task, const struct ag_job_app *app, struct kd_cache_entry *ret,
                            struct kd_err *err)
{
    struct kd_str root = app->chart.registry, host = { NULL, 0 };
    struct kd_str mirror = ag_mirror_root(task, root, &host);
    struct kd_cache cache;
    enum kd_code code = kd_cache_open(task->blobs, task->settings->content_limit_bytes, &cache, err);
    if (code != KD_OK)
        return code;
    if (mirror.n && ag_fetch_from(task, app, host, mirror, &cache, ret, NULL) == KD_OK)
        return KD_OK;
    return ag_fetch_from(task, app, kd_registry_host(root), root, &cache, ret, err);
}
