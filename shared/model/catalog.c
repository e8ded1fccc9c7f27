/** The catalog's documents as tables of their fields. */
#include "shared/model/catalog.h"

#include "shared/model/digest.h"
#include "shared/model/fields.h"
#include "shared/model/name.h"

#define IS_NAME    .min = 1, .max = KD_NAME_MAX, .check = kd_is_name, .rule = KD_NAME_RULE
#define IS_APP     .min = 1, .max = KD_APP_NAME_MAX, .check = kd_is_app_name, .rule = KD_APP_NAME_RULE
#define IS_VERSION .min = 1, .max = KD_VERSION_MAX, .check = kd_is_version, .rule = KD_VERSION_RULE
#define IS_DISPLAY                                                                                                                 \
    .max = 160, .check = kd_is_display_name, .rule = "must be at most 40 printable characters, without blanks at its ends"
#define IS_DESCRIPTION  .max = 4000
#define DISPLAY(T)      F_TEXT(T, display_name, "displayName", IS_DISPLAY), F_TEXT(T, description, "description", IS_DESCRIPTION)
#define TIMES(T, where) F_TEXT(T, where create_time, "createTime", .max = 40), F_TEXT(T, where update_time, "updateTime", .max = 40)
#define META(T)                                                                                                                    \
    F_TEXT(T, meta.uid, "uid", .max = KD_UID_TEXT, .check = kd_is_uid, .rule = "must be 32 hex digits"),                           \
        F_COUNT(T, meta.resource_version, "resourceVersion"), TIMES(T, meta.)

/** What a document or a request may carry beside the fields of its kind. */
static const char *const kd_header[] = { "specSchema", "schemaVersion", "$schema", "id", NULL };

static const struct kd_json_field kd_ref_fields[] = {
    F_TEXT(struct kd_ref, digest, "digest", .required = true, .max = KD_DIGEST_TEXT, .check = kd_is_digest,
           .rule = "must be sha256: and 64 hex digits"),
    F_COUNT(struct kd_ref, size, "size", .required = true),
};
const struct kd_json_shape kd_ref_shape = KD_SHAPE(struct kd_ref, kd_ref_fields, "a reference");

static const char *const kd_registry_types[KD_REGISTRY_TYPE_COUNT] = { "", "HELM", "IMAGE" };

#define T struct kd_catalog_registry
static const struct kd_json_field kd_registry_fields[] = {
    F_TEXT(T, name, "name", .required = true, IS_NAME),
    DISPLAY(T),
    F_TEXT(T, root_url, "rootUrl", .required = true, .min = 1, .max = 1000, .check = kd_is_root_url,
           .rule = "must be an address that starts with http://, https:// or oci://"),
    F_TEXT(T, user_name, "userName", .max = 1000),
    F_TEXT(T, auth_token, "authToken", .max = 4500),
    F_TEXT(T, ca_certs, "caCerts", .max = 16384),
    F_TEXT(T, api_type, "apiType", .max = 16),
    F_TEXT(T, inventory_url, "inventoryUrl", .max = 1000),
    F_WORD(T, type, kd_registry_types, "type", .unknown = -1),
    F_WORD(T, type, kd_registry_types, "registryType", .unknown = -1, .only_read = true),
    META(T),
};
const struct kd_json_shape kd_catalog_registry_shape = KD_SHAPE(T, kd_registry_fields, "a registry", .strict = true,
                                                                .beside = kd_header);
#undef T

#define T struct kd_catalog_artifact
static const struct kd_json_field kd_artifact_fields[] = {
    F_TEXT(T, name, "name", .required = true, IS_NAME),
    DISPLAY(T),
    F_TEXT(T, mime_type, "mimeType", .required = true, .max = KD_NAME_MAX),
    F_TEXT(T, artifact, "artifact", .max = KD_ARTIFACT_MAX / 3 * 4 + 4),
    F_REF(T, content, &kd_ref_shape, "content"),
    META(T),
};
const struct kd_json_shape kd_catalog_artifact_shape = KD_SHAPE(T, kd_artifact_fields, "an artifact", .strict = true,
                                                                .beside = kd_header);
#undef T

#define T struct kd_parameter_template
static const struct kd_json_field kd_parameter_fields[] = {
    F_TEXT(T, name, "name", .required = true, .min = 1, .max = 4096, .check = kd_is_parameter,
           .rule = "must be a path of values: letters, digits and - / _ [ ] . \\"),
    F_TEXT(T, display_name, "displayName", .max = 400),
    F_TEXT(T, fallback, "default", .max = 4096),
    F_TEXT(T, type, "type", .required = true, .min = 1, .max = 10),
    F_TEXT(T, validator, "validator", .max = 40),
    F_TEXTS(T, suggested_values, "suggestedValues", .max = 100),
    F_FLAG(T, secret, "secret"),
    F_FLAG(T, mandatory, "mandatory"),
};
static const struct kd_json_shape kd_parameter_shape = KD_SHAPE(T, kd_parameter_fields, "a parameter template", .strict = true);
#undef T

