/** kedge-coordinator: holds the catalog and the deployments of a project, and tells agents what to run. */
#include "coordinator/server/shell.h"
#include "shared/base/own.h"
#include "shared/os/log.h"

#include <malloc.h>
#include <stdio.h>

enum { CO_SETTINGS_MEMORY = 1024 * 1024 /* bytes */ };

static const struct kd_program_word co_words[] = {
    { "backup", "FILE", 1, "Write a consistent copy of the catalog and the deployments to a new FILE; the coordinator may run" },
    { "restore", "FILE", 1,
      "Go back to a backup, in a new epoch: everything is held until it is resumed; the coordinator may not run" },
    { "new-epoch", "", 0, "Begin a new epoch, where clusters are ahead of this coordinator; the coordinator may not run" },
};

static const struct kd_program co_program = {
    .settings = &co_settings_table,
    .summary = "deploys Helm-packaged applications to many edge clusters",
    .description =
        "Holds the catalog, the deployments and the clusters of a project, and publishes what each cluster shall run through an "
        "MQTT broker. Agents pull it. Operators use kedge(1).",
    .config = "/etc/kedge/coordinator.conf",
    .words = co_words,
    .word_count = KD_COUNT(co_words),
};

static enum kd_code co_run(const struct kd_program_call *call, struct co_settings *settings, struct kd_err *err)
{
    struct co_stores stores;
    struct co_service_options options = co_options_of(settings);
    if (call->word == &co_words[0])
        return co_stores_backup(settings->state_directory, call->arguments[0], err);
    if (call->word == &co_words[1])
        return co_stores_restore(settings->state_directory, settings->store_bytes, call->arguments[0], &options, err);
    if (call->word == &co_words[2])
        return co_stores_new_epoch(settings->state_directory, settings->store_bytes, &options, err);
    enum kd_code code = co_stores_open(settings->state_directory, settings->store_bytes, &stores, err);
    if (code != KD_OK)
        return code;
    code = co_shell_run(&co_program, call->config, settings, &stores, err);
    co_stores_close(&stores);
    return code;
}

int main(int argc, char **argv)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(CO_SETTINGS_MEMORY);
    struct co_settings settings;
    struct kd_program_call call;
    struct kd_err err;
    int code = 0;
    (void)mallopt(M_ARENA_MAX, 1); /* few threads, little memory */
    if (!kd_program_begin(&co_program, argc, argv, &arena, &settings, &call, &code))
        return code;
    kd_log_limit(kd_log_level(settings.log_level));
    if (co_run(&call, &settings, &err) == KD_OK)
        return 0;
    kd_log(LOG_ERR, call.word ? call.word->word : "failed", "why=\"%s\"", err.story);
    return 1;
}
