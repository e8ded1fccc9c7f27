/** The rows of the agent's settings. */
#include "agent/jobs/settings.h"

#include "shared/base/own.h"
#include "shared/base/time.h"
#include "shared/model/name.h"

#define S INT64_C(1000000) /* microseconds */
#define M (INT64_C(1) << 20)

enum { AG_PATH_MAX = 4096, AG_SOCKET_MAX = 107 /* bytes of a Unix socket's path */ };

static const char *const runtime_words[] = { "podman", NULL };
/** The same as kd_log_words of shared/os/log.h, which pure code cannot use; a test compares them. */
static const char *const log_words[] = { "error", "warning", "notice", "info", "debug", NULL };

#define ROW(member, setting, standard, kind_, min_, max_, ...)                                                                     \
    {                                                                                                                              \
        .key = (setting), .fallback = (standard), .kind = KD_SETTING_##kind_, .min = (min_), .max = (max_),                        \
        .at = offsetof(struct ag_settings, member), .help = __VA_ARGS__                                                            \
    }

static const struct kd_setting ag_rows[] = {
    ROW(project, "project", "default", TEXT, 1, KD_NAME_MAX, "The project that this edge belongs to"),
    ROW(cluster, "cluster", NULL, TEXT, 1, KD_NAME_MAX, "The name of this edge cluster in its project"),
    ROW(broker_address, "broker.address", NULL, TEXT, 1, 300,
        "The MQTT broker: mqtts://HOST[:PORT] (TLS, port 8883) or mqtt://HOST[:PORT] (no TLS, port 1883)"),
    ROW(broker_ca_file, "broker.ca_file", "", TEXT, 0, AG_PATH_MAX,
        "PEM file of the authorities that the broker's certificate may come from; empty: those of the system"),
    ROW(broker_cert_file, "broker.cert_file", "", TEXT, 0, AG_PATH_MAX, "PEM file of this agent's certificate; empty: none"),
    ROW(broker_key_file, "broker.key_file", "", TEXT, 0, AG_PATH_MAX, "PEM file of the certificate's private key"),
    ROW(broker_username, "broker.username", "", TEXT, 0, 256, "User name at the broker; empty: none"),
    ROW(broker_password_file, "broker.password_file", "", TEXT, 0, AG_PATH_MAX, "File whose first line is the broker's password"),
    ROW(broker_keep_alive_us, "broker.keep_alive", "5m", DURATION, 5 * S, 3600 * S,
        "How often a quiet connection to the broker is proved alive"),
    ROW(hello_interval_us, "hello.interval", "1h", DURATION, 1 * S, 86400 * S,
        "How often the agent says hello when nothing has changed", .reloads = true),
    ROW(state_directory, "state.directory", "/var/lib/kedge-agent", TEXT, 1, AG_PATH_MAX,
        "Where the agent keeps its store, charts, renderings and files"),
    ROW(run_directory, "run.directory", "/run/kedge-agent", TEXT, 1, AG_PATH_MAX, "Where jobs have their private directories"),
    ROW(runtime, "runtime", "podman", WORD, 0, 0, "What runs the applications", .words = runtime_words),
    ROW(podman_socket, "podman.socket", "/run/podman/podman.sock", TEXT, 1, AG_SOCKET_MAX, "Unix socket of Podman's service"),
    ROW(podman_default_registry, "podman.default_registry", "", TEXT, 0, 300,
        "HOST[:PORT] for images that name no registry; empty: such images are refused", .reloads = true),
    ROW(helm_path, "helm.path", "helm", TEXT, 1, AG_PATH_MAX, "The helm program (3 or 4); a name is looked for along PATH",
        .reloads = true),
    ROW(job_path, "job.path", "", TEXT, 0, AG_PATH_MAX,
        "The kedge-agent-job program; empty: beside kedge-agent, else in ../libexec/kedge"),
    ROW(job_memory_bytes, "job.memory", "512M", BYTES, 64 * M, 65536 * M,
        "Data memory of one job, and of one program that it starts", .reloads = true),
    ROW(job_deadline_us, "job.deadline", "15m", DURATION, 10 * S, 86400 * S,
        "How long a job may take that fetches, starts or removes an application", .reloads = true),
    ROW(job_observe_deadline_us, "job.observe_deadline", "60s", DURATION, 5 * S, 3600 * S,
        "How long a job may take that only looks", .reloads = true),
    ROW(content_limit_bytes, "content.limit", "2G", BYTES, 16 * M, 1048576 * M,
        "Charts kept on disk; those that are in use stay in any case", .reloads = true),
    ROW(kubernetes_version, "kubernetes.version", "1.35.0", TEXT, 1, 40, "The Kubernetes version that charts are rendered for"),
    ROW(kubernetes_api_versions, "kubernetes.api_versions", "", TEXT, 0, KD_SETTINGS_FILE_MAX,
        "Further API versions that charts may find, by commas, e.g. monitoring.coreos.com/v1"),
    ROW(labels, "labels", "", TEXT, 0, 4096, "What this edge says of itself: KEY=VALUE, by commas", .reloads = true),
    ROW(log_level, "log.level", "info", WORD, 0, 0, "What is logged", .words = log_words, .reloads = true),
};

#define REGISTRY_ROW(member, setting, kind_, standard, max_, help_)                                                                \
    {                                                                                                                              \
        .key = (setting), .fallback = (standard), .kind = KD_SETTING_##kind_, .max = (max_), .help = (help_), .reloads = true,     \
        .at = offsetof(struct ag_settings_registry, member)                                                                        \
    }

static const struct kd_setting ag_registry_rows[] = {
    REGISTRY_ROW(plain_http, "plain_http", FLAG, "no", 0, "It is reached by plain HTTP, without TLS"),
    REGISTRY_ROW(ca_file, "ca_file", TEXT, "", AG_PATH_MAX,
                 "PEM file of the authorities that its certificate may come from; empty: those of the system"),
    REGISTRY_ROW(username, "username", TEXT, "", 256, "User name; empty: none"),
    REGISTRY_ROW(password_file, "password_file", TEXT, "", AG_PATH_MAX, "File whose first line is the password or token"),
    REGISTRY_ROW(mirror, "mirror", TEXT, "", 300, "HOST[:PORT] of a mirror that is asked for charts first"),
};

static const struct kd_settings_section ag_sections[] = {
    {
        .name = "registry",
        .label_help = "HOST[:PORT]",
        .help = "How one registry of charts and images is reached",
        .rows = ag_registry_rows,
        .count = KD_COUNT(ag_registry_rows),
        .size = sizeof(struct ag_settings_registry),
        .label_at = offsetof(struct ag_settings_registry, host),
        .list_at = offsetof(struct ag_settings, registries),
    },
};

const struct kd_settings ag_settings_table = {
    .program = "kedge-agent",
    .rows = ag_rows,
    .count = KD_COUNT(ag_rows),
    .size = sizeof(struct ag_settings),
    .sections = ag_sections,
    .section_count = KD_COUNT(ag_sections),
};

const struct ag_settings_registry *ag_settings_registry_of(const struct ag_settings *settings, struct kd_str host)
{
    for (size_t i = 0; i < settings->registries.n; i++)
        if (kd_str_eq(settings->registries.v[i].host, host))
            return &settings->registries.v[i];
    return NULL;
}
