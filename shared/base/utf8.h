/** UTF-8, as RFC 3629 has it. */
#ifndef KD_BASE_UTF8_H
#define KD_BASE_UTF8_H

#include "shared/base/str.h"

/** True for well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool kd_utf8_is_valid(struct kd_str s);

/** How many bytes the text begins with that are well-formed. */
size_t kd_utf8_valid_head(struct kd_str s);

/** How many characters a well-formed text has. */
size_t kd_utf8_length(struct kd_str s);

/** The longest head of at most max bytes that does not cut a character in two. */
struct kd_str kd_utf8_head(struct kd_str s, size_t max);

#endif
