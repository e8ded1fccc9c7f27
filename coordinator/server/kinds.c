/** The kinds of documents, and create, update, delete written once over their rows. */
#include "coordinator/server/kinds.h"

#include "coordinator/core/plan.h"
#include "coordinator/core/presence.h"
#include "coordinator/core/rules.h"
#include "coordinator/server/rollouts.h"
#include "shared/base/own.h"
#include "shared/model/digest.h"

#include <stdio.h>

#define CO_HIDDEN "********" /* what stands in a view for a secret; in an update it means: as it is */

/* ---- walks over documents of a kind ---- */

/** Calls back for each document of a kind in which the name stands until one returns true; then true. */
static bool co_any(struct co_work *work, const struct co_kind *kind, struct kd_str name,
                   bool (*test)(const union co_document *, const void *), const void *with)
{
    struct kd_key prefix = co_prefix(work->project, CO_NONE, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(kind->table, kd_key_str(&prefix));
    while (kd_scan_next(work->spec, &scan)) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(KD_DOCUMENT_MAX);
        union co_document document;
        if (kd_str_find(scan.value, name) >= 0 && kd_json_decode(kind->shape, scan.value, &arena, &document, NULL) == KD_OK &&
            test(&document, with))
            return true;
    }
    return false;
}

/* ---- registry ---- */

static enum kd_code co_registry_absorb(struct co_work *work, union co_document *document, const union co_document *before,
                                       struct kd_err *err)
{
    (void)work, (void)err;
    if (before && kd_str_is(document->registry.auth_token, CO_HIDDEN))
        document->registry.auth_token = before->registry.auth_token;
    return KD_OK;
}

static bool co_uses_registry(const union co_document *document, const void *name)
{
    const struct kd_str *registry = name;
    return kd_str_eq(document->application.helm_registry, *registry) || kd_str_eq(document->application.image_registry, *registry);
}

static bool co_registry_is_used(struct co_work *work, struct kd_str name)
{
    return co_any(work, co_kind_of(KD_STR("application")), name, co_uses_registry, &name);
}

static enum kd_code co_registry_check(struct co_work *work, const union co_document *document, const union co_document *before,
                                      struct kd_err *err)
{
    if (before && before->registry.type != document->registry.type && co_registry_is_used(work, document->registry.name))
        return kd_fail_field(err, KD_IN_USE, "$.type", "registry %.*s is used by applications: its type cannot change",
                             KD_ARG(document->registry.name));
    return co_check_registry(&document->registry, err);
}

static enum kd_code co_registry_may_go(struct co_work *work, const union co_document *document, struct kd_err *err)
{
    if (co_registry_is_used(work, document->registry.name))
        return kd_fail(err, KD_IN_USE, 0, "registry %.*s is used by applications: delete those first",
                       KD_ARG(document->registry.name));
    return KD_OK;
}

static void co_registry_changed(struct co_work *work, const union co_document *before, const union co_document *after)
{
    (void)before;
    if (after)
        co_rollout_retry_waiting(work);
}

static void co_registry_hide(union co_document *document)
{
    if (document->registry.auth_token.n)
        document->registry.auth_token = kd_str(CO_HIDDEN);
}

/* ---- artifact ---- */

static enum kd_code co_artifact_absorb(struct co_work *work, union co_document *document, const union co_document *before,
                                       struct kd_err *err)
{
    struct kd_catalog_artifact *artifact = &document->artifact;
    KD_AUTO(kd_buf_clear) struct kd_buf bytes = KD_BUF(KD_ARTIFACT_MAX);
    if (!artifact->artifact.n && before) {
        artifact->content = before->artifact.content;
        return KD_OK;
    }
    if (!kd_base64_decode(artifact->artifact, &bytes) || bytes.n < 4)
        return kd_fail_field(err, KD_INVALID, "$.artifact", "$.artifact must be base64 of 4 to %d bytes", KD_ARTIFACT_MAX);
    artifact->content = KD_NEW(work->arena, struct kd_ref);
    if (!artifact->content)
        return kd_fail(err, KD_TOO_LARGE, 0, "the artifact is too large");
    *artifact->content = co_content_add(work, kd_buf_str(&bytes));
    if (!artifact->content->digest.p)
        return kd_fail(err, KD_TOO_LARGE, 0, "the artifact is too large");
    artifact->artifact = CO_NONE;
    if (before && before->artifact.content)
        co_content_drop(work, before->artifact.content->digest);
    return KD_OK;
}

