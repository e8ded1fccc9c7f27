/** Challenges and tokens, as the distribution specification and RFC 7235 have them. */
#include "shared/registry/token.h"

#include "shared/model/digest.h"
#include "shared/model/fields.h"

#include <ctype.h>
#include <strings.h>

enum { KD_TOKEN_ARENA = 2 * KD_TOKEN_ANSWER_MAX };

struct kd_token_answer {
    struct kd_str token, access_token;
};

static const struct kd_json_field token_rows[] = {
    F_TEXT(struct kd_token_answer, token, "token", .max = KD_TOKEN_MAX),
    F_TEXT(struct kd_token_answer, access_token, "access_token", .max = KD_TOKEN_MAX),
};
static const struct kd_json_shape token_shape = KD_SHAPE(struct kd_token_answer, token_rows, "token");

/** Cuts `name=value` or `name="value"` off; false at the end. Escapes in quotes do not occur in realms and scopes. */
static bool kd_next_parameter(struct kd_str *left, struct kd_str *ret_name, struct kd_str *ret_value)
{
    while (left->n && (left->p[0] == ',' || left->p[0] == ' '))
        *left = (struct kd_str){ left->p + 1, left->n - 1 };
    if (!left->n || !memchr(left->p, '=', left->n))
        return false;
    *ret_name = kd_str_trim(kd_str_cut(left, '='));
    if (left->n && left->p[0] == '"') {
        *left = (struct kd_str){ left->p + 1, left->n - 1 };
        *ret_value = kd_str_cut(left, '"');
    } else {
        *ret_value = kd_str_trim(kd_str_cut(left, ','));
    }
    return true;
}

static bool kd_is_word(struct kd_str text, const char *word)
{
    return text.n == strlen(word) && strncasecmp(text.p, word, text.n) == 0;
}

struct kd_challenge kd_challenge_parse(struct kd_str header)
{
    struct kd_challenge challenge = { KD_CHALLENGE_NONE, { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
    struct kd_str left = kd_str_trim(header), name, value;
    struct kd_str scheme = kd_str_cut(&left, ' ');
    if (kd_is_word(scheme, "Basic"))
        challenge.kind = KD_CHALLENGE_BASIC;
    if (!kd_is_word(scheme, "Bearer"))
        return challenge;
    while (kd_next_parameter(&left, &name, &value)) {
        struct kd_str *at = kd_is_word(name, "realm")     ? &challenge.realm
                            : kd_is_word(name, "service") ? &challenge.service
                            : kd_is_word(name, "scope")   ? &challenge.scope
                                                          : NULL;
        if (at)
            *at = value;
    }
    challenge.kind = challenge.realm.n ? KD_CHALLENGE_BEARER : KD_CHALLENGE_NONE;
    return challenge;
}

static void kd_add_query(struct kd_buf *out, char before, const char *name, struct kd_str value)
{
    if (!value.n)
        return;
    kd_buf_printf(out, "%c%s=", before, name);
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (isalnum((unsigned char)c) || (c && strchr("-._~:/,", c)))
            kd_buf_add_char(out, c);
        else
            kd_buf_printf(out, "%%%02X", (unsigned)(unsigned char)c);
    }
}

void kd_token_url(const struct kd_challenge *challenge, struct kd_buf *out)
{
    bool asks = memchr(challenge->realm.p, '?', challenge->realm.n) != NULL;
    kd_buf_add(out, challenge->realm);
    kd_add_query(out, asks ? '&' : '?', "service", challenge->service);
    kd_add_query(out, asks || challenge->service.n ? '&' : '?', "scope", challenge->scope);
}

void kd_basic(const char *username, const char *password, struct kd_buf *out)
{
    KD_AUTO(kd_buf_clear) struct kd_buf both = KD_BUF(KD_TOKEN_MAX);
    kd_buf_printf(&both, "%s:%s", username, password ? password : "");
    kd_buf_add(out, KD_STR("Basic "));
    kd_base64_add(out, kd_buf_str(&both));
}

enum kd_code kd_token_read(struct kd_str json, struct kd_buf *out, struct kd_err *err)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(KD_TOKEN_ARENA);
    struct kd_token_answer answer;
    enum kd_code code = kd_json_decode(&token_shape, json, &arena, &answer, err);
    if (code != KD_OK)
        return code;
    struct kd_str token = answer.token.n ? answer.token : answer.access_token;
    if (!token.n)
        return kd_fail(err, KD_INVALID, 0, "the token server sent no token");
    kd_buf_printf(out, "Bearer %.*s", KD_ARG(token));
    return KD_OK;
}
