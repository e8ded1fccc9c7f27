/** What every daemon does before its work begins. */
#include "shared/os/program.h"

#include "shared/base/own.h"
#include "shared/os/file.h"

#include <stdio.h>

enum { KD_EXIT_OK = 0, KD_EXIT_FAILED = 1, KD_EXIT_USAGE = 2, KD_PAGE_MAX = 1 << 18 /* bytes of a help text or manual page */ };

struct kd_options {
    const struct kd_program *program;
    const char *config;
    bool check;
    int exit;
};

/** An option: `run` says everything itself and true if the program is to end; options with an argument only set it. */
struct kd_option {
    const char *name, *argument, *help;
    bool (*run)(struct kd_options *options, const char *argument);
};

static bool kd_option_config(struct kd_options *options, const char *argument);
static bool kd_option_check(struct kd_options *options, const char *argument);
static bool kd_option_print(struct kd_options *options, const char *argument);
static bool kd_option_version(struct kd_options *options, const char *argument);
static bool kd_option_help(struct kd_options *options, const char *argument);
static bool kd_option_man(struct kd_options *options, const char *argument);

static const struct kd_option kd_options[] = {
    { "--config", "FILE", "Read the settings from FILE", kd_option_config },
    { "--check-config", NULL, "Check the settings and end", kd_option_check },
    { "--print-config", NULL, "Print a settings file with every default and end", kd_option_print },
    { "--version", NULL, "Print the version and end", kd_option_version },
    { "--help", NULL, "Print this text and end", kd_option_help },
    { "--man", NULL, "Print the manual page (roff) and end", kd_option_man },
};

/* ---- texts ---- */

static void kd_help_options(const struct kd_program *program, struct kd_buf *out)
{
    char name[64];
    for (size_t i = 0; i < KD_COUNT(kd_options); i++) {
        const struct kd_option *o = &kd_options[i];
        (void)snprintf(name, sizeof name, "%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
        kd_buf_printf(out, "  %-16s  %s%s%s%s\n", name, o->help, o->argument ? " (" : "", o->argument ? program->config : "",
                      o->argument ? ")" : "");
    }
}

static void kd_help_words(const struct kd_program *program, struct kd_buf *out)
{
    char name[64];
    kd_buf_add(out, program->word_count ? KD_STR("\nCommands:\n") : KD_STR(""));
    for (size_t i = 0; i < program->word_count; i++) {
        const struct kd_program_word *w = &program->words[i];
        (void)snprintf(name, sizeof name, "%s %s", w->word, w->arguments);
        kd_buf_printf(out, "  %-16s  %s\n", name, w->help);
    }
}

static bool kd_option_help(struct kd_options *options, const char *argument)
{
    (void)argument;
    const struct kd_program *program = options->program;
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(KD_PAGE_MAX);
    kd_buf_printf(&out, "%s %s\n\nUsage: %s [OPTION]…%s\n\n", program->settings->program, program->summary,
                  program->settings->program, program->word_count ? " [COMMAND]" : "");
    kd_help_options(program, &out);
    kd_help_words(program, &out);
    kd_buf_add_char(&out, '\n');
    kd_settings_help(program->settings, &out);
    (void)fputs(kd_buf_str(&out).p, stdout);
    return true;
}

static bool kd_option_version(struct kd_options *options, const char *argument)
{
    (void)argument;
    (void)printf("%s %s\n", options->program->settings->program, KD_VERSION);
    return true;
}

static bool kd_option_print(struct kd_options *options, const char *argument)
{
    (void)argument;
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(KD_PAGE_MAX);
    kd_settings_example(options->program->settings, &out);
    (void)fputs(kd_buf_str(&out).p, stdout);
    return true;
}

static void kd_man_head(const struct kd_program *program, struct kd_buf *out)
{
    const char *name = program->settings->program;
    kd_buf_printf(out, ".TH \"%s\" 8 \"\" \"Kedge %s\" \"Kedge\"\n", name, KD_VERSION);
    kd_buf_printf(out, ".SH NAME\n%s \\- ", name);
    kd_roff_add(out, program->summary);
    kd_buf_printf(out, "\n.SH SYNOPSIS\n.B %s\n[\\fIOPTION\\fR]...%s\n.SH DESCRIPTION\n", name,
                  program->word_count ? " [\\fICOMMAND\\fR]" : "");
    kd_roff_add(out, program->description);
    kd_buf_add_char(out, '\n');
}

static void kd_man_item(struct kd_buf *out, const char *name, const char *argument, const char *help)
{
    kd_buf_add(out, KD_STR(".TP\n.B "));
    kd_roff_add(out, name);
    kd_buf_printf(out, "%s%s%s\n", argument && *argument ? " \\fI" : "", argument ? argument : "",
                  argument && *argument ? "\\fR" : "");
    kd_roff_add(out, help);
    kd_buf_add(out, KD_STR(".\n"));
}

static void kd_man_tail(const struct kd_program *program, struct kd_buf *out)
{
    kd_buf_add(out,
               KD_STR(".SH SIGNALS\n.TP\n.B SIGTERM\nEnd in order.\n.TP\n.B SIGHUP\nRead the settings again; those that need a "
                      "restart are named in the log.\n.SH FILES\n.TP\n.I "));
    kd_roff_add(out, program->config);
    kd_buf_add(out, KD_STR("\nThe settings, one\n.I key = value\na line; lines that begin with # are comments.\n"
                           ".SH EXIT STATUS\n0 for success, 1 for a failure, 2 for wrong usage.\n"));
}

static bool kd_option_man(struct kd_options *options, const char *argument)
{
    (void)argument;
    const struct kd_program *program = options->program;
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(KD_PAGE_MAX);
    kd_man_head(program, &out);
    kd_buf_add(&out, KD_STR(".SH OPTIONS\n"));
    for (size_t i = 0; i < KD_COUNT(kd_options); i++)
        kd_man_item(&out, kd_options[i].name, kd_options[i].argument, kd_options[i].help);
    if (program->word_count)
        kd_buf_add(&out, KD_STR(".SH COMMANDS\n"));
    for (size_t i = 0; i < program->word_count; i++)
        kd_man_item(&out, program->words[i].word, program->words[i].arguments, program->words[i].help);
    kd_settings_man(program->settings, &out);
    kd_man_tail(program, &out);
    (void)fputs(kd_buf_str(&out).p, stdout);
    return true;
}

/* ---- options ---- */

static bool kd_option_config(struct kd_options *options, const char *argument)
{
    options->config = argument;
    return false;
}

static bool kd_option_check(struct kd_options *options, const char *argument)
{
    (void)argument;
    options->check = true;
    return false;
}

static bool kd_usage(struct kd_options *options, const char *what, const char *word)
{
    const char *name = options->program->settings->program;
    (void)fprintf(stderr, "%s: %s '%s' (%s --help)\n", name, what, word, name);
    options->exit = KD_EXIT_USAGE;
    return false;
}

/** Splits --name=value. Returns the row, or NULL. */
static const struct kd_option *kd_option_of(const char *text, const char **ret_value)
{
    for (size_t i = 0; i < KD_COUNT(kd_options); i++) {
        size_t n = strlen(kd_options[i].name);
        if (strncmp(text, kd_options[i].name, n) == 0 && (text[n] == '\0' || (text[n] == '=' && kd_options[i].argument))) {
            *ret_value = text[n] ? text + n + 1 : NULL;
            return &kd_options[i];
        }
    }
    return NULL;
}

/** Walks the options; *ret_at is the first argument behind them. False: end with options->exit. */
static bool kd_options_walk(struct kd_options *options, int argc, char **argv, int *ret_at)
{
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && strcmp(argv[i], "--") != 0; i++) {
        const char *value = NULL;
        const struct kd_option *option = kd_option_of(argv[i], &value);
        if (!option)
            return kd_usage(options, "there is no option", argv[i]);
        if (option->argument && !value && i + 1 == argc)
            return kd_usage(options, "a value is missing for", argv[i]);
        if (option->argument && !value)
            value = argv[++i];
        if (option->run(options, value))
            return false;
    }
    *ret_at = i < argc && strcmp(argv[i], "--") == 0 ? i + 1 : i;
    return true;
}

