/** Operators: each has one request at a time, sends it with its id until it is answered, and notes what was promised. */
#include "tests/sim/sim.h"

#include "shared/base/own.h"
#include "shared/model/digest.h"
#include "shared/model/fields.h"

#include <stdio.h>

enum { SIM_VERSIONS = 5 };

/* ---- the catalog ---- */

static void sim_application_add(struct kd_buf *out, const char *name, unsigned version)
{
    kd_buf_printf(
        out,
        "specSchema: Application\nschemaVersion: \"0.1\"\nname: %s\nversion: 1.%u.0\nhelmRegistry: charts\nchartName: %s\n"
        "chartVersion: 1.%u.0\ndefaultProfile: default\nprofiles:\n  - name: default\n    chartValues: \"level: %u\"\n---\n",
        name, version, name, version, version);
}

static void sim_package_add(struct kd_buf *out, unsigned version)
{
    static const struct {
        unsigned web, db, log;
    } with[SIM_VERSIONS] = { { 1, 1, 0 }, { 2, 0, 0 }, { 3, 0, 1 }, { 4, 1, 0 }, { 1, 5, 0 } }; /* 1 + version, 0: not in it */
    kd_buf_printf(out, "specSchema: DeploymentPackage\nschemaVersion: \"0.1\"\nname: shop\nversion: 1.%u.0\napplications:\n",
                  version);
    kd_buf_printf(out, "  - name: web\n    version: 1.%u.0\n", with[version].web - 1);
    if (with[version].db)
        kd_buf_printf(out, "  - name: db\n    version: 1.%u.0\n", with[version].db - 1);
    if (with[version].log)
        kd_buf_printf(out, "  - name: log\n    version: 1.%u.0\n", with[version].log - 1);
    if (with[version].db)
        kd_buf_add(out, KD_STR("applicationDependencies:\n  - name: web\n    requires: db\n"));
    kd_buf_add(out, KD_STR("---\n"));
}

static void sim_catalog(struct kd_buf *out)
{
    for (unsigned version = 0; version < 4; version++)
        sim_application_add(out, "web", version);
    sim_application_add(out, "db", 0);
    sim_application_add(out, "db", 4);
    sim_application_add(out, "log", 0);
    for (unsigned version = 0; version < SIM_VERSIONS; version++)
        sim_package_add(out, version);
    for (unsigned i = 0; i < SIM_EDGES; i++)
        kd_buf_printf(out, "specSchema: Cluster\nname: c%02u\nlabels: {group: g%u}\n---\n", i, i % SIM_GROUPS);
    kd_buf_add(out, KD_STR("specSchema: Registry\nname: charts\ntype: HELM\nrootUrl: \"oci://registry.example/charts\"\n"));
}

/* ---- requests ---- */

static void sim_targets_add(const struct sim_deployment *d, struct kd_buf *out)
{
    bool first = true;
    kd_buf_add(out, KD_STR("\"targets\":["));
    for (unsigned g = 0; g < SIM_GROUPS; g++)
        if (d->groups >> g & 1) {
            kd_buf_printf(out, "%s{\"labels\":{\"group\":\"g%u\"}}", first ? "" : ",", g);
            first = false;
        }
    if (d->named)
        kd_buf_printf(out, "%s{\"cluster\":\"c%02u\"}", first ? "" : ",", d->named - 1);
    kd_buf_add_char(out, ']');
}

static void sim_deployment_add(const struct sim_deployment *d, struct kd_buf *out)
{
    kd_buf_printf(out, ",\"name\":\"%s\",\"package\":{\"name\":\"shop\",\"version\":\"1.%u.0\"},", d->name, d->version);
    sim_targets_add(d, out);
    if (d->flavour)
        kd_buf_printf(out, ",\"overrides\":[{\"app\":\"web\",\"values\":{\"flavour\":%u}}]", d->flavour);
}

