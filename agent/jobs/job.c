/** Requests and results of jobs as JSON. */
#include "agent/jobs/job.h"

#include "shared/model/digest.h"
#include "shared/model/fields.h"
#include "shared/model/name.h"

enum {
    AG_VALUES_MAX = 16,                    /* texts of one application: profile, overrides, what differs per cluster */
    AG_VALUES_BYTES_MAX = 4 * 1024 * 1024, /* one of them */
    AG_UIDS_MAX = 64,                      /* a deployment and those that it adopted */
    AG_FOUND_MAX = 2048,                   /* rows of one result */
    AG_SKIPPED_MAX = 2000,                 /* objects of one rendering */
    AG_RELEASE_MAX = 53,
    AG_NAMESPACE_MAX = 63,
    AG_URL_MAX = 2048, /* bytes */
};

#define AG_JOB_AS_WORD(id, word) [AG_JOB_##id] = word,

static const char *const ag_job_kinds[] = { AG_JOB_KINDS(AG_JOB_AS_WORD) };
static const char *const ag_codes[] = { KD_CODES(KD_AS_WORD) };
static const char *const ag_founds[] = {
    [AG_FOUND_UNKNOWN] = "unknown", [AG_FOUND_RUNNING] = "running", [AG_FOUND_DEGRADED] = "degraded", [AG_FOUND_DOWN] = "down",
    [AG_FOUND_FAILED] = "failed",   [AG_FOUND_DIFFERS] = "differs", [AG_FOUND_GONE] = "gone",
};

const char *ag_job_kind_word(enum ag_job_kind kind)
{
    return ag_job_kinds[kind];
}

static bool ag_is_key(struct kd_str text)
{
    struct kd_digest ignored;
    return kd_digest_parse_hex(text, &ignored);
}

static const struct kd_json_field chart_rows[] = {
    F_TEXT(struct ag_job_chart, registry, "registry", .max = AG_URL_MAX),
    F_TEXT(struct ag_job_chart, name, "name", .max = KD_CHART_NAME_MAX, .check = kd_is_chart_name,
           .rule = "must be a chart's name"),
    F_TEXT(struct ag_job_chart, version, "version", .max = KD_CHART_VERSION_MAX),
    F_TEXT(struct ag_job_chart, digest, "digest", .max = KD_DIGEST_TEXT, .check = kd_is_digest, .rule = "must be sha256:<64 hex>"),
};
static const struct kd_json_shape chart_shape = KD_SHAPE(struct ag_job_chart, chart_rows, "chart", .strict = true);

static const struct kd_json_field value_rows[] = {
    { .name = "yaml", .kind = KD_JSON_TEXT, .at = 0, .required = true, .max = AG_VALUES_BYTES_MAX },
};
static const struct kd_json_shape value_shape = KD_SHAPE(struct kd_str, value_rows, "values", .strict = true);

static const struct kd_json_field app_rows[] = {
    F_TEXT(struct ag_job_app, deployment, "deployment", .required = true, .min = 1, .max = KD_NAME_MAX, .check = kd_is_name,
           .rule = KD_NAME_RULE),
    F_TEXT(struct ag_job_app, uid, "uid", .required = true, .max = KD_UID_TEXT, .check = kd_is_uid, .rule = "must be a uid"),
    F_TEXTS(struct ag_job_app, uids, "uids", .max = AG_UIDS_MAX, .check = kd_is_uid, .rule = "must be uids"),
    F_TEXT(struct ag_job_app, name, "name", .max = KD_APP_NAME_MAX),
    F_TEXT(struct ag_job_app, namespace, "namespace", .max = AG_NAMESPACE_MAX),
    F_TEXT(struct ag_job_app, release, "release", .max = AG_RELEASE_MAX),
    F_TEXT(struct ag_job_app, key, "key", .max = KD_DIGEST_HEX, .check = ag_is_key, .rule = "must have 64 hex digits"),
    F_OBJECT(struct ag_job_app, chart, &chart_shape, "chart"),
    F_LIST(struct ag_job_app, values, &value_shape, "values", .max = AG_VALUES_MAX),
    F_FLAG(struct ag_job_app, upgrade, "upgrade"),
    F_FLAG(struct ag_job_app, run_hooks, "run_hooks"),
};
static const struct kd_json_shape app_shape = KD_SHAPE(struct ag_job_app, app_rows, "application", .strict = true);

