/** Datagrams to the service manager. */
#include "shared/os/ready.h"

#include "shared/base/own.h"
#include "shared/base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

static const char *const kd_ready_texts[KD_READY_COUNT] = {
    [KD_READY_STARTED] = "READY=1",
    [KD_READY_RELOADING] = "RELOADING=1",
    [KD_READY_STOPPING] = "STOPPING=1",
    [KD_READY_ALIVE] = "WATCHDOG=1",
};

/** The address of the manager's socket; a leading '@' means the abstract name space. Returns its length, 0 if there is none. */
static socklen_t kd_ready_address(struct sockaddr_un *ret)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t n = path ? strlen(path) : 0;
    if (n < 2 || n >= sizeof ret->sun_path || (path[0] != '/' && path[0] != '@'))
        return 0;
    *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(ret->sun_path, path, n);
    if (path[0] == '@')
        ret->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

bool kd_ready_tell(enum kd_ready what)
{
    struct sockaddr_un to;
    char text[96];
    socklen_t length = kd_ready_address(&to);
    if (!length)
        return false;
    KD_AUTO(kd_closep) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    struct timespec now = { 0 };
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* systemd tells an old RELOADING from a new one by this clock */
    int n = snprintf(text, sizeof text, "%s", kd_ready_texts[what]);
    if (what == KD_READY_RELOADING)
        n = snprintf(text, sizeof text, "%s\nMONOTONIC_USEC=%" PRId64, kd_ready_texts[what],
                     (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    return sendto(fd, text, (size_t)n, MSG_NOSIGNAL, (const struct sockaddr *)&to, length) == n;
}

static uint64_t kd_ready_number(const char *name)
{
    uint64_t value = 0;
    return kd_str_u64(kd_str(getenv(name)), &value) ? value : 0;
}

int64_t kd_ready_pace_us(void)
{
    uint64_t pid = kd_ready_number("WATCHDOG_PID");
    if (pid != 0 && pid != (uint64_t)getpid())
        return 0;
    return (int64_t)(kd_ready_number("WATCHDOG_USEC") / 2);
}
