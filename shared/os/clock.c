/** The two clocks. */
#include "shared/os/clock.h"

#include <time.h>

struct kd_mono kd_mono_now(void)
{
    struct timespec now = { 0 };
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (struct kd_mono){ (int64_t)now.tv_sec * KD_US_PER_S + now.tv_nsec / 1000 };
}

struct kd_wall kd_wall_now(void)
{
    struct timespec now = { 0 };
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (struct kd_wall){ (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 };
}