static enum kd_code co_artifact_check(struct co_work *work, const union co_document *document, const union co_document *before,
                                      struct kd_err *err)
{
    (void)work, (void)before;
    return co_check_artifact(&document->artifact, err);
}

static bool co_uses_artifact(const union co_document *document, const void *name)
{
    const struct kd_str *artifact = name;
    for (size_t i = 0; i < document->package.artifacts.n; i++)
        if (kd_str_eq(document->package.artifacts.v[i].name, *artifact))
            return true;
    return false;
}

static enum kd_code co_artifact_may_go(struct co_work *work, const union co_document *document, struct kd_err *err)
{
    if (co_any(work, co_kind_of(KD_STR("package")), document->artifact.name, co_uses_artifact, &document->artifact.name))
        return kd_fail(err, KD_IN_USE, 0, "artifact %.*s is used by packages: delete those first", KD_ARG(document->artifact.name));
    return KD_OK;
}

static void co_artifact_changed(struct co_work *work, const union co_document *before, const union co_document *after)
{
    if (!after && before->artifact.content)
        co_content_drop(work, before->artifact.content->digest);
}

/* ---- application ---- */

static const struct kd_catalog_profile *co_profile_named(const struct kd_catalog_application *application, struct kd_str name)
{
    for (size_t i = 0; application && i < application->profiles.n; i++)
        if (kd_str_eq(application->profiles.v[i].name, name))
            return &application->profiles.v[i];
    return NULL;
}

static void co_application_drop(struct co_work *work, const struct kd_catalog_application *application)
{
    for (size_t i = 0; i < application->profiles.n; i++)
        if (application->profiles.v[i].values)
            co_content_drop(work, application->profiles.v[i].values->digest);
}

/** Values of each profile become content: what came as text, else what the profile of that name had. */
static enum kd_code co_application_absorb(struct co_work *work, union co_document *document, const union co_document *before,
                                          struct kd_err *err)
{
    struct kd_catalog_application *application = &document->application;
    for (size_t i = 0; i < application->profiles.n; i++) {
        struct kd_catalog_profile *profile = &application->profiles.v[i];
        const struct kd_catalog_profile *known = co_profile_named(before ? &before->application : NULL, profile->name);
        struct kd_str values = profile->chart_values;
        profile->chart_values = profile->values_file_name = CO_NONE;
        if (values.n) {
            profile->values = KD_NEW(work->arena, struct kd_ref);
            if (!profile->values)
                return kd_fail(err, KD_TOO_LARGE, 0, "the application is too large");
            *profile->values = co_content_add(work, values);
            if (!profile->values->digest.p)
                return kd_fail(err, KD_TOO_LARGE, 0, "the application is too large");
        } else if (profile->values) {
            if (!known || !known->values || !kd_str_eq(known->values->digest, profile->values->digest))
                return kd_fail_field(err, KD_INVALID, "$.profiles",
                                     "profile %.*s names values that are not there: send them as chartValues",
                                     KD_ARG(profile->name));
            co_content_name(work, profile->values->digest);
        }
    }
    if (before)
        co_application_drop(work, &before->application);
    return KD_OK;
}

struct co_app_use {
    struct kd_str name, version;
};

static bool co_uses_application(const union co_document *document, const void *with)
{
    const struct co_app_use *app = with;
    for (size_t i = 0; i < document->package.applications.n; i++)
        if (kd_str_eq(document->package.applications.v[i].name, app->name) &&
            kd_str_eq(document->package.applications.v[i].version, app->version))
            return true;
    return false;
}

