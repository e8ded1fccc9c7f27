/** The rows that survive a restart, as tables of their fields. Every row is checked when it is read: disks lie. */
#include "agent/core/state.h"

#include "shared/model/fields.h"

enum { AG_ROW_MAX = KD_PAYLOAD_MAX /* bytes of a unit's row */ };

#define IS_UID    .min = 1, .max = KD_UID_TEXT, .check = kd_is_uid, .rule = "must be 32 hex digits"
#define IS_DIGEST .max = KD_DIGEST_TEXT, .check = kd_is_digest, .rule = "must be sha256: and 64 hex digits"
#define IS_KEY    .max = KD_DIGEST_HEX, .check = ag_is_key, .rule = "must be 64 hex digits"

static bool ag_is_key(struct kd_str text)
{
    struct kd_digest ignored;
    return kd_digest_parse_hex(text, &ignored);
}

struct ag_row_agent {
    struct kd_str store, enrolment;
    uint64_t start;
    bool left;
};

#define T struct ag_row_agent
static const struct kd_json_field ag_agent_fields[] = {
    F_TEXT(T, store, "store", .required = true, .min = 1, .max = KD_UID_TEXT, .check = kd_is_request_id,
           .rule = "must be letters and digits"),
    F_COUNT(T, start, "start", .required = true),
    F_TEXT(T, enrolment, "enrolment", IS_UID),
    F_FLAG(T, left, "left"),
};
static const struct kd_json_shape ag_agent_shape = KD_SHAPE(T, ag_agent_fields, "the agent's row");
#undef T

struct ag_row_app {
    struct kd_str name, version, namespace, release, key, trying, document;
    bool upgrade, found, touched;
};

#define T struct ag_row_app
static const struct kd_json_field ag_app_fields[] = {
    F_TEXT(T, name, "name", .required = true, .min = 1, .max = KD_APP_NAME_MAX, .check = kd_is_app_name, .rule = KD_APP_NAME_RULE),
    F_TEXT(T, version, "version", .max = KD_VERSION_MAX),
    F_TEXT(T, namespace, "namespace", .max = KD_NAME_MAX),
    F_TEXT(T, release, "release", .required = true, .min = 1, .max = AG_RELEASE_MAX),
    F_TEXT(T, key, "key", IS_KEY),
    F_TEXT(T, trying, "trying", IS_KEY),
    F_TEXT(T, document, "document", IS_DIGEST),
    F_FLAG(T, upgrade, "upgrade"),
    F_FLAG(T, found, "found"),
    F_FLAG(T, touched, "touched"),
};
static const struct kd_json_shape ag_app_shape = KD_SHAPE(T, ag_app_fields, "an application's row");
#undef T

struct ag_row_unit {
    struct kd_str name, applied;
    struct kd_strs uids;
    struct {
        struct ag_row_app *v;
        size_t n;
    } apps;
    bool removed, found;
};

#define T struct ag_row_unit
static const struct kd_json_field ag_unit_fields[] = {
    F_TEXT(T, name, "name", .required = true, .min = 1, .max = KD_NAME_MAX, .check = kd_is_name, .rule = KD_NAME_RULE),
    F_TEXTS(T, uids, "uids", .max = AG_UIDS_MAX, .check = kd_is_uid, .rule = "must be 32 hex digits"),
    F_TEXT(T, applied, "applied", IS_DIGEST),
    F_FLAG(T, removed, "removed"),
    F_FLAG(T, found, "found"),
    F_LIST(T, apps, &ag_app_shape, "apps", .max = 2 * KD_PACKAGE_APPS_MAX),
};
static const struct kd_json_shape ag_unit_shape = KD_SHAPE(T, ag_unit_fields, "a deployment's row");
#undef T

/* ---- writing ---- */

static void ag_agent_save(struct ag_core *core)
{
    const struct ag_row_agent row = {
        .store = kd_str(core->store), .enrolment = kd_str(core->enrolment), .start = core->start, .left = core->left
    };
    ag_row_add(core, AG_TABLE_AGENT, KD_STR("agent"), ag_encode(core, &ag_agent_shape, &row, AG_ROW_MAX));
    core->save = false;
}

static void ag_app_row(const struct ag_app *app, struct ag_row_app *ret)
{
    *ret = (struct ag_row_app){
        .name = kd_str(app->name),
        .version = kd_str(app->version),
        .namespace = kd_str(app->namespace),
        .release = kd_str(app->release),
        .key = kd_str(app->key),
        .trying = kd_str(app->trying),
        .document = kd_digest_str(&app->document),
        .upgrade = app->upgrade,
        .found = app->found,
        .touched = app->touched,
    };
}

