/** How `kedge` reaches a coordinator. */
#include "coordinator/cli/settings.h"

#include <ctype.h>
#include <pwd.h>
#include <stdio.h>

#include "shared/base/own.h"
#include "shared/model/name.h"
#include "shared/os/file.h"

static const char *const ct_color_words[] = { "auto", "always", "never", NULL };

#define T struct ct_settings
static const struct kd_setting ct_rows[] = {
    { .key = "broker",
      .fallback = "mqtt://localhost:1883",
      .help = "Address of the MQTT broker: mqtts://host:8883 or mqtt://host:1883",
      .kind = KD_SETTING_TEXT,
      .min = 1,
      .max = 300,
      .at = offsetof(T, broker) },
    { .key = "project",
      .fallback = "default",
      .help = "The project to work in",
      .kind = KD_SETTING_TEXT,
      .min = 1,
      .max = KD_NAME_MAX,
      .at = offsetof(T, project) },
    { .key = "operator",
      .fallback = "",
      .help = "Your name towards the broker (without it: the name of your account)",
      .kind = KD_SETTING_TEXT,
      .max = KD_OPERATOR_MAX,
      .at = offsetof(T, operator_name) },
    { .key = "ca_file",
      .fallback = "",
      .help = "File of the certificates to trust (without it: those of the system)",
      .kind = KD_SETTING_TEXT,
      .max = 4096,
      .at = offsetof(T, ca_file) },
    { .key = "cert_file",
      .fallback = "",
      .help = "File of your certificate",
      .kind = KD_SETTING_TEXT,
      .max = 4096,
      .at = offsetof(T, cert_file) },
    { .key = "key_file",
      .fallback = "",
      .help = "File of the key of your certificate",
      .kind = KD_SETTING_TEXT,
      .max = 4096,
      .at = offsetof(T, key_file) },
    { .key = "username",
      .fallback = "",
      .help = "User name for brokers that ask for one",
      .kind = KD_SETTING_TEXT,
      .max = 256,
      .at = offsetof(T, username) },
    { .key = "password_file",
      .fallback = "",
      .help = "File that holds the password on its first line",
      .kind = KD_SETTING_TEXT,
      .max = 4096,
      .at = offsetof(T, password_file) },
    { .key = "timeout",
      .fallback = "30s",
      .help = "How long to wait for the coordinator, or for the end of what --wait waits for",
      .kind = KD_SETTING_DURATION,
      .min = 100000,
      .max = INT64_C(86400) * 1000000,
      .at = offsetof(T, timeout_us) },
    { .key = "color",
      .fallback = "auto",
      .help = "Colours: auto (on a terminal, unless NO_COLOR is set), always or never",
      .kind = KD_SETTING_WORD,
      .at = offsetof(T, color),
      .words = ct_color_words },
};
#undef T

const struct kd_settings ct_settings_table = {
    .program = "kedge", .rows = ct_rows, .count = KD_COUNT(ct_rows), .size = sizeof(struct ct_settings)
};

static bool ct_flag_matches(const char *key, struct kd_str name)
{
    size_t n = strlen(key);
    for (size_t i = 0; i < n && i < name.n; i++)
        if (name.p[i] != (key[i] == '_' ? '-' : key[i]))
            return false;
    return n == name.n;
}

const struct kd_setting *ct_setting_of_flag(struct kd_str name)
{
    for (size_t i = 0; i < KD_COUNT(ct_rows); i++)
        if (ct_flag_matches(ct_rows[i].key, name))
            return &ct_rows[i];
    return NULL;
}

static const char *ct_home(void)
{
    const char *home = getenv("HOME");
    if (home && home[0])
        return home;
    const struct passwd *entry = getpwuid(getuid());
    return entry ? entry->pw_dir : NULL;
}

struct kd_str ct_settings_path(struct kd_arena *arena)
{
    const char *named = getenv("KEDGE_CONFIG"), *config = getenv("XDG_CONFIG_HOME"), *home = ct_home();
    if (named && named[0])
        return kd_arena_copy(arena, kd_str(named));
    if (config && config[0] == '/')
        return kd_arena_printf(arena, "%s/kedge/config", config);
    return home ? kd_arena_printf(arena, "%s/.config/kedge/config", home) : KD_STR("");
}

static enum kd_code ct_settings_read_file(struct kd_arena *arena, struct ct_settings *ret, struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf text = KD_BUF(KD_SETTINGS_FILE_MAX);
    struct kd_str path = ct_settings_path(arena);
    enum kd_code code = path.n ? kd_file_read(path.p, &text, err) : KD_NOT_FOUND;
    if (code != KD_OK && code != KD_NOT_FOUND)
        return code;
    code = kd_settings_parse(&ct_settings_table, kd_buf_str(&text), arena, ret, err);
    return code ? kd_wrap(err, "%.*s", KD_ARG(path)) : KD_OK;
}

static enum kd_code ct_settings_read_environment(struct kd_arena *arena, struct ct_settings *settings, struct kd_err *err)
{
    for (size_t i = 0; i < KD_COUNT(ct_rows); i++) {
        char name[64];
        int n = snprintf(name, sizeof(name), "KEDGE_%s", ct_rows[i].key);
        for (int j = 6; j < n; j++)
            name[j] = (char)toupper((unsigned char)name[j]);
        const char *value = getenv(name);
        if (value == NULL)
            continue;
        enum kd_code code = kd_settings_set(&ct_settings_table, kd_str(ct_rows[i].key), kd_str(value), name, arena, settings, err);
        if (code != KD_OK)
            return code;
    }
    return KD_OK;
}

enum kd_code ct_settings_read(struct kd_arena *arena, struct ct_settings *ret, struct kd_err *err)
{
    enum kd_code code = ct_settings_read_file(arena, ret, err);
    return code ? code : ct_settings_read_environment(arena, ret, err);
}
