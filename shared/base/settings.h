/** Settings: a row per setting. Parser, error text, --help, --check-config and the man page walk the same rows.
 *
 *  A settings file has lines `key = value`, comments from # at the start of a line, and sections `[name label]` for things
 *  that there are several of, with settings of their own. Later lines win. Environment and flags use the same rows. A text is
 *  valid UTF-8 without control characters; messages show its length only, since it may be a password. At most 64 rows each. */
#ifndef KD_BASE_SETTINGS_H
#define KD_BASE_SETTINGS_H

#include "shared/base/arena.h"
#include "shared/base/buf.h"
#include "shared/base/err.h"

enum kd_setting_kind {
    KD_SETTING_TEXT,     /* struct kd_str, terminated; min and max are bytes */
    KD_SETTING_COUNT,    /* int64_t; min and max are values */
    KD_SETTING_DURATION, /* int64_t microseconds; min and max are microseconds; read by kd_duration_parse */
    KD_SETTING_BYTES,    /* int64_t bytes: 1024, 64K, 10M, 2G; min and max are bytes */
    KD_SETTING_FLAG,     /* bool: true, false, yes, no, on, off */
    KD_SETTING_WORD,     /* int: index into words */
};

struct kd_setting {
    const char *key;      /* "broker.port" */
    const char *fallback; /* the default as text; NULL: must be set; "" for texts that may be empty */
    const char *help;     /* one line */
    enum kd_setting_kind kind;
    int64_t min, max;
    size_t at;                /* offsetof in the settings struct (or in the section's struct) */
    bool reloads;             /* SIGHUP takes a new value; others need a restart */
    const char *const *words; /* WORD: ends with NULL */
};

/** A repeatable section `[name label]`, read into a list of structs. */
struct kd_settings_section {
    const char *name, *label_help, *help; /* "registry", "HOST[:PORT]", "How one registry is reached" */
    const struct kd_setting *rows;
    size_t count, size; /* rows, bytes of the section's struct */
    size_t label_at;    /* offsetof a struct kd_str in the section's struct */
    size_t list_at;     /* offsetof { struct x *v; size_t n; } in the settings struct */
};

struct kd_settings {
    const char *program; /* "kedge-agent" */
    const struct kd_setting *rows;
    size_t count, size; /* rows, bytes of the settings struct */
    const struct kd_settings_section *sections;
    size_t section_count;
};

enum { KD_SETTINGS_FILE_MAX = 65536 /* bytes */, KD_SETTINGS_SECTIONS_MAX = 64 /* sections of one name */ };

/** Defaults, then the text. *ret is a struct of table->size bytes; texts lie in the arena. KD_INVALID names line and key in
 *  the story ("line 3: broker.port is 70000, must be 1 to 65535") and the key in err->field. */
KD_MUST_CHECK enum kd_code kd_settings_parse(const struct kd_settings *table, struct kd_str text, struct kd_arena *arena, void *ret,
                                             struct kd_err *err);

/** Sets one setting by its key, e.g. from a flag or the environment; `where` stands before the message. */
KD_MUST_CHECK enum kd_code kd_settings_set(const struct kd_settings *table, struct kd_str key, struct kd_str value,
                                           const char *where, struct kd_arena *arena, void *settings, struct kd_err *err);

/** Copies the settings that reload from `fresh` to `current`; appends the keys of others that differ to `ret_ignored`, by commas.
 *  The list of a section is taken as a whole, if all its rows reload. Texts stay in the arena of `fresh`, which must live on. */
void kd_settings_reload(const struct kd_settings *table, const void *fresh, void *current, struct kd_buf *ret_ignored);

/** The rows as the text of --help, as a section of a manual page (roff, man macros), and as a settings file in which every row
 *  stands as a comment with its default, except those that must be set. */
void kd_settings_help(const struct kd_settings *table, struct kd_buf *out);
void kd_settings_man(const struct kd_settings *table, struct kd_buf *out);
void kd_settings_example(const struct kd_settings *table, struct kd_buf *out);

/** Text for roff: no line begins with a control character, hyphens stay hyphens. */
void kd_roff_add(struct kd_buf *out, const char *text);

#endif