/** True if a package that is deployed has this application. */
static bool co_application_is_deployed(struct co_work *work, const struct kd_catalog_application *application)
{
    const struct co_app_use use = { application->name, application->version };
    struct kd_key prefix = co_prefix(work->project, CO_NONE, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(CO_PACKAGE, kd_key_str(&prefix));
    while (kd_scan_next(work->spec, &scan)) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(KD_DOCUMENT_MAX);
        union co_document package;
        if (kd_json_decode(&kd_catalog_package_shape, scan.value, &arena, &package, NULL) == KD_OK &&
            co_uses_application(&package, &use) && co_package_is_deployed(work, package.package.name, package.package.version))
            return true;
    }
    return false;
}

/** A registry may come later, but one that is there must be of the right type. */
static enum kd_code co_application_registry(struct co_work *work, struct kd_str name, int type, const char *field,
                                            struct kd_err *err)
{
    union co_document registry;
    if (!co_document_get(work, co_kind_of(KD_STR("registry")), name, CO_NONE, &registry) || registry.registry.type == type)
        return KD_OK;
    return kd_fail_field(err, KD_INVALID, field, "%s names registry %.*s, which is not for %s", field, KD_ARG(name),
                         type == KD_REGISTRY_HELM ? "charts (HELM)" : "images (IMAGE)");
}

static enum kd_code co_application_check(struct co_work *work, const union co_document *document, const union co_document *before,
                                         struct kd_err *err)
{
    if (before && !co_may_change_deployed(&before->application, &document->application) &&
        co_application_is_deployed(work, &before->application))
        return kd_fail(err, KD_CONFLICT, 0, "application %.*s %.*s is deployed: create a new version instead",
                       KD_ARG(document->application.name), KD_ARG(document->application.version));
    const struct kd_catalog_application *application = &document->application;
    enum kd_code code = co_check_application(application, err);
    if (code == KD_OK)
        code = co_application_registry(work, application->helm_registry, KD_REGISTRY_HELM, "$.helmRegistry", err);
    if (code == KD_OK)
        code = co_application_registry(work, application->image_registry, KD_REGISTRY_IMAGE, "$.imageRegistry", err);
    return code;
}

static enum kd_code co_application_may_go(struct co_work *work, const union co_document *document, struct kd_err *err)
{
    const struct co_app_use use = { document->application.name, document->application.version };
    if (co_any(work, co_kind_of(KD_STR("package")), use.name, co_uses_application, &use))
        return kd_fail(err, KD_IN_USE, 0, "application %.*s %.*s is used by packages: delete those first", KD_ARG(use.name),
                       KD_ARG(use.version));
    return KD_OK;
}

static void co_application_changed(struct co_work *work, const union co_document *before, const union co_document *after)
{
    if (!after)
        co_application_drop(work, &before->application);
}

/* ---- package ---- */

static bool co_deploys_package(const union co_document *document, const void *with)
{
    const struct co_app_use *package = with;
    return kd_str_eq(document->deployment.package.name, package->name) &&
           (!package->version.n || kd_str_eq(document->deployment.package.version, package->version));
}

bool co_package_is_deployed(struct co_work *work, struct kd_str name, struct kd_str version)
{
    const struct co_app_use use = { name, version };
    return co_any(work, co_kind_of(KD_STR("deployment")), name, co_deploys_package, &use);
}

static enum kd_code co_package_references(struct co_work *work, const struct kd_catalog_package *package, struct kd_err *err)
{
    union co_document found;
    for (size_t i = 0; i < package->applications.n; i++)
        if (!co_document_get(work, co_kind_of(KD_STR("application")), package->applications.v[i].name,
                             package->applications.v[i].version, &found))
            return kd_fail_field(err, KD_INVALID, "$.applications",
                                 "application %.*s %.*s does not exist: create or import it first",
                                 KD_ARG(package->applications.v[i].name), KD_ARG(package->applications.v[i].version));
    for (size_t i = 0; i < package->artifacts.n; i++)
        if (!co_document_get(work, co_kind_of(KD_STR("artifact")), package->artifacts.v[i].name, CO_NONE, &found))
            return kd_fail_field(err, KD_INVALID, "$.artifacts", "artifact %.*s does not exist: create or import it first",
                                 KD_ARG(package->artifacts.v[i].name));
    return KD_OK;
}

