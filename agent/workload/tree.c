/** Reading Kubernetes objects as trees. */
#include "agent/workload/tree.h"

const cJSON *ag_tree_get(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return item && !cJSON_IsNull(item) ? item : NULL;
}

const cJSON *ag_tree_at(const cJSON *object, const char *path)
{
    struct kd_str rest = kd_str(path);
    while (object && rest.n) {
        char name[64];
        object = kd_str_copy(kd_str_cut(&rest, '.'), name, sizeof name) ? ag_tree_get(object, name) : NULL;
    }
    return object;
}

struct kd_str ag_tree_value(const cJSON *value)
{
    return cJSON_IsString(value) ? kd_str(value->valuestring) : (struct kd_str){ NULL, 0 };
}

struct kd_str ag_tree_text(const cJSON *object, const char *name)
{
    return ag_tree_value(ag_tree_get(object, name));
}

int64_t ag_tree_number(const cJSON *object, const char *name, int64_t fallback)
{
    const cJSON *item = ag_tree_get(object, name);
    return cJSON_IsNumber(item) ? (int64_t)item->valuedouble : fallback;
}

bool ag_tree_flag(const cJSON *object, const char *name, bool fallback)
{
    const cJSON *item = ag_tree_get(object, name);
    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : fallback;
}

const cJSON *ag_tree_first(const cJSON *object, const char *name)
{
    const cJSON *item = ag_tree_get(object, name);
    return cJSON_IsArray(item) || cJSON_IsObject(item) ? item->child : NULL;
}

size_t ag_tree_count(const cJSON *object, const char *name)
{
    size_t n = 0;
    for (const cJSON *item = ag_tree_first(object, name); item; item = item->next)
        n++;
    return n;
}

bool ag_tree_selects(const cJSON *selector, const cJSON *labels)
{
    if (!cJSON_IsObject(selector) || !selector->child)
        return false;
    for (const cJSON *one = selector->child; one; one = one->next) {
        const cJSON *label = ag_tree_get(labels, one->string);
        if (!label || !kd_str_eq(ag_tree_value(one), ag_tree_value(label)))
            return false;
    }
    return true;
}
