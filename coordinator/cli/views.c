/** What the coordinator tells of its things, as tables of fields. */
#include "coordinator/cli/views.h"

#include <cjson/cJSON.h>

#include "shared/model/fields.h"
#include "shared/model/messages.h"

#define LONG .max = KD_PAYLOAD_MAX
#define MANY .max = 100000

#define T struct ct_summary
static const struct kd_json_field ct_summary_fields[] = {
    F_COUNT(T, total, "total"),         F_COUNT(T, running, "running"),   F_COUNT(T, down, "down"),
    F_COUNT(T, deploying, "deploying"), F_COUNT(T, updating, "updating"), F_COUNT(T, error, "error"),
    F_COUNT(T, unknown, "unknown"),     F_COUNT(T, offline, "offline"),
};
static const struct kd_json_shape ct_summary_shape = KD_SHAPE(T, ct_summary_fields, "a summary");
#undef T

#define T struct ct_manifest_version
static const struct kd_json_field ct_version_fields[] = { F_COUNT(T, epoch, "epoch"), F_COUNT(T, n, "n") };
static const struct kd_json_shape ct_version_shape = KD_SHAPE(T, ct_version_fields, "a version");
#undef T

#define T struct ct_view_status
static const struct kd_json_field ct_status_fields[] = {
    F_TEXT(T, state, "state"),
    F_TEXT(T, message, "message", LONG),
    F_TEXT(T, waiting, "waiting", LONG),
    F_OBJECT(T, summary, &ct_summary_shape, "summary"),
    F_TEXTS(T, waiting_for, "waitingFor", MANY),
    F_TEXT(T, last_seen, "lastSeen"),
    F_TEXT(T, agent_version, "agentVersion"),
    F_TEXT(T, runtime, "runtime"),
    F_TEXT(T, refused, "refused", LONG),
    F_OBJECT(T, manifest, &ct_version_shape, "manifest"),
    F_FLAG(T, ahead, "ahead"),
    F_FLAG(T, duplicate, "duplicate"),
    F_FLAG(T, enrolment_differs, "enrolmentDiffers"),
    F_COUNT(T, deployments, "deployments"),
    F_COUNT(T, orphans, "orphans"),
};
static const struct kd_json_shape ct_status_shape = KD_SHAPE(T, ct_status_fields, "a status");
#undef T

#define T struct ct_reference
static const struct kd_json_field ct_reference_fields[] = { F_TEXT(T, name, "name"), F_TEXT(T, version, "version") };
static const struct kd_json_shape ct_reference_shape = KD_SHAPE(T, ct_reference_fields, "a name and version");
#undef T

#define T struct ct_content
static const struct kd_json_field ct_content_fields[] = { F_TEXT(T, digest, "digest"), F_COUNT(T, size, "size") };
static const struct kd_json_shape ct_content_shape = KD_SHAPE(T, ct_content_fields, "a content");
#undef T

#define T struct ct_view
static const struct kd_json_field ct_view_fields[] = {
    F_TEXT(T, name, "name"),
    F_TEXT(T, version, "version"),
    F_TEXT(T, display_name, "displayName", LONG),
    F_TEXT(T, description, "description", LONG),
    F_OBJECT(T, package, &ct_reference_shape, "package"),
    F_TEXT(T, profile, "profile"),
    F_TEXT(T, chart_name, "chartName"),
    F_TEXT(T, chart_version, "chartVersion"),
    F_TEXT(T, helm_registry, "helmRegistry"),
    F_TEXT(T, type, "type"),
    F_TEXT(T, root_url, "rootUrl"),
    F_TEXT(T, mime_type, "mimeType"),
    F_OBJECT(T, content, &ct_content_shape, "content"),
    F_LIST(T, applications, &ct_reference_shape, "applications", MANY),
    F_PAIRS(T, labels, "labels", MANY),
    F_FLAG(T, hold, "hold"),
    F_FLAG(T, leave, "leave"),
    F_FLAG(T, is_deployed, "isDeployed"),
    F_TEXT(T, uid, "uid"),
    F_COUNT(T, resource_version, "resourceVersion"),
    F_TEXT(T, create_time, "createTime"),
    F_TEXT(T, update_time, "updateTime"),
    F_OBJECT(T, status, &ct_status_shape, "status"),
    F_OBJECT(T, order, &ct_version_shape, "order"),
    F_TEXT(T, cluster, "cluster"),
    F_TEXT(T, deployment, "deployment"),
    F_TEXT(T, state, "state"),
};
const struct kd_json_shape ct_view_shape = KD_SHAPE(T, ct_view_fields, "a view");
#undef T

