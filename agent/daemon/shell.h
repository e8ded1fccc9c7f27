/** The shell around the core: one libuv loop, to which store, broker, jobs, Podman's events, timers and signals bring what happens, and
 *  which carries out what the core wishes. */
#ifndef AG_DAEMON_SHELL_H
#define AG_DAEMON_SHELL_H

#include "agent/jobs/settings.h"
#include "shared/base/arena.h"
#include "shared/base/err.h"

struct ag_shell_options {
    struct ag_settings *settings; /* changed by a reload */
    const char *config;           /* the settings file, for jobs and reloads */
    /** Reads the settings file anew into *ret (texts in the arena). */
    enum kd_code (*read)(const char *config, struct kd_arena *arena, struct ag_settings *ret, struct kd_err *err);
};

/** Runs until SIGTERM or SIGINT. KD_OK: it was asked to stop. Otherwise it could not begin: KD_INVALID, KD_UNAVAILABLE. */
KD_MUST_CHECK enum kd_code ag_shell_run(const struct ag_shell_options *options, struct kd_err *err);

#endif
