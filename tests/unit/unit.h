/** What every unit test includes: cmocka with the headers that it needs, and comparisons of our own types. */
#ifndef KD_TESTS_UNIT_H
#define KD_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/str.h"

/** A slice equals a terminated text; both are shown where they differ. */
#define assert_str(slice, text) assert_str_(slice, text, __FILE__, __LINE__)

static inline void assert_str_(struct kd_str got, const char *want, const char *file, int line)
{
    if (kd_str_is(got, want))
        return;
    print_error("got  '%.*s'\nwant '%s'\n", KD_ARG(got), want);
    _fail(file, line);
}

/** A call that returns enum kd_code must succeed; shows the story of `err` (a struct kd_err) where it does not. */
#define assert_ok(call, err)                                                                                                       \
    do {                                                                                                                           \
        if ((call) != 0) {                                                                                                         \
            print_error("%s: %s\n", #call, (err).story);                                                                           \
            _fail(__FILE__, __LINE__);                                                                                             \
        }                                                                                                                          \
    } while (0)

#endif