#define T struct kd_deployment_requirement
static const struct kd_json_field kd_requirement_fields[] = {
    F_TEXT(T, name, "name", .required = true, IS_NAME),
    F_TEXT(T, version, "version", .required = true, IS_VERSION),
    F_TEXT(T, deployment_profile_name, "deploymentProfileName", .max = KD_NAME_MAX),
};
static const struct kd_json_shape kd_requirement_shape = KD_SHAPE(T, kd_requirement_fields, "a deployment requirement",
                                                                  .strict = true);
#undef T

#define T struct kd_catalog_profile
static const struct kd_json_field kd_profile_fields[] = {
    F_TEXT(T, name, "name", .required = true, IS_NAME),
    DISPLAY(T),
    F_TEXT(T, values_file_name, "valuesFileName", .max = 255),
    F_TEXT(T, chart_values, "chartValues", .max = KD_VALUES_MAX),
    F_REF(T, values, &kd_ref_shape, "values"),
    F_LIST(T, parameter_templates, &kd_parameter_shape, "parameterTemplates", .max = 1000),
    F_LIST(T, deployment_requirements, &kd_requirement_shape, "deploymentRequirements", .max = 100),
    F_LIST(T, deployment_requirements, &kd_requirement_shape, "deploymentRequirement", .max = 100, .only_read = true),
    TIMES(T, ),
};
static const struct kd_json_shape kd_profile_shape = KD_SHAPE(T, kd_profile_fields, "a profile", .strict = true);
#undef T

#define T struct kd_resource_reference
static const struct kd_json_field kd_resource_fields[] = {
    F_TEXT(T, name, "name", .required = true, .max = 40, .check = kd_is_resource_name,
           .rule = "must be the name of a Kubernetes object, at most 40"),
    F_TEXT(T, kind, "kind", .required = true, .max = 40, .check = kd_is_resource_kind,
           .rule = "must be a kind of Kubernetes object, at most 40"),
    F_TEXT(T, namespace, "namespace", .max = 63),
};
static const struct kd_json_shape kd_resource_shape = KD_SHAPE(T, kd_resource_fields, "a resource reference", .strict = true);
#undef T

static const char *const kd_catalog_kinds[KD_CATALOG_KIND_COUNT] = { "normal", "extension", "addon" };

#define T struct kd_catalog_application
static const struct kd_json_field kd_application_fields[] = {
    F_TEXT(T, name, "name", .required = true, IS_APP),
    F_TEXT(T, version, "version", .required = true, IS_VERSION),
    DISPLAY(T),
    F_WORD(T, kind, kd_catalog_kinds, "kind", .unknown = -1),
    F_TEXT(T, chart_name, "chartName", .required = true, .max = KD_CHART_NAME_MAX, .check = kd_is_chart_name,
           .rule = "must be lower-case letters, digits, '-' and '/'"),
    F_TEXT(T, chart_version, "chartVersion", .required = true, .max = KD_CHART_VERSION_MAX, .check = kd_is_chart_version,
           .rule = "must be lower-case letters, digits, '-' and '.', at most 53"),
    F_TEXT(T, helm_registry, "helmRegistry", IS_NAME),
    F_TEXT(T, helm_registry, "registry", .only_read = true, IS_NAME),
    F_TEXT(T, image_registry, "imageRegistry", IS_NAME),
    F_TEXT(T, default_profile, "defaultProfile", .max = KD_NAME_MAX),
    F_LIST(T, profiles, &kd_profile_shape, "profiles", .max = 100),
    F_LIST(T, ignored_resources, &kd_resource_shape, "ignoredResources", .max = 1000),
    META(T),
};
const struct kd_json_shape kd_catalog_application_shape = KD_SHAPE(T, kd_application_fields, "an application", .strict = true,
                                                                   .beside = kd_header);
#undef T

#define T struct kd_application_reference
static const struct kd_json_field kd_app_reference_fields[] = {
    F_TEXT(T, name, "name", .required = true, IS_NAME),
    F_TEXT(T, version, "version", .required = true, IS_VERSION),
};
static const struct kd_json_shape kd_app_reference_shape = KD_SHAPE(T, kd_app_reference_fields, "a name and version",
                                                                    .strict = true);
#undef T

#define T struct kd_application_dependency
static const struct kd_json_field kd_dependency_fields[] = {
    F_TEXT(T, name, "name", .required = true, IS_APP),
    F_TEXT(T, requires, "requires", .required = true, IS_APP),
};
static const struct kd_json_shape kd_dependency_shape = KD_SHAPE(T, kd_dependency_fields, "an application dependency",
                                                                 .strict = true);
