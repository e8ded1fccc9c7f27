/** The rows of the coordinator's settings. */
#include "coordinator/server/settings.h"

#include "shared/base/own.h"
#include "shared/base/time.h"
#include "shared/model/name.h"
#include "shared/os/log.h"

#define S KD_US_PER_S
#define G (INT64_C(1) << 30)

enum { CO_PATH_MAX = 4096 };

#define ROW(member, setting, standard, kind_, min_, max_, ...)                                                                     \
    {                                                                                                                              \
        .key = (setting), .fallback = (standard), .kind = KD_SETTING_##kind_, .min = (min_), .max = (max_),                        \
        .at = offsetof(struct co_settings, member), .help = __VA_ARGS__                                                            \
    }

static const struct kd_setting co_rows[] = {
    ROW(project, "project", "default", TEXT, 1, KD_NAME_MAX, "The project that this coordinator serves"),
    ROW(broker_address, "broker.address", NULL, TEXT, 1, 300,
        "The MQTT broker: mqtts://HOST[:PORT] (TLS, port 8883) or mqtt://HOST[:PORT] (no TLS, port 1883)"),
    ROW(broker_ca_file, "broker.ca_file", "", TEXT, 0, CO_PATH_MAX,
        "PEM file of the authorities that the broker's certificate may come from; empty: those of the system"),
    ROW(broker_cert_file, "broker.cert_file", "", TEXT, 0, CO_PATH_MAX, "PEM file of the coordinator's certificate; empty: none"),
    ROW(broker_key_file, "broker.key_file", "", TEXT, 0, CO_PATH_MAX, "PEM file of the certificate's private key"),
    ROW(broker_username, "broker.username", "", TEXT, 0, 256, "User name at the broker; empty: none"),
    ROW(broker_password_file, "broker.password_file", "", TEXT, 0, CO_PATH_MAX, "File whose first line is the broker's password"),
    ROW(broker_client_id, "broker.client_id", "kedge-coordinator", TEXT, 1, 256, "The client identifier; the project is appended"),
    ROW(broker_keep_alive_us, "broker.keep_alive", "60s", DURATION, 5 * S, 3600 * S,
        "How often a quiet connection to the broker is proved alive"),
    ROW(hello_interval_us, "hello.interval", "1h", DURATION, 1 * S, 86400 * S,
        "How often agents say hello (as in their settings); three silent intervals make a cluster offline", .reloads = true),
    ROW(hello_grace_us, "hello.grace", "60s", DURATION, 0, 3600 * S, "How long a cluster may be away before it is called offline",
        .reloads = true),
    ROW(hello_spread_us, "hello.spread", "60s", DURATION, 0, 3600 * S,
        "The time over which all agents spread their answers when the coordinator comes back; never more than hello.interval",
        .reloads = true),
    ROW(object_keep_us, "object.keep", "1d", DURATION, 60 * S, 365 * 86400 * S,
        "How long an object stays on the broker after nothing names it any more", .reloads = true),
    ROW(state_directory, "state.directory", "/var/lib/kedge-coordinator", TEXT, 1, CO_PATH_MAX,
        "Where the coordinator keeps its stores"),
    ROW(store_bytes, "store.size", "16G", BYTES, G / 16, 4096 * G,
        "The largest size of each store; only what is used takes disk space"),
    ROW(log_level, "log.level", "info", WORD, 0, 0, "What is logged", .words = kd_log_words, .reloads = true),
};

#define REGISTRY_ROW(member, setting, kind_, standard, max_, help_)                                                                \
    {                                                                                                                              \
        .key = (setting), .fallback = (standard), .kind = KD_SETTING_##kind_, .max = (max_), .help = (help_), .reloads = true,     \
        .at = offsetof(struct co_settings_registry, member)                                                                        \
    }

static const struct kd_setting co_registry_rows[] = {
    REGISTRY_ROW(plain_http, "plain_http", FLAG, "no", 0, "It is reached by plain HTTP, without TLS"),
    REGISTRY_ROW(ca_file, "ca_file", TEXT, "", CO_PATH_MAX,
                 "PEM file of the authorities that its certificate may come from; empty: those of the system"),
    REGISTRY_ROW(username, "username", TEXT, "", 256, "User name where the catalog has none; empty: none"),
    REGISTRY_ROW(password_file, "password_file", TEXT, "", CO_PATH_MAX, "File whose first line is the password or token"),
};

static const struct kd_settings_section co_sections[] = {
    {
        .name = "registry",
        .label_help = "HOST[:PORT]",
        .help = "How one registry of charts is reached",
        .rows = co_registry_rows,
        .count = KD_COUNT(co_registry_rows),
        .size = sizeof(struct co_settings_registry),
        .label_at = offsetof(struct co_settings_registry, host),
        .list_at = offsetof(struct co_settings, registries),
    },
};

const struct kd_settings co_settings_table = {
    .program = "kedge-coordinator",
    .rows = co_rows,
    .count = KD_COUNT(co_rows),
    .size = sizeof(struct co_settings),
    .sections = co_sections,
    .section_count = KD_COUNT(co_sections),
};

const struct co_settings_registry *co_settings_registry_of(const struct co_settings *settings, struct kd_str host)
{
    for (size_t i = 0; i < settings->registries.n; i++)
        if (kd_str_eq(settings->registries.v[i].host, host))
            return &settings->registries.v[i];
    return NULL;
}