static void sim_wanted_targets(struct sim *sim, struct sim_deployment *d)
{
    d->groups = 1U << (sim_chance(sim) % SIM_GROUPS);
    d->named = sim_one_in(sim, 3) ? 1 + (unsigned)(sim_chance(sim) % SIM_EDGES) : 0;
}

static void sim_ask_create(struct sim *sim, struct sim_operator *o)
{
    sim->model.deployments[o->subject].nameless = true;
    o->wanted = (struct sim_deployment){ .exists = true, .version = (unsigned)(sim_chance(sim) % 3) };
    (void)snprintf(o->wanted.name, sizeof o->wanted.name, "d%u", o->subject);
    o->wanted.flavour = sim_one_in(sim, 2) ? 1 + (unsigned)(sim_chance(sim) % 3) : 0;
    sim_wanted_targets(sim, &o->wanted);
    sim_deployment_add(&o->wanted, &o->body);
}

static void sim_ask_update(struct sim *sim, struct sim_operator *o)
{
    o->wanted = sim->model.deployments[o->subject];
    if (sim->model.failing)
        o->wanted.version = KD_TAKE(sim->model.failing, 0);
    else if (sim_one_in(sim, 3))
        sim_wanted_targets(sim, &o->wanted);
    else if (sim->now < SIM_FAULTS_END) {
        unsigned which = sim_one_in(sim, 3) ? SIM_VERSIONS : 3; /* the last two never run */
        o->wanted.version = (unsigned)(sim_chance(sim) % which);
    }
    sim_deployment_add(&o->wanted, &o->body);
    kd_buf_printf(&o->body, ",\"uid\":\"%s\"", o->wanted.uid);
    sim_allow_deployment(sim, &o->wanted);
}

static void sim_ask_named_deployment(struct sim *sim, struct sim_operator *o)
{
    o->wanted = sim->model.deployments[o->subject];
    kd_buf_printf(&o->body, ",\"name\":\"%s\"", o->wanted.name);
    if (o->act == SIM_DELETE) {
        kd_buf_printf(&o->body, ",\"uid\":\"%s\"", o->wanted.uid);
        sim_allow_all(sim, o->wanted.uid);
        o->wanted.exists = false;
    }
    if (o->act == SIM_RESUME)
        o->wanted.hold = false;
}

static void sim_ask_cluster(struct sim *sim, struct sim_operator *o)
{
    o->wanted_cluster = sim->model.clusters[o->subject];
    if (o->act == SIM_LABEL || o->act == SIM_CLUSTER_CREATE)
        o->wanted_cluster.group = (unsigned)(sim_chance(sim) % SIM_GROUPS);
    o->wanted_cluster.exists = o->act != SIM_CLUSTER_DELETE;
    if (o->act == SIM_CLUSTER_CREATE || o->act == SIM_CLUSTER_DELETE)
        o->wanted_cluster.leave = false;
    if (o->act == SIM_CLUSTER_LEAVE)
        o->wanted_cluster.leave = true;
    kd_buf_printf(&o->body, ",\"name\":\"c%02u\"", o->subject);
    if (o->act == SIM_LABEL || o->act == SIM_CLUSTER_CREATE)
        kd_buf_printf(&o->body, ",\"labels\":{\"group\":\"g%u\"}", o->wanted_cluster.group);
    if (o->act == SIM_LABEL || o->act == SIM_CLUSTER_LEAVE)
        sim_allow_cluster(sim, o->subject, &o->wanted_cluster);
}

static void sim_ask_prune(struct sim *sim, struct sim_operator *o)
{
    o->wanted_cluster = sim->model.clusters[o->subject];
    kd_buf_printf(&o->body, ",\"name\":\"c%02u\",\"uid\":\"%s\",\"deployment\":\"%s\"", o->subject, o->prune, o->prune_name);
    sim_allow(sim, o->subject, o->prune);
}

