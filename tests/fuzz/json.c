/** Any bytes as JSON: what is read is written in a form that is read again to the same bytes. */
#include "shared/model/json.h"
#include "shared/base/own.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct node {
    struct kd_str text, raw;
    uint64_t count;
    int64_t number;
    bool flag;
    struct kd_strs texts;
    struct kd_pairs pairs;
    struct node *next;
};

static const struct kd_json_shape node_shape;
static const struct kd_json_field node_fields[] = {
    { .name = "t", .kind = KD_JSON_TEXT, .at = offsetof(struct node, text) },
    { .name = "c", .kind = KD_JSON_COUNT, .at = offsetof(struct node, count) },
    { .name = "n", .kind = KD_JSON_NUMBER, .at = offsetof(struct node, number) },
    { .name = "f", .kind = KD_JSON_FLAG, .at = offsetof(struct node, flag) },
    { .name = "l", .kind = KD_JSON_TEXTS, .at = offsetof(struct node, texts) },
    { .name = "p", .kind = KD_JSON_PAIRS, .at = offsetof(struct node, pairs) },
    { .name = "x", .kind = KD_JSON_REF, .at = offsetof(struct node, next), .shape = &node_shape },
    { .name = "r", .kind = KD_JSON_RAW, .at = offsetof(struct node, raw) },
};
static const struct kd_json_shape node_shape = {
    .what = "node", .size = sizeof(struct node), .fields = node_fields, .count = KD_COUNT(node_fields)
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 22);
    KD_AUTO(kd_buf_clear) struct kd_buf first = KD_BUF(1 << 22), again = KD_BUF(1 << 22);
    struct node node;
    struct kd_err err = { 0 };
    if (kd_json_decode(&node_shape, (struct kd_str){ (const char *)data, size }, &arena, &node, &err) != KD_OK)
        return 0;
    kd_json_encode(&node_shape, &node, &first);
    assert(!first.overflow);
    assert(kd_json_decode(&node_shape, kd_buf_str(&first), &arena, &node, &err) == KD_OK || err.code == KD_TOO_LARGE);
    if (err.code == KD_TOO_LARGE)
        return 0;
    kd_json_encode(&node_shape, &node, &again);
    assert(kd_str_eq(kd_buf_str(&first), kd_buf_str(&again)));
    return 0;
}
