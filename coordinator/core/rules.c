/** Rules within one catalog document. */
#include "coordinator/core/rules.h"

#include "shared/base/utf8.h"
#include "shared/model/name.h"

#include <stdio.h>

enum kd_code co_check_registry(const struct kd_catalog_registry *registry, struct kd_err *err)
{
    if (registry->type == KD_REGISTRY_NONE)
        return kd_fail_field(err, KD_INVALID, "$.type", "$.type is missing: HELM for charts or IMAGE for container images");
    return KD_OK;
}

enum kd_code co_check_artifact(const struct kd_catalog_artifact *artifact, struct kd_err *err)
{
    static const char *const types[] = { "text/plain", "application/json", "application/yaml", "image/png", "image/jpeg" };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (kd_str_is(artifact->mime_type, types[i]))
            return KD_OK;
    return kd_fail_field(err, KD_INVALID, "$.mimeType",
                         "$.mimeType is \"%.*s\", must be text/plain, application/json, application/yaml, image/png or image/jpeg",
                         KD_ARG(artifact->mime_type));
}

static enum kd_code co_bad_item(struct kd_err *err, const char *list, size_t i, const char *member, const char *why,
                                struct kd_str what)
{
    char path[KD_FIELD_MAX];
    (void)snprintf(path, sizeof path, "$.%s[%zu]%s", list, i, member);
    return kd_fail_field(err, KD_INVALID, path, "%s %s \"%.*s\"", path, why, KD_ARG(what));
}

/** The same for a member of an object whose keys are free. */
static enum kd_code co_bad_pair(struct kd_err *err, const char *object, const struct kd_pair *pair, const char *why)
{
    char path[KD_FIELD_MAX];
    (void)snprintf(path, sizeof path, "$.%s.%.*s", object, KD_ARG(pair->key));
    return kd_fail_field(err, KD_INVALID, path, "%s %s \"%.*s\"", path, why, KD_ARG(kd_utf8_head(pair->value, 80)));
}

/** Values of labels follow Kubernetes; their keys are checked by the table. */
static enum kd_code co_check_labels(const struct kd_pairs *labels, const char *object, struct kd_err *err)
{
    for (size_t i = 0; i < labels->n; i++)
        if (!kd_is_label_value(labels->v[i].value))
            return co_bad_pair(err, object, &labels->v[i], "is not a label value of Kubernetes:");
    return KD_OK;
}

static enum kd_code co_check_template(const struct kd_parameter_template *t, size_t profile, struct kd_err *err)
{
    if (!kd_str_is(t->type, "string") && !kd_str_is(t->type, "number") && !kd_str_is(t->type, "boolean"))
        return co_bad_item(err, "profiles", profile, ".parameterTemplates",
                           "has a type that is not string, number or boolean:", t->type);
    if ((t->mandatory || t->secret) && t->fallback.n)
        return co_bad_item(err, "profiles", profile, ".parameterTemplates",
                           "has a default although it is mandatory or secret:", t->name);
    return KD_OK;
}

static enum kd_code co_check_profile(const struct kd_catalog_application *application, size_t at, struct kd_err *err)
{
    const struct kd_catalog_profile *profile = &application->profiles.v[at];
    for (size_t i = 0; i < at; i++)
        if (kd_str_eq(application->profiles.v[i].name, profile->name))
            return co_bad_item(err, "profiles", at, ".name", "stands there twice:", profile->name);
    for (size_t i = 0; i < profile->parameter_templates.n; i++) {
        enum kd_code code = co_check_template(&profile->parameter_templates.v[i], at, err);
        if (code != KD_OK)
            return code;
    }
    return KD_OK;
}

static bool co_has_profile(const struct kd_catalog_application *application, struct kd_str name)
{
    for (size_t i = 0; i < application->profiles.n; i++)
        if (kd_str_eq(application->profiles.v[i].name, name))
            return true;
    return false;
}