static const struct kd_json_field request_rows[] = {
    F_WORD(struct ag_job_request, kind, ag_job_kinds, "kind", .required = true, .unknown = -1),
    F_TEXT(struct ag_job_request, project, "project", .required = true, .min = 1, .max = KD_NAME_MAX, .check = kd_is_name,
           .rule = KD_NAME_RULE),
    F_COUNT(struct ag_job_request, deadline_ms, "deadline_ms", .required = true, .min = 1),
    F_LIST(struct ag_job_request, apps, &app_shape, "apps", .max = AG_JOB_APPS_MAX),
};
static const struct kd_json_shape request_shape = KD_SHAPE(struct ag_job_request, request_rows, "request", .strict = true);

static const struct kd_json_field skipped_rows[] = {
    F_TEXT(struct ag_job_skipped, kind, "kind", .max = AG_JOB_TEXT_MAX),
    F_TEXT(struct ag_job_skipped, name, "name", .max = AG_JOB_TEXT_MAX),
    F_TEXT(struct ag_job_skipped, reason, "reason", .max = AG_JOB_TEXT_MAX),
};
static const struct kd_json_shape skipped_shape = KD_SHAPE(struct ag_job_skipped, skipped_rows, "skipped object");

static const struct kd_json_field found_rows[] = {
    F_TEXT(struct ag_job_found, uid, "uid", .max = AG_JOB_TEXT_MAX),
    F_TEXT(struct ag_job_found, deployment, "deployment", .max = AG_JOB_TEXT_MAX),
    F_TEXT(struct ag_job_found, app, "app", .max = AG_JOB_TEXT_MAX),
    F_TEXT(struct ag_job_found, namespace, "namespace", .max = AG_JOB_TEXT_MAX),
    F_TEXT(struct ag_job_found, release, "release", .max = AG_JOB_TEXT_MAX),
    F_TEXT(struct ag_job_found, key, "key", .max = KD_DIGEST_HEX),
    F_WORD(struct ag_job_found, state, ag_founds, "state", .required = true, .unknown = AG_FOUND_UNKNOWN),
    F_TEXT(struct ag_job_found, message, "message", .max = AG_JOB_TEXT_MAX),
    F_COUNT(struct ag_job_found, ready, "ready"),
    F_COUNT(struct ag_job_found, total, "total"),
    F_LIST(struct ag_job_found, skipped, &skipped_shape, "skipped", .max = AG_SKIPPED_MAX),
};
static const struct kd_json_shape found_shape = KD_SHAPE(struct ag_job_found, found_rows, "found application");

#define IN_ERROR(member) (offsetof(struct ag_job_result, error.member) - offsetof(struct ag_job_result, error))

static const struct kd_json_field error_rows[] = {
    { .name = "code",
      .kind = KD_JSON_WORD,
      .at = IN_ERROR(code),
      .words = ag_codes,
      .word_count = KD_CODE_COUNT,
      .unknown = KD_INTERNAL },
    { .name = "message", .kind = KD_JSON_TEXT, .at = IN_ERROR(message), .max = AG_JOB_TEXT_MAX },
};
static const struct kd_json_shape error_shape = {
    .what = "error", .size = sizeof(((struct ag_job_result *)0)->error), .fields = error_rows, .count = KD_COUNT(error_rows)
};

static const struct kd_json_field result_rows[] = {
    F_FLAG(struct ag_job_result, ok, "ok", .required = true),
    F_OBJECT(struct ag_job_result, error, &error_shape, "error"),
    F_LIST(struct ag_job_result, found, &found_shape, "found", .max = AG_FOUND_MAX),
};
static const struct kd_json_shape result_shape = KD_SHAPE(struct ag_job_result, result_rows, "result");

enum kd_code ag_job_request_decode(struct kd_str json, struct kd_arena *arena, struct ag_job_request *ret, struct kd_err *err)
{
    return kd_json_decode(&request_shape, json, arena, ret, err);
}

void ag_job_request_encode(const struct ag_job_request *request, struct kd_buf *out)
{
    kd_json_encode(&request_shape, request, out);
}

enum kd_code ag_job_result_decode(struct kd_str json, struct kd_arena *arena, struct ag_job_result *ret, struct kd_err *err)
{
    return kd_json_decode(&result_shape, json, arena, ret, err);
}

void ag_job_result_encode(const struct ag_job_result *result, struct kd_buf *out)
{
    kd_json_encode(&result_shape, result, out);
}