#undef T

#define T struct kd_application_profile
static const struct kd_json_field kd_app_profile_fields[] = {
    F_TEXT(T, application, "application", .required = true, .min = 1, .max = KD_APP_NAME_MAX + 1 + KD_VERSION_MAX),
    F_TEXT(T, profile, "profile", .required = true, .min = 1, .max = KD_NAME_MAX),
};
static const struct kd_json_shape kd_app_profile_shape = KD_SHAPE(T, kd_app_profile_fields, "an application profile",
                                                                  .strict = true);
#undef T

#define T struct kd_deployment_profile
static const struct kd_json_field kd_deployment_profile_fields[] = {
    F_TEXT(T, name, "name", .required = true, IS_NAME),
    DISPLAY(T),
    F_LIST(T, application_profiles, &kd_app_profile_shape, "applicationProfiles", .max = KD_PACKAGE_APPS_MAX),
    TIMES(T, ),
};
static const struct kd_json_shape kd_deployment_profile_shape = KD_SHAPE(T, kd_deployment_profile_fields, "a deployment profile",
                                                                         .strict = true);
#undef T

#define T struct kd_namespace
static const struct kd_json_field kd_namespace_fields[] = {
    F_TEXT(T, name, "name", .required = true, IS_NAME),
    F_PAIRS(T, labels, "labels", .check = kd_is_label_key, .rule = "is not a label key of Kubernetes"),
    F_PAIRS(T, annotations, "annotations"),
};
const struct kd_json_shape kd_namespace_shape = KD_SHAPE(T, kd_namespace_fields, "a namespace", .strict = true);
#undef T

#define T struct kd_artifact_reference
static const struct kd_json_field kd_artifact_reference_fields[] = {
    F_TEXT(T, name, "name", .required = true, IS_NAME),
    F_TEXT(T, purpose, "purpose", .required = true, .max = 20),
};
static const struct kd_json_shape kd_artifact_reference_shape = KD_SHAPE(T, kd_artifact_reference_fields, "an artifact reference",
                                                                         .strict = true);
#undef T

#define T struct kd_endpoint
static const struct kd_json_field kd_endpoint_fields[] = {
    F_TEXT(T, service_name, "serviceName", .required = true, IS_NAME),
    F_TEXT(T, external_path, "externalPath", .required = true, .min = 1, .max = 128),
    F_TEXT(T, internal_path, "internalPath", .required = true, .min = 1, .max = 128),
    F_TEXT(T, scheme, "scheme", .required = true, .max = 32),
    F_TEXT(T, auth_type, "authType", .required = true, .max = 16, .check = kd_is_lower_word, .rule = "must be lower-case letters"),
    F_TEXT(T, app_name, "appName", .max = 40),
};
static const struct kd_json_shape kd_endpoint_shape = KD_SHAPE(T, kd_endpoint_fields, "an endpoint", .strict = true);
#undef T

#define T struct kd_ui_extension
static const struct kd_json_field kd_ui_extension_fields[] = {
    F_TEXT(T, label, "label", .required = true, .max = 40),
    F_TEXT(T, service_name, "serviceName", .required = true, .min = 1, .max = 40),
    F_TEXT(T, description, "description", .required = true, .min = 1, .max = 4000),
    F_TEXT(T, file_name, "fileName", .required = true, .min = 1, .max = 40),
    F_TEXT(T, app_name, "appName", .required = true, .min = 1, .max = 40),
    F_TEXT(T, module_name, "moduleName", .required = true, .min = 1, .max = 40),
};
static const struct kd_json_shape kd_ui_extension_shape = KD_SHAPE(T, kd_ui_extension_fields, "a UI extension", .strict = true);
#undef T

#define T struct kd_api_extension
static const struct kd_json_field kd_extension_fields[] = {
    F_TEXT(T, name, "name", .required = true, IS_NAME),
    F_TEXT(T, version, "version", .required = true, IS_VERSION),
    DISPLAY(T),
    F_LIST(T, endpoints, &kd_endpoint_shape, "endpoints", .max = 100),
    F_REF(T, ui_extension, &kd_ui_extension_shape, "uiExtension"),
};
static const struct kd_json_shape kd_extension_shape = KD_SHAPE(T, kd_extension_fields, "an API extension", .strict = true);
#undef T

