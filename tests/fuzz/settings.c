/** Any bytes as a settings file: what is refused names a reason, what is taken stands within its bounds. */
#include "shared/base/settings.h"
#include "shared/base/own.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct part {
    struct kd_str label, text;
};

struct config {
    struct kd_str text;
    int64_t count, duration_us, bytes;
    bool flag;
    int word;
    struct {
        struct part *v;
        size_t n;
    } parts;
};

static const char *const words[] = { "a", "b", NULL };
static const struct kd_setting part_rows[] = {
    { "text", "", "A text", KD_SETTING_TEXT, 0, 9, offsetof(struct part, text), true, NULL },
};
static const struct kd_setting rows[] = {
    { "text", "", "A text", KD_SETTING_TEXT, 0, 9, offsetof(struct config, text), true, NULL },
    { "count", "1", "A count", KD_SETTING_COUNT, -9, 9, offsetof(struct config, count), true, NULL },
    { "duration", "1s", "A duration", KD_SETTING_DURATION, 1, 1000000000, offsetof(struct config, duration_us), true, NULL },
    { "bytes", "1K", "An amount", KD_SETTING_BYTES, 1, INT64_MAX, offsetof(struct config, bytes), true, NULL },
    { "flag", "no", "A flag", KD_SETTING_FLAG, 0, 0, offsetof(struct config, flag), true, NULL },
    { "word", "a", "A word", KD_SETTING_WORD, 0, 0, offsetof(struct config, word), true, words },
};
static const struct kd_settings_section sections[] = {
    { "part", "NAME", "A part", part_rows, KD_COUNT(part_rows), sizeof(struct part), offsetof(struct part, label),
      offsetof(struct config, parts) },
};
static const struct kd_settings table = { "fuzz", rows, KD_COUNT(rows), sizeof(struct config), sections, KD_COUNT(sections) };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 20);
    struct config config;
    struct kd_err err = { 0 };
    if (kd_settings_parse(&table, (struct kd_str){ (const char *)data, size }, &arena, &config, &err) != KD_OK) {
        assert(err.story[0] != '\0');
        return 0;
    }
    assert(config.text.n <= 9 && config.count >= -9 && config.count <= 9 && config.bytes >= 1);
    assert(config.duration_us >= 1 && config.duration_us <= 1000000000 && config.word >= 0 && config.word <= 1);
    assert(config.parts.n <= KD_SETTINGS_SECTIONS_MAX);
    return 0;
}
