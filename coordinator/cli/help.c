/** Help and manual page. */
#include "coordinator/cli/help.h"

#include <stdio.h>

#include "coordinator/cli/runs.h"
#include "coordinator/cli/show.h"
#include "coordinator/cli/suggest.h"
#include "shared/base/own.h"
#include "shared/base/utf8.h"

enum { CT_HELP_WIDTH = 100 /* characters of a line */, CT_HELP_COLUMN = 32 };

static const struct {
    int code;
    const char *what;
} ct_exit_rows[] = {
    { CT_EXIT_OK, "done" },
    { CT_EXIT_FAILED, "the coordinator refused it, or it failed" },
    { CT_EXIT_USAGE, "the command line is wrong" },
    { CT_EXIT_NO_CONNECTION, "no connection to the broker" },
    { CT_EXIT_TIMEOUT, "no reply in time, or --wait waited in vain" },
};

/** A paragraph, broken between words. */
static void ct_wrapped(struct kd_str text, size_t indent, size_t column, struct kd_buf *out)
{
    while (text.n) {
        struct kd_str word = kd_str_cut(&text, ' ');
        size_t width = kd_utf8_length(word);
        if (column > indent && column + 1 + width > CT_HELP_WIDTH) {
            kd_buf_printf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            kd_buf_add_char(out, ' ');
            column++;
        }
        kd_buf_add(out, word);
        column += width;
    }
    kd_buf_add_char(out, '\n');
}

/** "  left side                  what it is" */
static void ct_row_of_help(struct kd_str left, const char *what, struct kd_buf *out)
{
    size_t width = kd_utf8_length(left);
    kd_buf_printf(out, "  %.*s", KD_ARG(left));
    if (width + 4 > CT_HELP_COLUMN)
        kd_buf_printf(out, "\n%*s", CT_HELP_COLUMN, "");
    else
        kd_buf_printf(out, "%*s", (int)(CT_HELP_COLUMN - 2 - width), "");
    ct_wrapped(kd_str(what), CT_HELP_COLUMN, CT_HELP_COLUMN, out);
}

static void ct_flag_left(const struct ct_flag *flag, struct kd_buf *out)
{
    kd_buf_reset(out);
    if (flag->letter)
        kd_buf_printf(out, "-%c, ", flag->letter);
    kd_buf_printf(out, "--%s%s%s", flag->name, flag->value ? " " : "", flag->value ? flag->value : "");
}

static void ct_setting_left(const struct kd_setting *row, struct kd_buf *out)
{
    kd_buf_reset(out);
    kd_buf_add(out, KD_STR("--"));
    for (const char *c = row->key; *c; c++)
        kd_buf_add_char(out, *c == '_' ? '-' : *c);
    kd_buf_add(out, row->kind == KD_SETTING_DURATION ? KD_STR(" DURATION") : KD_STR(" VALUE"));
}

static void ct_help_settings(struct kd_buf *out)
{
    KD_AUTO(kd_buf_clear) struct kd_buf left = KD_BUF(256);
    KD_AUTO(kd_buf_clear) struct kd_buf what = KD_BUF(1024);
    for (size_t i = 0; i < ct_settings_table.count; i++) {
        const struct kd_setting *row = &ct_settings_table.rows[i];
        bool has_default = row->fallback && row->fallback[0];
        ct_setting_left(row, &left);
        kd_buf_reset(&what);
        kd_buf_printf(&what, "%s%s%s%s", row->help, has_default ? " [" : "", has_default ? row->fallback : "",
                      has_default ? "]" : "");
        ct_row_of_help(kd_buf_str(&left), kd_buf_str(&what).p, out);
    }
}

void ct_help_all(struct kd_buf *out)
{
    KD_AUTO(kd_buf_clear) struct kd_buf left = KD_BUF(256);
    kd_buf_add(
        out,
        KD_STR("kedge deploys packages of applications to many edge clusters.\n\nUsage: kedge COMMAND [FLAG]…\n\nCommands:\n"));
    for (size_t i = 0; i < ct_command_count; i++) {
        kd_buf_reset(&left);
        kd_buf_printf(&left, "%s %s", ct_commands[i].name, ct_commands[i].arguments);
        ct_row_of_help(kd_buf_str(&left), ct_commands[i].help, out);
    }
    kd_buf_add(out, KD_STR("\nFlags of all commands (also as KEDGE_BROKER, KEDGE_PROJECT, …, and as lines `broker = …` in "
                           "~/.config/kedge/config):\n"));
    ct_help_settings(out);
    ct_row_of_help(KD_STR("-h, --help"), "Show how a command is used", out);
    ct_row_of_help(KD_STR("-V, --version"), "Print the version", out);
    kd_buf_add(out, KD_STR("\nExit codes:\n"));
    for (size_t i = 0; i < KD_COUNT(ct_exit_rows); i++)
        kd_buf_printf(out, "  %d  %s\n", ct_exit_rows[i].code, ct_exit_rows[i].what);
    kd_buf_add(out, KD_STR("\n'kedge help COMMAND' says more.\n"));
}

