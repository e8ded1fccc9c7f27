/** From a deployment and its package to the document that edges run: profiles, namespaces, values, order (docs/catalog.md). */
#ifndef CO_CORE_PLAN_H
#define CO_CORE_PLAN_H

#include "shared/model/messages.h"

/** One application of the package as it was found in the catalog. */
struct co_plan_app {
    const struct kd_catalog_application *application;
    const struct kd_catalog_registry *registry; /* NULL: not there yet */
    struct kd_str chart_digest;                 /* "" until the registry was asked */
    struct kd_ref override;                     /* the deployment's own values; digest "" if there are none */
};

/** The profile of a package by name; with "" the default one. NULL where the package has none of that name (or none at all). */
const struct kd_deployment_profile *co_package_profile(const struct kd_catalog_package *package, struct kd_str name);

/** The profile that an application has within a package's profile (NULL: the application's default, or none). Fails with KD_INVALID
 *  where a profile is named that the application does not have. *ret may become NULL: an application without profiles. */
KD_MUST_CHECK enum kd_code co_application_profile(const struct kd_deployment_profile *profile,
                                                  const struct kd_catalog_application *application,
                                                  const struct kd_catalog_profile **ret, struct kd_err *err);

/** The override of an application in a deployment, or NULL. */
const struct kd_override *co_override_of(const struct kd_deployment *deployment, struct kd_str app);

/** The whole document. `apps` are in the package's order, each with registry and chart digest. Texts are borrowed. */
KD_MUST_CHECK enum kd_code co_plan_document(const struct kd_deployment *deployment, const struct kd_catalog_package *package,
                                            const struct co_plan_app *apps, struct kd_arena *arena, struct kd_document *ret,
                                            struct kd_err *err);

#endif
