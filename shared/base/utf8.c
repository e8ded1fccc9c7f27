/** UTF-8: length of one character by its lead byte, then its followers. */
#include "shared/base/utf8.h"

/** Bytes of the character at the start of s, 0 if it is malformed. */
static size_t kd_utf8_step(struct kd_str s)
{
    const unsigned char *b = (const unsigned char *)s.p;
    size_t n = b[0] < 0x80 ? 1 : b[0] < 0xC2 ? 0 : b[0] < 0xE0 ? 2 : b[0] < 0xF0 ? 3 : b[0] < 0xF5 ? 4 : 0;
    if (n == 0 || n > s.n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((b[i] & 0xC0) != 0x80)
            return 0;
    bool overlong = (b[0] == 0xE0 && b[1] < 0xA0) || (b[0] == 0xF0 && b[1] < 0x90);
    bool outside = (b[0] == 0xED && b[1] > 0x9F) || (b[0] == 0xF4 && b[1] > 0x8F);
    return overlong || outside ? 0 : n;
}

/** How many whole words of eight bytes at the start are ASCII: most text is nothing else. */
static size_t kd_ascii_head(struct kd_str s)
{
    size_t n = 0;
    for (uint64_t word; s.n - n >= sizeof word; n += sizeof word) {
        memcpy(&word, s.p + n, sizeof word);
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    return n;
}

size_t kd_utf8_valid_head(struct kd_str s)
{
    size_t ascii = kd_ascii_head(s);
    struct kd_str rest = ascii ? (struct kd_str){ s.p + ascii, s.n - ascii } : s;
    for (size_t n; rest.n && (n = kd_utf8_step(rest)) > 0;)
        rest = (struct kd_str){ rest.p + n, rest.n - n };
    return s.n - rest.n;
}

bool kd_utf8_is_valid(struct kd_str s)
{
    return kd_utf8_valid_head(s) == s.n;
}

size_t kd_utf8_length(struct kd_str s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.n; i++)
        count += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    return count;
}

struct kd_str kd_utf8_head(struct kd_str s, size_t max)
{
    if (s.n <= max)
        return s;
    while (max > 0 && ((unsigned char)s.p[max] & 0xC0) == 0x80)
        max--;
    return (struct kd_str){ s.p, max };
}
