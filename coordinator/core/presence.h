/** Who speaks for a cluster: what a hello or a will means, seen against what was heard before (docs/protocol.md, "Hello"). */
#ifndef CO_CORE_PRESENCE_H
#define CO_CORE_PRESENCE_H

#include "shared/model/messages.h"

/** What the coordinator remembers of a cluster's agent. Kept in the status store: rebuilt from what agents say. */
struct co_presence {
    int state; /* enum kd_presence */
    struct kd_str session, store, enrolment;
    uint64_t start, connection;
    struct kd_str before_session; /* the session that this one replaced, and its last connection */
    uint64_t before_connection;
    struct kd_hello_manifest manifest;
    struct kd_str refused; /* why it refused the manifest of refused_version */
    struct kd_version refused_version;
    struct kd_str inventory; /* digest of the one that came last */
    bool ahead, duplicate, enrolment_differs;
    uint64_t heard_ms; /* wall clock of the last hello */
};
extern const struct kd_json_shape co_presence_shape;

enum co_hello_verdict {
    CO_HELLO_TAKE,        /* the agent that speaks for this cluster now */
    CO_HELLO_TAKE_CLONE,  /* taken, but two of them take turns: a cloned edge */
    CO_HELLO_OTHER_STORE, /* another store while the known one is online: not served */
    CO_HELLO_GONE,        /* the will of the connection that is current */
    CO_HELLO_OLD,         /* of an earlier connection, session or store: dropped */
};

enum co_hello_verdict co_hello_judge(const struct co_presence *known, const struct kd_hello *hello);

/** Takes a hello over (verdict TAKE or TAKE_CLONE). Texts are borrowed from the hello and from *known. */
void co_presence_take(struct co_presence *known, const struct kd_hello *hello, bool clone);

/** True for a manifest version that the coordinator never gave: newer than its own, or equal with another digest.
 * @param own         the cluster's manifest, or the project's newest version where it has none
 * @param own_digest  of the manifest's bytes, "" if it has none */
bool co_is_ahead(const struct kd_hello_manifest *heard, struct kd_version own, struct kd_str own_digest);

#endif