void ct_help_command(const struct ct_command *command, struct kd_buf *out)
{
    KD_AUTO(kd_buf_clear) struct kd_buf left = KD_BUF(256);
    kd_buf_printf(out, "%s\n\nUsage: kedge %s %s [FLAG]…\n", command->help, command->name, command->arguments);
    if (command->text) {
        kd_buf_add_char(out, '\n');
        ct_wrapped(kd_str(command->text), 0, 0, out);
    }
    if (command->flags)
        kd_buf_add(out, KD_STR("\nFlags:\n"));
    for (size_t i = 0; i < CT_FLAG_COUNT; i++) {
        if (!(command->flags & (UINT64_C(1) << i)))
            continue;
        ct_flag_left(&ct_flags[i], &left);
        ct_row_of_help(kd_buf_str(&left), ct_flags[i].help, out);
    }
    if (command->examples)
        kd_buf_add(out, KD_STR("\nExamples:\n"));
    struct kd_str examples = kd_str(command->examples);
    while (examples.n) {
        struct kd_str line = kd_str_cut(&examples, '\n');
        kd_buf_printf(out, "  %.*s\n", KD_ARG(line));
    }
    kd_buf_add(out, KD_STR("\n'kedge help' lists the flags of all commands.\n"));
}

/* ---- manual page ---- */

static void ct_roff(struct kd_str text, struct kd_buf *out)
{
    bool at_start = true;
    for (size_t i = 0; i < text.n; i++) {
        if (at_start && (text.p[i] == '.' || text.p[i] == '\''))
            kd_buf_add(out, KD_STR("\\&"));
        if (text.p[i] == '\\' || text.p[i] == '-')
            kd_buf_add_char(out, '\\');
        if (text.p[i] == '\\')
            kd_buf_add_char(out, 'e');
        else
            kd_buf_add_char(out, text.p[i]);
        at_start = text.p[i] == '\n';
    }
}

static void ct_man_item(struct kd_str term, const char *text, struct kd_buf *out)
{
    kd_buf_add(out, KD_STR(".TP\n\\fB"));
    ct_roff(term, out);
    kd_buf_add(out, KD_STR("\\fR\n"));
    ct_roff(kd_str(text), out);
    kd_buf_add_char(out, '\n');
}

static void ct_man_command(const struct ct_command *command, struct kd_buf *out)
{
    KD_AUTO(kd_buf_clear) struct kd_buf left = KD_BUF(256);
    kd_buf_printf(out, ".SS kedge %s %s\n", command->name, command->arguments);
    ct_roff(kd_str(command->help), out);
    kd_buf_add(out, KD_STR(".\n"));
    if (command->text)
        ct_roff(kd_str(command->text), out);
    kd_buf_add_char(out, '\n');
    for (size_t i = 0; i < CT_FLAG_COUNT; i++) {
        if (!(command->flags & (UINT64_C(1) << i)))
            continue;
        ct_flag_left(&ct_flags[i], &left);
        ct_man_item(kd_buf_str(&left), ct_flags[i].help, out);
    }
    if (command->examples) {
        kd_buf_add(out, KD_STR(".P\nExamples:\n.P\n.nf\n"));
        ct_roff(kd_str(command->examples), out);
        kd_buf_add(out, KD_STR("\n.fi\n"));
    }
}

void ct_man(struct kd_buf *out)
{
    KD_AUTO(kd_buf_clear) struct kd_buf left = KD_BUF(256);
    kd_buf_add(out,
               KD_STR(".TH KEDGE 1\n.SH NAME\nkedge \\- deploy packages of applications to many edge clusters\n"
                      ".SH SYNOPSIS\n\\fBkedge\\fR COMMAND [FLAG]…\n.SH DESCRIPTION\n"
                      "The command line of operators. It speaks MQTT 5 with the coordinator, through the broker.\n.SH COMMANDS\n"));
    for (size_t i = 0; i < ct_command_count; i++)
        ct_man_command(&ct_commands[i], out);
    kd_buf_add(out, KD_STR(".SH FLAGS OF ALL COMMANDS\n"));
    for (size_t i = 0; i < ct_settings_table.count; i++) {
        ct_setting_left(&ct_settings_table.rows[i], &left);
        ct_man_item(kd_buf_str(&left), ct_settings_table.rows[i].help, out);
    }
    kd_buf_add(out,
               KD_STR(".SH FILES\n.TP\n\\fB~/.config/kedge/config\\fR\nSettings as lines key = value; KEDGE_CONFIG names another "
                      "file. Keys are the flags above, with _ for \\-.\n.SH ENVIRONMENT\n.TP\n\\fBKEDGE_BROKER, KEDGE_PROJECT, "
                      "…\\fR\nEach setting in capitals; goes before the file, flags go before it.\n.TP\n\\fBNO_COLOR\\fR\n"
                      "No colours.\n.SH EXIT STATUS\n"));
    for (size_t i = 0; i < KD_COUNT(ct_exit_rows); i++) {
        kd_buf_reset(&left);
        kd_buf_printf(&left, "%d", ct_exit_rows[i].code);
        ct_man_item(kd_buf_str(&left), ct_exit_rows[i].what, out);
    }
}

enum ct_exit ct_run_help(struct ct_call *call)
{
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(1 << 20);
    struct kd_str name = ct_word(call, 0);
    const struct ct_command *command = name.n ? ct_command_of(name) : NULL;
    struct kd_err err = { 0 };
    if (name.n && command == NULL) {
        (void)kd_fail(&err, KD_INVALID, 0, "there is no command '%.*s'", KD_ARG(name));
        return ct_usage(call, &err);
    }
    if (command)
        ct_help_command(command, &out);
    else
        ct_help_all(&out);
    return ct_print(call, &out);
}
