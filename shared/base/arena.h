/** Memory for the life of one message: allocated piece by piece, freed at once. Nothing in it is freed alone or outlives it. */
#ifndef KD_BASE_ARENA_H
#define KD_BASE_ARENA_H

#include "shared/base/str.h"

struct kd_arena_block;

struct kd_arena {
    struct kd_arena_block *blocks; /* owned, newest first */
    size_t left;                   /* bytes that may still be allocated */
};

/** An arena that gives out at most limit bytes. Never fails, allocates nothing yet. */
#define KD_ARENA(limit)                                                                                                            \
    {                                                                                                                              \
        .left = (limit)                                                                                                            \
    }

/** Zeroed memory, aligned for any type; NULL when the limit or the memory is used up. */
void *kd_arena_alloc(struct kd_arena *arena, size_t bytes);

#define KD_NEW(arena, type) ((type *)kd_arena_alloc((arena), sizeof(type)))

/** A terminated copy; {NULL, 0} when the arena is full. */
struct kd_str kd_arena_copy(struct kd_arena *arena, struct kd_str s);

/** A terminated, formatted text; {NULL, 0} when the arena is full. */
struct kd_str kd_arena_printf(struct kd_arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Frees all. For KD_AUTO; the arena may not be used again before it is set up anew. */
void kd_arena_clear(struct kd_arena *arena);

#endif
