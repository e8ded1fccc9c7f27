/** Labels as operators type them. */
#include "coordinator/cli/labels.h"

#include "shared/base/own.h"
#include "shared/model/name.h"

static enum kd_code ct_label_parse(struct kd_str text, struct kd_pair *ret, struct kd_err *err)
{
    struct kd_str value = text, key = kd_str_trim(kd_str_cut(&value, '='));
    if (key.n == text.n)
        return kd_fail(err, KD_INVALID, 0, "label '%.*s' must look like key=value", KD_ARG(text));
    if (value.n && value.p[0] == '=')
        value = (struct kd_str){ value.p + 1, value.n - 1 };
    value = kd_str_trim(value);
    if (!kd_is_label_key(key))
        return kd_fail(err, KD_INVALID, 0, "'%.*s' is not a label key (letters, digits, '-', '_' and '.', like Kubernetes)",
                       KD_ARG(key));
    if (!kd_is_label_value(value))
        return kd_fail(err, KD_INVALID, 0, "'%.*s' is not a label value (letters, digits, '-', '_' and '.', at most 63)",
                       KD_ARG(value));
    *ret = (struct kd_pair){ key, value };
    return KD_OK;
}

static bool ct_labels_have(const struct kd_pairs *labels, struct kd_str key)
{
    for (size_t i = 0; i < labels->n; i++)
        if (kd_str_eq(labels->v[i].key, key))
            return true;
    return false;
}

enum kd_code ct_labels_parse(struct kd_str text, struct kd_arena *arena, struct kd_pairs *ret, struct kd_err *err)
{
    struct kd_pairs labels = { .v = kd_arena_alloc(arena, CT_LABELS_MAX * sizeof(*labels.v)) };
    if (labels.v == NULL)
        return kd_fail(err, KD_TOO_LARGE, 0, "too many labels");
    struct kd_str rest = text;
    do {
        struct kd_pair label = { { NULL, 0 }, { NULL, 0 } };
        if (labels.n == CT_LABELS_MAX)
            return kd_fail(err, KD_INVALID, 0, "'%.*s': at most %d labels in one selector", KD_ARG(text), CT_LABELS_MAX);
        enum kd_code code = ct_label_parse(kd_str_cut(&rest, ','), &label, err);
        if (code != KD_OK)
            return code;
        if (ct_labels_have(&labels, label.key))
            return kd_fail(err, KD_INVALID, 0, "label '%.*s' stands twice in one selector", KD_ARG(label.key));
        labels.v[labels.n++] = label;
    } while (rest.n);
    *ret = labels;
    return KD_OK;
}

struct kd_str ct_labels_text(const struct kd_pairs *labels, struct kd_arena *arena)
{
    KD_AUTO(kd_buf_clear) struct kd_buf text = KD_BUF(65536);
    for (size_t i = 0; i < labels->n; i++)
        kd_buf_printf(&text, "%s%.*s=%.*s", i ? "," : "", KD_ARG(labels->v[i].key), KD_ARG(labels->v[i].value));
    return kd_arena_copy(arena, kd_buf_str(&text));
}
