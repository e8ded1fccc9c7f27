/** Names: which texts are allowed where. The rules are those of the catalog's format (docs/catalog.md), so that its documents are
 *  accepted unchanged, and every name can stand in an MQTT topic, a file name and a key. */
#ifndef KD_MODEL_NAME_H
#define KD_MODEL_NAME_H

#include "shared/base/str.h"

enum {
    KD_NAME_MAX = 40,          /* bytes: packages, profiles, registries, deployments, clusters, projects, namespaces */
    KD_APP_NAME_MAX = 26,      /* bytes */
    KD_VERSION_MAX = 20,       /* bytes: versions of applications and packages */
    KD_CHART_NAME_MAX = 200,   /* bytes */
    KD_CHART_VERSION_MAX = 53, /* bytes */
    KD_OPERATOR_MAX = 64,      /* bytes */
    KD_UID_TEXT = 32,          /* hex digits: 128 random bits */
    KD_LABEL_MAX = 63,         /* bytes of a label's value; a key may have a DNS prefix of 253 before it */
};

#define KD_NAME_RULE     "must be lower-case letters, digits and '-', starting with a letter or digit, at most 40"
#define KD_APP_NAME_RULE "must be lower-case letters, digits and '-', starting with a letter or digit, at most 26"
#define KD_VERSION_RULE  "must be lower-case letters, digits, '-' and '.', starting with a letter or digit, at most 20"

bool kd_is_name(struct kd_str s);
bool kd_is_app_name(struct kd_str s);
bool kd_is_version(struct kd_str s);
bool kd_is_chart_name(struct kd_str s);
bool kd_is_chart_version(struct kd_str s);
/** A Kubernetes label key (prefix/name) or value (may be empty). */
bool kd_is_label_key(struct kd_str s);
bool kd_is_label_value(struct kd_str s);
/** An operator's identity: letters, digits and . _ @ -, 1 to 64. */
bool kd_is_operator(struct kd_str s);
/** A request's id: letters, digits, _ and -, 1 to 64. */
bool kd_is_request_id(struct kd_str s);
bool kd_is_uid(struct kd_str s);
/** Printable (no control characters), without blanks at the ends, at most 40 characters. */
bool kd_is_display_name(struct kd_str s);
/** http://, https:// or oci:// and a host. */
bool kd_is_root_url(struct kd_str s);
/** A path of Helm values, as in parameter templates: letters, digits and - / _ [ ] . \ */
bool kd_is_parameter(struct kd_str s);
/** Kubernetes object kind or name in a reference. */
bool kd_is_resource_kind(struct kd_str s);
bool kd_is_resource_name(struct kd_str s);
/** Lower-case letters, at most 16. */
bool kd_is_lower_word(struct kd_str s);

#endif
