/** Failures: a class to branch on and one story of fixed size to read. Nothing is allocated. */
#ifndef KD_BASE_ERR_H
#define KD_BASE_ERR_H

#include <stddef.h>

/** One list makes the enum and the words of the wire (docs/protocol.md, "Errors"), so that they cannot drift apart. */
#define KD_CODES(X)                                                                                                                \
    X(OK, "ok")                                                                                                                    \
    X(INVALID, "invalid")                                                                                                          \
    X(NOT_FOUND, "not-found")                                                                                                      \
    X(EXISTS, "exists")                                                                                                            \
    X(CONFLICT, "conflict")                                                                                                        \
    X(IN_USE, "in-use")                                                                                                            \
    X(FORBIDDEN, "forbidden")                                                                                                      \
    X(TOO_LARGE, "too-large")                                                                                                      \
    X(UNAVAILABLE, "unavailable")                                                                                                  \
    X(UNSUPPORTED, "unsupported")                                                                                                  \
    X(INTERNAL, "internal")                                                                                                        \
    X(TIMEOUT, "timeout")

#define KD_AS_ENUM(id, word) KD_##id,
#define KD_AS_WORD(id, word) [KD_##id] = word,

enum kd_code { KD_CODES(KD_AS_ENUM) KD_CODE_COUNT };

/** The word of a code on the wire; never NULL. */
const char *kd_code_word(enum kd_code code);

/** The code of a word of the wire; KD_INTERNAL for a word that is not known. */
enum kd_code kd_code_of(const char *word, size_t n);

enum {
    KD_STORY_MAX = 384 /* bytes: one sentence with two names in it */,
    KD_FIELD_MAX = 160 /* bytes: a path like $.apps[2].name */
};

struct kd_err {
    enum kd_code code;
    int sys;                      /* errno or a library's code, 0 if none */
    char field[KD_FIELD_MAX + 1]; /* JSON path of the input that is at fault, "" if none */
    char story[KD_STORY_MAX + 1]; /* one sentence that a person can act on */
};

#define KD_MUST_CHECK __attribute__((warn_unused_result))

/** Sets *err (which may be NULL) and returns code. Texts that do not fit are cut. */
enum kd_code kd_fail(struct kd_err *err, enum kd_code code, int sys, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/** As kd_fail, naming the field of the input that is at fault. */
enum kd_code kd_fail_field(struct kd_err *err, enum kd_code code, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/** Prepends the caller's purpose: "read settings: open '/etc/x': No such file". Returns err's code (KD_INTERNAL if err is NULL). */
enum kd_code kd_wrap(struct kd_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** True for failures that may pass by themselves, so that trying again later makes sense. */
static inline int kd_code_passes(enum kd_code code)
{
    return code == KD_UNAVAILABLE || code == KD_TIMEOUT || code == KD_INTERNAL;
}

#endif
