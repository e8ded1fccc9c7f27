/** Any bytes as what operators type and keep in files: --set, labels, documents. What comes out is JSON. */
#include "coordinator/cli/documents.h"
#include "coordinator/cli/labels.h"
#include "coordinator/cli/pretty.h"
#include "coordinator/cli/sets.h"
#include "shared/base/own.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(struct kd_str json)
{
    KD_AUTO(kd_buf_clear) struct kd_buf compact = KD_BUF(1 << 24), pretty = KD_BUF(1 << 24), again = KD_BUF(1 << 24);
    struct kd_err err = { 0 };
    assert(kd_json_compact(json, "$", &compact, &err) == KD_OK);
    ct_pretty_json(kd_buf_str(&compact), &pretty);
    assert(kd_json_compact(kd_buf_str(&pretty), "$", &again, &err) == KD_OK);
    assert(kd_str_eq(kd_buf_str(&compact), kd_buf_str(&again)));
}

static void fuzz_sets(struct kd_str typed)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 24);
    KD_AUTO(ct_sets_closep) struct ct_sets *sets = ct_sets_open();
    struct kd_str app, json;
    if (ct_sets_assign(sets, typed, typed.n % 2, NULL) != KD_OK)
        return;
    for (size_t i = 0; ct_sets_get(sets, i, &arena, &app, &json); i++)
        check_json(json);
}

static void fuzz_documents(struct kd_str text)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 24);
    struct ct_documents documents;
    if (ct_documents_read(text, "file", &arena, &documents, NULL) != KD_OK)
        return;
    for (size_t i = 0; i < documents.n; i++)
        check_json(ct_document_body(&documents.v[i], documents.v[i].uid, documents.v[i].resource_version, &arena));
}

static void fuzz_labels(struct kd_str typed)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 20);
    struct kd_pairs labels, again;
    if (ct_labels_parse(typed, &arena, &labels, NULL) == KD_OK)
        assert(ct_labels_parse(ct_labels_text(&labels, &arena), &arena, &again, NULL) == KD_OK && again.n == labels.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kd_str input = { (const char *)data, size };
    fuzz_sets(input);
    fuzz_labels(input);
    fuzz_documents(input);
    return 0;
}
