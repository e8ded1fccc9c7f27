/** kedge-agent: pulls one edge cluster towards what it shall run. */
#include "agent/daemon/shell.h"

#include "shared/base/own.h"
#include "shared/os/log.h"
#include "shared/os/process.h"
#include "shared/os/program.h"

#include <malloc.h>
#include <signal.h>

enum { AG_SETTINGS_BYTES = 512 * 1024, AG_HEAP_KEPT = 64 * 1024 /* bytes: what is larger goes back to the system */ };

static const struct kd_program ag_program = {
    .settings = &ag_settings_table,
    .summary = "deploys applications to this edge cluster",
    .description =
        "kedge-agent gets from an MQTT broker what this edge cluster shall run, keeps it in its own store, and makes it run: now, "
        "after a reboot, and without a connection. What touches registries, Helm or containers is done by short-lived "
        "kedge-agent-job processes. SIGTERM ends it and leaves the applications running; SIGHUP reads the settings file again.",
    .config = "/etc/kedge/agent.conf",
};

static enum kd_code ag_settings_read(const char *config, struct kd_arena *arena, struct ag_settings *ret, struct kd_err *err)
{
    return kd_program_read(&ag_program, config, arena, ret, err);
}

/** A small heap for a small daemon: one arena for all threads, and large pieces go back at once. */
static void ag_heap_begin(void)
{
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_MMAP_THRESHOLD, AG_HEAP_KEPT);
    (void)mallopt(M_TRIM_THRESHOLD, AG_HEAP_KEPT);
}

int main(int argc, char **argv)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_SETTINGS_BYTES);
    struct kd_program_call call;
    struct ag_settings settings;
    struct kd_err err = { 0 };
    int status = 0;
    ag_heap_begin();
    if (!kd_program_begin(&ag_program, argc, argv, &arena, &settings, &call, &status))
        return status;
    (void)signal(SIGPIPE, SIG_IGN);
    kd_process_adopt();
    const struct ag_shell_options options = { &settings, call.config, ag_settings_read };
    if (ag_shell_run(&options, &err) == KD_OK)
        return 0;
    kd_log(LOG_ERR, "agent.failed", "why=\"%s\"", err.story);
    return 1;
}
