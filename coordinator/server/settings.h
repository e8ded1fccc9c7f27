/** The coordinator's settings: one table of rows for parser, help, check and man page. */
#ifndef CO_SERVER_SETTINGS_H
#define CO_SERVER_SETTINGS_H

#include "shared/base/settings.h"

/** `[registry HOST[:PORT]]`: how a registry is reached whose catalog entry does not say it. */
struct co_settings_registry {
    struct kd_str host;
    bool plain_http;
    struct kd_str ca_file, username, password_file;
};

struct co_settings {
    struct kd_str project;
    struct kd_str broker_address, broker_ca_file, broker_cert_file, broker_key_file, broker_username, broker_password_file,
        broker_client_id;
    int64_t broker_keep_alive_us;
    int64_t hello_interval_us, hello_grace_us, hello_spread_us, object_keep_us;
    struct kd_str state_directory;
    int64_t store_bytes;
    int log_level;
    struct {
        struct co_settings_registry *v;
        size_t n;
    } registries;
};

extern const struct kd_settings co_settings_table;

const struct co_settings_registry *co_settings_registry_of(const struct co_settings *settings, struct kd_str host);

#endif
