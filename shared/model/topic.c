/** Topics: patterns against levels. */
#include "shared/model/topic.h"

#define KD_TOPIC_AS_PATTERN(id, pattern) [KD_TOPIC_##id] = KD_STR_INIT(pattern),
static const struct kd_str kd_topic_patterns[KD_TOPIC_KIND_COUNT] = { KD_TOPICS(KD_TOPIC_AS_PATTERN) };

static bool kd_topic_matches(struct kd_str topic, struct kd_str pattern, struct kd_topic *ret)
{
    size_t parts = 0;
    while (pattern.n) {
        struct kd_str want = kd_str_cut(&pattern, '/');
        bool more = topic.n > 0;
        struct kd_str level = kd_str_cut(&topic, '/');
        if (!more || level.n == 0)
            return false;
        if (kd_str_is(want, "+"))
            ret->part[parts++] = level;
        else if (!kd_str_eq(want, level))
            return false;
    }
    return topic.n == 0;
}

bool kd_topic_parse(struct kd_str topic, struct kd_topic *ret)
{
    const struct kd_str root = KD_STR(KD_TOPIC_ROOT);
    if (topic.n > KD_TOPIC_MAX || !kd_str_starts(topic, root) || memchr(topic.p, '+', topic.n) || memchr(topic.p, '#', topic.n) ||
        kd_str_ends(topic, KD_STR("/")))
        return false;
    struct kd_str rest = { topic.p + root.n, topic.n - root.n };
    for (int kind = 0; kind < KD_TOPIC_KIND_COUNT; kind++) {
        struct kd_topic found = { .kind = (enum kd_topic_kind)kind };
        if (kd_topic_matches(rest, kd_topic_patterns[kind], &found)) {
            *ret = found;
            return true;
        }
    }
    return false;
}

void kd_topic_add(struct kd_buf *out, enum kd_topic_kind kind, struct kd_str a, struct kd_str b, struct kd_str c, struct kd_str d)
{
    const struct kd_str parts[KD_TOPIC_PARTS] = { a, b, c, d };
    struct kd_str pattern = kd_topic_patterns[kind];
    size_t next = 0;
    kd_buf_add(out, KD_STR(KD_TOPIC_ROOT));
    while (pattern.n) {
        struct kd_str level = kd_str_cut(&pattern, '/');
        kd_buf_add(out, kd_str_is(level, "+") ? parts[next++] : level);
        if (pattern.n)
            kd_buf_add_char(out, '/');
    }
}
