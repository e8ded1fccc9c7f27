/** Hello, the coordinator's announcement, the inventory, and what a connection's begin and end mean. */
#include "agent/core/state.h"

#include "shared/base/own.h"
#include "shared/base/plant.h"

enum {
    AG_SESSION_TAKEN_OVER = 0x8E, /* MQTT 5 */
    AG_HELLO_GAP_S = 5,           /* seconds between two hellos, whatever changes */
    AG_ASK_BASE_S = 10,           /* seconds: what is missing is asked for again, with backoff */
    AG_ASK_CAP_S = 600,
};

/* ---- what it says ---- */

static void ag_hello_fill(const struct ag_core *core, struct kd_hello *ret)
{
    *ret = (struct kd_hello){
        .state = ag_has_left(core) ? KD_PRESENCE_LEFT : KD_PRESENCE_ONLINE,
        .session = kd_str(core->session),
        .store = kd_str(core->store),
        .enrolment = kd_str(core->enrolment),
        .start = core->start,
        .connection = core->connection,
        .manifest = { core->version.epoch, core->version.n, kd_digest_str(&core->manifest_digest) },
        .inventory = kd_digest_str(&core->inventory_digest),
    };
}

static struct kd_str ag_hello_encode(struct ag_core *core, size_t *ret_missing)
{
    struct kd_hello hello;
    struct kd_hello_refused refused = core->refused;
    ag_hello_fill(core, &hello);
    hello.missing = ag_objects_missing(core, &core->step, KD_PLANT(MISSING_NOT_SAID) ? 0 : KD_MISSING_MAX);
    hello.refused = refused.reason.n ? &refused : NULL;
    *ret_missing = hello.missing.n;
    return ag_encode(core, &kd_hello_shape, &hello, KD_STATE_MAX);
}

void ag_core_will(const struct ag_core *core, struct kd_buf *out)
{
    struct kd_hello will;
    ag_hello_fill(core, &will);
    will.state = KD_PRESENCE_OFFLINE;
    will.connection = core->connection + 1;
    kd_json_encode(&kd_hello_shape, &will, out);
}

/* ---- when it is said ---- */

void ag_hello_changed(struct ag_core *core)
{
    core->hello_look = true;
}

/** Earlier than at the interval, with backoff. */
void ag_hello_again(struct ag_core *core)
{
    struct kd_mono gap = ag_after(core, AG_HELLO_GAP_S * KD_US_PER_S);
    ag_retry_later(core, &core->hello_retry, AG_ASK_BASE_S * KD_US_PER_S, AG_ASK_CAP_S * KD_US_PER_S);
    struct kd_mono again = core->hello_retry.at.us > gap.us ? core->hello_retry.at : gap;
    if (again.us < core->hello_at.us)
        core->hello_at = again;
}

/** Every interval; earlier while there is something to ask for, or leaving was not heard. */
static void ag_hello_plan(struct ag_core *core, size_t missing)
{
    bool leaves = !core->left && ag_has_left(core);
    core->hello_at = ag_after(core, core->options.hello_us);
    if (core->asks || (!core->muted && (missing || leaves)))
        ag_hello_again(core);
    else if (!core->muted)
        core->hello_retry = (struct ag_retry){ 0 };
}

static void ag_hello_send(struct ag_core *core, struct kd_str payload, size_t missing)
{
    struct ag_wish *wish = ag_wish_add(core, AG_PUBLISH);
    wish->topic = AG_TOPIC_HELLO;
    wish->payload = payload;
    core->hello_unsent = false;
    core->hello_content = ag_content(payload);
    core->hello_sent = core->now;
    ag_hello_plan(core, missing);
}

/** When the next one is to be sent, as far as is known now. */
static struct kd_mono ag_hello_time(const struct ag_core *core)
{
    struct kd_mono gap = { core->hello_sent.us + AG_HELLO_GAP_S * KD_US_PER_S };
    bool now = core->hello_unsent && !core->muted && gap.us < core->hello_at.us;
    return now ? gap : core->hello_at;
}

/** The last hello was not refused: what had been in its way has passed. */
static void ag_hello_heard(struct ag_core *core)
{
    if (core->asks && core->refused_at.us < core->hello_sent.us)
        core->muted = core->asks = false;
}

