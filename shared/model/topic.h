/** Topics: a row per topic of docs/protocol.md. Parsing, writing and subscribing use the same rows. */
#ifndef KD_MODEL_TOPIC_H
#define KD_MODEL_TOPIC_H

#include "shared/base/buf.h"

/** id, pattern below kedge/v1/: '+' stands for one level that is a name. */
#define KD_TOPICS(X)                                                                                                               \
    X(REQUEST, "+/request/+/+/+")     /* project, operator, kind, verb */                                                          \
    X(REPLY, "+/reply/+/+")           /* project, operator, id */                                                                  \
    X(STATE, "+/state/+/+")           /* project, kind, name */                                                                    \
    X(STATE_VERSION, "+/state/+/+/+") /* project, kind, name, version */                                                           \
    X(COORDINATOR, "+/coordinator")   /* project */                                                                                \
    X(MARKER, "+/marker")             /* project */                                                                                \
    X(MANIFEST, "+/clusters/+/manifest")                                                                                           \
    X(OBJECT, "+/objects/+") /* project, 64 hex digits */                                                                          \
    X(HELLO, "+/clusters/+/hello")                                                                                                 \
    X(INVENTORY, "+/clusters/+/inventory")                                                                                         \
    X(STATUS, "+/clusters/+/status/+") /* project, cluster, deployment */                                                          \
    X(ACK, "+/clusters/+/ack")                                                                                                     \
    X(DO, "+/clusters/+/do")                                                                                                       \
    X(DONE, "+/clusters/+/done")

#define KD_TOPIC_AS_ENUM(id, pattern) KD_TOPIC_##id,
enum kd_topic_kind { KD_TOPICS(KD_TOPIC_AS_ENUM) KD_TOPIC_KIND_COUNT };

enum { KD_TOPIC_PARTS = 4, KD_TOPIC_MAX = 400 /* bytes, the longest topic that is accepted */ };

struct kd_topic {
    enum kd_topic_kind kind;
    struct kd_str part[KD_TOPIC_PARTS]; /* what stands at each '+', in order; borrowed from the topic */
};

#define KD_TOPIC_ROOT "kedge/v1/"

/** False for a topic that is not one of ours, or that has an empty level, a wildcard or more than KD_TOPIC_MAX bytes. */
bool kd_topic_parse(struct kd_str topic, struct kd_topic *ret);

/** Appends the topic with parts a, b, … in place of each '+'; a part given as "+" makes a subscription. Unused parts are empty. */
void kd_topic_add(struct kd_buf *out, enum kd_topic_kind kind, struct kd_str a, struct kd_str b, struct kd_str c, struct kd_str d);

#endif
