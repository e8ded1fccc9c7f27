/** What a registry asks for with 401: the challenge in WWW-Authenticate, and the tokens of token servers. Pure.
 */
#ifndef KD_REGISTRY_TOKEN_H
#define KD_REGISTRY_TOKEN_H

#include "shared/base/arena.h"
#include "shared/base/buf.h"
#include "shared/base/err.h"

enum kd_challenge_kind { KD_CHALLENGE_NONE, KD_CHALLENGE_BASIC, KD_CHALLENGE_BEARER };

enum { KD_TOKEN_ANSWER_MAX = 256 * 1024, KD_TOKEN_MAX = 48 * 1024 /* bytes; a header must carry it */ };

struct kd_challenge {
    enum kd_challenge_kind kind;
    struct kd_str realm, service, scope; /* Bearer: borrowed from the header, without quotes */
};

/** Reads one header value. What is not understood is KD_CHALLENGE_NONE. */
struct kd_challenge kd_challenge_parse(struct kd_str header);

/** The address that a token is asked for at. */
void kd_token_url(const struct kd_challenge *challenge, struct kd_buf *out);

/** "Basic …" of user name and password. */
void kd_basic(const char *username, const char *password, struct kd_buf *out);

/** Appends "Bearer …" from a token server's answer. KD_INVALID: there is no token in it. */
KD_MUST_CHECK enum kd_code kd_token_read(struct kd_str json, struct kd_buf *out, struct kd_err *err);

#endif