static bool kd_word_find(struct kd_options *options, int argc, char **argv, int at, struct kd_program_call *ret)
{
    const struct kd_program *program = options->program;
    if (at == argc)
        return true;
    for (size_t i = 0; i < program->word_count; i++)
        if (strcmp(argv[at], program->words[i].word) == 0)
            ret->word = &program->words[i];
    if (!ret->word)
        return kd_usage(options, "there is no command", argv[at]);
    if (argc - at - 1 != ret->word->count)
        return kd_usage(options, "wrong number of arguments for", argv[at]);
    ret->arguments = argv + at + 1;
    return true;
}

enum kd_code kd_program_read(const struct kd_program *program, const char *config, struct kd_arena *arena, void *ret_settings,
                             struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf text = KD_BUF(KD_SETTINGS_FILE_MAX);
    enum kd_code code = kd_file_read(config, &text, err);
    if (code != KD_OK)
        return kd_wrap(err, "read settings");
    code = kd_settings_parse(program->settings, kd_buf_str(&text), arena, ret_settings, err);
    return code == KD_OK ? code : kd_wrap(err, "%s", config);
}

bool kd_program_begin(const struct kd_program *program, int argc, char **argv, struct kd_arena *arena, void *ret_settings,
                      struct kd_program_call *ret, int *ret_exit)
{
    struct kd_options options = { .program = program, .config = program->config };
    struct kd_err err = { 0 };
    int at = 0;
    *ret = (struct kd_program_call){ 0 };
    bool go = kd_options_walk(&options, argc, argv, &at) && kd_word_find(&options, argc, argv, at, ret);
    *ret_exit = options.exit;
    if (!go)
        return false;
    ret->config = options.config;
    if (kd_program_read(program, options.config, arena, ret_settings, &err) != KD_OK) {
        (void)fprintf(stderr, "%s: %s\n", program->settings->program, err.story);
        *ret_exit = KD_EXIT_FAILED;
        return false;
    }
    if (options.check)
        (void)printf("%s: %s is good\n", program->settings->program, options.config);
    return !options.check;
}
