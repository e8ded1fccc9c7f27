/** Who speaks for a cluster. */
#include "coordinator/core/presence.h"

#include "shared/base/plant.h"
#include "shared/model/fields.h"

#define T struct co_presence
static const struct kd_json_field co_presence_fields[] = {
    F_WORD(T, state, kd_presence_words, "state"),
    F_TEXT(T, session, "session"),
    F_TEXT(T, store, "store"),
    F_TEXT(T, enrolment, "enrolment"),
    F_COUNT(T, start, "start"),
    F_COUNT(T, connection, "connection"),
    F_TEXT(T, before_session, "beforeSession"),
    F_COUNT(T, before_connection, "beforeConnection"),
    F_COUNT(T, manifest.epoch, "epoch"),
    F_COUNT(T, manifest.n, "n"),
    F_TEXT(T, manifest.digest, "digest"),
    F_TEXT(T, refused, "refused"),
    F_OBJECT(T, refused_version, &kd_version_shape, "refusedVersion"),
    F_TEXT(T, inventory, "inventory"),
    F_FLAG(T, ahead, "ahead"),
    F_FLAG(T, duplicate, "duplicate"),
    F_FLAG(T, enrolment_differs, "enrolmentDiffers"),
    F_COUNT(T, heard_ms, "heardMs"),
};
const struct kd_json_shape co_presence_shape = KD_SHAPE(T, co_presence_fields, "a presence");
#undef T

static enum co_hello_verdict co_judge_will(const struct co_presence *known, const struct kd_hello *will)
{
    if (KD_PLANT(LATE_WILL))
        return CO_HELLO_GONE;
    return kd_str_eq(known->store, will->store) && kd_str_eq(known->session, will->session) && known->start == will->start &&
                   known->connection == will->connection
               ? CO_HELLO_GONE
               : CO_HELLO_OLD;
}

enum co_hello_verdict co_hello_judge(const struct co_presence *known, const struct kd_hello *hello)
{
    if (hello->state == KD_PRESENCE_OFFLINE)
        return co_judge_will(known, hello);
    if (known->session.n == 0)
        return CO_HELLO_TAKE;
    if (!kd_str_eq(known->store, hello->store))
        return known->state == KD_PRESENCE_ONLINE ? CO_HELLO_OTHER_STORE : CO_HELLO_TAKE;
    if (kd_str_eq(known->session, hello->session))
        return hello->connection >= known->connection ? CO_HELLO_TAKE : CO_HELLO_OLD;
    if (kd_str_eq(known->before_session, hello->session))
        return hello->connection > known->before_connection ? CO_HELLO_TAKE_CLONE : CO_HELLO_OLD;
    if (known->state != KD_PRESENCE_ONLINE)
        return CO_HELLO_TAKE; /* an agent whose store went back in time counts its starts again */
    if (hello->start < known->start)
        return CO_HELLO_OLD;
    return hello->start == known->start ? CO_HELLO_TAKE_CLONE : CO_HELLO_TAKE;
}

void co_presence_take(struct co_presence *known, const struct kd_hello *hello, bool clone)
{
    if (!kd_str_eq(known->session, hello->session)) {
        known->before_session = known->session;
        known->before_connection = known->connection;
    }
    if (!kd_str_eq(known->store, hello->store))
        known->duplicate = false;
    known->duplicate |= clone;
    known->state = hello->state == KD_PRESENCE_LEFT ? KD_PRESENCE_LEFT : KD_PRESENCE_ONLINE;
    known->session = hello->session;
    known->store = hello->store;
    known->enrolment = hello->enrolment;
    known->start = hello->start;
    known->connection = hello->connection;
    known->manifest = hello->manifest;
    known->refused = hello->refused ? hello->refused->reason : (struct kd_str){ NULL, 0 };
    known->refused_version = hello->refused ? (struct kd_version){ hello->refused->epoch, hello->refused->n }
                                            : (struct kd_version){ 0, 0 };
}

bool co_is_ahead(const struct kd_hello_manifest *heard, struct kd_version own, struct kd_str own_digest)
{
    int order = kd_version_cmp((struct kd_version){ heard->epoch, heard->n }, own);
    return order > 0 || (order == 0 && own_digest.n && heard->digest.n && !kd_str_eq(heard->digest, own_digest));
}