enum kd_code co_check_application(const struct kd_catalog_application *application, struct kd_err *err)
{
    if (application->helm_registry.n == 0)
        return kd_fail_field(err, KD_INVALID, "$.helmRegistry", "$.helmRegistry is missing");
    if (application->default_profile.n && !co_has_profile(application, application->default_profile))
        return kd_fail_field(err, KD_INVALID, "$.defaultProfile", "$.defaultProfile names \"%.*s\", which is not in $.profiles",
                             KD_ARG(application->default_profile));
    for (size_t i = 0; i < application->profiles.n; i++) {
        enum kd_code code = co_check_profile(application, i, err);
        if (code != KD_OK)
            return code;
    }
    return KD_OK;
}

static ptrdiff_t co_app_index(const struct kd_catalog_package *package, struct kd_str name)
{
    for (size_t i = 0; i < package->applications.n; i++)
        if (kd_str_eq(package->applications.v[i].name, name))
            return (ptrdiff_t)i;
    return -1;
}

static enum kd_code co_check_package_profile(const struct kd_catalog_package *package, size_t at, struct kd_err *err)
{
    const struct kd_deployment_profile *profile = &package->profiles.v[at];
    for (size_t i = 0; i < at; i++)
        if (kd_str_eq(package->profiles.v[i].name, profile->name))
            return co_bad_item(err, "deploymentProfiles", at, ".name", "stands there twice:", profile->name);
    for (size_t i = 0; i < profile->application_profiles.n; i++) {
        struct kd_str version = profile->application_profiles.v[i].application, name = kd_str_cut(&version, ':');
        if (co_app_index(package, name) < 0)
            return co_bad_item(err, "deploymentProfiles", at, ".applicationProfiles",
                               "names an application that is not in the package:", name);
    }
    return KD_OK;
}

/** True if everything that the application requires is done. */
static bool co_is_free(const struct kd_catalog_package *package, struct kd_str name, const bool *done)
{
    for (size_t i = 0; i < package->dependencies.n; i++)
        if (kd_str_eq(package->dependencies.v[i].name, name) && !done[co_app_index(package, package->dependencies.v[i].requires)])
            return false;
    return true;
}

/** An application that is in a circle of dependencies, or -1: take away what requires nothing any more until nothing is left. */
static ptrdiff_t co_find_circle(const struct kd_catalog_package *package)
{
    bool done[KD_PACKAGE_APPS_MAX] = { false };
    for (bool progress = true; progress;) {
        progress = false;
        for (size_t i = 0; i < package->applications.n; i++)
            if (!done[i] && co_is_free(package, package->applications.v[i].name, done))
                done[i] = progress = true;
    }
    for (size_t i = 0; i < package->applications.n; i++)
        if (!done[i])
            return (ptrdiff_t)i;
    return -1;
}

static enum kd_code co_check_dependencies(const struct kd_catalog_package *package, struct kd_err *err)
{
    for (size_t i = 0; i < package->dependencies.n; i++) {
        const struct kd_application_dependency *d = &package->dependencies.v[i];
        if (co_app_index(package, d->name) < 0)
            return co_bad_item(err, "applicationDependencies", i, ".name", "is not in the package:", d->name);
        if (co_app_index(package, d->requires) < 0)
            return co_bad_item(err, "applicationDependencies", i, ".requires", "is not in the package:", d->requires);
    }
    ptrdiff_t circle = co_find_circle(package);
    if (circle >= 0)
        return kd_fail_field(err, KD_INVALID, "$.applicationDependencies", "application \"%.*s\" depends on itself in a circle",
                             KD_ARG(package->applications.v[circle].name));
    return KD_OK;
}

static bool co_package_has_profile(const struct kd_catalog_package *package, struct kd_str name)
{
    for (size_t i = 0; i < package->profiles.n; i++)
        if (kd_str_eq(package->profiles.v[i].name, name))
            return true;
    return false;
}

