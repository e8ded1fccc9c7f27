/** Text as a borrowed slice: not terminated, lives as long as its source. Parsers cut their input and copy nothing. */
#ifndef KD_BASE_STR_H
#define KD_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct kd_str {
    const char *p;
    size_t n;
};

struct kd_strs {
    struct kd_str *v;
    size_t n;
};

/** A string literal as a slice; KD_STR in expressions, KD_STR_INIT in static tables. */
#define KD_STR(lit) ((struct kd_str){ "" lit, sizeof(lit) - 1 })
#define KD_STR_INIT(lit)                                                                                                           \
    {                                                                                                                              \
        "" lit, sizeof(lit) - 1                                                                                                    \
    }
/** printf("%.*s", KD_ARG(s)) */
#define KD_ARG(s) (int)(s).n, (s).p ? (s).p : ""

/** A slice of a terminated text; NULL is the empty slice. */
static inline struct kd_str kd_str(const char *text)
{
    return (struct kd_str){ text, text ? strlen(text) : 0 };
}

static inline bool kd_str_eq(struct kd_str a, struct kd_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool kd_str_is(struct kd_str s, const char *text)
{
    return kd_str_eq(s, kd_str(text));
}

/** Order of bytes, a shorter prefix first. */
int kd_str_cmp(struct kd_str a, struct kd_str b);

bool kd_str_starts(struct kd_str s, struct kd_str prefix);
bool kd_str_ends(struct kd_str s, struct kd_str suffix);

/** Cuts *s at the first `at`: returns what stands before it, *s becomes what follows. Without one: all of it, *s becomes empty. */
struct kd_str kd_str_cut(struct kd_str *s, char at);

/** Without blanks, tabs and line ends at both ends. */
struct kd_str kd_str_trim(struct kd_str s);

/** The position of a slice in another, or -1. An empty needle is found at 0. */
ptrdiff_t kd_str_find(struct kd_str s, struct kd_str needle);

/** Decimal digits only, at most 2^53 - 1 (what JSON carries exactly). False for anything else. */
bool kd_str_u64(struct kd_str s, uint64_t *ret);

/** Copies into a caller's array and terminates; false (and an empty text) if it does not fit. */
bool kd_str_copy(struct kd_str s, char *ret, size_t cap);

#endif
