/** Rendering with Helm: once per key, then from what is kept. */
#include "agent/job/task.h"

#include "shared/base/own.h"
#include "shared/base/utf8.h"
#include "shared/model/yaml.h"
#include "shared/os/clock.h"
#include "shared/os/file.h"
#include "shared/os/process.h"
#include "shared/registry/registry.h"

#include <stdio.h>

enum {
    AG_HELM_OUTPUT_MAX = 16 * 1024 * 1024, /* bytes of a rendered chart as YAML */
    AG_HELM_ERRORS_MAX = 8192,             /* bytes that are kept of what Helm complains about */
    AG_HELM_REASON_MAX = 340,              /* bytes of it in a message */
    AG_HELM_WORDS_MAX = 256,               /* arguments */
    AG_RENDERING_SHARE = 8,                /* renderings may have an eighth of content.limit */
    AG_HELM_FILES_MAX = 1024 * 1024 * 1024 /* bytes of a file that Helm may write */
};

struct ag_words {
    const char *v[AG_HELM_WORDS_MAX + 1];
    size_t n;
    bool overflow;
};

static void ag_words_add(struct ag_words *words, const char *word)
{
    words->overflow |= !word || words->n >= AG_HELM_WORDS_MAX;
    if (!words->overflow)
        words->v[words->n++] = word;
}

/** Values may hold secrets: they go by files that only this job can read. */
static enum kd_code ag_write_values(const struct ag_task *task, const struct ag_job_app *app, struct ag_words *words,
                                    struct kd_err *err)
{
    enum kd_code code = KD_OK;
    for (size_t i = 0; i < app->values.n && code == KD_OK; i++) {
        struct kd_str path = kd_arena_printf(task->arena, "%s/values-%zu.yaml", task->private_directory, i);
        if (!path.p)
            return kd_fail(err, KD_TOO_LARGE, 0, "out of memory");
        code = kd_file_write(path.p, app->values.v[i], 0600, err);
        ag_words_add(words, "--values");
        ag_words_add(words, path.p);
    }
    return code;
}

static void ag_add_api_versions(const struct ag_task *task, struct ag_words *words)
{
    struct kd_str left = task->settings->kubernetes_api_versions;
    while (left.n) {
        struct kd_str one = kd_str_trim(kd_str_cut(&left, ','));
        if (!one.n)
            continue;
        ag_words_add(words, "--api-versions");
        ag_words_add(words, kd_arena_copy(task->arena, one).p);
    }
}

static enum kd_code ag_helm_words(const struct ag_task *task, const struct ag_job_app *app, const char *archive,
                                  struct ag_words *words, struct kd_err *err)
{
    const char *const first[] = { task->settings->helm_path.p,
                                  "template",
                                  app->release.p,
                                  archive,
                                  "--namespace",
                                  app->namespace.n ? app->namespace.p : "default",
                                  "--kube-version",
                                  task->settings->kubernetes_version.p };
    for (size_t i = 0; i < KD_COUNT(first); i++)
        ag_words_add(words, first[i]);
    if (app->upgrade)
        ag_words_add(words, "--is-upgrade");
    ag_add_api_versions(task, words);
    enum kd_code code = ag_write_values(task, app, words, err);
    if (code == KD_OK && words->overflow)
        code = kd_fail(err, KD_TOO_LARGE, 0, "helm would need more than %d arguments", AG_HELM_WORDS_MAX);
    return code;
}

/** Helm gets its directories from the job and nothing of its environment but PATH: no cluster, no plug-ins, no settings. */
static void ag_helm_environment(const struct ag_task *task, struct ag_words *env)
{
    static const char *const own[] = { "HOME", "TMPDIR", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "HELM_PLUGINS" };
    const char *path = getenv("PATH");
    for (size_t i = 0; i < KD_COUNT(own); i++)
        ag_words_add(env, kd_arena_printf(task->arena, "%s=%s", own[i], task->private_directory).p);
    ag_words_add(env, kd_arena_printf(task->arena, "PATH=%s", path ? path : "/usr/local/bin:/usr/bin:/bin").p);
    ag_words_add(env, "KUBECONFIG=/dev/null");
}

/** Appends a line without the private directory, whose name is another one each time. */
static void ag_add_reason(struct kd_buf *out, struct kd_str line, const char *private_directory)
{
    struct kd_str private = kd_str(private_directory);
    ptrdiff_t at;
    if (out->n)
        kd_buf_add_char(out, ' ');
    while ((at = kd_str_find(line, private)) >= 0) {
        size_t behind = (size_t)at + private.n + (line.n > (size_t)at + private.n); /* and the slash */
        kd_buf_add(out, (struct kd_str){ line.p, (size_t)at });
        line = (struct kd_str){ line.p + behind, line.n - behind };
    }
    kd_buf_add(out, line);
}