static void sim_ask_upload(struct sim *sim, struct sim_operator *o)
{
    KD_AUTO(kd_buf_clear) struct kd_buf yaml = KD_BUF(KD_PAYLOAD_MAX), text = KD_BUF(KD_PAYLOAD_MAX);
    (void)sim;
    if (o->act == SIM_IMPORT) {
        kd_buf_add(&o->body, KD_STR(",\"upload\":\"catalog\""));
        return;
    }
    sim_catalog(&yaml);
    kd_base64_add(&text, kd_buf_str(&yaml));
    kd_buf_add(&o->body, KD_STR(",\"upload\":\"catalog\",\"part\":1,\"of\":1,\"data\":\""));
    kd_buf_add(&o->body, kd_buf_str(&text));
    kd_buf_add_char(&o->body, '"');
}

static const struct sim_asking {
    const char *kind, *verb;
    void (*ask)(struct sim *sim, struct sim_operator *o);
    bool cluster; /* its subject is a cluster */
} sim_askings[SIM_ACT_COUNT] = {
    [SIM_UPLOAD] = { "upload", "put", sim_ask_upload, false },
    [SIM_IMPORT] = { "package", "import", sim_ask_upload, false },
    [SIM_CREATE] = { "deployment", "create", sim_ask_create, false },
    [SIM_UPDATE] = { "deployment", "update", sim_ask_update, false },
    [SIM_DELETE] = { "deployment", "delete", sim_ask_named_deployment, false },
    [SIM_LABEL] = { "cluster", "update", sim_ask_cluster, true },
    [SIM_PRUNE] = { "cluster", "prune", sim_ask_prune, true },
    [SIM_ADOPT] = { "deployment", "adopt", sim_ask_named_deployment, false },
    [SIM_RESUME] = { "deployment", "resume", sim_ask_named_deployment, false },
    [SIM_CLUSTER_CREATE] = { "cluster", "create", sim_ask_cluster, true },
    [SIM_CLUSTER_DELETE] = { "cluster", "delete", sim_ask_cluster, true },
    [SIM_CLUSTER_ADOPT] = { "cluster", "adopt", sim_ask_cluster, true },
    [SIM_CLUSTER_LEAVE] = { "cluster", "leave", sim_ask_cluster, true },
};

static bool sim_is_catalog(enum sim_act act)
{
    return act == SIM_UPLOAD || act == SIM_IMPORT;
}

static bool *sim_busy(struct sim *sim, const struct sim_operator *o)
{
    return sim_askings[o->act].cluster ? &sim->model.clusters[o->subject].busy : &sim->model.deployments[o->subject].busy;
}

static void sim_repeat(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    struct sim_operator *o = what;
    char topic[120];
    (void)message;
    if (!o->waiting || number != o->round)
        return;
    int n = snprintf(topic, sizeof topic, "kedge/v1/default/request/%s/%s/%s", o->name, sim_askings[o->act].kind,
                     sim_askings[o->act].verb);
    (void)sim_send(
        sim, &o->link,
        sim_message_make(SIM_PUBLISH, (struct kd_str){ topic, (size_t)n }, kd_buf_str(&o->body), KD_STR(""), KD_STR(""), false, 0));
    sim_at(sim, sim->now + sim_between(sim, 5 * SIM_S, 40 * SIM_S), sim_repeat, o, number, NULL);
}

static void sim_ask(struct sim *sim, struct sim_operator *o, enum sim_act act, unsigned subject)
{
    o->act = act;
    o->subject = subject;
    o->waiting = true;
    (void)snprintf(o->id, sizeof o->id, "%s-%llu-%llu", o->name, (unsigned long long)++o->ids,
                   (unsigned long long)(sim_chance(sim) % 1000000));
    kd_buf_reset(&o->body);
    kd_buf_printf(&o->body, "{\"id\":\"%s\"", o->id);
    sim_askings[act].ask(sim, o);
    kd_buf_add_char(&o->body, '}');
    if (!sim_is_catalog(act))
        *sim_busy(sim, o) = true;
    sim_repeat(sim, o, ++o->round, NULL);
}

