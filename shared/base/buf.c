/** A byte buffer that grows up to a limit. */
#include "shared/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { KD_BUF_FIRST = 128 /* bytes, the first allocation */ };

void kd_buf_clear(struct kd_buf *b)
{
    free(b->p);
    *b = (struct kd_buf){ .max = b->max };
}

void kd_buf_reset(struct kd_buf *b)
{
    b->n = 0;
    b->overflow = false;
}

char *kd_buf_room(struct kd_buf *b, size_t n)
{
    if (b->overflow || n > b->max || b->n > b->max - n) {
        b->overflow = true;
        return NULL;
    }
    size_t need = b->n + n + 1;
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap : KD_BUF_FIRST;
        while (cap < need)
            cap = cap > SIZE_MAX / 2 ? need : cap * 2;
        char *grown = realloc(b->p, cap);
        if (!grown) {
            b->overflow = true;
            return NULL;
        }
        b->p = grown;
        b->cap = cap;
    }
    b->p[b->n + n] = '\0';
    return b->p + b->n;
}

void kd_buf_add(struct kd_buf *b, struct kd_str s)
{
    char *at = kd_buf_room(b, s.n);
    if (!at)
        return;
    if (s.n)
        memcpy(at, s.p, s.n);
    b->n += s.n;
}

void kd_buf_add_char(struct kd_buf *b, char c)
{
    kd_buf_add(b, (struct kd_str){ &c, 1 });
}

void kd_buf_printf(struct kd_buf *b, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *at = n < 0 ? NULL : kd_buf_room(b, (size_t)n);
    if (at) {
        (void)vsnprintf(at, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}
