/** Randomness from the kernel. */
#include "shared/os/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/types.h>

void kd_random_bytes(void *ret, size_t bytes)
{
    unsigned char *at = ret;
    while (bytes) {
        ssize_t n = getrandom(at, bytes, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            abort(); /* identities and sessions must not be guessable: better no program */
        at += n;
        bytes -= (size_t)n;
    }
}

uint64_t kd_random_u64(void)
{
    uint64_t value = 0;
    kd_random_bytes(&value, sizeof value);
    return value;
}

void kd_random_text(char *ret, size_t chars)
{
    static const char digits[] = "0123456789abcdef";
    kd_random_bytes(ret, chars);
    for (size_t i = 0; i < chars; i++)
        ret[i] = digits[(unsigned char)ret[i] & 15];
    ret[chars] = '\0';
}