/* ---- replies ---- */

struct sim_reply_error {
    struct kd_str code, message;
};

struct sim_reply {
    bool ok;
    struct kd_str result;
    struct sim_reply_error error;
};

struct sim_result {
    struct kd_str uid;
};

#define T struct sim_reply_error
static const struct kd_json_field sim_error_fields[] = { F_TEXT(T, code, "code"), F_TEXT(T, message, "message") };
static const struct kd_json_shape sim_error_shape = KD_SHAPE(T, sim_error_fields, "an error");
#undef T

#define T struct sim_reply
static const struct kd_json_field sim_reply_fields[] = { F_FLAG(T, ok, "ok"), F_RAW(T, result, "result"),
                                                         F_OBJECT(T, error, &sim_error_shape, "error") };
static const struct kd_json_shape sim_reply_shape = KD_SHAPE(T, sim_reply_fields, "a reply");
#undef T

#define T struct sim_result
static const struct kd_json_field sim_result_fields[] = { F_TEXT(T, uid, "uid") };
static const struct kd_json_shape sim_result_shape = KD_SHAPE(T, sim_result_fields, "a result");
#undef T

static void sim_note_deployment(struct sim *sim, struct sim_operator *o, struct kd_arena *arena, struct kd_str result)
{
    struct sim_result made;
    if (o->act == SIM_CREATE && kd_json_decode(&sim_result_shape, result, arena, &made, NULL) == KD_OK)
        (void)kd_str_copy(made.uid, o->wanted.uid, sizeof o->wanted.uid);
    if (o->act == SIM_CREATE)
        sim_allow_new(sim, &o->wanted);
    o->wanted.busy = false;
    sim->model.deployments[o->subject] = o->wanted;
    sim_revoke(sim, (int)o->subject, -1);
}

static void sim_note_catalog(struct sim *sim, const struct sim_operator *o)
{
    sim->model.catalog |= o->act == SIM_IMPORT;
    for (unsigned i = 0; o->act == SIM_IMPORT && i < SIM_EDGES; i++)
        sim->model.clusters[i] = (struct sim_cluster){ .exists = true, .group = i % SIM_GROUPS };
}

/** What was promised. */
static void sim_note(struct sim *sim, struct sim_operator *o, struct kd_arena *arena, struct kd_str result)
{
    if (sim_is_catalog(o->act)) {
        sim_note_catalog(sim, o);
    } else if (sim_askings[o->act].cluster) {
        o->wanted_cluster.busy = false;
        sim->model.clusters[o->subject] = o->wanted_cluster;
        sim_revoke(sim, -1, (int)o->subject);
    } else {
        sim_note_deployment(sim, o, arena, result);
    }
}

/** Refusals that the world explains: the orphan is gone, the agent has not spoken. Any other is a broken promise. */
static bool sim_is_explained(const struct sim_operator *o, struct kd_str code)
{
    return (o->act == SIM_PRUNE && kd_str_is(code, "not-found")) || (o->act == SIM_CLUSTER_ADOPT && kd_str_is(code, "conflict")) ||
           (o->act == SIM_IMPORT && kd_str_is(code, "not-found"));
}

static void sim_turn(struct sim *sim, void *what, uint64_t number, struct sim_message *message);

