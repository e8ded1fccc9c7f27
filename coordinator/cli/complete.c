/** Completion: what may stand in place of the last word. */
#include <stdio.h>

#include "coordinator/cli/help.h"
#include "shared/base/own.h"

enum { CT_COMPLETE_US = 1000000 /* for the coordinator's answers */ };

struct ct_completing {
    struct ct_call *call;
    struct kd_str last, before; /* the word to complete, and the one before it */
    struct ct_args args;        /* the words before the last one, as far as they can be read */
    struct kd_buf out;
};

static void ct_offer(struct ct_completing *c, struct kd_str word)
{
    if (word.n && kd_str_starts(word, c->last))
        kd_buf_printf(&c->out, "%.*s\n", KD_ARG(word));
}

static void ct_offer_names(struct ct_completing *c, const struct ct_kind *kind)
{
    struct ct_views views;
    if (kind == NULL || kind->is_listed_only)
        return;
    if (ct_list(c->call, kind->name, "list", KD_STR("{}"), c->call->arena, &views, NULL) != KD_OK)
        return;
    for (size_t i = 0; i < views.n; i++)
        ct_offer(c, ct_name_text(kind, &views.v[i], c->call->arena));
}

/** The versions of the package of the deployment that was named before. */
static void ct_offer_versions(struct ct_completing *c)
{
    struct ct_thing there;
    struct ct_views views;
    const struct ct_kind *kind = ct_kind_of(KD_STR("deployment"));
    struct ct_name name = { .name = c->args.word_count ? c->args.words[0] : (struct kd_str){ NULL, 0 } };
    if (ct_get(c->call, kind, &name, c->call->arena, &there, NULL) != KD_OK ||
        ct_list(c->call, "package", "list", KD_STR("{}"), c->call->arena, &views, NULL) != KD_OK)
        return;
    for (size_t i = 0; i < views.n; i++)
        if (kd_str_eq(views.v[i].name, there.view.package.name))
            ct_offer(c, views.v[i].version);
}

static void ct_offer_flags(struct ct_completing *c)
{
    char text[128];
    for (size_t i = 0; i < CT_FLAG_COUNT; i++) {
        if (c->args.command == NULL || !(c->args.command->flags & (UINT64_C(1) << i)))
            continue;
        (void)snprintf(text, sizeof(text), "--%s", ct_flags[i].name);
        ct_offer(c, kd_str(text));
    }
    for (size_t i = 0; i < ct_settings_table.count; i++) {
        int n = snprintf(text, sizeof(text), "--%s", ct_settings_table.rows[i].key);
        for (int j = 0; j < n; j++)
            text[j] = text[j] == '_' ? '-' : text[j];
        ct_offer(c, kd_str(text));
    }
    ct_offer(c, KD_STR("--help"));
}

static void ct_offer_place(struct ct_completing *c, enum ct_place place)
{
    switch (place) {
    case CT_PLACE_COMMAND:
        for (size_t i = 0; i < ct_command_count; i++)
            ct_offer(c, kd_str(ct_commands[i].name));
        break;
    case CT_PLACE_KIND:
        for (size_t i = 0; i < ct_kind_count; i++)
            ct_offer(c, kd_str(ct_kinds[i].plural));
        for (size_t i = 0; i < ct_kind_count; i++)
            ct_offer(c, kd_str(ct_kinds[i].name));
        break;
    case CT_PLACE_NAME:
        ct_offer_names(c, c->args.word_count ? ct_kind_of(c->args.words[0]) : NULL);
        break;
    case CT_PLACE_CLUSTER:
        ct_offer_names(c, ct_kind_of(KD_STR("cluster")));
        break;
    case CT_PLACE_DEPLOYMENT:
        ct_offer_names(c, ct_kind_of(KD_STR("deployment")));
        break;
    case CT_PLACE_PACKAGE:
        ct_offer_names(c, ct_kind_of(KD_STR("package")));
        break;
    case CT_PLACE_VERSION:
        ct_offer_versions(c);
        break;
    case CT_PLACE_FILE: /* the shell completes files by itself where nothing is offered */
    case CT_PLACE_NONE:
        break;
    }
}

/** True if the word before is a flag that wants a value; what it may be is offered. */
static bool ct_offer_value(struct ct_completing *c)
{
    if (kd_str_is(c->before, "-o") || kd_str_is(c->before, "--output")) {
        for (size_t i = 0; i < CT_FORMAT_COUNT; i++)
            ct_offer(c, kd_str(ct_format_words[i]));
        return true;
    }
    if (kd_str_is(c->before, "--cluster")) {
        ct_offer_place(c, CT_PLACE_CLUSTER);
        return true;
    }
    for (size_t i = 0; i < CT_FLAG_COUNT; i++) {
        bool is_long = c->before.n > 2 && kd_str_is((struct kd_str){ c->before.p + 2, c->before.n - 2 }, ct_flags[i].name);
        bool is_short = c->before.n == 2 && c->before.p[0] == '-' && ct_flags[i].letter && c->before.p[1] == ct_flags[i].letter;
        if (ct_flags[i].value && (is_short || (is_long && kd_str_starts(c->before, KD_STR("--")))))
            return true;
    }
    return kd_str_starts(c->before, KD_STR("--")) &&
           ct_setting_of_flag((struct kd_str){ c->before.p + 2, c->before.n - 2 }) != NULL;
}

static enum ct_place ct_place_of(const struct ct_args *args)
{
    size_t i = args->word_count < CT_PLACES_MAX ? args->word_count : CT_PLACES_MAX - 1;
    if (args->word_count >= args->command->words_max)
        return CT_PLACE_NONE;
    while (i > 0 && args->command->places[i] == CT_PLACE_NONE)
        i--; /* the last place is that of all further words */
    return args->command->places[i];
}

enum ct_exit ct_complete(struct ct_call *call, int argc, const char *const *argv)
{
    struct ct_completing c = { .call = call, .out = KD_BUF(1 << 20) };
    struct kd_err err = { 0 };
    int known = argc > 0 ? argc - 1 : 0;
    c.last = kd_str(argc > 0 ? argv[argc - 1] : "");
    c.before = kd_str(argc > 1 ? argv[argc - 2] : "");
    enum kd_code unfinished = ct_args_parse(known, argv, call->arena, &call->settings, &c.args, &err);
    (void)unfinished; /* no mistake here */
    call->settings.timeout_us = call->settings.timeout_us < CT_COMPLETE_US ? call->settings.timeout_us : CT_COMPLETE_US;
    if (ct_offer_value(&c))
        ;
    else if (c.last.n && c.last.p[0] == '-')
        ct_offer_flags(&c);
    else if (c.args.command == NULL)
        ct_offer_place(&c, CT_PLACE_COMMAND);
    else
        ct_offer_place(&c, ct_place_of(&c.args));
    (void)ct_screen_print(kd_buf_str(&c.out));
    kd_buf_clear(&c.out);
    return CT_EXIT_OK;
}
