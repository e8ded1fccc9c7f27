/** What every daemon does before its work begins: options, the settings file, help, version, manual page, readable errors. */
#ifndef KD_OS_PROGRAM_H
#define KD_OS_PROGRAM_H

#include "shared/base/settings.h"

/** A command that is given as an argument, e.g. { "backup", "FILE", 1, "Write a consistent copy of the store" }. */
struct kd_program_word {
    const char *word, *arguments;
    int count; /* of arguments */
    const char *help;
};

struct kd_program {
    const struct kd_settings *settings; /* ->program is the name */
    const char *summary;                /* one line: "deploys applications to this edge cluster" */
    const char *description;            /* a paragraph for the manual page */
    const char *config;                 /* the settings file where --config does not name one */
    const struct kd_program_word *words;
    size_t word_count;
};

struct kd_program_call {
    const char *config;                 /* the settings file that was read */
    const struct kd_program_word *word; /* NULL: the daemon itself */
    char **arguments;                   /* word->count of them */
};

/** Handles --config FILE, --check-config, --print-config, --version, --help and --man, then reads the settings into *ret_settings
 *  (texts in the arena). True: go on. False: everything has been said, end with *ret_exit (0 done, 1 failed, 2 usage). */
bool kd_program_begin(const struct kd_program *program, int argc, char **argv, struct kd_arena *arena, void *ret_settings,
                      struct kd_program_call *ret, int *ret_exit);

/** Reads the settings file, e.g. again at SIGHUP (then kd_settings_reload). Failures name the file. */
KD_MUST_CHECK enum kd_code kd_program_read(const struct kd_program *program, const char *config, struct kd_arena *arena,
                                           void *ret_settings, struct kd_err *err);

#endif
