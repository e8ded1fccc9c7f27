/** Randomness from the kernel. Never fails: a kernel without it ends the program. */
#ifndef KD_OS_RANDOM_H
#define KD_OS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void kd_random_bytes(void *ret, size_t bytes);
uint64_t kd_random_u64(void);

/** `chars` random hex digits and the terminator: ret has room for chars + 1. 32 digits are as good as a UUID. */
void kd_random_text(char *ret, size_t chars);

#endif