/** Namespaces: those that applications go to, and those that are made with labels. */
static enum kd_code co_check_namespaces(const struct kd_catalog_package *package, struct kd_err *err)
{
    for (size_t i = 0; i < package->default_namespaces.n; i++) {
        const struct kd_pair *pair = &package->default_namespaces.v[i];
        if (co_app_index(package, pair->key) < 0)
            return co_bad_pair(err, "defaultNamespaces", pair, "is for an application that is not in the package; namespace");
        if (!kd_is_name(pair->value))
            return co_bad_pair(err, "defaultNamespaces", pair, "is no name of a namespace:");
    }
    for (size_t i = 0; i < package->namespaces.n; i++) {
        struct kd_str name = package->namespaces.v[i].name;
        if (kd_str_is(name, "default") || kd_str_starts(name, KD_STR("kube-")))
            return co_bad_item(err, "namespaces", i, ".name", "may not be a namespace of Kubernetes itself:", name);
        char object[48];
        (void)snprintf(object, sizeof object, "namespaces[%zu].labels", i);
        enum kd_code code = co_check_labels(&package->namespaces.v[i].labels, object, err);
        if (code != KD_OK)
            return code;
    }
    return KD_OK;
}

enum kd_code co_check_package(const struct kd_catalog_package *package, struct kd_err *err)
{
    for (size_t i = 0; i < package->applications.n; i++)
        if (co_app_index(package, package->applications.v[i].name) != (ptrdiff_t)i)
            return co_bad_item(err, "applications", i, ".name", "stands there twice:", package->applications.v[i].name);
    for (size_t i = 0; i < package->profiles.n; i++) {
        enum kd_code code = co_check_package_profile(package, i, err);
        if (code != KD_OK)
            return code;
    }
    if (package->default_profile.n && !co_package_has_profile(package, package->default_profile))
        return kd_fail_field(err, KD_INVALID, "$.defaultProfile",
                             "$.defaultProfile names \"%.*s\", which is not in $.deploymentProfiles",
                             KD_ARG(package->default_profile));
    enum kd_code code = co_check_namespaces(package, err);
    return code == KD_OK ? co_check_dependencies(package, err) : code;
}

enum kd_code co_check_deployment(const struct kd_deployment *deployment, struct kd_err *err)
{
    for (size_t i = 0; i < deployment->targets.n; i++) {
        const struct kd_target *target = &deployment->targets.v[i];
        if ((target->cluster.n > 0) == (target->labels.n > 0))
            return co_bad_item(err, "targets", i, "", "must have either cluster or labels, it has neither or both; cluster is",
                               target->cluster);
        char object[48];
        (void)snprintf(object, sizeof object, "targets[%zu].labels", i);
        enum kd_code code = co_check_labels(&target->labels, object, err);
        if (code != KD_OK)
            return code;
    }
    for (size_t i = 0; i < deployment->overrides.n; i++) {
        struct kd_str values = kd_str_trim(deployment->overrides.v[i].values);
        if (values.n && values.p[0] != '{')
            return co_bad_item(err, "overrides", i, ".values", "must be an object, it is", (struct kd_str){ values.p, 1 });
        for (size_t k = 0; k < i; k++)
            if (kd_str_eq(deployment->overrides.v[i].app, deployment->overrides.v[k].app))
                return co_bad_item(err, "overrides", i, ".app", "stands there twice:", deployment->overrides.v[i].app);
    }
    return KD_OK;
}

enum kd_code co_check_cluster(const struct kd_cluster *cluster, struct kd_err *err)
{
    return co_check_labels(&cluster->labels, "labels", err);
}

static bool co_same_values(const struct kd_catalog_profile *a, const struct kd_catalog_profile *b)
{
    return (a->values == NULL) == (b->values == NULL) && (!a->values || kd_str_eq(a->values->digest, b->values->digest));
}

static bool co_keeps_profiles(const struct kd_catalog_application *before, const struct kd_catalog_application *after)
{
    for (size_t i = 0; i < before->profiles.n; i++) {
        bool kept = false;
        for (size_t k = 0; k < after->profiles.n; k++)
            kept |= kd_str_eq(before->profiles.v[i].name, after->profiles.v[k].name) &&
                    co_same_values(&before->profiles.v[i], &after->profiles.v[k]);
        if (!kept)
            return false;
    }
    return true;
}

bool co_may_change_deployed(const struct kd_catalog_application *before, const struct kd_catalog_application *after)
{
    return kd_str_eq(before->chart_name, after->chart_name) && kd_str_eq(before->chart_version, after->chart_version) &&
           kd_str_eq(before->helm_registry, after->helm_registry) && kd_str_eq(before->image_registry, after->image_registry) &&
           kd_str_eq(before->default_profile, after->default_profile) && co_keeps_profiles(before, after);
}
