/** SHA-256 digests as names of bytes (the form of OCI: "sha256:" and 64 hex digits), base64, random texts from given chance. */
#ifndef KD_MODEL_DIGEST_H
#define KD_MODEL_DIGEST_H

#include "shared/base/buf.h"

enum { KD_DIGEST_HEX = 64, KD_DIGEST_TEXT = 71 /* bytes: "sha256:" and the hex digits */ };

struct kd_digest {
    char text[KD_DIGEST_TEXT + 1]; /* "" is no digest */
};

struct kd_digest kd_digest_of(struct kd_str bytes);

/** The 64 hex digits, borrowed from *digest. */
static inline struct kd_str kd_digest_hex(const struct kd_digest *digest)
{
    return digest->text[0] ? (struct kd_str){ digest->text + 7, KD_DIGEST_HEX } : (struct kd_str){ NULL, 0 };
}

static inline struct kd_str kd_digest_str(const struct kd_digest *digest)
{
    return kd_str(digest->text);
}

/** Takes "sha256:<64 lower-case hex>"; false for anything else. */
bool kd_digest_parse(struct kd_str text, struct kd_digest *ret);

/** The same from the hex digits alone (as they stand in a topic). */
bool kd_digest_parse_hex(struct kd_str hex, struct kd_digest *ret);

bool kd_is_digest(struct kd_str text);

/** SHA-256 in pieces. */
struct kd_hash;
struct kd_hash *kd_hash_open(void); /* NULL when out of memory */
void kd_hash_add(struct kd_hash *hash, struct kd_str bytes);
struct kd_digest kd_hash_close(struct kd_hash *hash); /* frees */

/** Base64 (RFC 4648, with padding). Decoding skips line ends and fails on any other character. */
void kd_base64_add(struct kd_buf *out, struct kd_str bytes);
bool kd_base64_decode(struct kd_str text, struct kd_buf *out);

#endif
