/** How `kedge` reaches a coordinator: from ~/.config/kedge/config, then KEDGE_…, then flags; later ones win. */
#ifndef CT_SETTINGS_H
#define CT_SETTINGS_H

#include "shared/base/settings.h"

enum ct_color { CT_COLOR_AUTO, CT_COLOR_ALWAYS, CT_COLOR_NEVER };

struct ct_settings {
    struct kd_str broker, project, operator_name;
    struct kd_str ca_file, cert_file, key_file, username, password_file;
    int64_t timeout_us;
    int color; /* enum ct_color */
};

extern const struct kd_settings ct_settings_table;

/** The row of a flag like "ca-file", NULL if there is none. */
const struct kd_setting *ct_setting_of_flag(struct kd_str name);

/** The path of the settings file; "" if there is no home directory. */
struct kd_str ct_settings_path(struct kd_arena *arena);

/** File and environment. A file that is not there is none. */
KD_MUST_CHECK enum kd_code ct_settings_read(struct kd_arena *arena, struct ct_settings *ret, struct kd_err *err);

#endif
