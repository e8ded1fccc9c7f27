/** Plain scalars of YAML 1.1, in the order in which go-yaml 2 tries: words, whole numbers, real numbers, text. */
#include "shared/model/yaml_scalar.h"

#include "shared/base/own.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { KD_SCALAR_NUMBER_MAX = 400 /* bytes; a longer plain scalar is a text */ };

static const struct {
    const char *text;
    enum kd_yaml_type type;
    const char *json;
} kd_yaml_words[] = {
    { "", KD_YAML_NULL, "null" },        { "~", KD_YAML_NULL, "null" },       { "null", KD_YAML_NULL, "null" },
    { "Null", KD_YAML_NULL, "null" },    { "NULL", KD_YAML_NULL, "null" },    { "y", KD_YAML_FLAG, "true" },
    { "Y", KD_YAML_FLAG, "true" },       { "yes", KD_YAML_FLAG, "true" },     { "Yes", KD_YAML_FLAG, "true" },
    { "YES", KD_YAML_FLAG, "true" },     { "true", KD_YAML_FLAG, "true" },    { "True", KD_YAML_FLAG, "true" },
    { "TRUE", KD_YAML_FLAG, "true" },    { "on", KD_YAML_FLAG, "true" },      { "On", KD_YAML_FLAG, "true" },
    { "ON", KD_YAML_FLAG, "true" },      { "n", KD_YAML_FLAG, "false" },      { "N", KD_YAML_FLAG, "false" },
    { "no", KD_YAML_FLAG, "false" },     { "No", KD_YAML_FLAG, "false" },     { "NO", KD_YAML_FLAG, "false" },
    { "false", KD_YAML_FLAG, "false" },  { "False", KD_YAML_FLAG, "false" },  { "FALSE", KD_YAML_FLAG, "false" },
    { "off", KD_YAML_FLAG, "false" },    { "Off", KD_YAML_FLAG, "false" },    { "OFF", KD_YAML_FLAG, "false" },
    { ".nan", KD_YAML_NOT_JSON, NULL },  { ".NaN", KD_YAML_NOT_JSON, NULL },  { ".NAN", KD_YAML_NOT_JSON, NULL },
    { ".inf", KD_YAML_NOT_JSON, NULL },  { ".Inf", KD_YAML_NOT_JSON, NULL },  { ".INF", KD_YAML_NOT_JSON, NULL },
    { "+.inf", KD_YAML_NOT_JSON, NULL }, { "+.Inf", KD_YAML_NOT_JSON, NULL }, { "+.INF", KD_YAML_NOT_JSON, NULL },
    { "-.inf", KD_YAML_NOT_JSON, NULL }, { "-.Inf", KD_YAML_NOT_JSON, NULL }, { "-.INF", KD_YAML_NOT_JSON, NULL },
};

static int kd_digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

/** Cuts the base's prefix off: 0x, 0o, 0b, or a 0 that something follows (octal). */
static unsigned kd_cut_base(const char **at)
{
    static const struct {
        char letter;
        unsigned base;
    } bases[] = { { 'x', 16 }, { 'o', 8 }, { 'b', 2 } };
    if ((*at)[0] != '0' || !(*at)[1])
        return 10;
    for (size_t i = 0; i < KD_COUNT(bases); i++)
        if (((*at)[1] | 0x20) == bases[i].letter) {
            *at += 2;
            return bases[i].base;
        }
    *at += 1;
    return 8;
}

/** A whole number of at most 64 bits; below zero down to -2^63, with a + up to 2^63 - 1. */
static bool kd_read_whole(const char *text, struct kd_buf *out)
{
    bool minus = text[0] == '-', sign = minus || text[0] == '+';
    const char *at = text + sign;
    unsigned base = kd_cut_base(&at);
    uint64_t value = 0, most = minus ? UINT64_C(1) << 63 : sign ? INT64_MAX : UINT64_MAX;
    if (!*at)
        return false;
    for (; *at; at++) {
        unsigned digit = (unsigned)kd_digit_value(*at);
        if (digit >= base || value > (most - digit) / base)
            return false;
        value = value * base + digit;
    }
    kd_buf_printf(out, "%s%" PRIu64, minus && value ? "-" : "", value);
    return true;
}

static const char *kd_skip_digits(const char *at)
{
    while (*at >= '0' && *at <= '9')
        at++;
    return at;
}

/** [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? and nothing else. */
static bool kd_looks_real(const char *at)
{
    at += *at == '-' || *at == '+';
    const char *digits = at;
    at = kd_skip_digits(at);
    bool whole = at > digits;
    if (*at == '.') {
        const char *fraction = ++at;
        at = kd_skip_digits(at);
        if (!whole && at == fraction)
            return false;
    } else if (!whole) {
        return false;
    }
    if (*at != 'e' && *at != 'E')
        return !*at;
    at += 1 + (at[1] == '-' || at[1] == '+');
    const char *end = kd_skip_digits(at);
    return end > at && !*end;
}

void kd_yaml_add_real(double value, struct kd_buf *out)
{
    char text[64];
    int digits = 0;
    double size = fabs(value);
    bool small_or_large = size != 0 && (size < 1e-6 || size >= 1e21);
    do
        (void)snprintf(text, sizeof text, "%.*e", digits, value);
    while (strtod(text, NULL) != value && ++digits < 17);
    if (small_or_large) {
        struct kd_str exponent = kd_str(text), mantissa = kd_str_cut(&exponent, 'e');
        kd_buf_printf(out, "%.*se%.1s%s", KD_ARG(mantissa), exponent.p,
                      exponent.p + (exponent.n == 3 && exponent.p[1] == '0' ? 2 : 1));
        return;
    }
    int exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
    char plain[400];
    (void)snprintf(plain, sizeof plain, "%.*f", digits > exponent ? digits - exponent : 0, value);
    kd_buf_add(out, kd_str(plain));
}

static bool kd_read_real(const char *text, struct kd_buf *out)
{
    if (!kd_looks_real(text))
        return false;
    double value = strtod(text, NULL);
    if (!isfinite(value))
        return false;
    kd_yaml_add_real(value, out);
    return true;
}

/** Numbers may have _ between their digits. */
static enum kd_yaml_type kd_read_number(struct kd_str plain, struct kd_buf *out)
{
    char text[KD_SCALAR_NUMBER_MAX + 1];
    size_t n = 0;
    if (plain.n > KD_SCALAR_NUMBER_MAX || !strchr("0123456789+-.", plain.p[0]))
        return KD_YAML_TEXT;
    for (size_t i = 0; i < plain.n; i++)
        if (plain.p[i] != '_')
            text[n++] = plain.p[i];
    text[n] = '\0';
    if (plain.p[0] != '.' && kd_read_whole(text, out))
        return KD_YAML_WHOLE;
    return kd_read_real(text, out) ? KD_YAML_REAL : KD_YAML_TEXT;
}

enum kd_yaml_type kd_yaml_scalar(struct kd_str plain, struct kd_buf *out)
{
    for (size_t i = 0; i < KD_COUNT(kd_yaml_words) && plain.n <= 5; i++)
        if (kd_str_is(plain, kd_yaml_words[i].text)) {
            kd_buf_add(out, kd_str(kd_yaml_words[i].json));
            return kd_yaml_words[i].type;
        }
    return kd_read_number(plain, out);
}
