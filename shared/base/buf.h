/** A byte buffer that grows up to a limit named by its owner. Overflow is sticky: write everything, check once at the end. */
#ifndef KD_BASE_BUF_H
#define KD_BASE_BUF_H

#include "shared/base/str.h"

struct kd_buf {
    char *p;       /* owned; followed by a 0 byte that is not counted, so that it can be used as a text */
    size_t n, cap; /* bytes used, bytes allocated */
    size_t max;    /* bytes, the limit */
    bool overflow; /* something did not fit (limit or memory): the content must not be used */
};

/** An empty buffer that may hold up to max bytes. Never fails, allocates nothing. */
#define KD_BUF(limit)                                                                                                              \
    {                                                                                                                              \
        .max = (limit)                                                                                                             \
    }

/** Frees; the buffer is empty and usable again. For KD_AUTO. */
void kd_buf_clear(struct kd_buf *b);

/** Forgets the content, keeps the memory. */
void kd_buf_reset(struct kd_buf *b);

void kd_buf_add(struct kd_buf *b, struct kd_str s);
void kd_buf_add_char(struct kd_buf *b, char c);
void kd_buf_printf(struct kd_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Room for n more bytes to be written by the caller, who then adds to b->n; NULL on overflow. */
char *kd_buf_room(struct kd_buf *b, size_t n);

/** The content, borrowed. Empty after an overflow. */
static inline struct kd_str kd_buf_str(const struct kd_buf *b)
{
    return b->overflow ? (struct kd_str){ NULL, 0 } : (struct kd_str){ b->p, b->n };
}

#endif
