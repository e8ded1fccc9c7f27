/** Sums per deployment, kept incrementally: each cluster's share is stored beside them, so a change is a difference of two shares. */
#include "coordinator/core/presence.h"
#include "coordinator/core/sums.h"
#include "coordinator/server/rollouts.h"
#include "coordinator/server/work.h"
#include "shared/model/fields.h"

/** What one cluster counts as. */
struct co_share {
    bool counts;
    int state; /* enum kd_app_state */
    bool offline;
};

/** One byte for the state and one for being offline: "Cx". */
static struct co_share co_share_of(struct kd_str text)
{
    struct co_share share = { 0 };
    if (text.n == 2 && text.p[0] >= 'A' && text.p[0] < 'A' + KD_APP_STATE_COUNT)
        share = (struct co_share){ true, text.p[0] - 'A', text.p[1] == 'x' };
    return share;
}

static void co_sums_apply(struct co_sums *sums, const struct co_share *share, int64_t by)
{
    if (!share->counts)
        return;
    sums->count[share->state] += (uint64_t)by;
    sums->total += (uint64_t)by;
    sums->offline += share->offline ? (uint64_t)by : 0;
}

void co_sums_get(struct co_work *work, struct kd_str uid, struct co_sums *ret)
{
    struct kd_key key = CO_KEY2(work->project, uid);
    struct kd_str bytes;
    *ret = (struct co_sums){ 0 };
    if (kd_txn_get(work->status, CO_S_SUMS, kd_key_str(&key), &bytes) && bytes.n == sizeof *ret)
        memcpy(ret, bytes.p, sizeof *ret);
}

static void co_sums_put(struct co_work *work, struct kd_str uid, const struct co_sums *sums)
{
    struct kd_key key = CO_KEY2(work->project, uid);
    if (sums->total)
        kd_txn_put(work->status, CO_S_SUMS, kd_key_str(&key), (struct kd_str){ (const char *)sums, sizeof *sums });
    else
        (void)kd_txn_del(work->status, CO_S_SUMS, kd_key_str(&key));
}

static struct co_share co_share_now(struct co_work *work, struct kd_str uid, struct kd_str cluster)
{
    struct co_placement placement;
    struct co_presence presence = { 0 };
    struct kd_status status;
    if (!co_placement_get(work, cluster, uid, &placement) || placement.remove)
        return (struct co_share){ 0 };
    struct kd_key at = CO_KEY2(work->project, cluster), key = CO_KEY3(work->project, cluster, uid);
    (void)co_read(work, work->status, CO_S_PRESENCE, kd_key_str(&at), &co_presence_shape, &presence);
    bool reported = co_read(work, work->status, CO_S_STATUS, kd_key_str(&key), &kd_status_shape, &status);
    enum kd_app_state state = co_cluster_state(placement.document.digest, reported ? &status : NULL);
    return (struct co_share){ true, (int)(placement.unfit ? KD_APP_FAILED : state), presence.state != KD_PRESENCE_ONLINE };
}

static void co_tally_update(struct co_work *work, struct kd_str uid, struct kd_str cluster)
{
    struct kd_key key = CO_KEY3(work->project, uid, cluster);
    struct kd_str text = CO_NONE;
    struct co_sums sums;
    (void)kd_txn_get(work->status, CO_S_CLASS, kd_key_str(&key), &text);
    struct co_share before = co_share_of(text), now = co_share_now(work, uid, cluster);
    if (before.counts == now.counts && before.state == now.state && before.offline == now.offline)
        return;
    co_sums_get(work, uid, &sums);
    co_sums_apply(&sums, &before, -1);
    co_sums_apply(&sums, &now, 1);
    co_sums_put(work, uid, &sums);
    const char share[2] = { (char)('A' + now.state), now.offline ? 'x' : '-' };
    if (now.counts)
        kd_txn_put(work->status, CO_S_CLASS, kd_key_str(&key), (struct kd_str){ share, 2 });
    else
        (void)kd_txn_del(work->status, CO_S_CLASS, kd_key_str(&key));
    co_rollout_view_dirty(work, uid);
}

/** In memory of its own: a deployment may be on very many clusters. */
void co_tally(struct co_work *work, struct kd_str uid, struct kd_str cluster)
{
    struct kd_arena arena = KD_ARENA(CO_MESSAGE_MEMORY), *outer = work->arena;
    work->arena = &arena;
    co_tally_update(work, uid, cluster);
    work->arena = outer;
    kd_arena_clear(&arena);
}

void co_tally_cluster(struct co_work *work, struct kd_str cluster)
{
    struct kd_key prefix = co_prefix(work->project, cluster, CO_NONE);
    struct kd_scan scan = kd_scan_prefix(CO_PLACEMENT, kd_key_str(&prefix));
    while (kd_scan_next(work->spec, &scan))
        co_tally(work, kd_scan_rest(&scan), cluster);
}
