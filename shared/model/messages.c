/** The messages between coordinator and agents as tables of their fields. */
#include "shared/model/messages.h"

#include "shared/model/digest.h"
#include "shared/model/fields.h"
#include "shared/model/name.h"

#define IS_NAME   .min = 1, .max = KD_NAME_MAX, .check = kd_is_name, .rule = KD_NAME_RULE
#define IS_UID    .min = 1, .max = KD_UID_TEXT, .check = kd_is_uid, .rule = "must be 32 hex digits"
#define IS_DIGEST .max = KD_DIGEST_TEXT, .check = kd_is_digest, .rule = "must be sha256: and 64 hex digits"
#define IS_RANDOM .max = 64, .check = kd_is_request_id, .rule = "must be letters and digits, at most 64"

int kd_version_cmp(struct kd_version a, struct kd_version b)
{
    if (a.epoch != b.epoch)
        return a.epoch < b.epoch ? -1 : 1;
    return (a.n > b.n) - (a.n < b.n);
}

#define T struct kd_version
static const struct kd_json_field kd_version_fields[] = {
    F_COUNT(T, epoch, "epoch", .required = true),
    F_COUNT(T, n, "n", .required = true),
};
const struct kd_json_shape kd_version_shape = KD_SHAPE(T, kd_version_fields, "a version");
#undef T

#define T struct kd_manifest_entry
static const struct kd_json_field kd_entry_fields[] = {
    F_TEXT(T, name, "name", .required = true, IS_NAME),
    F_TEXT(T, uid, "uid", .required = true, IS_UID),
    F_OBJECT(T, document, &kd_ref_shape, "document", .required = true),
    F_TEXTS(T, adopts, "adopts", .max = KD_ADOPTS_MAX, .check = kd_is_uid, .rule = "must be 32 hex digits"),
    F_FLAG(T, hold, "hold"),
};
static const struct kd_json_shape kd_entry_shape = KD_SHAPE(T, kd_entry_fields, "a manifest's deployment");
#undef T

#define T struct kd_manifest_removal
static const struct kd_json_field kd_removal_fields[] = {
    F_TEXT(T, name, "name", .required = true, IS_NAME),
    F_TEXT(T, uid, "uid", .required = true, IS_UID),
};
static const struct kd_json_shape kd_removal_shape = KD_SHAPE(T, kd_removal_fields, "a removal");
#undef T

#define T struct kd_manifest
static const struct kd_json_field kd_manifest_fields[] = {
    F_OBJECT(T, version, &kd_version_shape, "version", .required = true),
    F_TEXT(T, cluster, "cluster", .required = true, .min = 1, .max = 2 * KD_NAME_MAX + 1),
    F_TEXT(T, enrolment, "enrolment", .required = true, IS_UID),
    F_TEXTS(T, requires, "requires", .max = 100),
    F_COUNT(T, spread_s, "spread_s", .max = 86400),
    F_FLAG(T, leave, "leave"),
    F_LIST(T, deployments, &kd_entry_shape, "deployments", .required = true, .max = KD_MANIFEST_DEPLOYMENTS),
    F_LIST(T, remove, &kd_removal_shape, "remove", .required = true, .max = KD_MANIFEST_DEPLOYMENTS),
};
const struct kd_json_shape kd_manifest_shape = KD_SHAPE(T, kd_manifest_fields, "a manifest");
#undef T

#define T struct kd_document_chart
static const struct kd_json_field kd_chart_fields[] = {
    F_TEXT(T, registry, "registry", .required = true, .min = 1, .max = 1000),
    F_TEXT(T, name, "name", .required = true, .min = 1, .max = KD_CHART_NAME_MAX),
    F_TEXT(T, version, "version", .required = true, .min = 1, .max = KD_CHART_VERSION_MAX),
    F_TEXT(T, digest, "digest", .required = true, IS_DIGEST),
};
static const struct kd_json_shape kd_chart_shape = KD_SHAPE(T, kd_chart_fields, "a chart");
#undef T

