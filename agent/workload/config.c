/** Config: the entries of ConfigMaps and Secrets. */
#include "agent/workload/config.h"

#include "shared/base/own.h"
#include "shared/model/digest.h"

enum { AG_ENTRY_MAX = 8 * 1024 * 1024 /* bytes: Kubernetes takes 1 MiB for a whole object */ };

static const struct ag_member {
    enum ag_role role;
    const char *name;
    bool base64;
} ag_members[] = {
    /* A later one wins. */
    { AG_ROLE_CONFIG, "binaryData", true },
    { AG_ROLE_CONFIG, "data", false },
    { AG_ROLE_SECRET, "data", true },
    { AG_ROLE_SECRET, "stringData", false },
};

static struct kd_str ag_entry_content(struct ag_build *b, const struct ag_object *object, const cJSON *item, bool base64)
{
    struct kd_str text = ag_tree_value(item);
    KD_AUTO(kd_buf_clear) struct kd_buf bytes = KD_BUF(AG_ENTRY_MAX);
    if (!base64)
        return ag_build_copy(b, text);
    if (!kd_base64_decode(text, &bytes))
        ag_build_fail(b, KD_INVALID, object->title, "the value of %s is not base64", item->string);
    return ag_build_take(b, &bytes);
}

static void ag_entry_put(struct ag_build *b, const struct ag_object *object, const cJSON *item, bool base64, struct ag_entries *ret)
{
    struct ag_entry *at = NULL;
    for (size_t i = 0; i < ret->n; i++)
        if (kd_str_is(ret->v[i].key, item->string))
            at = &ret->v[i];
    if (!at)
        at = ag_build_push(b, ret, sizeof *at);
    if (at)
        *at = (struct ag_entry){ ag_build_copy(b, kd_str(item->string)), ag_entry_content(b, object, item, base64) };
}

static int ag_entry_order(const void *left, const void *right)
{
    return kd_str_cmp(((const struct ag_entry *)left)->key, ((const struct ag_entry *)right)->key);
}

static void ag_object_read_entries(struct ag_build *b, struct ag_object *object)
{
    for (size_t i = 0; i < KD_COUNT(ag_members); i++)
        for (const cJSON *item = ag_members[i].role == object->kind->role ? ag_tree_first(object->json, ag_members[i].name) : NULL;
             item; item = item->next)
            ag_entry_put(b, object, item, ag_members[i].base64, &object->entries);
    if (object->entries.n)
        qsort(object->entries.v, object->entries.n, sizeof *object->entries.v, ag_entry_order);
    object->entries_read = true;
}

bool ag_config_read(struct ag_build *b, struct kd_str user, enum ag_role role, struct kd_str namespace, struct kd_str name,
                    bool optional, struct ag_entries *ret)
{
    struct ag_object *object = ag_objects_find(b, role, namespace, name);
    *ret = (struct ag_entries){ NULL, 0 };
    if (!object && !optional)
        ag_build_fail(b, KD_INVALID, user, "%s %.*s is not part of this application",
                      role == AG_ROLE_SECRET ? "Secret" : "ConfigMap", KD_ARG(name));
    if (!object)
        return false;
    if (!object->entries_read)
        ag_object_read_entries(b, object);
    *ret = object->entries;
    return true;
}

const struct ag_entry *ag_config_find(const struct ag_entries *entries, struct kd_str key)
{
    for (size_t i = 0; i < entries->n; i++)
        if (kd_str_eq(entries->v[i].key, key))
            return &entries->v[i];
    return NULL;
}
