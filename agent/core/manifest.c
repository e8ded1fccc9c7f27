/** The manifest: accepted or refused, then what it wants of each unit. Absence removes nothing. */
#include "agent/core/state.h"

#include "shared/base/own.h"
#include "shared/base/plant.h"
#include "shared/base/utf8.h"
#include "shared/model/fields.h"

#include <stdio.h>

/** What is read of a manifest that cannot be read as a whole, to refuse it by its version. */
struct ag_manifest_head {
    struct kd_version version;
};

#define T struct ag_manifest_head
static const struct kd_json_field ag_head_fields[] = {
    F_OBJECT(T, version, &kd_version_shape, "version", .required = true),
};
static const struct kd_json_shape ag_head_shape = KD_SHAPE(T, ag_head_fields, "a manifest");
#undef T

/* ---- accepting ---- */

static void ag_refuse(struct ag_core *core, struct kd_version version, const char *reason)
{
    if (kd_version_cmp(version, core->version) <= 0)
        return;
    (void)kd_str_copy(kd_utf8_head(kd_str(reason), KD_REASON_MAX), core->refused_reason, sizeof core->refused_reason);
    core->refused = (struct kd_hello_refused){ version.epoch, version.n, kd_str(core->refused_reason) };
    ag_log(core, AG_LEVEL_WARNING, "manifest.refused", "epoch=%llu n=%llu why=\"%s\"", (unsigned long long)version.epoch,
           (unsigned long long)version.n, core->refused_reason);
    ag_hello_changed(core);
}

static bool ag_is_my_cluster(const struct ag_core *core, struct kd_str cluster)
{
    struct kd_str rest = cluster, project = kd_str_cut(&rest, '/');
    return kd_str_eq(project, core->options.project) && kd_str_eq(rest, core->options.cluster);
}

static bool ag_lacks(const struct ag_core *core, const struct kd_strs *required, struct kd_err *err)
{
    for (size_t i = 0; i < required->n; i++) {
        bool has = false;
        for (size_t j = 0; j < core->options.features.n; j++)
            has = has || kd_str_eq(required->v[i], core->options.features.v[j]);
        if (!has)
            return kd_fail(err, KD_UNSUPPORTED, 0, "unsupported: this agent lacks %.*s", KD_ARG(required->v[i])) != KD_OK;
    }
    return false;
}

/** Whether this manifest, newer than ours, may be followed. */
static enum kd_code ag_manifest_check(const struct ag_core *core, const struct kd_manifest *manifest, struct kd_err *err)
{
    bool enrolled = core->enrolment[0] && kd_str_is(manifest->enrolment, core->enrolment);
    if (!ag_is_my_cluster(core, manifest->cluster))
        return kd_fail(err, KD_INVALID, 0, "it is for cluster %.*s", KD_ARG(manifest->cluster));
    if (core->left && enrolled)
        return kd_fail(err, KD_FORBIDDEN, 0, "this cluster has left");
    if (!core->left && core->enrolment[0] && !enrolled)
        return kd_fail(err, KD_FORBIDDEN, 0, "enrolment differs");
    return ag_lacks(core, &manifest->requires, err) ? KD_UNSUPPORTED : KD_OK;
}

/** An older one comes from a broker that went back in time; an equal one changes nothing, whatever it says. */
static bool ag_is_newer(struct ag_core *core, struct kd_version version)
{
    int order = kd_version_cmp(version, core->version);
    if (order < 0)
        ag_log(core, AG_LEVEL_INFO, "manifest.old", "epoch=%llu n=%llu", (unsigned long long)version.epoch,
               (unsigned long long)version.n);
    return order > 0 || (order < 0 && KD_PLANT(OLD_MANIFEST));
}

/** Keeps the bytes as they came. False when out of memory. */
static bool ag_manifest_keep(struct ag_core *core, struct kd_str bytes, const struct kd_manifest *manifest)
{
    struct kd_str copy = ag_own(bytes);
    if (!copy.p)
        return false;
    free((void *)core->manifest.p);
    core->manifest = copy;
    core->manifest_digest = kd_digest_of(bytes);
    core->version = manifest->version;
    core->leaving = manifest->leave;
    core->place = true;
    return true;
}

/** A newer manifest speaks for what was found by labels, too. */
static void ag_found_speak(struct ag_core *core)
{
    for (size_t i = 0; i < core->unit_count; i++) {
        struct ag_unit *unit = core->units[i];
        bool found = unit->found;
        unit->found = false;
        for (size_t j = 0; j < unit->app_count; j++) {
            found = found || unit->apps[j]->found;
            unit->apps[j]->found = false;
        }
        unit->save |= found;
    }
}

