/** Commands and flags of `kedge` as tables: the parser, the help, the manual page and the completion walk the same rows. */
#ifndef CT_COMMAND_H
#define CT_COMMAND_H

#include "coordinator/cli/settings.h"
#include "shared/base/arena.h"
#include "shared/base/err.h"

enum ct_exit { CT_EXIT_OK = 0, CT_EXIT_FAILED = 1, CT_EXIT_USAGE = 2, CT_EXIT_NO_CONNECTION = 3, CT_EXIT_TIMEOUT = 4 };

enum ct_flag_kind {
    CT_SWITCH, /* given or not */
    CT_ONE,    /* a text, at most once */
    CT_MANY,   /* texts */
};

/** id, letter (0: none), long name, name of its value (NULL: a switch), kind, help */
#define CT_FLAGS(X)                                                                                                                \
    X(ADOPT, 0, "adopt", NULL, CT_SWITCH, "Take over what runs as an orphan under this name, without starting it anew")            \
    X(ALL, 0, "all", NULL, CT_SWITCH, "All of them")                                                                               \
    X(CLUSTER, 0, "cluster", "NAME", CT_MANY, "A target: one cluster; may be given several times, or with commas")                 \
    X(FILE, 'f', "filename", "FILE", CT_MANY, "A YAML or JSON file; - is the standard input; may be given several times")          \
    X(NAME, 0, "name", "NAME", CT_ONE, "The name of the deployment (without it: the name of the package)")                         \
    X(NAMESPACE, 0, "namespace", "APP=NAMESPACE", CT_MANY, "The namespace of an application, other than the package's")            \
    X(NO_HEADERS, 0, "no-headers", NULL, CT_SWITCH, "Tables without their first line")                                             \
    X(OUTPUT, 'o', "output", "FORMAT", CT_ONE, "table, wide, json, yaml or name")                                                  \
    X(PROFILE, 0, "profile", "PROFILE", CT_ONE, "The deployment profile (without it: the package's default)")                      \
    X(SELECTOR, 'l', "selector", "KEY=VALUE,…", CT_MANY, "Clusters that carry all of these labels")                                \
    X(SET, 0, "set", "APP.KEY=VALUE", CT_MANY, "A value of an application, as in helm --set; may be given several times")          \
    X(SET_STRING, 0, "set-string", "APP.KEY=VALUE", CT_MANY, "The same, the value is a text even if it looks like a number")       \
    X(UID, 0, "uid", "UID", CT_ONE, "Which one, where several have this name")                                                     \
    X(VALUES, 0, "values", "APP=FILE", CT_MANY, "A YAML file of values for an application; --set goes before it")                  \
    X(WAIT, 0, "wait", NULL, CT_SWITCH, "Wait until it is done, as long as --timeout says (5m)")                                   \
    X(WATCH, 'w', "watch", NULL, CT_SWITCH, "Show it again whenever it changes, until Ctrl-C")

#define CT_FLAG_AS_ENUM(id, letter, name, value, kind, help) CT_FLAG_##id,
enum ct_flag_id { CT_FLAGS(CT_FLAG_AS_ENUM) CT_FLAG_COUNT };

struct ct_flag {
    char letter;
    const char *name, *value;
    enum ct_flag_kind kind;
    const char *help;
};
extern const struct ct_flag ct_flags[CT_FLAG_COUNT];

#define CT_TAKES(id) (UINT64_C(1) << CT_FLAG_##id)

/** What stands at a place of the command line; the completion asks for it. */
enum ct_place {
    CT_PLACE_NONE,
    CT_PLACE_COMMAND,
    CT_PLACE_KIND,
    CT_PLACE_NAME, /* of the kind before it */
    CT_PLACE_CLUSTER,
    CT_PLACE_DEPLOYMENT,
    CT_PLACE_PACKAGE, /* NAME:VERSION */
    CT_PLACE_VERSION, /* of the package of the deployment before it */
    CT_PLACE_FILE,
};

enum { CT_WORDS_MAX = 256, CT_PLACES_MAX = 3 };

struct ct_call;

struct ct_command {
    const char *name, *arguments;        /* "deploy", "PACKAGE[:VERSION]" */
    const char *help;                    /* one line */
    const char *text;                    /* paragraphs for `kedge help deploy`, NULL for none */
    const char *examples;                /* lines, NULL for none */
    size_t words_min, words_max;         /* behind the command */
    enum ct_place places[CT_PLACES_MAX]; /* the last one is that of all further words */
    uint64_t flags;
    enum ct_exit (*run)(struct ct_call *call);
};

extern const struct ct_command ct_commands[];
extern const size_t ct_command_count;

const struct ct_command *ct_command_of(struct kd_str name);

/** What was typed. */
struct ct_args {
    const struct ct_command *command; /* NULL: none was named */
    struct kd_str words[CT_WORDS_MAX];
    size_t word_count;
    struct kd_strs values[CT_FLAG_COUNT]; /* of each flag; a switch that was given has one empty text */
    bool wants_help, wants_version, wants_man, has_timeout;
};

/** Reads the arguments (without the program's name); those that are settings go into *settings. KD_INVALID says what is wrong and
 *  what was probably meant; ret->command is set as far as it was understood. */
KD_MUST_CHECK enum kd_code ct_args_parse(int argc, const char *const *argv, struct kd_arena *arena, struct ct_settings *settings,
                                         struct ct_args *ret, struct kd_err *err);

#endif
