/** JSON to structs and back by tables: one table of fields is the decoder, the encoder, the limits and the error messages.
 *
 *  A shape describes a struct; a field row says where a member of the JSON object goes. Decoding is strict: one value, valid
 *  UTF-8, no duplicate members, no byte after it; every failure names the member by its path ($.apps[2].name). Encoding writes
 *  members in the order of the rows and leaves out what is empty unless the row says `required`, so that equal structs give equal
 *  bytes. cJSON parses (RFC 8259) and stays inside json.c. */
#ifndef KD_MODEL_JSON_H
#define KD_MODEL_JSON_H

#include "shared/base/arena.h"
#include "shared/base/buf.h"
#include "shared/base/err.h"

enum kd_json_kind {
    KD_JSON_TEXT,   /* struct kd_str */
    KD_JSON_COUNT,  /* uint64_t, 0 to 2^53 - 1 */
    KD_JSON_NUMBER, /* int64_t, -(2^53 - 1) to 2^53 - 1 */
    KD_JSON_FLAG,   /* bool */
    KD_JSON_WORD,   /* int: index into .words; a word that is not known becomes .unknown, or is an error if that is < 0 */
    KD_JSON_OBJECT, /* the struct of .shape, embedded */
    KD_JSON_REF,    /* a pointer to the struct of .shape, NULL if absent */
    KD_JSON_LIST,   /* struct kd_list of structs of .shape */
    KD_JSON_TEXTS,  /* struct kd_strs */
    KD_JSON_PAIRS,  /* struct kd_pairs: an object whose values are texts */
    KD_JSON_RAW,    /* struct kd_str: any JSON value, kept as compact JSON text; {NULL, 0} if absent */
};

/** A list of structs; a member may as well be declared as struct { struct x *v; size_t n; }. */
struct kd_list {
    void *v;
    size_t n;
};

struct kd_pair {
    struct kd_str key, value;
};

struct kd_pairs {
    struct kd_pair *v;
    size_t n;
};

struct kd_json_shape;

struct kd_json_field {
    const char *name;
    enum kd_json_kind kind;
    size_t at;                         /* offsetof the member */
    bool required;                     /* decoding: must be there; encoding: written even if empty */
    bool only_read;                    /* an old name of the same member: decoded, never encoded */
    size_t min, max;                   /* TEXT: bytes; COUNT: value; TEXTS, LIST, PAIRS: items; max 0: KD_JSON_DEFAULT_MAX */
    bool (*check)(struct kd_str text); /* TEXT, TEXTS, keys of PAIRS: further rule, NULL if none */
    const char *rule;                  /* what check demands, for the message: "must be lower case letters, …" */
    const char *const *words;          /* WORD */
    int word_count, unknown;           /* WORD */
    const struct kd_json_shape *shape; /* OBJECT, REF, LIST */
};

struct kd_json_shape {
    const char *what; /* for messages: "manifest" */
    size_t size;      /* sizeof the struct */
    const struct kd_json_field *fields;
    size_t count;
    bool strict;               /* a member that no row names is an error */
    const char *const *beside; /* strict: members that are allowed and skipped, ends with NULL; may be NULL */
};

enum { KD_JSON_DEFAULT_MAX = 4096 /* bytes of a text, items of a list */ };

/** Decodes one JSON value into *ret (of shape->size bytes, zeroed first). Texts are copied into the arena.
 *  Fails with KD_INVALID (err.field is the path), KD_TOO_LARGE (arena full). *ret is unspecified after a failure. */
KD_MUST_CHECK enum kd_code kd_json_decode(const struct kd_json_shape *shape, struct kd_str json, struct kd_arena *arena, void *ret,
                                          struct kd_err *err);

/** Appends the struct as one JSON object; the buffer's overflow says if it did not fit. */
void kd_json_encode(const struct kd_json_shape *shape, const void *value, struct kd_buf *out);

/** Appends a JSON string with quotes and escapes. Bytes that are not UTF-8 (a text that was cut, or a registry's answer) become '?', so that
 *  what is written can always be read again. */
void kd_json_add_text(struct kd_buf *out, struct kd_str text);

/** Checks that the text is one valid JSON value and appends it compactly. `path` names it in errors. */
KD_MUST_CHECK enum kd_code kd_json_compact(struct kd_str json, const char *path, struct kd_buf *out, struct kd_err *err);

#endif