static enum kd_code co_package_check(struct co_work *work, const union co_document *document, const union co_document *before,
                                     struct kd_err *err)
{
    const struct kd_catalog_package *package = &document->package;
    if (before && co_package_is_deployed(work, package->name, package->version))
        return kd_fail(err, KD_CONFLICT, 0, "package %.*s %.*s is deployed: create a new version instead", KD_ARG(package->name),
                       KD_ARG(package->version));
    enum kd_code code = co_check_package(package, err);
    return code == KD_OK ? co_package_references(work, package, err) : code;
}

static enum kd_code co_package_may_go(struct co_work *work, const union co_document *document, struct kd_err *err)
{
    const struct kd_catalog_package *package = &document->package;
    if (co_package_is_deployed(work, package->name, package->version))
        return kd_fail(err, KD_IN_USE, 0, "package %.*s %.*s is deployed: delete its deployments first", KD_ARG(package->name),
                       KD_ARG(package->version));
    return KD_OK;
}

/* ---- deployment ---- */

/** Each application of the package must be there, with the profile that it gets. */
static enum kd_code co_deployment_applications(struct co_work *work, const struct kd_deployment *deployment,
                                               const struct kd_catalog_package *package, struct kd_err *err)
{
    const struct kd_deployment_profile *profile = co_package_profile(package, deployment->profile);
    if (deployment->profile.n && !profile)
        return kd_fail_field(err, KD_INVALID, "$.profile", "package %.*s %.*s has no profile \"%.*s\"", KD_ARG(package->name),
                             KD_ARG(package->version), KD_ARG(deployment->profile));
    for (size_t i = 0; i < package->applications.n; i++) {
        union co_document application;
        const struct kd_catalog_profile *values;
        if (!co_document_get(work, co_kind_of(KD_STR("application")), package->applications.v[i].name,
                             package->applications.v[i].version, &application))
            return kd_fail(err, KD_NOT_FOUND, 0, "application %.*s %.*s does not exist", KD_ARG(package->applications.v[i].name),
                           KD_ARG(package->applications.v[i].version));
        enum kd_code code = co_application_profile(profile, &application.application, &values, err);
        if (code != KD_OK)
            return code;
    }
    return KD_OK;
}

static enum kd_code co_deployment_overrides(const struct kd_deployment *deployment, const struct kd_catalog_package *package,
                                            struct kd_err *err)
{
    for (size_t i = 0; i < deployment->overrides.n; i++) {
        bool known = false;
        for (size_t k = 0; k < package->applications.n; k++)
            known |= kd_str_eq(deployment->overrides.v[i].app, package->applications.v[k].name);
        char path[KD_FIELD_MAX];
        (void)snprintf(path, sizeof path, "$.overrides[%zu].app", i);
        if (!known)
            return kd_fail_field(err, KD_INVALID, path, "package %.*s %.*s has no application \"%.*s\"", KD_ARG(package->name),
                                 KD_ARG(package->version), KD_ARG(deployment->overrides.v[i].app));
    }
    return KD_OK;
}

static enum kd_code co_deployment_absorb(struct co_work *work, union co_document *document, const union co_document *before,
                                         struct kd_err *err)
{
    (void)work, (void)err;
    if (before) { /* an update of the whole document does not end a hold or an adoption by leaving it out */
        document->deployment.hold |= before->deployment.hold;
        if (!document->deployment.adopts.n)
            document->deployment.adopts = before->deployment.adopts;
    } else {
        document->deployment.hold = false;
    }
    return KD_OK;
}

