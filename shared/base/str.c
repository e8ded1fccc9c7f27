/** Text as a borrowed slice. */
#include "shared/base/str.h"

int kd_str_cmp(struct kd_str a, struct kd_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

bool kd_str_starts(struct kd_str s, struct kd_str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool kd_str_ends(struct kd_str s, struct kd_str suffix)
{
    return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

struct kd_str kd_str_cut(struct kd_str *s, char at)
{
    const char *found = s->n ? memchr(s->p, at, s->n) : NULL;
    struct kd_str head = { s->p, found ? (size_t)(found - s->p) : s->n };
    *s = found ? (struct kd_str){ found + 1, s->n - head.n - 1 } : (struct kd_str){ NULL, 0 };
    return head;
}

static bool kd_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct kd_str kd_str_trim(struct kd_str s)
{
    while (s.n && kd_is_blank(s.p[0]))
        s = (struct kd_str){ s.p + 1, s.n - 1 };
    while (s.n && kd_is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

ptrdiff_t kd_str_find(struct kd_str s, struct kd_str needle)
{
    if (needle.n == 0)
        return 0;
    const char *found = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
    return found ? found - s.p : -1;
}

bool kd_str_u64(struct kd_str s, uint64_t *ret)
{
    uint64_t value = 0;
    if (s.n == 0 || s.n > 16)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(s.p[i] - '0');
    }
    if (value >= (UINT64_C(1) << 53))
        return false;
    *ret = value;
    return true;
}

bool kd_str_copy(struct kd_str s, char *ret, size_t cap)
{
    bool fits = s.n < cap;
    if (fits && s.n)
        memcpy(ret, s.p, s.n);
    ret[fits ? s.n : 0] = '\0';
    return fits;
}
