/** Waiting between attempts: a policy computes, it never sleeps. */
#ifndef KD_BASE_BACKOFF_H
#define KD_BASE_BACKOFF_H

#include <stdint.h>

/** Full jitter: a delay of 1..top microseconds, where top doubles per attempt (0, 1, …) from base_us up to cap_us (both > 0).
 *  chance is a random number from outside. */
static inline int64_t kd_backoff_us(unsigned attempt, int64_t base_us, int64_t cap_us, uint64_t chance)
{
    int64_t top = attempt < 20 && base_us <= cap_us >> attempt ? base_us << attempt : cap_us;
    return 1 + (int64_t)(chance % (uint64_t)top);
}

#endif