static void sim_operator_message(struct sim *sim, void *owner, struct sim_message *message, bool retained)
{
    struct sim_operator *o = owner;
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(KD_DOCUMENT_MAX);
    struct sim_reply reply;
    struct kd_err err;
    (void)retained;
    if (!o->waiting || !kd_str_ends(message->topic, kd_str(o->id)))
        return;
    if (kd_json_decode(&sim_reply_shape, message->payload, &arena, &reply, &err) != KD_OK) {
        sim_fail(sim, "%s: a reply cannot be read: %s", o->name, err.story);
        return;
    }
    sim_say(sim, o->name, "< %s/%s %s %s%.*s%.*s", sim_askings[o->act].kind, sim_askings[o->act].verb, o->id, reply.ok ? "ok" : "",
            KD_ARG(reply.error.code), KD_ARG(reply.error.message));
    if (kd_str_is(reply.error.code, "unavailable") || kd_str_is(reply.error.code, "internal"))
        return; /* the same request again later */
    o->waiting = false;
    o->round++;
    if (reply.ok)
        sim_note(sim, o, &arena, reply.result);
    else if (!sim_is_explained(o, reply.error.code))
        sim_fail(sim, "%s: %s/%s %s is refused: %.*s: %.*s", o->name, sim_askings[o->act].kind, sim_askings[o->act].verb, o->id,
                 KD_ARG(reply.error.code), KD_ARG(reply.error.message));
    if (!reply.ok && !sim_is_catalog(o->act))
        *sim_busy(sim, o) = false;
    if (reply.ok && o->act == SIM_UPLOAD)
        sim_operator_todo(o, SIM_IMPORT, 0);
    sim_at(sim, sim->now + sim_between(sim, SIM_S, 30 * SIM_S), sim_turn, o, o->round, NULL);
}

/* ---- ideas ---- */

struct sim_operator *sim_owner_of_deployment(struct sim *sim, unsigned deployment)
{
    return &sim->operators[deployment % SIM_OPERATORS];
}

struct sim_operator *sim_owner_of_cluster(struct sim *sim, unsigned cluster)
{
    return &sim->operators[cluster % SIM_OPERATORS];
}

void sim_operator_todo(struct sim_operator *o, enum sim_act act, unsigned subject)
{
    if (o->todo_n == KD_COUNT(o->todo))
        return;
    o->todo[o->todo_n].act = act;
    o->todo[o->todo_n++].subject = subject;
}

/** Whether an act makes sense now. */
static bool sim_makes_sense(const struct sim *sim, enum sim_act act, unsigned subject)
{
    const struct sim_deployment *d = &sim->model.deployments[subject % SIM_DEPLOYMENTS];
    const struct sim_cluster *c = &sim->model.clusters[subject % SIM_EDGES];
    switch (act) {
    case SIM_UPLOAD:
    case SIM_IMPORT:
        return !sim->model.catalog;
    case SIM_CREATE:
        return sim->model.catalog && !d->exists;
    case SIM_UPDATE:
    case SIM_DELETE:
    case SIM_ADOPT:
        return d->exists;
    case SIM_RESUME:
        return d->exists && d->hold;
    case SIM_CLUSTER_CREATE:
        return !c->exists;
    case SIM_LABEL:
    case SIM_CLUSTER_LEAVE:
        return c->exists && !c->leave;
    case SIM_PRUNE:
    case SIM_CLUSTER_DELETE:
    case SIM_CLUSTER_ADOPT:
        return c->exists;
    case SIM_ACT_COUNT:
        break;
    }
    return false;
}

static bool sim_idea_todo(struct sim *sim, struct sim_operator *o, enum sim_act *ret, unsigned *ret_subject)
{
    while (o->todo_n) {
        *ret = o->todo[0].act;
        *ret_subject = o->todo[0].subject;
        memmove(o->todo, o->todo + 1, --o->todo_n * sizeof o->todo[0]);
        if (sim_makes_sense(sim, *ret, *ret_subject))
            return true;
    }
    return false;
}

