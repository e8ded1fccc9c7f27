/** Failures: formatting of their stories. */
#include "shared/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const kd_code_words[KD_CODE_COUNT] = { KD_CODES(KD_AS_WORD) };

const char *kd_code_word(enum kd_code code)
{
    return (unsigned)code < KD_CODE_COUNT ? kd_code_words[code] : kd_code_words[KD_INTERNAL];
}

enum kd_code kd_code_of(const char *word, size_t n)
{
    for (unsigned i = 0; i < KD_CODE_COUNT; i++)
        if (strlen(kd_code_words[i]) == n && memcmp(kd_code_words[i], word, n) == 0)
            return (enum kd_code)i;
    return KD_INTERNAL;
}

static void kd_err_set(struct kd_err *err, enum kd_code code, int sys, const char *field, const char *fmt, va_list args)
{
    err->code = code;
    err->sys = sys;
    (void)snprintf(err->field, sizeof err->field, "%s", field);
    (void)vsnprintf(err->story, sizeof err->story, fmt, args);
    if (sys > 0 && strlen(err->story) + 3 < sizeof err->story) {
        size_t n = strlen(err->story);
        (void)snprintf(err->story + n, sizeof err->story - n, ": %s", strerror(sys));
    }
}

enum kd_code kd_fail(struct kd_err *err, enum kd_code code, int sys, const char *fmt, ...)
{
    if (err) {
        va_list args;
        va_start(args, fmt);
        kd_err_set(err, code, sys, "", fmt, args);
        va_end(args);
    }
    return code;
}

enum kd_code kd_fail_field(struct kd_err *err, enum kd_code code, const char *field, const char *fmt, ...)
{
    if (err) {
        va_list args;
        va_start(args, fmt);
        kd_err_set(err, code, 0, field, fmt, args);
        va_end(args);
    }
    return code;
}

enum kd_code kd_wrap(struct kd_err *err, const char *fmt, ...)
{
    if (!err)
        return KD_INTERNAL;
    char before[sizeof err->story];
    memcpy(before, err->story, sizeof before);
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(err->story, sizeof err->story, fmt, args);
    va_end(args);
    size_t n = strlen(err->story);
    (void)snprintf(err->story + n, sizeof err->story - n, ": %s", before);
    return err->code;
}
