/** What the coordinator tells of its things (docs/protocol.md, "Views"), as far as `kedge` shows it. One struct for all kinds:
 *  members that a kind does not have are empty; members that are not known here are ignored. */
#ifndef CT_VIEWS_H
#define CT_VIEWS_H

#include "shared/model/json.h"

struct ct_summary {
    uint64_t total, running, down, deploying, updating, error, unknown, offline;
};

struct ct_manifest_version {
    uint64_t epoch, n;
};

struct ct_view_status {
    struct kd_str state, message, waiting;
    struct ct_summary summary;
    struct kd_strs waiting_for;
    struct kd_str last_seen, agent_version, runtime, refused;
    struct ct_manifest_version manifest;
    bool ahead, duplicate, enrolment_differs;
    uint64_t deployments, orphans;
};

struct ct_reference {
    struct kd_str name, version;
};

struct ct_content {
    struct kd_str digest;
    uint64_t size;
};

struct ct_view {
    struct kd_str name, version, display_name, description;
    struct ct_reference package;
    struct kd_str profile;
    struct kd_str chart_name, chart_version, helm_registry;
    struct kd_str type, root_url, mime_type;
    struct ct_content content;
    struct {
        struct ct_reference *v;
        size_t n;
    } applications;
    struct kd_pairs labels;
    bool hold, leave, is_deployed;
    struct kd_str uid, create_time, update_time;
    uint64_t resource_version;
    struct ct_view_status status;
    struct ct_manifest_version order;         /* of a retained state */
    struct kd_str cluster, deployment, state; /* of an orphan */
};
extern const struct kd_json_shape ct_view_shape;

/** A page of a list; the items are kept as JSON too, for -o json. */
struct ct_page {
    struct kd_str items; /* the JSON list */
    struct kd_str next;
    uint64_t total;
};
extern const struct kd_json_shape ct_page_shape;

/** The items of a page: the list decoded, and each item as compact JSON. KD_INVALID: not a list of objects. */
struct ct_views {
    struct ct_view *v;
    struct kd_str *json;
    size_t n;
};
KD_MUST_CHECK enum kd_code ct_views_read(struct kd_str items, struct kd_arena *arena, struct ct_views *ret, struct kd_err *err);

struct ct_app_view {
    struct kd_str name, version, state, reason, message;
    uint64_t ready, total, age_s;
};

struct ct_skipped {
    struct kd_str kind, name, reason;
};

/** A deployment on one cluster. */
struct ct_cluster_view {
    struct kd_str cluster, state, message;
    bool offline;
    struct {
        struct ct_app_view *v;
        size_t n;
    } apps;
    struct {
        struct ct_skipped *v;
        size_t n;
    } skipped;
};

struct ct_cluster_page {
    struct {
        struct ct_cluster_view *v;
        size_t n;
    } items;
    struct kd_str next;
    uint64_t total;
};
extern const struct kd_json_shape ct_cluster_page_shape;

#endif