static void ag_manifest_accept(struct ag_core *core, struct kd_str bytes, const struct kd_manifest *manifest)
{
    if (!ag_manifest_keep(core, bytes, manifest))
        return;
    core->save_manifest = core->spoken = true;
    if (!kd_str_is(manifest->enrolment, core->enrolment)) {
        (void)kd_str_copy(manifest->enrolment, core->enrolment, sizeof core->enrolment);
        core->left = false;
        core->save = true;
    }
    core->refused = (struct kd_hello_refused){ 0 };
    core->muted = core->asks = false;
    ag_found_speak(core);
    ag_hello_changed(core);
    ag_log(core, AG_LEVEL_INFO, "manifest.accepted", "epoch=%llu n=%llu deployments=%zu remove=%zu",
           (unsigned long long)manifest->version.epoch, (unsigned long long)manifest->version.n, manifest->deployments.n,
           manifest->remove.n);
}

/** Not readable: refused by its version if at least that can be read. */
static void ag_manifest_damaged(struct ag_core *core, struct kd_str bytes, const char *why)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_DECODE_BYTES);
    struct ag_manifest_head head;
    if (kd_json_decode(&ag_head_shape, bytes, &arena, &head, NULL) == KD_OK)
        ag_refuse(core, head.version, why);
    else
        ag_log(core, AG_LEVEL_WARNING, "manifest.damaged", "why=\"%s\"", why);
}

void ag_on_manifest(struct ag_core *core, const struct ag_event *event)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_DECODE_BYTES);
    struct kd_manifest manifest;
    struct kd_err err = { 0 };
    if (event->payload.n == 0)
        return;
    if (event->payload.n > KD_PAYLOAD_MAX || kd_json_decode(&kd_manifest_shape, event->payload, &arena, &manifest, &err) != KD_OK)
        ag_manifest_damaged(core, event->payload, err.story[0] ? err.story : "larger than a manifest may be");
    else if (!ag_is_newer(core, manifest.version))
        return;
    else if (ag_manifest_check(core, &manifest, &err) != KD_OK)
        ag_refuse(core, manifest.version, err.story);
    else
        ag_manifest_accept(core, event->payload, &manifest);
}

enum kd_code ag_manifest_load(struct ag_core *core, struct kd_str bytes, struct kd_err *err)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_DECODE_BYTES);
    struct kd_manifest manifest;
    enum kd_code code = kd_json_decode(&kd_manifest_shape, bytes, &arena, &manifest, err);
    if (code != KD_OK)
        return code;
    return ag_manifest_keep(core, bytes, &manifest) ? KD_OK : kd_fail(err, KD_INTERNAL, 0, "out of memory");
}

/* ---- adopting ---- */

static bool ag_manifest_wants(const struct kd_manifest *manifest, struct kd_str uid)
{
    for (size_t i = 0; i < manifest->deployments.n; i++)
        if (kd_str_eq(manifest->deployments.v[i].uid, uid))
            return true;
    return false;
}

/** The old uid is gone: said until it is acknowledged. What it named runs on under the new one. */
static void ag_uid_retire(struct ag_core *core, struct kd_str uid, struct kd_str name)
{
    struct ag_unit *gone = ag_unit_add(core, uid, name);
    if (gone)
        gone->removed = gone->save = true;
}

/** The new unit was only waiting for the name: the orphan becomes it in place. */
static void ag_unit_become(struct ag_core *core, struct ag_unit *orphan, struct kd_str uid)
{
    char old[KD_UID_TEXT + 1];
    memcpy(old, orphan->uid, sizeof old);
    struct ag_unit *waiting = ag_unit_of(core, uid);
    if (!ag_unit_adopts(orphan, kd_str(old)))
        return;
    if (waiting) { /* nothing of it runs: its place is taken, and the row of that uid is written anew */
        waiting->uid[0] = '\0';
        waiting->drop = true;
        waiting->stored = waiting->save = false;
    }
    (void)kd_str_copy(uid, orphan->uid, sizeof orphan->uid);
    orphan->planned = (struct kd_digest){ "" };
    orphan->applied = (struct kd_digest){ "" };
    orphan->found = false;
    orphan->save = true;
    orphan->report = (struct ag_report){ .unsent = true };
    ag_uid_retire(core, kd_str(old), kd_str(orphan->name));
}

/** Something of the new unit runs already (another orphan became it): this one's objects are its own from now on. */
static void ag_unit_merge(struct ag_core *core, struct ag_unit *into, struct ag_unit *orphan)
{
    if (!ag_unit_adopts(into, kd_str(orphan->uid)))
        return;
    for (size_t i = 0; i < orphan->uids.n; i++)
        (void)ag_unit_adopts(into, kd_str(orphan->uids.v[i]));
    for (size_t i = 0; i < into->app_count; i++) /* applied again, so that what is too much goes */
        if (into->apps[i]->key[0])
            (void)kd_str_copy(kd_str(into->apps[i]->key), into->apps[i]->trying, sizeof into->apps[i]->trying);
    into->save = true;
    ag_unit_removed(core, orphan);
}