#define T struct kd_catalog_package
static const struct kd_json_field kd_package_fields[] = {
    F_TEXT(T, name, "name", .required = true, IS_NAME),
    F_TEXT(T, version, "version", .required = true, IS_VERSION),
    DISPLAY(T),
    F_WORD(T, kind, kd_catalog_kinds, "kind", .unknown = -1),
    F_LIST(T, applications, &kd_app_reference_shape, "applications", .required = true, .min = 1, .max = KD_PACKAGE_APPS_MAX),
    F_LIST(T, dependencies, &kd_dependency_shape, "applicationDependencies", .max = 1000),
    F_LIST(T, profiles, &kd_deployment_profile_shape, "deploymentProfiles", .max = 100),
    F_TEXT(T, default_profile, "defaultProfile", .max = KD_NAME_MAX),
    F_PAIRS(T, default_namespaces, "defaultNamespaces", .max = KD_PACKAGE_APPS_MAX),
    F_LIST(T, namespaces, &kd_namespace_shape, "namespaces", .max = 100),
    F_LIST(T, artifacts, &kd_artifact_reference_shape, "artifacts", .max = 100),
    F_LIST(T, artifacts, &kd_artifact_reference_shape, "artifactReferences", .max = 100, .only_read = true),
    F_LIST(T, extensions, &kd_extension_shape, "extensions", .max = 100),
    F_FLAG(T, is_deployed, "isDeployed"),
    F_FLAG(T, is_visible, "isVisible"),
    F_FLAG(T, forbids_multiple_deployments, "forbidsMultipleDeployments"),
    META(T),
};
const struct kd_json_shape kd_catalog_package_shape = KD_SHAPE(T, kd_package_fields, "a deployment package", .strict = true,
                                                               .beside = kd_header);
#undef T

#define T struct kd_override
static const struct kd_json_field kd_override_fields[] = {
    F_TEXT(T, app, "app", .required = true, IS_APP),
    F_TEXT(T, namespace, "namespace", IS_NAME),
    F_RAW(T, values, "values"),
};
static const struct kd_json_shape kd_override_shape = KD_SHAPE(T, kd_override_fields, "an override", .strict = true);
#undef T

#define T struct kd_target
static const struct kd_json_field kd_target_fields[] = {
    F_TEXT(T, cluster, "cluster", IS_NAME),
    F_PAIRS(T, labels, "labels", .max = 20, .check = kd_is_label_key, .rule = "is not a label key of Kubernetes"),
};
static const struct kd_json_shape kd_target_shape = KD_SHAPE(T, kd_target_fields, "a target", .strict = true);
#undef T

#define T struct kd_deployment
static const struct kd_json_field kd_deployment_fields[] = {
    F_TEXT(T, name, "name", .required = true, IS_NAME),
    F_TEXT(T, display_name, "displayName", IS_DISPLAY),
    F_OBJECT(T, package, &kd_app_reference_shape, "package", .required = true),
    F_TEXT(T, profile, "profile", .max = KD_NAME_MAX),
    F_LIST(T, overrides, &kd_override_shape, "overrides", .max = KD_PACKAGE_APPS_MAX),
    F_LIST(T, targets, &kd_target_shape, "targets", .max = KD_TARGETS_MAX),
    F_TEXTS(T, adopts, "adopts", .max = KD_ADOPTS_MAX, .check = kd_is_uid, .rule = "must be 32 hex digits"),
    F_FLAG(T, hold, "hold"),
    META(T),
};
const struct kd_json_shape kd_deployment_shape = KD_SHAPE(T, kd_deployment_fields, "a deployment", .strict = true,
                                                          .beside = kd_header);
#undef T

#define T struct kd_cluster
static const struct kd_json_field kd_cluster_fields[] = {
    F_TEXT(T, name, "name", .required = true, IS_NAME),
    F_TEXT(T, display_name, "displayName", IS_DISPLAY),
    F_PAIRS(T, labels, "labels", .max = 100, .check = kd_is_label_key, .rule = "is not a label key of Kubernetes"),
    F_FLAG(T, leave, "leave"),
    META(T),
};
const struct kd_json_shape kd_cluster_shape = KD_SHAPE(T, kd_cluster_fields, "a cluster", .strict = true, .beside = kd_header);
#undef T

static bool kd_pairs_contain(const struct kd_pairs *pairs, const struct kd_pair *wanted)
{
    for (size_t i = 0; i < pairs->n; i++)
        if (kd_str_eq(pairs->v[i].key, wanted->key))
            return kd_str_eq(pairs->v[i].value, wanted->value);
    return false;
}

static bool kd_target_matches(const struct kd_target *target, const struct kd_cluster *cluster)
{
    if (target->cluster.n)
        return kd_str_eq(target->cluster, cluster->name);
    for (size_t i = 0; i < target->labels.n; i++)
        if (!kd_pairs_contain(&cluster->labels, &target->labels.v[i]))
            return false;
    return target->labels.n > 0;
}

bool kd_deployment_targets(const struct kd_deployment *deployment, const struct kd_cluster *cluster)
{
    for (size_t i = 0; i < deployment->targets.n; i++)
        if (kd_target_matches(&deployment->targets.v[i], cluster))
            return true;
    return false;
}
