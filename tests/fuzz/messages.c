/** Any bytes as each message and document: what is read is written in a form that is read again to the same bytes. */
#include "shared/model/messages.h"
#include "shared/base/own.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct kd_json_shape *const shapes[] = {
    &kd_manifest_shape, &kd_document_shape,    &kd_parts_shape,  &kd_status_shape,    &kd_hello_shape,
    &kd_ack_shape,      &kd_coordinator_shape, &kd_marker_shape, &kd_inventory_shape,
};

static void one_shape(const struct kd_json_shape *shape, struct kd_str json)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 24);
    KD_AUTO(kd_buf_clear) struct kd_buf first = KD_BUF(1 << 24), again = KD_BUF(1 << 24);
    struct kd_err err = { 0 };
    void *value = kd_arena_alloc(&arena, shape->size);
    if (!value || kd_json_decode(shape, json, &arena, value, &err) != KD_OK)
        return;
    kd_json_encode(shape, value, &first);
    assert(!first.overflow);
    enum kd_code code = kd_json_decode(shape, kd_buf_str(&first), &arena, value, &err);
    if (code == KD_TOO_LARGE)
        return;
    assert(code == KD_OK);
    kd_json_encode(shape, value, &again);
    assert(kd_str_eq(kd_buf_str(&first), kd_buf_str(&again)));
}

/** The first byte chooses the shape. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0)
        one_shape(shapes[data[0] % KD_COUNT(shapes)], (struct kd_str){ (const char *)data + 1, size - 1 });
    return 0;
}