/** What Helm says from its last "Error:" on, in one line; without one, its last line. */
static void ag_helm_reason(struct kd_str errors, const char *private_directory, struct kd_buf *out)
{
    bool found = false;
    while (errors.n) {
        struct kd_str line = kd_str_trim(kd_str_cut(&errors, '\n'));
        bool says = kd_str_starts(line, KD_STR("Error:"));
        if (!line.n || kd_str_starts(line, KD_STR("Use --debug")))
            continue;
        if (says || !found)
            kd_buf_reset(out);
        found |= says;
        ag_add_reason(out, says ? kd_str_trim((struct kd_str){ line.p + 6, line.n - 6 }) : line, private_directory);
    }
}

/** Runs Helm. A code other than 0 is its judgement on chart and values, and will be the same next time. */
static enum kd_code ag_helm_run(const struct ag_task *task, const struct ag_words *words, const struct ag_words *env,
                                struct kd_buf *out, struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf errors = KD_BUF(AG_HELM_ERRORS_MAX);
    int64_t left_us = task->host.deadline.us - kd_mono_now().us;
    const struct kd_process process = { .argv = words->v,
                                        .env = env->v,
                                        .cwd = task->private_directory,
                                        .out = out,
                                        .errors = &errors,
                                        .limit_us = left_us > 1 ? left_us : 1,
                                        .data_bytes = (uint64_t)task->settings->job_memory_bytes,
                                        .file_bytes = AG_HELM_FILES_MAX };
    struct kd_process_end end = { 0, 0 };
    enum kd_code code = kd_process_run(&process, &end, err);
    if (code == KD_NOT_FOUND)
        return kd_fail(err, KD_UNAVAILABLE, 0, "there is no program '%s' (setting helm.path)", words->v[0]);
    if (code != KD_INTERNAL || end.code == 0)
        return code;
    KD_AUTO(kd_buf_clear) struct kd_buf reason = KD_BUF(2 * AG_HELM_ERRORS_MAX);
    ag_helm_reason(kd_buf_str(&errors), task->private_directory, &reason);
    return kd_fail(err, KD_INVALID, 0, "helm: %.*s", KD_ARG(kd_utf8_head(kd_buf_str(&reason), AG_HELM_REASON_MAX)));
}

enum kd_code ag_helm_template(const struct ag_task *task, const struct ag_job_app *app, const char *archive, struct kd_strs *ret,
                              struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf yaml = KD_BUF(AG_HELM_OUTPUT_MAX);
    struct ag_words words = { .n = 0 }, env = { .n = 0 };
    enum kd_code code = ag_helm_words(task, app, archive, &words, err);
    ag_helm_environment(task, &env);
    if (code == KD_OK)
        code = ag_helm_run(task, &words, &env, &yaml, err);
    if (code == KD_OK)
        code = kd_yaml_read(kd_buf_str(&yaml), "rendered chart", KD_YAML_LAST_WINS, task->arena, ret, err);
    return code;
}

/** Fetch, render, keep. */
static enum kd_code ag_render_anew(const struct ag_task *task, const struct ag_job_app *app, struct ag_kept *ret,
                                   struct kd_err *err)
{
    KD_AUTO(kd_cache_entry_close) struct kd_cache_entry chart = KD_CACHE_ENTRY;
    enum kd_code code = ag_fetch_chart(task, app, &chart, err);
    if (code == KD_OK)
        code = ag_helm_template(task, app, chart.path, &ret->documents, err);
    if (code != KD_OK)
        return code;
    ret->archive = chart.digest;
    (void)kd_digest_parse(app->chart.digest, &ret->chart);
    return ag_kept_write(task->rendering, app->key, ret, err);
}

/** Old renderings go, then what no kept rendering needs any more. */
static void ag_trim(const struct ag_task *task)
{
    struct kd_digest *in_use = NULL;
    size_t n = 0;
    struct kd_cache cache;
    ag_kept_trim(task->rendering, task->settings->content_limit_bytes / AG_RENDERING_SHARE);
    ag_kept_digests(task->rendering, task->arena, &in_use, &n);
    if (in_use && kd_cache_open(task->blobs, task->settings->content_limit_bytes, &cache, NULL) == KD_OK)
        (void)kd_cache_trim(&cache, in_use, n);
}

enum kd_code ag_render(const struct ag_task *task, const struct ag_job_app *app, struct ag_kept *ret, struct kd_err *err)
{
    if (ag_kept_read(task->rendering, app->key, task->arena, ret, NULL) == KD_OK)
        return KD_OK;
    enum kd_code code = ag_render_anew(task, app, ret, err);
    if (code == KD_OK)
        ag_trim(task);
    return code;
}