void ag_hello_settle(struct ag_core *core)
{
    size_t missing = 0;
    if (!core->connected)
        return;
    if (!core->hello_look && !core->hello_unsent && !core->lacking && !ag_is_due(core, core->hello_at)) {
        ag_wake_by(core, core->hello_at);
        return;
    }
    struct kd_str payload = ag_hello_encode(core, &missing);
    core->hello_unsent |= ag_content(payload) != core->hello_content;
    core->hello_look = false;
    if (ag_is_due(core, ag_hello_time(core)))
        ag_hello_heard(core);
    if (ag_is_due(core, ag_hello_time(core)))
        ag_hello_send(core, payload, missing);
    ag_wake_by(core, ag_hello_time(core));
}

/* ---- events ---- */

void ag_on_connected(struct ag_core *core, const struct ag_event *event)
{
    (void)event;
    core->connected = true;
    core->connection++;
    core->hello_at = core->now;
    core->hello_retry = (struct ag_retry){ 0 };
    ag_objects_unasked(core);
    for (size_t i = 0; i < core->unit_count; i++)
        core->units[i]->report.retry = (struct ag_retry){ 0 };
}

void ag_on_disconnected(struct ag_core *core, const struct ag_event *event)
{
    int64_t least = core->options.duplicate_least_us, most = core->options.duplicate_most_us;
    core->connected = false;
    if (event->reason != AG_SESSION_TAKEN_OVER)
        return;
    uint64_t window = most > least ? (uint64_t)(most - least) + 1 : 1;
    ag_wish_add(core, AG_RECONNECT_AFTER)->delay_us = least + (int64_t)(ag_chance(core) % window);
    ag_log(core, AG_LEVEL_WARNING, "session.taken", "why=\"another agent uses the identity of this cluster\"");
}

/** A random time within the coordinator's window. */
static int64_t ag_spread_us(const struct kd_coordinator *coordinator)
{
    return (int64_t)coordinator->spread_s * KD_US_PER_S;
}

static void ag_coordinator_changed(struct ag_core *core, const struct kd_coordinator *coordinator)
{
    int64_t spread = ag_spread_us(coordinator);
    struct kd_mono at = ag_after(core, spread ? (int64_t)(ag_chance(core) % (uint64_t)spread) : 0);
    (void)kd_str_copy(coordinator->session, core->coordinator, sizeof core->coordinator);
    core->muted = core->asks = false;
    if (at.us < core->hello_at.us)
        core->hello_at = at;
}

void ag_on_coordinator(struct ag_core *core, const struct ag_event *event)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_DECODE_BYTES);
    struct kd_coordinator coordinator;
    struct kd_err err;
    if (event->payload.n == 0)
        return;
    if (kd_json_decode(&kd_coordinator_shape, event->payload, &arena, &coordinator, &err) != KD_OK) {
        ag_log(core, AG_LEVEL_WARNING, "coordinator.damaged", "why=\"%s\"", err.story);
        return;
    }
    if (coordinator.epoch < core->coordinator_epoch)
        return;
    core->coordinator_epoch = coordinator.epoch;
    if (!kd_str_is(coordinator.session, core->coordinator))
        ag_coordinator_changed(core, &coordinator);
    if (core->report[0] && !kd_str_is(coordinator.report, core->report))
        ag_reports_again(core, ag_spread_us(&coordinator));
    (void)kd_str_copy(coordinator.report, core->report, sizeof core->report);
}

void ag_on_inventory(struct ag_core *core, const struct ag_event *event)
{
    struct kd_str copy = ag_own(event->payload);
    if (!copy.p)
        return;
    free((void *)core->inventory.p);
    core->inventory = copy;
    core->inventory_digest = kd_digest_of(event->payload);
    ag_hello_changed(core);
}

void ag_publish_inventory(struct ag_core *core)
{
    if (!core->connected || core->inventory.n == 0)
        return;
    struct ag_wish *wish = ag_wish_add(core, AG_PUBLISH);
    wish->topic = AG_TOPIC_INVENTORY;
    wish->payload = kd_arena_copy(&core->step, core->inventory);
}
