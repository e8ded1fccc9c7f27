/** The coordinator's shell: loop, broker, clocks, registries, signals around the service. */
#ifndef CO_SERVER_SHELL_H
#define CO_SERVER_SHELL_H

#include "coordinator/server/service.h"
#include "coordinator/server/settings.h"
#include "coordinator/server/stores.h"
#include "shared/os/program.h"

/** What the service needs of the settings. */
struct co_service_options co_options_of(const struct co_settings *settings);

/** Runs until SIGTERM or SIGINT. The settings and stores are the caller's; texts of the settings live in `arena`. */
KD_MUST_CHECK enum kd_code co_shell_run(const struct kd_program *program, const char *config, struct co_settings *settings,
                                        struct co_stores *stores, struct kd_err *err);

#endif
