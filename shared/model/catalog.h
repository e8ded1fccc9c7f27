/** The catalog's documents: registries, artifacts, applications, deployment packages (the YAML format of the Open Edge Platform's
 *  application catalog, schema 0.1; docs/catalog.md), and ours beside them: deployments and clusters.
 *
 *  The same shapes decode what users write, what requests carry and what the store keeps. Members that only the coordinator sets
 *  (uid, resourceVersion, createTime, updateTime) are in every document; in a request uid and resourceVersion say which one is
 * meant. */
#ifndef KD_MODEL_CATALOG_H
#define KD_MODEL_CATALOG_H

#include "shared/model/json.h"

enum {
    KD_VALUES_MAX = 4000000,    /* bytes of a profile's values */
    KD_ARTIFACT_MAX = 4000000,  /* bytes */
    KD_DOCUMENT_MAX = 16777216, /* bytes of memory for one decoded document */
    KD_PACKAGE_APPS_MAX = 100,  /* applications in a package */
    KD_TARGETS_MAX = 500,       /* targets of a deployment */
    KD_ADOPTS_MAX = 100,        /* uids that a deployment adopts */
};

/** A reference to bytes by their digest. */
struct kd_ref {
    struct kd_str digest; /* "" is none */
    uint64_t size;        /* bytes of the whole */
};
extern const struct kd_json_shape kd_ref_shape;

/** What the coordinator keeps of every document. */
struct kd_meta {
    struct kd_str uid;
    uint64_t resource_version;
    struct kd_str create_time, update_time; /* RFC 3339 */
};

enum kd_registry_type { KD_REGISTRY_NONE, KD_REGISTRY_HELM, KD_REGISTRY_IMAGE, KD_REGISTRY_TYPE_COUNT };

struct kd_catalog_registry {
    struct kd_str name, display_name, description;
    struct kd_str root_url, user_name, auth_token, ca_certs, api_type, inventory_url;
    int type; /* enum kd_registry_type */
    struct kd_meta meta;
};
extern const struct kd_json_shape kd_catalog_registry_shape;

struct kd_catalog_artifact {
    struct kd_str name, display_name, description;
    struct kd_str mime_type;
    struct kd_str artifact; /* base64, as it comes in a document */
    struct kd_ref *content; /* where it is kept */
    struct kd_meta meta;
};
extern const struct kd_json_shape kd_catalog_artifact_shape;

struct kd_parameter_template {
    struct kd_str name, display_name, fallback, type, validator;
    struct kd_strs suggested_values;
    bool secret, mandatory;
};

struct kd_deployment_requirement {
    struct kd_str name, version, deployment_profile_name;
};

struct kd_catalog_profile {
    struct kd_str name, display_name, description;
    struct kd_str values_file_name; /* in an upload: the file beside the document */
    struct kd_str chart_values;     /* the YAML text itself */
    struct kd_ref *values;          /* where it is kept */
    struct {
        struct kd_parameter_template *v;
        size_t n;
    } parameter_templates;
    struct {
        struct kd_deployment_requirement *v;
        size_t n;
    } deployment_requirements;
    struct kd_str create_time, update_time;
};

struct kd_resource_reference {
    struct kd_str name, kind, namespace;
};

enum kd_catalog_kind { KD_KIND_NORMAL, KD_KIND_EXTENSION, KD_KIND_ADDON, KD_CATALOG_KIND_COUNT };

struct kd_catalog_application {
    struct kd_str name, version, display_name, description;
    int kind; /* enum kd_catalog_kind */
    struct kd_str chart_name, chart_version, helm_registry, image_registry, default_profile;
    struct {
        struct kd_catalog_profile *v;
        size_t n;
    } profiles;
    struct {
        struct kd_resource_reference *v;
        size_t n;
    } ignored_resources;
    struct kd_meta meta;
};
extern const struct kd_json_shape kd_catalog_application_shape;

struct kd_application_reference {
    struct kd_str name, version;
};

struct kd_application_dependency {
    struct kd_str name, requires;
};

struct kd_application_profile {
    struct kd_str application, profile; /* application is `app` or `app:version` */
};

struct kd_deployment_profile {
    struct kd_str name, display_name, description;
    struct {
        struct kd_application_profile *v;
        size_t n;
    } application_profiles;
    struct kd_str create_time, update_time;
};

struct kd_namespace {
    struct kd_str name;
    struct kd_pairs labels, annotations;
};

extern const struct kd_json_shape kd_namespace_shape;

struct kd_artifact_reference {
    struct kd_str name, purpose;
};

struct kd_endpoint {
    struct kd_str service_name, external_path, internal_path, scheme, auth_type, app_name;
};

struct kd_ui_extension {
    struct kd_str label, service_name, description, file_name, app_name, module_name;
};

struct kd_api_extension {
    struct kd_str name, version, display_name, description;
    struct {
        struct kd_endpoint *v;
        size_t n;
    } endpoints;
    struct kd_ui_extension *ui_extension;
};

struct kd_catalog_package {
    struct kd_str name, version, display_name, description;
    int kind; /* enum kd_catalog_kind */
    struct {
        struct kd_application_reference *v;
        size_t n;
    } applications;
    struct {
        struct kd_application_dependency *v;
        size_t n;
    } dependencies;
    struct {
        struct kd_deployment_profile *v;
        size_t n;
    } profiles;
    struct kd_str default_profile;
    struct kd_pairs default_namespaces; /* application -> namespace */
    struct {
        struct kd_namespace *v;
        size_t n;
    } namespaces;
    struct {
        struct kd_artifact_reference *v;
        size_t n;
    } artifacts;
    struct {
        struct kd_api_extension *v;
        size_t n;
    } extensions;
    bool is_deployed, is_visible, forbids_multiple_deployments;
    struct kd_meta meta;
};
extern const struct kd_json_shape kd_catalog_package_shape;

/** Values for one application of a deployment, over those of its profile. */
struct kd_override {
    struct kd_str app, namespace;
    struct kd_str values; /* a JSON object */
};

/** A target: one named cluster, or all clusters that carry all of these labels. Several targets are "or". */
struct kd_target {
    struct kd_str cluster;
    struct kd_pairs labels;
};

struct kd_deployment {
    struct kd_str name, display_name;
    struct kd_application_reference package;
    struct kd_str profile;
    struct {
        struct kd_override *v;
        size_t n;
    } overrides;
    struct {
        struct kd_target *v;
        size_t n;
    } targets;
    struct kd_strs adopts; /* uids of orphans that become this deployment */
    bool hold;             /* after a restore: agents keep what they run until an operator resumes */
    struct kd_meta meta;
};
extern const struct kd_json_shape kd_deployment_shape;

struct kd_cluster {
    struct kd_str name, display_name;
    struct kd_pairs labels; /* an operator's; an inventory never sets them */
    bool leave;             /* sent away: removes everything, then accepts nothing */
    struct kd_meta meta;    /* uid is the enrolment */
};
extern const struct kd_json_shape kd_cluster_shape;

/** True if the cluster is one of the deployment's targets. */
bool kd_deployment_targets(const struct kd_deployment *deployment, const struct kd_cluster *cluster);

#endif
