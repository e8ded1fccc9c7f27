/** The agent's settings: one file for kedge-agent and kedge-agent-job, one table of rows for parser, help, check and man page. */
#ifndef AG_JOBS_SETTINGS_H
#define AG_JOBS_SETTINGS_H

#include "shared/base/settings.h"

enum ag_runtime_word { AG_RUNTIME_PODMAN };

/** `[registry HOST[:PORT]]`: how one registry is reached, for charts and images. */
struct ag_settings_registry {
    struct kd_str host;
    bool plain_http;
    struct kd_str ca_file;       /* "": the authorities of the system */
    struct kd_str username;      /* "": no credentials */
    struct kd_str password_file; /* its first line */
    struct kd_str mirror;        /* HOST[:PORT] that is asked first, with the settings of its own section; "": none */
};

struct ag_settings {
    struct kd_str project, cluster;
    struct kd_str broker_address; /* mqtts://host[:port] or mqtt://host[:port] */
    struct kd_str broker_ca_file, broker_cert_file, broker_key_file;
    struct kd_str broker_username, broker_password_file;
    int64_t broker_keep_alive_us, hello_interval_us;
    struct kd_str state_directory, run_directory;
    int runtime; /* enum ag_runtime_word */
    struct kd_str podman_socket, podman_default_registry;
    struct kd_str helm_path;
    struct kd_str job_path; /* "": kedge-agent-job beside kedge-agent, else in ../libexec/kedge */
    int64_t job_memory_bytes, job_deadline_us, job_observe_deadline_us;
    int64_t content_limit_bytes;
    struct kd_str kubernetes_version, kubernetes_api_versions;
    struct kd_str labels; /* key=value,… */
    int log_level;        /* index into the words of shared/os/log.h */
    struct {
        struct ag_settings_registry *v;
        size_t n;
    } registries;
};

extern const struct kd_settings ag_settings_table;

/** The section of a registry's host[:port], NULL where there is none. */
const struct ag_settings_registry *ag_settings_registry_of(const struct ag_settings *settings, struct kd_str host);

#endif
