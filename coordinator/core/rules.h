/** Rules within one catalog document that its table of fields cannot say (docs/catalog.md). Rules between documents are the server's. */
#ifndef CO_CORE_RULES_H
#define CO_CORE_RULES_H

#include "shared/model/catalog.h"

KD_MUST_CHECK enum kd_code co_check_registry(const struct kd_catalog_registry *registry, struct kd_err *err);
KD_MUST_CHECK enum kd_code co_check_artifact(const struct kd_catalog_artifact *artifact, struct kd_err *err);
KD_MUST_CHECK enum kd_code co_check_application(const struct kd_catalog_application *application, struct kd_err *err);
/** Profiles, dependencies without cycles, namespaces: everything names applications of the package. */
KD_MUST_CHECK enum kd_code co_check_package(const struct kd_catalog_package *package, struct kd_err *err);
KD_MUST_CHECK enum kd_code co_check_deployment(const struct kd_deployment *deployment, struct kd_err *err);
KD_MUST_CHECK enum kd_code co_check_cluster(const struct kd_cluster *cluster, struct kd_err *err);

/** True if an application that is deployed may be changed from `before` to `after`: only its texts for people, its kind, its ignored
 *  resources, and profiles that are added. Anything else needs a new version. */
bool co_may_change_deployed(const struct kd_catalog_application *before, const struct kd_catalog_application *after);

#endif
