/** Times and lengths of time as text. */
#include "shared/base/time.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

void kd_wall_text(struct kd_wall wall, char ret[KD_TIME_TEXT])
{
    int64_t ms = wall.unix_ms % 1000;
    time_t seconds = (time_t)((wall.unix_ms - (ms < 0 ? ms + 1000 : ms)) / 1000);
    struct tm tm = { 0 };
    (void)gmtime_r(&seconds, &tm);
    char date[20] = "";
    (void)strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(ret, KD_TIME_TEXT, "%s.%03dZ", date, (int)(ms < 0 ? ms + 1000 : ms));
}

static bool kd_digits(struct kd_str *s, size_t n, int *ret)
{
    int value = 0;
    if (s->n < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9')
            return false;
        value = value * 10 + (s->p[i] - '0');
    }
    *s = (struct kd_str){ s->p + n, s->n - n };
    *ret = value;
    return true;
}

static bool kd_mark(struct kd_str *s, char mark)
{
    if (s->n == 0 || s->p[0] != mark)
        return false;
    *s = (struct kd_str){ s->p + 1, s->n - 1 };
    return true;
}

bool kd_wall_parse(struct kd_str text, struct kd_wall *ret)
{
    struct tm tm = { 0 };
    int ms = 0;
    bool ok = kd_digits(&text, 4, &tm.tm_year) && kd_mark(&text, '-') && kd_digits(&text, 2, &tm.tm_mon) && kd_mark(&text, '-') &&
              kd_digits(&text, 2, &tm.tm_mday) && kd_mark(&text, 'T') && kd_digits(&text, 2, &tm.tm_hour) && kd_mark(&text, ':') &&
              kd_digits(&text, 2, &tm.tm_min) && kd_mark(&text, ':') && kd_digits(&text, 2, &tm.tm_sec);
    if (ok && kd_mark(&text, '.'))
        ok = kd_digits(&text, 3, &ms);
    if (!ok || !kd_mark(&text, 'Z') || text.n || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
        tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    ret->unix_ms = (int64_t)timegm(&tm) * 1000 + ms;
    return true;
}

static const struct kd_time_unit {
    const char *word;
    int64_t us;
} kd_time_units[] = {
    { "ms", 1000 }, { "s", KD_US_PER_S }, { "m", 60 * KD_US_PER_S }, { "h", 3600 * KD_US_PER_S }, { "d", 86400 * KD_US_PER_S },
};

static int64_t kd_unit_us(struct kd_str word)
{
    for (size_t i = 0; i < sizeof kd_time_units / sizeof kd_time_units[0]; i++)
        if (kd_str_is(word, kd_time_units[i].word))
            return kd_time_units[i].us;
    return 0;
}

bool kd_duration_parse(struct kd_str text, int64_t *ret_us)
{
    const int64_t most = INT64_C(36525) * 86400 * KD_US_PER_S;
    int64_t total = 0;
    if (text.n == 0)
        return false;
    while (text.n) {
        size_t digits = 0, end = 0;
        while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9')
            digits++;
        for (end = digits; end < text.n && text.p[end] >= 'a' && text.p[end] <= 'z';)
            end++;
        uint64_t count = 0;
        bool bare = total == 0 && end == text.n && end == digits;
        int64_t unit = bare ? KD_US_PER_S : kd_unit_us((struct kd_str){ text.p + digits, end - digits });
        if (!unit || !kd_str_u64((struct kd_str){ text.p, digits }, &count) || count > (uint64_t)((most - total) / unit))
            return false;
        total += (int64_t)count * unit;
        text = (struct kd_str){ text.p + end, text.n - end };
    }
    *ret_us = total;
    return true;
}

void kd_duration_text(int64_t us, char ret[16])
{
    int64_t s = us < 0 ? 0 : us / KD_US_PER_S;
    if (s < 120)
        (void)snprintf(ret, 16, "%" PRId64 "s", s);
    else if (s < 7200)
        (void)snprintf(ret, 16, "%" PRId64 "m", s / 60);
    else if (s < 172800)
        (void)snprintf(ret, 16, "%" PRId64 "h", s / 3600);
    else
        (void)snprintf(ret, 16, "%" PRId64 "d", s / 86400);
}