static enum kd_code co_deployment_check(struct co_work *work, const union co_document *document, const union co_document *before,
                                        struct kd_err *err)
{
    const struct kd_deployment *deployment = &document->deployment;
    union co_document package;
    enum kd_code code = co_check_deployment(deployment, err);
    if (code != KD_OK)
        return code;
    if (before && !kd_str_eq(before->deployment.package.name, deployment->package.name))
        return kd_fail_field(err, KD_INVALID, "$.package.name",
                             "deployment %.*s is of package %.*s: deploy another package under another name",
                             KD_ARG(deployment->name), KD_ARG(before->deployment.package.name));
    if (!co_document_get(work, co_kind_of(KD_STR("package")), deployment->package.name, deployment->package.version, &package))
        return kd_fail_field(err, KD_NOT_FOUND, "$.package",
                             "package %.*s %.*s does not exist: import it first, or see `kedge get packages`",
                             KD_ARG(deployment->package.name), KD_ARG(deployment->package.version));
    if (!before && package.package.forbids_multiple_deployments && co_package_is_deployed(work, deployment->package.name, CO_NONE))
        return kd_fail(err, KD_CONFLICT, 0, "package %.*s forbids several deployments, and there is one",
                       KD_ARG(deployment->package.name));
    code = co_deployment_applications(work, deployment, &package.package, err);
    return code == KD_OK ? co_deployment_overrides(deployment, &package.package, err) : code;
}

static void co_deployment_changed(struct co_work *work, const union co_document *before, const union co_document *after)
{
    const struct kd_deployment *deployment = after ? &after->deployment : &before->deployment;
    if (after)
        co_rollout_advance(work, deployment);
    else
        co_rollout_terminate(work, deployment);
    if (!before || !after || !kd_str_eq(before->deployment.package.version, after->deployment.package.version)) {
        co_view_dirty(work, KD_STR("package"), deployment->package.name, deployment->package.version);
        if (before && after)
            co_view_dirty(work, KD_STR("package"), before->deployment.package.name, before->deployment.package.version);
    }
}

/* ---- cluster ---- */

static enum kd_code co_cluster_check(struct co_work *work, const union co_document *document, const union co_document *before,
                                     struct kd_err *err)
{
    (void)work, (void)before;
    return co_check_cluster(&document->cluster, err);
}

static enum kd_code co_cluster_absorb(struct co_work *work, union co_document *document, const union co_document *before,
                                      struct kd_err *err)
{
    (void)work, (void)err;
    document->cluster.leave = before && before->cluster.leave; /* set by cluster/leave alone */
    return KD_OK;
}

