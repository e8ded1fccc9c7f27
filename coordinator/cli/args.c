/** Reads the command line by the tables of commands, flags and settings. */
#include "coordinator/cli/command.h"

#include "coordinator/cli/suggest.h"
#include "shared/base/own.h"

#define CT_FLAG_AS_ROW(id, row_letter, row_name, row_value, row_kind, row_help)                                                    \
    [CT_FLAG_##id] = { .letter = row_letter, .name = row_name, .value = row_value, .kind = row_kind, .help = row_help },
const struct ct_flag ct_flags[CT_FLAG_COUNT] = { CT_FLAGS(CT_FLAG_AS_ROW) };

enum { CT_VALUES_MAX = 256 /* of one flag */ };

struct ct_reading {
    int argc, at;
    const char *const *argv;
    struct kd_arena *arena;
    struct ct_settings *settings;
    struct ct_args *args;
    uint64_t given;       /* bits of flags */
    const char *given_as; /* the last flag, as it was typed */
    struct kd_err *err;
};

const struct ct_command *ct_command_of(struct kd_str name)
{
    for (size_t i = 0; i < ct_command_count; i++)
        if (kd_str_is(name, ct_commands[i].name))
            return &ct_commands[i];
    return NULL;
}

static const struct {
    const char *name;
    char letter;
    size_t at; /* of a bool in struct ct_args */
} ct_asks[] = {
    { "help", 'h', offsetof(struct ct_args, wants_help) },
    { "version", 'V', offsetof(struct ct_args, wants_version) },
    { "man", '\0', offsetof(struct ct_args, wants_man) },
};

static enum kd_code ct_unknown_flag(struct ct_reading *in, struct kd_str name)
{
    struct ct_suggestion suggestion = { .typed = name };
    for (size_t i = 0; i < CT_FLAG_COUNT; i++)
        if (in->args->command == NULL || in->args->command->flags & (UINT64_C(1) << i))
            ct_suggest(&suggestion, kd_str(ct_flags[i].name));
    for (size_t i = 0; i < ct_settings_table.count; i++)
        ct_suggest(&suggestion, kd_str(ct_settings_table.rows[i].key));
    for (size_t i = 0; i < KD_COUNT(ct_asks); i++)
        ct_suggest(&suggestion, kd_str(ct_asks[i].name));
    if (suggestion.best.p)
        return kd_fail(in->err, KD_INVALID, 0, "there is no flag '%s': did you mean --%.*s?", in->given_as,
                       KD_ARG(suggestion.best));
    return kd_fail(in->err, KD_INVALID, 0, "there is no flag '%s'", in->given_as);
}

/** The value of a flag: what stands behind '=' (or the letter), else the next argument. */
static enum kd_code ct_take_value(struct ct_reading *in, struct kd_str attached, const char *what, struct kd_str *ret)
{
    if (attached.p == NULL) {
        if (in->at == in->argc)
            return kd_fail(in->err, KD_INVALID, 0, "flag '%s' wants a value: %s", in->given_as, what);
        attached = kd_str(in->argv[in->at++]);
    }
    *ret = attached;
    return KD_OK;
}

static enum kd_code ct_add_value(struct ct_reading *in, enum ct_flag_id id, struct kd_str value)
{
    struct kd_strs *values = &in->args->values[id];
    if (ct_flags[id].kind != CT_MANY && values->n)
        return kd_fail(in->err, KD_INVALID, 0, "flag '%s' is given twice", in->given_as);
    if (values->v == NULL)
        values->v = kd_arena_alloc(in->arena, CT_VALUES_MAX * sizeof(*values->v));
    if (values->v == NULL || values->n == CT_VALUES_MAX)
        return kd_fail(in->err, KD_INVALID, 0, "flag '%s' is given more than %d times", in->given_as, CT_VALUES_MAX);
    values->v[values->n++] = value;
    in->given |= UINT64_C(1) << id;
    return KD_OK;
}

static enum kd_code ct_read_known_flag(struct ct_reading *in, enum ct_flag_id id, struct kd_str attached)
{
    struct kd_str value = KD_STR("");
    if (ct_flags[id].kind == CT_SWITCH && attached.p)
        return kd_fail(in->err, KD_INVALID, 0, "flag --%s takes no value", ct_flags[id].name);
    enum kd_code code = ct_flags[id].kind == CT_SWITCH ? KD_OK : ct_take_value(in, attached, ct_flags[id].value, &value);
    return code ? code : ct_add_value(in, id, value);
}

static enum kd_code ct_read_setting(struct ct_reading *in, const struct kd_setting *row, struct kd_str attached)
{
    struct kd_str value;
    enum kd_code code = ct_take_value(in, attached, row->help, &value);
    in->args->has_timeout |= kd_str_is(kd_str(row->key), "timeout");
    return code ? code
                : kd_settings_set(&ct_settings_table, kd_str(row->key), value, in->given_as, in->arena, in->settings, in->err);
}

static enum kd_code ct_read_long_flag(struct ct_reading *in, const char *text)
{
    struct kd_str attached = kd_str(text + 2), name = kd_str_cut(&attached, '=');
    if (name.n == strlen(text + 2))
        attached = (struct kd_str){ NULL, 0 };
    else if (attached.p == NULL)
        attached = KD_STR("");
    for (size_t i = 0; i < KD_COUNT(ct_asks); i++) {
        if (kd_str_is(name, ct_asks[i].name)) {
            *(bool *)((char *)in->args + ct_asks[i].at) = true;
            return KD_OK;
        }
    }
    for (size_t i = 0; i < CT_FLAG_COUNT; i++)
        if (kd_str_is(name, ct_flags[i].name))
            return ct_read_known_flag(in, (enum ct_flag_id)i, attached);
    const struct kd_setting *row = ct_setting_of_flag(name);
    return row ? ct_read_setting(in, row, attached) : ct_unknown_flag(in, name);
}

/** -o json, -ojson, -o=json; switches do not go together as in -ab. */
static enum kd_code ct_read_short_flag(struct ct_reading *in, const char *text)
{
    struct kd_str attached = kd_str(text[2] == '=' ? text + 3 : text + 2);
    if (attached.n == 0 && text[2] != '=')
        attached = (struct kd_str){ NULL, 0 };
    for (size_t i = 0; i < KD_COUNT(ct_asks); i++) {
        if (text[1] == ct_asks[i].letter) {
            *(bool *)((char *)in->args + ct_asks[i].at) = true;
            return KD_OK;
        }
    }
    for (size_t i = 0; i < CT_FLAG_COUNT; i++)
        if (ct_flags[i].letter && text[1] == ct_flags[i].letter)
            return ct_read_known_flag(in, (enum ct_flag_id)i, attached);
    return ct_unknown_flag(in, kd_str(text + 1));
}

static enum kd_code ct_unknown_command(struct ct_reading *in, struct kd_str word)
{
    struct ct_suggestion suggestion = { .typed = word };
    for (size_t i = 0; i < ct_command_count; i++)
        ct_suggest(&suggestion, kd_str(ct_commands[i].name));
    if (suggestion.best.p)
        return kd_fail(in->err, KD_INVALID, 0, "there is no command '%.*s': did you mean 'kedge %.*s'?", KD_ARG(word),
                       KD_ARG(suggestion.best));
    return kd_fail(in->err, KD_INVALID, 0, "there is no command '%.*s'", KD_ARG(word));
}

static enum kd_code ct_read_word(struct ct_reading *in, struct kd_str word)
{
    struct ct_args *args = in->args;
    if (args->command == NULL) {
        args->command = ct_command_of(word);
        return args->command ? KD_OK : ct_unknown_command(in, word);
    }
    if (args->word_count == CT_WORDS_MAX)
        return kd_fail(in->err, KD_INVALID, 0, "more than %d arguments", CT_WORDS_MAX);
    args->words[args->word_count++] = word;
    return KD_OK;
}

/** Flags may stand before the command, so they are compared with what it takes at the end. */
static enum kd_code ct_check(struct ct_reading *in)
{
    const struct ct_args *args = in->args;
    const struct ct_command *command = args->command;
    if (command == NULL || args->wants_help || args->wants_version || args->wants_man)
        return KD_OK;
    for (size_t i = 0; i < CT_FLAG_COUNT; i++)
        if (in->given & ~command->flags & (UINT64_C(1) << i))
            return kd_fail(in->err, KD_INVALID, 0, "'kedge %s' has no flag --%s", command->name, ct_flags[i].name);
    if (args->word_count < command->words_min)
        return kd_fail(in->err, KD_INVALID, 0, "something is missing: kedge %s %s", command->name, command->arguments);
    if (args->word_count > command->words_max)
        return kd_fail(in->err, KD_INVALID, 0, "'%.*s' is too much: kedge %s %s", KD_ARG(args->words[command->words_max]),
                       command->name, command->arguments);
    return KD_OK;
}

enum kd_code ct_args_parse(int argc, const char *const *argv, struct kd_arena *arena, struct ct_settings *settings,
                           struct ct_args *ret, struct kd_err *err)
{
    struct ct_reading in = { .argc = argc, .argv = argv, .arena = arena, .settings = settings, .args = ret, .err = err };
    bool flags_end = false;
    *ret = (struct ct_args){ 0 };
    while (in.at < argc) {
        const char *text = argv[in.at++];
        bool is_flag = !flags_end && text[0] == '-' && text[1] != '\0';
        bool is_long = is_flag && text[1] == '-';
        in.given_as = text;
        if (is_long && text[2] == '\0') {
            flags_end = true;
            continue;
        }
        enum kd_code code = is_long   ? ct_read_long_flag(&in, text)
                            : is_flag ? ct_read_short_flag(&in, text)
                                      : ct_read_word(&in, kd_str(text));
        if (code != KD_OK)
            return code;
    }
    return ct_check(&in);
}