/** Only an orphan of this name is adopted, and not in the middle of a job: then after it. */
static void ag_unit_adopt(struct ag_core *core, const struct kd_manifest *manifest, const struct kd_manifest_entry *entry,
                          struct kd_str uid)
{
    struct ag_unit *orphan = ag_unit_of(core, uid), *into = ag_unit_of(core, entry->uid);
    if (!orphan || orphan == into || orphan->removed || !ag_unit_is_touched(orphan) || !kd_str_is(entry->name, orphan->name) ||
        ag_manifest_wants(manifest, uid) || orphan->uids.n >= AG_UIDS_MAX)
        return;
    if (ag_unit_is_busy(orphan)) {
        core->adoption_waits = true;
        return;
    }
    ag_log(core, AG_LEVEL_NOTICE, "deployment.adopted", "deployment=%s uid=%.*s from=%s", orphan->name, KD_ARG(entry->uid),
           orphan->uid);
    if (into && ag_unit_is_touched(into))
        ag_unit_merge(core, into, orphan);
    else
        ag_unit_become(core, orphan, entry->uid);
}

/* ---- placing ---- */

static struct ag_unit *ag_unit_of_or_new(struct ag_core *core, struct kd_str uid, struct kd_str name)
{
    struct ag_unit *unit = ag_unit_of(core, uid);
    return unit ? unit : ag_unit_add(core, uid, name);
}

static void ag_place_entry(struct ag_core *core, const struct kd_manifest *manifest, const struct kd_manifest_entry *entry)
{
    for (size_t i = 0; i < entry->adopts.n; i++)
        ag_unit_adopt(core, manifest, entry, entry->adopts.v[i]);
    for (size_t i = 0; KD_PLANT(NAME_IS_UID) && i < core->unit_count; i++)
        ag_unit_adopt(core, manifest, entry, kd_str(core->units[i]->uid));
    struct ag_unit *unit = ag_unit_of_or_new(core, entry->uid, entry->name);
    if (!unit)
        return;
    unit->wanted = true;
    unit->hold = entry->hold;
    (void)kd_digest_parse(entry->document.digest, &unit->want);
    if (unit->removed) { /* wanted again: it begins anew */
        unit->removed = false;
        unit->save = true;
    }
}

/** A uid that we do not have is answered all the same. One that was adopted names nothing any more. */
static void ag_place_removal(struct ag_core *core, const struct kd_manifest_removal *removal)
{
    struct ag_unit *unit = ag_unit_of_or_new(core, removal->uid, removal->name);
    if (unit && !unit->wanted)
        unit->removal = true;
}

static void ag_place_all(struct ag_core *core, const struct kd_manifest *manifest)
{
    for (size_t i = 0; i < core->unit_count; i++) {
        struct ag_unit *unit = core->units[i];
        unit->wanted = unit->hold = unit->drop = false;
        unit->removal = manifest && manifest->leave;
        unit->dirty = true;
    }
    for (size_t i = 0; manifest && i < manifest->deployments.n; i++)
        ag_place_entry(core, manifest, &manifest->deployments.v[i]);
    for (size_t i = 0; manifest && i < manifest->remove.n; i++)
        ag_place_removal(core, &manifest->remove.v[i]);
    for (size_t i = 0; i < core->unit_count; i++) { /* what never came to be and is not wanted any more */
        struct ag_unit *unit = core->units[i];
        unit->removal |= KD_PLANT(ABSENCE_REMOVES) && !unit->wanted;
        unit->drop |= !unit->wanted && !unit->removal && !unit->removed && !ag_unit_is_touched(unit);
    }
}

void ag_manifest_place(struct ag_core *core)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_DECODE_BYTES);
    struct kd_manifest manifest;
    core->place = core->adoption_waits = false;
    core->sweeps = true;
    bool there = core->manifest.n && kd_json_decode(&kd_manifest_shape, core->manifest, &arena, &manifest, NULL) == KD_OK;
    ag_place_all(core, there ? &manifest : NULL);
}

/* ---- leaving ---- */

bool ag_has_left(const struct ag_core *core)
{
    bool left = core->observed;
    for (size_t i = 0; i < core->unit_count; i++)
        left = left && core->units[i]->removed;
    return core->left || (core->leaving && left);
}

void ag_left(struct ag_core *core)
{
    if (core->left || !ag_has_left(core))
        return;
    core->left = core->save = true;
    for (size_t i = 0; i < core->unit_count; i++)
        core->units[i]->drop = true;
    ag_log(core, AG_LEVEL_NOTICE, "cluster.left", "enrolment=%s", core->enrolment);
    ag_hello_changed(core);
}