#define T struct kd_resource_reference
static const struct kd_json_field kd_ignore_fields[] = {
    F_TEXT(T, name, "name", .required = true, .max = 40),
    F_TEXT(T, kind, "kind", .required = true, .max = 40),
    F_TEXT(T, namespace, "namespace", .max = 63),
};
static const struct kd_json_shape kd_ignore_shape = KD_SHAPE(T, kd_ignore_fields, "a resource reference");
#undef T

#define T struct kd_document_app
static const struct kd_json_field kd_document_app_fields[] = {
    F_TEXT(T, name, "name", .required = true, .min = 1, .max = KD_APP_NAME_MAX, .check = kd_is_app_name, .rule = KD_APP_NAME_RULE),
    F_TEXT(T, version, "version", .required = true, .min = 1, .max = KD_VERSION_MAX),
    F_TEXT(T, namespace, "namespace", .required = true, IS_NAME),
    F_OBJECT(T, chart, &kd_chart_shape, "chart", .required = true),
    F_LIST(T, values, &kd_ref_shape, "values", .max = 16),
    F_REF(T, secrets, &kd_ref_shape, "secrets"),
    F_TEXTS(T, depends_on, "dependsOn", .max = KD_PACKAGE_APPS_MAX),
    F_LIST(T, ignore, &kd_ignore_shape, "ignore", .max = 1000),
};
static const struct kd_json_shape kd_document_app_shape = KD_SHAPE(T, kd_document_app_fields, "an application");
#undef T

#define T struct kd_document_policy
static const struct kd_json_field kd_policy_fields[] = {
    F_COUNT(T, timeout_s, "timeout_s", .max = 86400),
    F_FLAG(T, rollback, "rollback"),
};
static const struct kd_json_shape kd_policy_shape = KD_SHAPE(T, kd_policy_fields, "a policy");
#undef T

#define T struct kd_application_reference
static const struct kd_json_field kd_package_reference_fields[] = {
    F_TEXT(T, name, "name", .required = true, IS_NAME),
    F_TEXT(T, version, "version", .required = true, .min = 1, .max = KD_VERSION_MAX),
};
static const struct kd_json_shape kd_package_reference_shape = KD_SHAPE(T, kd_package_reference_fields, "a package");
#undef T

#define T struct kd_document
static const struct kd_json_field kd_document_fields[] = {
    F_TEXT(T, deployment, "deployment", .required = true, IS_NAME),
    F_TEXT(T, uid, "uid", .required = true, IS_UID),
    F_OBJECT(T, package, &kd_package_reference_shape, "package", .required = true),
    F_TEXT(T, profile, "profile", .max = KD_NAME_MAX),
    F_TEXTS(T, requires, "requires", .max = 100),
    F_LIST(T, namespaces, &kd_namespace_shape, "namespaces", .max = 100),
    F_LIST(T, apps, &kd_document_app_shape, "apps", .required = true, .max = KD_PACKAGE_APPS_MAX),
    F_OBJECT(T, policy, &kd_policy_shape, "policy"),
};
const struct kd_json_shape kd_document_shape = KD_SHAPE(T, kd_document_fields, "a deployment document");
#undef T

#define T struct kd_parts
static const struct kd_json_field kd_parts_fields[] = {
    F_TEXTS(T, parts, "parts", .required = true, .min = 1, .max = KD_PARTS_MAX, .check = kd_is_digest,
            .rule = "must be sha256: and 64 hex digits"),
};
const struct kd_json_shape kd_parts_shape = KD_SHAPE(T, kd_parts_fields, "a list object");
#undef T

#define KD_APP_AS_WORD(id, word) [KD_APP_##id] = word,
static const char *const kd_app_state_words[KD_APP_STATE_COUNT] = { KD_APP_STATES(KD_APP_AS_WORD) };

const char *kd_app_state_word(int state)
{
    return kd_app_state_words[state >= 0 && state < KD_APP_STATE_COUNT ? state : KD_APP_UNKNOWN];
}

