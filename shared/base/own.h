/** Ownership that reads like a storage class: KD_AUTO(fn) calls fn(&var) at the end of the scope, KD_TAKE hands the value over. */
#ifndef KD_BASE_OWN_H
#define KD_BASE_OWN_H

#include <stdlib.h>
#include <unistd.h>

#define KD_AUTO(fn) __attribute__((cleanup(fn)))
#define KD_TAKE(var, empty)                                                                                                        \
    __extension__({                                                                                                                \
        __typeof__(var) taken_ = (var);                                                                                            \
        (var) = (empty);                                                                                                           \
        taken_;                                                                                                                    \
    })
#define KD_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/** free() for KD_AUTO on any pointer. */
static inline void kd_freep(void *pointer)
{
    free(*(void **)pointer);
}

/** close() for KD_AUTO on a descriptor; -1 is none. */
static inline void kd_closep(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

#endif
