/** Two clocks are two types. Pure code is given the time, it never asks for it. */
#ifndef KD_BASE_TIME_H
#define KD_BASE_TIME_H

#include "shared/base/str.h"

struct kd_mono {
    int64_t us; /* CLOCK_BOOTTIME: deadlines, backoff, ages */
};

struct kd_wall {
    int64_t unix_ms; /* CLOCK_REALTIME: for people and certificates only; may be wrong, may jump */
};

#define KD_US_PER_S INT64_C(1000000)
#define KD_NEVER    ((struct kd_mono){ INT64_MAX })

enum { KD_TIME_TEXT = 25 /* bytes: "2026-11-23T08:24:00.123Z" and the terminator */ };

/** RFC 3339 in UTC with milliseconds, e.g. 2026-11-23T08:24:00.123Z. */
void kd_wall_text(struct kd_wall wall, char ret[KD_TIME_TEXT]);

/** Reads what kd_wall_text writes (the fraction is optional). False for anything else. */
bool kd_wall_parse(struct kd_str text, struct kd_wall *ret);

/** A length of time as people write it: "500ms", "30s", "5m", "2h", "7d", "1h30m"; a bare number is seconds. At most 100 years. */
bool kd_duration_parse(struct kd_str text, int64_t *ret_us);

/** A length of time as tables show it: "12s", "3m", "5h", "9d". */
void kd_duration_text(int64_t us, char ret[16]);

#endif