#define T struct kd_status_skipped
static const struct kd_json_field kd_status_skipped_fields[] = {
    F_TEXT(T, app, "app", .max = KD_APP_NAME_MAX),
    F_TEXT(T, kind, "kind", .max = 128),
    F_TEXT(T, name, "name", .max = 253),
    F_TEXT(T, reason, "reason", .max = KD_REASON_MAX),
};
const struct kd_json_shape kd_status_skipped_shape = KD_SHAPE(T, kd_status_skipped_fields, "a skipped object");
#undef T

#define T struct kd_status_app
static const struct kd_json_field kd_status_app_fields[] = {
    F_TEXT(T, name, "name", .required = true, .max = KD_APP_NAME_MAX),
    F_TEXT(T, version, "version", .max = KD_VERSION_MAX),
    F_WORD(T, state, kd_app_state_words, "state", .required = true),
    F_TEXT(T, reason, "reason", .max = 64),
    F_TEXT(T, message, "message", .max = KD_REASON_MAX),
    F_COUNT(T, ready, "ready", .required = true),
    F_COUNT(T, total, "total", .required = true),
    F_COUNT(T, age_s, "age_s", .required = true),
};
const struct kd_json_shape kd_status_app_shape = KD_SHAPE(T, kd_status_app_fields, "an application's status");
#undef T

#define T struct kd_status
static const struct kd_json_field kd_status_fields[] = {
    F_TEXT(T, deployment, "deployment", .required = true, IS_NAME),
    F_TEXT(T, uid, "uid", .required = true, IS_UID),
    F_TEXT(T, digest, "digest", IS_DIGEST),
    F_OBJECT(T, version, &kd_version_shape, "version"),
    F_TEXT(T, session, "session", .required = true, IS_RANDOM),
    F_COUNT(T, sequence, "sequence", .required = true),
    F_WORD(T, state, kd_app_state_words, "state", .required = true),
    F_TEXT(T, reason, "reason", .max = 64),
    F_TEXT(T, message, "message", .max = KD_REASON_MAX),
    F_LIST(T, apps, &kd_status_app_shape, "apps", .required = true, .max = KD_PACKAGE_APPS_MAX),
    F_LIST(T, skipped, &kd_status_skipped_shape, "skipped", .max = 1000),
};
static const struct kd_json_field kd_status_name_fields[] = {
    F_TEXT(T, uid, "uid", .required = true, IS_UID),
    F_TEXT(T, session, "session", .required = true, IS_RANDOM),
    F_COUNT(T, sequence, "sequence", .required = true),
};
const struct kd_json_shape kd_status_name_shape = KD_SHAPE(T, kd_status_name_fields, "a status");
const struct kd_json_shape kd_status_shape = KD_SHAPE(T, kd_status_fields, "a status");
#undef T

const char *const kd_presence_words[KD_PRESENCE_COUNT] = { "unknown", "online", "offline", "left" };

#define T struct kd_hello_manifest
static const struct kd_json_field kd_hello_manifest_fields[] = {
    F_COUNT(T, epoch, "epoch", .required = true),
    F_COUNT(T, n, "n", .required = true),
    F_TEXT(T, digest, "digest", IS_DIGEST),
};
static const struct kd_json_shape kd_hello_manifest_shape = KD_SHAPE(T, kd_hello_manifest_fields, "a manifest's version");
#undef T

#define T struct kd_hello_refused
static const struct kd_json_field kd_hello_refused_fields[] = {
    F_COUNT(T, epoch, "epoch", .required = true),
    F_COUNT(T, n, "n", .required = true),
    F_TEXT(T, reason, "reason", .max = KD_REASON_MAX),
};
static const struct kd_json_shape kd_hello_refused_shape = KD_SHAPE(T, kd_hello_refused_fields, "a refusal");
#undef T

