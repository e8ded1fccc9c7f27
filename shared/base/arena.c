/** Memory for the life of one message. */
#include "shared/base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { KD_ARENA_BLOCK = 4096 /* bytes, the smallest block */ };

struct kd_arena_block {
    struct kd_arena_block *next;
    size_t used, cap;
    alignas(max_align_t) char bytes[];
};

static struct kd_arena_block *kd_arena_grow(struct kd_arena *arena, size_t bytes)
{
    size_t cap = bytes > KD_ARENA_BLOCK ? bytes : KD_ARENA_BLOCK;
    struct kd_arena_block *block = calloc(1, sizeof *block + cap);
    if (!block)
        return NULL;
    block->cap = cap;
    block->next = arena->blocks;
    arena->blocks = block;
    return block;
}

void *kd_arena_alloc(struct kd_arena *arena, size_t bytes)
{
    if (bytes > arena->left || arena->left - bytes < alignof(max_align_t))
        return NULL;
    size_t need = (bytes + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    struct kd_arena_block *block = arena->blocks;
    if (!block || block->cap - block->used < need)
        block = kd_arena_grow(arena, need);
    if (!block)
        return NULL;
    void *at = block->bytes + block->used;
    block->used += need;
    arena->left -= need > arena->left ? arena->left : need;
    return at;
}

struct kd_str kd_arena_copy(struct kd_arena *arena, struct kd_str s)
{
    char *at = kd_arena_alloc(arena, s.n + 1);
    if (!at)
        return (struct kd_str){ NULL, 0 };
    if (s.n)
        memcpy(at, s.p, s.n);
    return (struct kd_str){ at, s.n };
}

struct kd_str kd_arena_printf(struct kd_arena *arena, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *at = n < 0 ? NULL : kd_arena_alloc(arena, (size_t)n + 1);
    if (at)
        (void)vsnprintf(at, (size_t)n + 1, fmt, again);
    va_end(again);
    return (struct kd_str){ at, at ? (size_t)n : 0 };
}

void kd_arena_clear(struct kd_arena *arena)
{
    while (arena->blocks) {
        struct kd_arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
}