#define T struct ct_page
static const struct kd_json_field ct_page_fields[] = {
    F_RAW(T, items, "items", .required = true),
    F_TEXT(T, next, "nextPageToken"),
    F_COUNT(T, total, "totalSize"),
};
const struct kd_json_shape ct_page_shape = KD_SHAPE(T, ct_page_fields, "a page");
#undef T

#define T struct ct_app_view
static const struct kd_json_field ct_app_fields[] = {
    F_TEXT(T, name, "name"),           F_TEXT(T, version, "version"),       F_TEXT(T, state, "state"),
    F_TEXT(T, reason, "reason", LONG), F_TEXT(T, message, "message", LONG), F_COUNT(T, ready, "ready"),
    F_COUNT(T, total, "total"),        F_COUNT(T, age_s, "age_s"),
};
static const struct kd_json_shape ct_app_shape = KD_SHAPE(T, ct_app_fields, "an application's state");
#undef T

#define T struct ct_skipped
static const struct kd_json_field ct_skipped_fields[] = {
    F_TEXT(T, kind, "kind"),
    F_TEXT(T, name, "name"),
    F_TEXT(T, reason, "reason", LONG),
};
static const struct kd_json_shape ct_skipped_shape = KD_SHAPE(T, ct_skipped_fields, "what is skipped");
#undef T

#define T struct ct_cluster_view
static const struct kd_json_field ct_cluster_fields[] = {
    F_TEXT(T, cluster, "cluster"),
    F_TEXT(T, state, "state"),
    F_TEXT(T, message, "message", LONG),
    F_FLAG(T, offline, "offline"),
    F_LIST(T, apps, &ct_app_shape, "apps", MANY),
    F_LIST(T, skipped, &ct_skipped_shape, "skipped", MANY),
};
static const struct kd_json_shape ct_cluster_shape = KD_SHAPE(T, ct_cluster_fields, "a deployment on a cluster");
#undef T

#define T struct ct_cluster_page
static const struct kd_json_field ct_cluster_page_fields[] = {
    F_LIST(T, items, &ct_cluster_shape, "items", MANY),
    F_TEXT(T, next, "nextPageToken"),
    F_COUNT(T, total, "totalSize"),
};
const struct kd_json_shape ct_cluster_page_shape = KD_SHAPE(T, ct_cluster_page_fields, "a page of clusters");
#undef T

static void ct_jsonp(cJSON **json)
{
    cJSON_Delete(*json);
}

enum kd_code ct_views_read(struct kd_str items, struct kd_arena *arena, struct ct_views *ret, struct kd_err *err)
{
    KD_AUTO(ct_jsonp) cJSON *list = cJSON_ParseWithLength(items.p, items.n);
    if (!cJSON_IsArray(list))
        return kd_fail(err, KD_INVALID, 0, "the coordinator's list is none");
    size_t count = (size_t)cJSON_GetArraySize(list);
    struct ct_views views = { .v = kd_arena_alloc(arena, (count + 1) * sizeof(*views.v)),
                              .json = kd_arena_alloc(arena, (count + 1) * sizeof(*views.json)) };
    if (views.v == NULL || views.json == NULL)
        return kd_fail(err, KD_TOO_LARGE, 0, "the list is too long");
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, list)
    {
        char *text = cJSON_PrintUnformatted(item);
        views.json[views.n] = text ? kd_arena_copy(arena, kd_str(text)) : (struct kd_str){ NULL, 0 };
        cJSON_free(text);
        enum kd_code code = kd_json_decode(&ct_view_shape, views.json[views.n], arena, &views.v[views.n], err);
        if (code != KD_OK)
            return code;
        views.n++;
    }
    *ret = views;
    return KD_OK;
}
