/** From a deployment and its package to the document that edges run. */
#include "coordinator/core/plan.h"

#include "shared/base/own.h"

enum { CO_TIMEOUT_S = 600 /* how long an application may take to become healthy, where nothing else is said */ };

const struct kd_deployment_profile *co_package_profile(const struct kd_catalog_package *package, struct kd_str name)
{
    const struct kd_str wanted = name.n ? name : package->default_profile.n ? package->default_profile : KD_STR("default");
    for (size_t i = 0; i < package->profiles.n; i++)
        if (kd_str_eq(package->profiles.v[i].name, wanted))
            return &package->profiles.v[i];
    return name.n == 0 && package->profiles.n ? &package->profiles.v[0] : NULL;
}

/** The name of the application's profile in a package's profile; keys are `app` or `app:version`. */
static struct kd_str co_profile_name(const struct kd_deployment_profile *profile, const struct kd_catalog_application *application)
{
    for (size_t i = 0; profile && i < profile->application_profiles.n; i++) {
        struct kd_str version = profile->application_profiles.v[i].application, name = kd_str_cut(&version, ':');
        if (kd_str_eq(name, application->name) && (version.n == 0 || kd_str_eq(version, application->version)))
            return profile->application_profiles.v[i].profile;
    }
    return application->default_profile;
}

enum kd_code co_application_profile(const struct kd_deployment_profile *profile, const struct kd_catalog_application *application,
                                    const struct kd_catalog_profile **ret, struct kd_err *err)
{
    struct kd_str name = co_profile_name(profile, application);
    for (size_t i = 0; name.n && i < application->profiles.n; i++)
        if (kd_str_eq(application->profiles.v[i].name, name)) {
            *ret = &application->profiles.v[i];
            return KD_OK;
        }
    if (name.n)
        return kd_fail_field(err, KD_INVALID, "$.profile", "application %.*s %.*s has no profile \"%.*s\"",
                             KD_ARG(application->name), KD_ARG(application->version), KD_ARG(name));
    *ret = application->profiles.n ? &application->profiles.v[0] : NULL;
    return KD_OK;
}

const struct kd_override *co_override_of(const struct kd_deployment *deployment, struct kd_str app)
{
    for (size_t i = 0; i < deployment->overrides.n; i++)
        if (kd_str_eq(deployment->overrides.v[i].app, app))
            return &deployment->overrides.v[i];
    return NULL;
}

/** An override's namespace, else the package's for the application, else the deployment's name. */
static struct kd_str co_namespace(const struct kd_deployment *deployment, const struct kd_catalog_package *package,
                                  struct kd_str app)
{
    const struct kd_override *override = co_override_of(deployment, app);
    if (override && override->namespace.n)
        return override->namespace;
    for (size_t i = 0; i < package->default_namespaces.n; i++)
        if (kd_str_eq(package->default_namespaces.v[i].key, app))
            return package->default_namespaces.v[i].value;
    return deployment->name;
}

static bool co_plan_values(const struct co_plan_app *app, const struct kd_catalog_profile *profile, struct kd_arena *arena,
                           struct kd_document_app *ret)
{
    ret->values.v = kd_arena_alloc(arena, 2 * sizeof *ret->values.v);
    if (!ret->values.v)
        return false;
    if (profile && profile->values)
        ret->values.v[ret->values.n++] = *profile->values;
    if (app->override.digest.n)
        ret->values.v[ret->values.n++] = app->override;
    return true;
}

static bool co_plan_dependencies(const struct kd_catalog_package *package, struct kd_str app, struct kd_arena *arena,
                                 struct kd_strs *ret)
{
    ret->v = kd_arena_alloc(arena, (package->dependencies.n + 1) * sizeof *ret->v);
    if (!ret->v)
        return false;
    for (size_t i = 0; i < package->dependencies.n; i++)
        if (kd_str_eq(package->dependencies.v[i].name, app))
    ret->v[ret->n++] = package->dependencies.v[i].requires;
    return true;
}

static enum kd_code co_plan_app(const struct kd_deployment *deployment, const struct kd_catalog_package *package,
                                const struct kd_deployment_profile *profile, const struct co_plan_app *app, struct kd_arena *arena,
                                struct kd_document_app *ret, struct kd_err *err)
{
    const struct kd_catalog_application *a = app->application;
    const struct kd_catalog_profile *values = NULL;
    enum kd_code code = co_application_profile(profile, a, &values, err);
    if (code != KD_OK)
        return code;
    *ret = (struct kd_document_app){
        .name = a->name,
        .version = a->version,
        .namespace = co_namespace(deployment, package, a->name),
        .chart = { app->registry->root_url, a->chart_name, a->chart_version, app->chart_digest },
        .ignore = { a->ignored_resources.v, a->ignored_resources.n },
    };
    if (!co_plan_values(app, values, arena, ret) || !co_plan_dependencies(package, a->name, arena, &ret->depends_on))
        return kd_fail(err, KD_TOO_LARGE, 0, "the deployment needs more memory than allowed");
    return KD_OK;
}

enum kd_code co_plan_document(const struct kd_deployment *deployment, const struct kd_catalog_package *package,
                              const struct co_plan_app *apps, struct kd_arena *arena, struct kd_document *ret, struct kd_err *err)
{
    const struct kd_deployment_profile *profile = co_package_profile(package, deployment->profile);
    if (deployment->profile.n && !profile)
        return kd_fail_field(err, KD_INVALID, "$.profile", "package %.*s %.*s has no profile \"%.*s\"", KD_ARG(package->name),
                             KD_ARG(package->version), KD_ARG(deployment->profile));
    *ret = (struct kd_document){
        .deployment = deployment->name,
        .uid = deployment->meta.uid,
        .package = { package->name, package->version },
        .profile = profile ? profile->name : (struct kd_str){ NULL, 0 },
        .namespaces = { package->namespaces.v, package->namespaces.n },
        .policy = { .timeout_s = CO_TIMEOUT_S, .rollback = true },
    };
    ret->apps.v = kd_arena_alloc(arena, package->applications.n * sizeof *ret->apps.v);
    if (!ret->apps.v)
        return kd_fail(err, KD_TOO_LARGE, 0, "the deployment needs more memory than allowed");
    for (; ret->apps.n < package->applications.n; ret->apps.n++) {
        enum kd_code code = co_plan_app(deployment, package, profile, &apps[ret->apps.n], arena, &ret->apps.v[ret->apps.n], err);
        if (code != KD_OK)
            return code;
    }
    return KD_OK;
}
