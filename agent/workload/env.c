/** Env: the environment of a container, and what the downward API knows of its pod. */
#include "agent/workload/env.h"

#include "agent/workload/config.h"
#include "agent/workload/quantity.h"
#include "shared/base/own.h"
#include "shared/base/utf8.h"

#include <math.h>

enum { AG_VALUE_MAX = 1024 * 1024 /* bytes of one variable or text, expanded */ };

static struct ag_var *ag_env_find(const struct ag_vars *vars, struct kd_str name)
{
    for (size_t i = 0; i < vars->n; i++)
        if (kd_str_eq(vars->v[i].name, name))
            return &vars->v[i];
    return NULL;
}

void ag_env_set(struct ag_build *b, struct ag_vars *vars, struct kd_str name, struct kd_str value)
{
    struct ag_var *at = ag_env_find(vars, name);
    if (!at)
        at = ag_build_push(b, vars, sizeof *at);
    if (at)
        *at = (struct ag_var){ name, value };
}

/** Appends what stands at a '$' and cuts it off. */
static void ag_env_expand_one(const struct ag_vars *vars, struct kd_str *text, struct kd_buf *out)
{
    char next = text->n > 1 ? text->p[1] : '\0';
    ptrdiff_t end = next == '(' ? kd_str_find(*text, KD_STR(")")) : -1;
    size_t used = next == '$' ? 2 : 1;
    if (end < 0) {
        kd_buf_add_char(out, '$');
    } else {
        const struct ag_var *var = ag_env_find(vars, (struct kd_str){ text->p + 2, (size_t)end - 2 });
        used = (size_t)end + 1;
        kd_buf_add(out, var ? var->value : (struct kd_str){ text->p, used });
    }
    *text = (struct kd_str){ text->p + used, text->n - used };
}

struct kd_str ag_env_expand(struct ag_build *b, const struct ag_vars *vars, struct kd_str text)
{
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(AG_VALUE_MAX);
    while (text.n) {
        ptrdiff_t at = kd_str_find(text, KD_STR("$"));
        size_t plain = at < 0 ? text.n : (size_t)at;
        kd_buf_add(&out, (struct kd_str){ text.p, plain });
        text = (struct kd_str){ text.p + plain, text.n - plain };
        if (text.n)
            ag_env_expand_one(vars, &text, &out);
    }
    return ag_build_take(b, &out);
}

/** All labels or annotations as the downward API writes them: key="value" by lines. */
static struct kd_str ag_env_map(struct ag_build *b, const cJSON *map)
{
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(AG_VALUE_MAX);
    for (const cJSON *one = map ? map->child : NULL; one; one = one->next)
        kd_buf_printf(&out, "%s=\"%.*s\"\n", one->string, KD_ARG(ag_tree_value(one)));
    return ag_build_take(b, &out);
}

/** metadata.labels['key'] */
static bool ag_env_subscript(const struct ag_person *who, struct kd_str path, struct kd_str *ret)
{
    static const struct {
        struct kd_str before;
        const char *member;
    } maps[] = { { KD_STR_INIT("metadata.labels['"), "labels" }, { KD_STR_INIT("metadata.annotations['"), "annotations" } };
    for (size_t i = 0; i < KD_COUNT(maps); i++) {
        char key[KD_FIELD_MAX * 2];
        if (!kd_str_starts(path, maps[i].before) || !kd_str_ends(path, KD_STR("']")) || path.n < maps[i].before.n + 2)
            continue;
        struct kd_str inner = { path.p + maps[i].before.n, path.n - maps[i].before.n - 2 };
        if (!kd_str_copy(inner, key, sizeof key))
            return false;
        *ret = ag_tree_text(ag_tree_get(ag_tree_get(who->template, "metadata"), maps[i].member), key);
        return true;
    }
    return false;
}

struct kd_str ag_env_field(struct ag_build *b, const struct ag_person *who, struct kd_str path, bool whole_maps)
{
    const cJSON *meta = ag_tree_get(who->template, "metadata");
    struct kd_str account = ag_tree_text(ag_tree_get(who->template, "spec"), "serviceAccountName");
    const struct {
        const char *path;
        struct kd_str value;
    } known[] = {
        { "metadata.name", who->pod_name },
        { "metadata.namespace", who->namespace },
        { "spec.nodeName", b->context->node },
        { "spec.serviceAccountName", account.n ? account : KD_STR("default") },
    };
    struct kd_str found = { NULL, 0 };
    for (size_t i = 0; i < KD_COUNT(known); i++)
        if (kd_str_is(path, known[i].path))
            return known[i].value;
    if (ag_env_subscript(who, path, &found))
        return found;
    if (whole_maps && (kd_str_is(path, "metadata.labels") || kd_str_is(path, "metadata.annotations")))
        return ag_env_map(b, ag_tree_get(meta, path.p + strlen("metadata.")));
    ag_build_fail(b, KD_UNSUPPORTED, who->title, "fieldPath %.*s is not known on a Podman edge", KD_ARG(path));
    return found;
}