#define T struct kd_hello
static const struct kd_json_field kd_hello_fields[] = {
    F_WORD(T, state, kd_presence_words, "state", .required = true),
    F_TEXT(T, session, "session", .required = true, IS_RANDOM),
    F_COUNT(T, start, "start", .required = true),
    F_COUNT(T, connection, "connection", .required = true),
    F_TEXT(T, store, "store", .required = true, IS_RANDOM),
    F_TEXT(T, enrolment, "enrolment", .max = KD_UID_TEXT, .check = kd_is_uid, .rule = "must be 32 hex digits"),
    F_OBJECT(T, manifest, &kd_hello_manifest_shape, "manifest"),
    F_TEXTS(T, missing, "missing", .max = KD_MISSING_MAX, .check = kd_is_digest, .rule = "must be sha256: and 64 hex digits"),
    F_REF(T, refused, &kd_hello_refused_shape, "refused"),
    F_TEXT(T, inventory, "inventory", IS_DIGEST),
};
const struct kd_json_shape kd_hello_shape = KD_SHAPE(T, kd_hello_fields, "a hello");
#undef T

#define T struct kd_ack_row
static const struct kd_json_field kd_ack_row_fields[] = {
    F_TEXT(T, uid, "uid", .required = true, IS_UID),
    F_COUNT(T, sequence, "sequence", .required = true),
    F_TEXT(T, refused, "refused", .max = KD_REASON_MAX),
};
static const struct kd_json_shape kd_ack_row_shape = KD_SHAPE(T, kd_ack_row_fields, "an acknowledgement");
#undef T

#define T struct kd_ack
static const struct kd_json_field kd_ack_fields[] = {
    F_TEXT(T, session, "session", .required = true, IS_RANDOM),
    F_LIST(T, acks, &kd_ack_row_shape, "acks"),
    F_TEXT(T, refused, "refused", .max = KD_REASON_MAX),
    F_TEXTS(T, want, "want", .max = 16),
    F_FLAG(T, left, "left"),
};
const struct kd_json_shape kd_ack_shape = KD_SHAPE(T, kd_ack_fields, "an acknowledgement");
#undef T

#define T struct kd_coordinator
static const struct kd_json_field kd_coordinator_fields[] = {
    F_COUNT(T, epoch, "epoch", .required = true),
    F_TEXT(T, session, "session", .required = true, IS_RANDOM),
    F_TEXT(T, report, "report", .required = true, IS_RANDOM),
    F_COUNT(T, spread_s, "spread_s", .max = 86400),
};
const struct kd_json_shape kd_coordinator_shape = KD_SHAPE(T, kd_coordinator_fields, "a coordinator's announcement");
#undef T

#define T struct kd_marker
static const struct kd_json_field kd_marker_fields[] = {
    F_COUNT(T, epoch, "epoch", .required = true),
    F_COUNT(T, position, "position", .required = true),
    F_TEXT(T, probe, "probe", IS_RANDOM),
};
const struct kd_json_shape kd_marker_shape = KD_SHAPE(T, kd_marker_fields, "a marker");
#undef T

#define T struct kd_inventory
static const struct kd_json_field kd_inventory_fields[] = {
    F_TEXT(T, agent_version, "agentVersion", .required = true, .max = 64),
    F_TEXT(T, runtime, "runtime", .required = true, .max = 32),
    F_TEXT(T, runtime_version, "runtimeVersion", .max = 64),
    F_TEXT(T, architecture, "architecture", .max = 32),
    F_TEXT(T, os, "os", .max = 128),
    F_TEXTS(T, features, "features", .max = 100),
    F_PAIRS(T, labels, "labels", .max = 100, .check = kd_is_label_key, .rule = "is not a label key of Kubernetes"),
    F_COUNT(T, cpus, "cpus"),
    F_COUNT(T, memory_bytes, "memoryBytes"),
};
const struct kd_json_shape kd_inventory_shape = KD_SHAPE(T, kd_inventory_fields, "an inventory");
#undef T