void co_cluster_empty(struct co_work *work, struct kd_str cluster)
{
    struct kd_key prefix = co_prefix(work->project, cluster, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(CO_PLACEMENT, kd_key_str(&prefix));
    while (kd_scan_next(work->spec, &scan)) {
        co_forget_placement(work, cluster, kd_scan_rest(&scan));
        co_rollout_may_end(work, kd_scan_rest(&scan));
    }
    scan = kd_scan_prefix(CO_S_STATUS, kd_key_str(&prefix));
    while (kd_scan_next(work->status, &scan))
        (void)kd_txn_del(work->status, CO_S_STATUS, kd_key_str(&scan.key));
}

/** Forgets all that is known of a cluster. */
static void co_cluster_forget(struct co_work *work, struct kd_str cluster)
{
    struct kd_key key = CO_KEY2(work->project, cluster);
    co_cluster_empty(work, cluster);
    (void)kd_txn_del(work->status, CO_S_PRESENCE, kd_key_str(&key));
    (void)kd_txn_del(work->status, CO_S_INVENTORY, kd_key_str(&key));
    co_touch(work, cluster);
}

static void co_cluster_changed(struct co_work *work, const union co_document *before, const union co_document *after)
{
    if (after)
        co_rollout_retarget(work, &after->cluster);
    else
        co_cluster_forget(work, before->cluster.name);
}

/* ---- the rows ---- */

#define CO_AT(type, member) offsetof(union co_document, type.member)
const struct co_kind co_kinds[] = {
    { .word = "registry",
      .schema = "Registry",
      .table = CO_REGISTRY,
      .shape = &kd_catalog_registry_shape,
      .name_at = CO_AT(registry, name),
      .display_name_at = CO_AT(registry, display_name),
      .meta_at = CO_AT(registry, meta),
      .absorb = co_registry_absorb,
      .check = co_registry_check,
      .may_go = co_registry_may_go,
      .changed = co_registry_changed,
      .hide = co_registry_hide },
    { .word = "artifact",
      .schema = "Artifact",
      .table = CO_ARTIFACT,
      .shape = &kd_catalog_artifact_shape,
      .name_at = CO_AT(artifact, name),
      .display_name_at = CO_AT(artifact, display_name),
      .meta_at = CO_AT(artifact, meta),
      .absorb = co_artifact_absorb,
      .check = co_artifact_check,
      .may_go = co_artifact_may_go,
      .changed = co_artifact_changed },
    { .word = "application",
      .schema = "Application",
      .table = CO_APPLICATION,
      .versioned = true,
      .shape = &kd_catalog_application_shape,
      .name_at = CO_AT(application, name),
      .version_at = CO_AT(application, version),
      .display_name_at = CO_AT(application, display_name),
      .meta_at = CO_AT(application, meta),
      .absorb = co_application_absorb,
      .check = co_application_check,
      .may_go = co_application_may_go,
      .changed = co_application_changed },
    { .word = "package",
      .schema = "DeploymentPackage",
      .table = CO_PACKAGE,
      .versioned = true,
      .shape = &kd_catalog_package_shape,
      .name_at = CO_AT(package, name),
      .version_at = CO_AT(package, version),
      .display_name_at = CO_AT(package, display_name),
      .meta_at = CO_AT(package, meta),
      .check = co_package_check,
      .may_go = co_package_may_go,
      .status = co_package_status_add },
    { .word = "deployment",
      .schema = "Deployment",
      .table = CO_DEPLOYMENT,
      .shape = &kd_deployment_shape,
      .name_at = CO_AT(deployment, name),
      .display_name_at = CO_AT(deployment, display_name),
      .meta_at = CO_AT(deployment, meta),
      .absorb = co_deployment_absorb,
      .check = co_deployment_check,
      .changed = co_deployment_changed,
      .status = co_deployment_status_add },
    { .word = "cluster",
      .schema = "Cluster",
      .table = CO_CLUSTER,
      .shape = &kd_cluster_shape,
      .name_at = CO_AT(cluster, name),
      .display_name_at = CO_AT(cluster, display_name),
      .meta_at = CO_AT(cluster, meta),
      .absorb = co_cluster_absorb,
      .check = co_cluster_check,
      .changed = co_cluster_changed,
      .status = co_cluster_status_add },
};
const size_t co_kind_count = KD_COUNT(co_kinds);

const struct co_kind *co_kind_of(struct kd_str word)
{
    for (size_t i = 0; i < co_kind_count; i++)
        if (kd_str_is(word, co_kinds[i].word))
            return &co_kinds[i];
    return NULL;
}

const struct co_kind *co_kind_of_schema(struct kd_str schema)
{
    if (kd_str_is(schema, "Deployment-Package")) /* as old documents say */
        schema = KD_STR("DeploymentPackage");
    for (size_t i = 0; i < co_kind_count; i++)
        if (kd_str_is(schema, co_kinds[i].schema))
            return &co_kinds[i];
    return NULL;
}

/* ---- documents of any kind ---- */

static struct kd_str co_text_at(const union co_document *document, size_t at)
{
    return *(const struct kd_str *)(const void *)((const char *)document + at);
}

struct kd_str co_document_name(const struct co_kind *kind, const union co_document *document)
{
    return co_text_at(document, kind->name_at);
}

struct kd_str co_document_version(const struct co_kind *kind, const union co_document *document)
{
    return kind->versioned ? co_text_at(document, kind->version_at) : CO_NONE;
}

struct kd_meta *co_document_meta(const struct co_kind *kind, union co_document *document)
{
    return (struct kd_meta *)(void *)((char *)document + kind->meta_at);
}

bool co_document_get(struct co_work *work, const struct co_kind *kind, struct kd_str name, struct kd_str version,
                     union co_document *ret)
{
    struct kd_key key = CO_KEY3(work->project, name, kind->versioned ? version : CO_NONE);
    if (!name.n || (kind->versioned && !version.n))
        return false;
    return co_read(work, work->spec, kind->table, kd_key_str(&key), kind->shape, ret);
}

enum kd_code co_document_find(struct co_work *work, const struct co_kind *kind, struct kd_str name, struct kd_str version,
                              union co_document *ret, struct kd_err *err)
{
    const char *a = kind->word[0] == 'a' ? "an" : "a";
    if (!name.n)
        return kd_fail_field(err, KD_INVALID, "$.name", "$.name is missing: which %s?", kind->word);
    if (kind->versioned && !version.n)
        return kd_fail_field(err, KD_INVALID, "$.version", "$.version is missing: %s %s is named by name and version", a,
                             kind->word);
    if (co_document_get(work, kind, name, version, ret))
        return KD_OK;
    return kd_fail_field(err, KD_NOT_FOUND, "$.name", "%s %.*s%s%.*s does not exist", kind->word, KD_ARG(name),
                         kind->versioned ? " " : "", KD_ARG(kind->versioned ? version : CO_NONE));
}

static void co_document_view_dirty(struct co_work *work, const struct co_kind *kind, const union co_document *document)
{
    co_view_dirty(work, kd_str(kind->word), co_document_name(kind, document), co_document_version(kind, document));
}

static void co_document_write(struct co_work *work, const struct co_kind *kind, const union co_document *document)
{
    struct kd_key key = CO_KEY3(work->project, co_document_name(kind, document), co_document_version(kind, document));
    co_write(work, work->spec, kind->table, kd_key_str(&key), kind->shape, document);
    co_document_view_dirty(work, kind, document);
}

void co_document_store(struct co_work *work, const struct co_kind *kind, union co_document *document)
{
    struct kd_meta *meta = co_document_meta(kind, document);
    meta->resource_version++;
    meta->update_time = co_time_text(work);
    co_document_write(work, kind, document);
}

/** The uid and version that a request means must be those that are there. */
static enum kd_code co_meant(const struct co_kind *kind, struct kd_str name, const struct kd_meta *meant,
                             const struct kd_meta *known, struct kd_err *err)
{
    if (meant->uid.n && !kd_str_eq(meant->uid, known->uid))
        return kd_fail_field(err, KD_CONFLICT, "$.uid", "another %s is called %.*s now: look at it again", kind->word,
                             KD_ARG(name));
    if (meant->resource_version && meant->resource_version != known->resource_version)
        return kd_fail_field(err, KD_CONFLICT, "$.resourceVersion", "%s %.*s was changed meanwhile: look at it again", kind->word,
                             KD_ARG(name));
    return KD_OK;
}

/** True if both say the same apart from what only the coordinator sets. */
static bool co_document_is_same(const struct co_kind *kind, union co_document *document, const union co_document *before)
{
    KD_AUTO(kd_buf_clear) struct kd_buf a = KD_BUF(KD_VALUE_MAX), b = KD_BUF(KD_VALUE_MAX);
    kd_json_encode(kind->shape, document, &a);
    kd_json_encode(kind->shape, before, &b);
    return kd_str_eq(kd_buf_str(&a), kd_buf_str(&b));
}

static enum kd_code co_document_change(struct co_work *work, const struct co_kind *kind, union co_document *document,
                                       const union co_document *before, enum co_action *ret, struct kd_err *err)
{
    struct kd_meta *meta = co_document_meta(kind, document);
    enum kd_code code = kind->absorb ? kind->absorb(work, document, before, err) : KD_OK;
    if (code == KD_OK && before && co_document_is_same(kind, document, before)) {
        *ret = CO_UNCHANGED;
        return KD_OK;
    }
    if (code == KD_OK)
        code = kind->check(work, document, before, err);
    if (code != KD_OK)
        return code;
    meta->resource_version++;
    meta->update_time = co_time_text(work);
    co_document_write(work, kind, document);
    if (kind->changed)
        kind->changed(work, before, document);
    *ret = before ? CO_UPDATED : CO_CREATED;
    return KD_OK;
}

enum kd_code co_document_put(struct co_work *work, const struct co_kind *kind, union co_document *document, bool may_create,
                             bool may_update, enum co_action *ret, struct kd_err *err)
{
    union co_document before;
    struct kd_meta *meta = co_document_meta(kind, document), meant = *meta;
    struct kd_str name = co_document_name(kind, document), version = co_document_version(kind, document);
    bool known = co_document_get(work, kind, name, version, &before);
    struct kd_str *display_name = (struct kd_str *)(void *)((char *)document + kind->display_name_at);
    if (known && !may_update)
        return kd_fail_field(err, KD_EXISTS, "$.name", "%s %.*s%s%.*s exists already", kind->word, KD_ARG(name),
                             version.n ? " " : "", KD_ARG(version));
    if (!known && !may_create)
        return kd_fail_field(err, KD_NOT_FOUND, "$.name", "%s %.*s%s%.*s does not exist", kind->word, KD_ARG(name),
                             version.n ? " " : "", KD_ARG(version));
    if (!display_name->n)
        *display_name = name;
    if (known) {
        enum kd_code code = co_meant(kind, name, &meant, co_document_meta(kind, &before), err);
        *meta = *co_document_meta(kind, &before);
        return code == KD_OK ? co_document_change(work, kind, document, &before, ret, err) : code;
    }
    *meta = (struct kd_meta){ .uid = co_new_uid(work), .create_time = co_time_text(work) };
    return co_document_change(work, kind, document, NULL, ret, err);
}

enum kd_code co_document_delete(struct co_work *work, const struct co_kind *kind, struct kd_str name, struct kd_str version,
                                const struct kd_meta *meant, struct kd_err *err)
{
    union co_document document;
    struct kd_key key = CO_KEY3(work->project, name, kind->versioned ? version : CO_NONE);
    enum kd_code code = co_document_find(work, kind, name, version, &document, err);
    if (code == KD_OK)
        code = co_meant(kind, name, meant, co_document_meta(kind, &document), err);
    if (code == KD_OK && kind->may_go)
        code = kind->may_go(work, &document, err);
    if (code != KD_OK)
        return code;
    (void)kd_txn_del(work->spec, kind->table, kd_key_str(&key));
    co_document_view_dirty(work, kind, &document);
    if (kind->changed)
        kind->changed(work, &document, NULL);
    return KD_OK;
}

/* ---- all documents ---- */

void co_kinds_views_dirty(struct co_work *work)
{
    for (size_t i = 0; i < co_kind_count; i++) {
        struct kd_key prefix = co_prefix(work->project, CO_NONE, CO_NONE);
        struct kd_scan scan = kd_scan_prefix(co_kinds[i].table, kd_key_str(&prefix));
        while (kd_scan_next(work->spec, &scan)) {
            struct kd_str version = kd_scan_rest(&scan), name = kd_str_cut(&version, '/');
            co_view_dirty(work, kd_str(co_kinds[i].word), name, version);
        }
    }
}

void co_kinds_recount(struct co_work *work)
{
    static const int tables[] = { CO_S_CLASS, CO_S_SUMS };
    for (size_t i = 0; i < KD_COUNT(tables); i++) {
        struct kd_scan scan = kd_scan_prefix(tables[i], CO_NONE);
        while (kd_scan_next(work->status, &scan))
            (void)kd_txn_del(work->status, tables[i], kd_key_str(&scan.key));
    }
    struct kd_key prefix = co_prefix(work->project, CO_NONE, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(CO_PLACEMENT, kd_key_str(&prefix));
    while (kd_scan_next(work->spec, &scan)) {
        struct kd_str uid = kd_scan_rest(&scan), cluster = kd_str_cut(&uid, '/');
        co_tally(work, uid, cluster);
    }
    co_kinds_views_dirty(work);
    co_put_number(work->spec, CO_META, KD_STR("batch"), co_get_number(work->status, CO_S_META, KD_STR("batch")));
}

void co_kinds_start(struct co_work *work)
{
    co_agents_start(work);
    co_rollout_retry_waiting(work);
}