/** limits.memory of the container, divided and rounded up. */
static struct kd_str ag_env_resource(struct ag_build *b, const struct ag_person *who, const cJSON *ref)
{
    struct kd_str resource = ag_tree_text(ref, "resource"), rest = resource;
    char group[16], name[32];
    double value = 0, divisor = 1;
    const cJSON *given = ag_tree_get(who->container, "resources");
    if (kd_str_copy(kd_str_cut(&rest, '.'), group, sizeof group) && kd_str_copy(rest, name, sizeof name))
        given = ag_tree_get(ag_tree_get(given, group), name);
    else
        given = NULL;
    if (!given || !ag_quantity_read(given, &value)) {
        ag_build_fail(b, KD_UNSUPPORTED, who->title, "resourceFieldRef %.*s is not given by the container", KD_ARG(resource));
        return resource;
    }
    const cJSON *by = ag_tree_get(ref, "divisor");
    if (by && (!ag_quantity_read(by, &divisor) || !(divisor > 0)))
        divisor = 1;
    return ag_build_printf(b, "%.0f", ceil(value / divisor));
}

static bool ag_env_is_value(struct kd_str value)
{
    return kd_utf8_is_valid(value) && (!value.n || !memchr(value.p, '\0', value.n));
}

static void ag_env_put(struct ag_build *b, const struct ag_person *who, struct ag_vars *vars, struct kd_str name,
                       struct kd_str value)
{
    if (!name.n || kd_str_find(name, KD_STR("=")) >= 0 || !ag_env_is_value(value))
        ag_build_fail(b, KD_INVALID, who->title, "variable '%.*s' cannot be given to a container: name and value must be texts",
                      KD_ARG(name));
    ag_env_set(b, vars, name, value);
}

/** One key of a ConfigMap or Secret; false where it is optional and not there. */
static bool ag_env_key(struct ag_build *b, const struct ag_person *who, enum ag_role role, const cJSON *ref, struct kd_str *ret)
{
    struct ag_entries entries;
    bool optional = ag_tree_flag(ref, "optional", false);
    struct kd_str name = ag_tree_text(ref, "name"), key = ag_tree_text(ref, "key");
    if (!ag_config_read(b, who->title, role, who->namespace, name, optional, &entries))
        return false;
    const struct ag_entry *entry = ag_config_find(&entries, key);
    if (!entry && !optional)
        ag_build_fail(b, KD_INVALID, who->title, "%.*s has no key %.*s", KD_ARG(name), KD_ARG(key));
    if (entry)
        *ret = entry->content;
    return entry != NULL;
}

static void ag_env_one(struct ag_build *b, const struct ag_person *who, const cJSON *env, struct ag_vars *vars)
{
    const cJSON *from = ag_tree_get(env, "valueFrom"), *ref = NULL;
    struct kd_str value = { "", 0 };
    bool there = true;
    if ((ref = ag_tree_get(from, "configMapKeyRef")))
        there = ag_env_key(b, who, AG_ROLE_CONFIG, ref, &value);
    else if ((ref = ag_tree_get(from, "secretKeyRef")))
        there = ag_env_key(b, who, AG_ROLE_SECRET, ref, &value);
    else if ((ref = ag_tree_get(from, "fieldRef")))
        value = ag_env_field(b, who, ag_tree_text(ref, "fieldPath"), false);
    else if ((ref = ag_tree_get(from, "resourceFieldRef")))
        value = ag_env_resource(b, who, ref);
    else
        value = ag_env_expand(b, vars, ag_tree_text(env, "value"));
    if (there)
        ag_env_put(b, who, vars, ag_tree_text(env, "name"), value);
}

static void ag_env_all(struct ag_build *b, const struct ag_person *who, const cJSON *from, struct ag_vars *vars)
{
    static const struct {
        const char *member;
        enum ag_role role;
    } refs[] = { { "configMapRef", AG_ROLE_CONFIG }, { "secretRef", AG_ROLE_SECRET } };
    struct kd_str prefix = ag_tree_text(from, "prefix");
    for (size_t r = 0; r < KD_COUNT(refs); r++) {
        const cJSON *ref = ag_tree_get(from, refs[r].member);
        struct ag_entries entries = { NULL, 0 };
        if (ref)
            (void)ag_config_read(b, who->title, refs[r].role, who->namespace, ag_tree_text(ref, "name"),
                                 ag_tree_flag(ref, "optional", false), &entries);
        for (size_t i = 0; i < entries.n; i++)
            ag_env_put(b, who, vars, ag_build_printf(b, "%.*s%.*s", KD_ARG(prefix), KD_ARG(entries.v[i].key)),
                       entries.v[i].content);
    }
}

void ag_env_read(struct ag_build *b, const struct ag_person *who, struct ag_vars *ret)
{
    *ret = (struct ag_vars){ NULL, 0 };
    for (const cJSON *from = ag_tree_first(who->container, "envFrom"); from; from = from->next)
        ag_env_all(b, who, from, ret);
    for (const cJSON *env = ag_tree_first(who->container, "env"); env; env = env->next)
        ag_env_one(b, who, env, ret);
}
