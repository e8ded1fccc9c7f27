/** kedge: the operators' command line. */
#include <stdio.h>

#include "coordinator/cli/call.h"
#include "coordinator/cli/help.h"
#include "shared/base/own.h"

static enum ct_exit ct_print_help(const struct ct_call *call)
{
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(1 << 20);
    if (call->args.wants_man)
        ct_man(&out);
    else if (call->args.wants_version)
        kd_buf_add(&out, KD_STR("kedge " KD_VERSION "\n"));
    else if (call->args.command)
        ct_help_command(call->args.command, &out);
    else
        ct_help_all(&out);
    return ct_print(call, &out);
}

static enum ct_exit ct_begin(struct ct_call *call, int argc, const char *const *argv)
{
    struct kd_err err = { 0 };
    if (ct_settings_read(call->arena, &call->settings, &err) != KD_OK)
        return ct_usage(call, &err);
    if (argc > 0 && kd_str_is(kd_str(argv[0]), "__complete"))
        return ct_complete(call, argc - 1, argv + 1);
    enum kd_code code = ct_args_parse(argc, argv, call->arena, &call->settings, &call->args, &err);
    ct_screen_begin(&call->screen, call->settings.color);
    if (code != KD_OK)
        return ct_usage(call, &err);
    if (call->args.wants_help || call->args.wants_version || call->args.wants_man)
        return ct_print_help(call);
    if (call->args.command)
        return call->args.command->run(call);
    (void)ct_print_help(call);
    return CT_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(CT_CALL_MEMORY);
    struct ct_call *call = KD_NEW(&arena, struct ct_call);
    if (call == NULL)
        return CT_EXIT_FAILED;
    call->arena = &arena;
    enum ct_exit code = ct_begin(call, argc - 1, (const char *const *)argv + 1);
    call->client = ct_client_close(call->client);
    return (int)code;
}