static void ag_unit_save(struct ag_core *core, struct ag_unit *unit)
{
    struct ag_row_unit row = {
        .name = kd_str(unit->name), .applied = kd_digest_str(&unit->applied), .removed = unit->removed, .found = unit->found
    };
    row.uids.v = kd_arena_alloc(&core->step, (unit->uids.n + 1) * sizeof *row.uids.v);
    row.apps.v = kd_arena_alloc(&core->step, (unit->app_count + 1) * sizeof *row.apps.v);
    for (size_t i = 0; row.uids.v && i < unit->uids.n; i++)
        row.uids.v[row.uids.n++] = kd_str(unit->uids.v[i]);
    for (size_t i = 0; row.apps.v && i < unit->app_count; i++)
        if (unit->apps[i]->touched)
            ag_app_row(unit->apps[i], &row.apps.v[row.apps.n++]);
    struct kd_str value = ag_encode(core, &ag_unit_shape, &row, AG_ROW_MAX);
    if (value.p)
        ag_row_add(core, AG_TABLE_UNIT, kd_str(unit->uid), value);
    unit->stored = true;
    unit->save = false;
}

void ag_rows_save(struct ag_core *core)
{
    if (core->save)
        ag_agent_save(core);
    if (core->save_manifest) {
        const struct kd_str none = { NULL, 0 };
        ag_row_add(core, AG_TABLE_MANIFEST, KD_STR("manifest"), core->manifest.n ? core->manifest : none);
    }
    core->save_manifest = false;
    for (size_t i = 0; i < core->unit_count; i++)
        if (core->units[i]->save)
            ag_unit_save(core, core->units[i]);
}

/* ---- reading ---- */

static enum kd_code ag_agent_load(struct ag_core *core, struct kd_str value, struct kd_err *err)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_DECODE_BYTES);
    struct ag_row_agent row;
    enum kd_code code = kd_json_decode(&ag_agent_shape, value, &arena, &row, err);
    if (code != KD_OK)
        return code;
    (void)kd_str_copy(row.store, core->store, sizeof core->store);
    (void)kd_str_copy(row.enrolment, core->enrolment, sizeof core->enrolment);
    core->start = row.start;
    core->left = row.left;
    return KD_OK;
}

static bool ag_app_load(struct ag_unit *unit, const struct ag_row_app *row)
{
    struct ag_app *app = ag_unit_app_add(unit, row->name);
    if (!app)
        return false;
    (void)kd_str_copy(row->version, app->version, sizeof app->version);
    (void)kd_str_copy(row->namespace, app->namespace, sizeof app->namespace);
    (void)kd_str_copy(row->release, app->release, sizeof app->release);
    (void)kd_str_copy(row->key, app->key, sizeof app->key);
    (void)kd_str_copy(row->trying, app->trying, sizeof app->trying);
    (void)kd_digest_parse(row->document, &app->document);
    app->upgrade = row->upgrade;
    app->found = row->found;
    app->touched = row->touched;
    return true;
}

static enum kd_code ag_unit_load(struct ag_core *core, struct kd_str key, struct kd_str value, struct kd_err *err)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_DECODE_BYTES);
    struct ag_row_unit row;
    enum kd_code code = kd_json_decode(&ag_unit_shape, value, &arena, &row, err);
    if (code != KD_OK)
        return code;
    if (!kd_is_uid(key) || ag_unit_of(core, key))
        return kd_fail(err, KD_INVALID, 0, "the key of a deployment's row is not a uid of its own");
    struct ag_unit *unit = ag_unit_add(core, key, row.name);
    bool whole = unit != NULL;
    for (size_t i = 0; whole && i < row.uids.n; i++)
        whole = ag_unit_adopts(unit, row.uids.v[i]);
    for (size_t i = 0; whole && i < row.apps.n; i++)
        whole = ag_app_load(unit, &row.apps.v[i]);
    if (!whole)
        return kd_fail(err, KD_INTERNAL, 0, "out of memory");
    (void)kd_digest_parse(row.applied, &unit->applied);
    unit->removed = row.removed;
    unit->found = row.found;
    unit->stored = true;
    return KD_OK;
}

enum kd_code ag_rows_load(struct ag_core *core, enum ag_table table, struct kd_str key, struct kd_str value, struct kd_err *err)
{
    switch (table) {
    case AG_TABLE_AGENT:
        return ag_agent_load(core, value, err);
    case AG_TABLE_MANIFEST:
        return ag_manifest_load(core, value, err);
    case AG_TABLE_UNIT:
        return ag_unit_load(core, key, value, err);
    case AG_TABLE_DOCUMENT:
    case AG_TABLE_BLOB:
        return ag_object_load(core, table == AG_TABLE_BLOB, key, value, err);
    case AG_TABLE_COUNT:
        break;
    }
    return kd_fail(err, KD_INVALID, 0, "there is no such table");
}
