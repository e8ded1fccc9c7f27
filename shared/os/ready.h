/** What a service manager wants to know, by one datagram to NOTIFY_SOCKET (the protocol of sd_notify, without libsystemd). */
#ifndef KD_OS_READY_H
#define KD_OS_READY_H

#include <stdbool.h>
#include <stdint.h>

enum kd_ready { KD_READY_STARTED, KD_READY_RELOADING, KD_READY_STOPPING, KD_READY_ALIVE, KD_READY_COUNT };

/** True if it was sent; false if nobody wants to know (NOTIFY_SOCKET is not set) or it could not be. */
bool kd_ready_tell(enum kd_ready what);

/** How often KD_READY_ALIVE must be told at least (half of the manager's limit), 0 for never. */
int64_t kd_ready_pace_us(void);

#endif
