/** Digests and base64, by mbedcrypto. */
#include "shared/model/digest.h"

#include <mbedtls/base64.h>
#include <mbedtls/sha256.h>
#include <stdlib.h>

struct kd_hash {
    mbedtls_sha256_context sha;
};

static struct kd_digest kd_digest_from(const unsigned char raw[32])
{
    static const char hex[] = "0123456789abcdef";
    struct kd_digest digest = { "sha256:" };
    for (size_t i = 0; i < 32; i++) {
        digest.text[7 + 2 * i] = hex[raw[i] >> 4];
        digest.text[8 + 2 * i] = hex[raw[i] & 15];
    }
    return digest;
}

struct kd_digest kd_digest_of(struct kd_str bytes)
{
    unsigned char raw[32];
    (void)mbedtls_sha256_ret((const unsigned char *)(bytes.p ? bytes.p : ""), bytes.n, raw, 0);
    return kd_digest_from(raw);
}

bool kd_digest_parse_hex(struct kd_str hex, struct kd_digest *ret)
{
    if (hex.n != KD_DIGEST_HEX)
        return false;
    for (size_t i = 0; i < hex.n; i++)
        if (!((hex.p[i] >= '0' && hex.p[i] <= '9') || (hex.p[i] >= 'a' && hex.p[i] <= 'f')))
            return false;
    memcpy(ret->text, "sha256:", 7);
    memcpy(ret->text + 7, hex.p, hex.n);
    ret->text[KD_DIGEST_TEXT] = '\0';
    return true;
}

bool kd_digest_parse(struct kd_str text, struct kd_digest *ret)
{
    return kd_str_starts(text, KD_STR("sha256:")) && kd_digest_parse_hex((struct kd_str){ text.p + 7, text.n - 7 }, ret);
}

bool kd_is_digest(struct kd_str text)
{
    struct kd_digest ignored;
    return kd_digest_parse(text, &ignored);
}

struct kd_hash *kd_hash_open(void)
{
    struct kd_hash *hash = malloc(sizeof *hash);
    if (!hash)
        return NULL;
    mbedtls_sha256_init(&hash->sha);
    (void)mbedtls_sha256_starts_ret(&hash->sha, 0);
    return hash;
}

void kd_hash_add(struct kd_hash *hash, struct kd_str bytes)
{
    (void)mbedtls_sha256_update_ret(&hash->sha, (const unsigned char *)(bytes.p ? bytes.p : ""), bytes.n);
}

struct kd_digest kd_hash_close(struct kd_hash *hash)
{
    unsigned char raw[32];
    (void)mbedtls_sha256_finish_ret(&hash->sha, raw);
    mbedtls_sha256_free(&hash->sha);
    free(hash);
    return kd_digest_from(raw);
}

void kd_base64_add(struct kd_buf *out, struct kd_str bytes)
{
    size_t need = (bytes.n + 2) / 3 * 4, written = 0;
    char *at = kd_buf_room(out, need + 1);
    if (at && mbedtls_base64_encode((unsigned char *)at, need + 1, &written, (const unsigned char *)bytes.p, bytes.n) == 0)
        out->n += written;
}

/** Whole groups of four; mbedcrypto skips blanks as well, and takes half a group for none. */
static bool kd_is_base64(struct kd_str text)
{
    size_t digits = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == ' ')
            return false;
        digits += text.p[i] != '\n' && text.p[i] != '\r';
    }
    return digits % 4 == 0;
}

bool kd_base64_decode(struct kd_str text, struct kd_buf *out)
{
    size_t need = text.n / 4 * 3, written = 0;
    if (!kd_is_base64(text))
        return false;
    char *at = kd_buf_room(out, need);
    if (!at || mbedtls_base64_decode((unsigned char *)at, need, &written, (const unsigned char *)text.p, text.n) != 0)
        return false;
    out->n += written;
    return true;
}
