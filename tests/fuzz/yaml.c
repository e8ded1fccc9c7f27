/** Any bytes as YAML: what is read is JSON, and written as YAML it is read again to the same JSON. */
#include "shared/model/yaml.h"
#include "shared/base/own.h"
#include "shared/model/json.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Whole numbers beyond 2^53 are read exactly, but kd_yaml_write takes them as JSON does: as doubles. Minus zero becomes zero. */
static bool has_odd_number(struct kd_str json)
{
    size_t digits = 0;
    for (size_t i = 0; i < json.n && digits < 16; i++)
        digits = json.p[i] >= '0' && json.p[i] <= '9' ? digits + 1 : 0;
    return digits >= 16 || kd_str_find(json, KD_STR("-0")) >= 0;
}

static void one_document(struct kd_str json, struct kd_arena *arena)
{
    KD_AUTO(kd_buf_clear) struct kd_buf compact = KD_BUF(1 << 24), yaml = KD_BUF(1 << 24);
    struct kd_strs again = { 0 };
    struct kd_err err = { 0 };
    if (kd_str_find(json, KD_STR("\\u0000")) >= 0)
        return; /* YAML may say it, JSON of ours may not */
    assert(kd_json_compact(json, "$", &compact, &err) == KD_OK);
    enum kd_code code = kd_yaml_write(json, &yaml, &err);
    assert(code == KD_OK && !yaml.overflow);
    code = kd_yaml_read(kd_buf_str(&yaml), "again", KD_YAML_STRICT, arena, &again, &err);
    if (code == KD_TOO_LARGE)
        return;
    assert(code == KD_OK && again.n == 1);
    assert(has_odd_number(json) || kd_str_eq(again.v[0], json));
}

/** The first byte chooses the mode. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 24);
    struct kd_strs documents = { 0 };
    struct kd_err err = { 0 };
    if (size == 0)
        return 0;
    enum kd_yaml_mode mode = data[0] % 2 ? KD_YAML_STRICT : KD_YAML_LAST_WINS;
    struct kd_str text = { (const char *)data + 1, size - 1 };
    if (kd_yaml_read(text, "first", mode, &arena, &documents, &err) != KD_OK) {
        assert(err.story[0] != '\0');
        return 0;
    }
    for (size_t i = 0; i < documents.n; i++)
        one_document(documents.v[i], &arena);
    return 0;
}