static bool sim_idea(struct sim *sim, const struct sim_operator *o, enum sim_act *ret, unsigned *ret_subject)
{
    unsigned own = (unsigned)(sim_chance(sim) % (SIM_DEPLOYMENTS / SIM_OPERATORS)) * SIM_OPERATORS + o->index;
    *ret_subject = own;
    if (!sim->model.catalog || sim->now >= SIM_FAULTS_END)
        return false;
    if (!sim->model.deployments[own].exists) {
        *ret = SIM_CREATE;
        return true;
    }
    switch (sim_chance(sim) % 8) {
    case 0:
        *ret = SIM_DELETE;
        break;
    case 1:
    case 2:
        *ret = SIM_LABEL;
        *ret_subject = (unsigned)(sim_chance(sim) % (SIM_EDGES / SIM_OPERATORS)) * SIM_OPERATORS + o->index;
        break;
    default:
        *ret = SIM_UPDATE;
        break;
    }
    return sim_makes_sense(sim, *ret, *ret_subject);
}

/** An operator that is free: first what was planned, then what needs one, then an idea. */
static void sim_turn(struct sim *sim, void *what, uint64_t number, struct sim_message *message)
{
    struct sim_operator *o = what;
    enum sim_act act = SIM_UPLOAD;
    unsigned subject = 0;
    (void)message;
    if (number != o->round || o->waiting)
        return;
    if (!o->link.own || sim->now > SIM_CURE_END) {
        sim_at(sim, sim->now + SIM_MIN, sim_turn, o, o->round, NULL);
        return;
    }
    bool some = sim_idea_todo(sim, o, &act, &subject);
    some = some || sim_need(sim, o, &act, &subject);
    if (!some && sim_one_in(sim, 30))
        some = sim_idea(sim, o, &act, &subject);
    if (some)
        sim_ask(sim, o, act, subject);
    else
        sim_at(sim, sim->now + sim_between(sim, SIM_MIN, 3 * SIM_MIN), sim_turn, o, o->round, NULL);
}

/* ---- life ---- */

static void sim_operator_connected(struct sim *sim, void *owner)
{
    struct sim_operator *o = owner;
    char filter[80];
    int n = snprintf(filter, sizeof filter, "kedge/v1/default/reply/%s/+", o->name);
    (void)sim_send(
        sim, &o->link,
        sim_message_make(SIM_SUBSCRIBE, (struct kd_str){ filter, (size_t)n }, KD_STR(""), KD_STR(""), KD_STR(""), false, 0));
}

static void sim_operator_disconnected(struct sim *sim, void *owner, int reason)
{
    struct sim_operator *o = owner;
    (void)reason;
    sim_connect(sim, &o->link, sim_between(sim, SIM_S, 20 * SIM_S), NULL);
}

static void sim_operator_published(struct sim *sim, void *owner, uint64_t token, int reason)
{
    (void)sim, (void)owner, (void)token, (void)reason;
}

static const struct sim_peer sim_operator_peer = { sim_operator_connected, sim_operator_disconnected, sim_operator_message,
                                                   sim_operator_published };

void sim_operator_init(struct sim *sim, struct sim_operator *o, unsigned index)
{
    static const char *const names[SIM_OPERATORS] = { "ada", "bob", "eve" };
    *o = (struct sim_operator){ .index = index, .body = KD_BUF(KD_PAYLOAD_MAX) };
    (void)kd_str_copy(kd_str(names[index]), o->name, sizeof o->name);
    sim_link_init(sim, &o->link, o->name, &sim_operator_peer, o);
    sim_connect(sim, &o->link, sim_between(sim, SIM_S, 20 * SIM_S), NULL);
    sim_at(sim, SIM_MIN, sim_turn, o, 0, NULL);
}

void sim_operator_clear(struct sim_operator *o)
{
    kd_buf_clear(&o->body);
    sim_link_clear(&o->link);
}

void sim_operators_forget(struct sim *sim)
{
    for (size_t i = 0; i < SIM_OPERATORS; i++) {
        struct sim_operator *o = &sim->operators[i];
        o->waiting = false;
        o->round++;
        sim_at(sim, sim->now + sim_between(sim, 5 * SIM_MIN, 15 * SIM_MIN), sim_turn, o, o->round, NULL);
    }
}
