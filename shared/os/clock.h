/** The two clocks (shared/base/time.h says what each is for). */
#ifndef KD_OS_CLOCK_H
#define KD_OS_CLOCK_H

#include "shared/base/time.h"

/** CLOCK_BOOTTIME: goes on while the machine sleeps, never jumps. */
struct kd_mono kd_mono_now(void);

/** CLOCK_REALTIME: may be wrong, may jump. */
struct kd_wall kd_wall_now(void);

#endif
