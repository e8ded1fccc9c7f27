/** What the clusters of a deployment sum up to: a table of groups, then the worst group decides. */
#include "coordinator/core/sums.h"

#define CO_DEPLOYMENT_AS_WORD(id, word) [CO_DEPLOYMENT_##id] = word,
static const char *const co_deployment_words[CO_DEPLOYMENT_WORD_COUNT] = { CO_DEPLOYMENT_STATES(CO_DEPLOYMENT_AS_WORD) };

static const enum co_group co_groups[KD_APP_STATE_COUNT] = {
    [KD_APP_UNKNOWN] = CO_GROUP_UNKNOWN,     [KD_APP_PENDING] = CO_GROUP_DEPLOYING,  [KD_APP_FETCHING] = CO_GROUP_DEPLOYING,
    [KD_APP_DEPLOYING] = CO_GROUP_DEPLOYING, [KD_APP_RUNNING] = CO_GROUP_RUNNING,    [KD_APP_UPDATING] = CO_GROUP_UPDATING,
    [KD_APP_DEGRADED] = CO_GROUP_DOWN,       [KD_APP_DOWN] = CO_GROUP_DOWN,          [KD_APP_FAILED] = CO_GROUP_ERROR,
    [KD_APP_ROLLED_BACK] = CO_GROUP_ERROR,   [KD_APP_REMOVING] = CO_GROUP_DEPLOYING, [KD_APP_REMOVED] = CO_GROUP_DEPLOYING,
    [KD_APP_ORPHANED] = CO_GROUP_DEPLOYING,  [KD_APP_UNSUPPORTED] = CO_GROUP_ERROR,
};

/** On the way to the wanted document while another one runs. */
static enum kd_app_state co_on_the_way(enum kd_app_state reported)
{
    switch (reported) {
    case KD_APP_FAILED:
    case KD_APP_ROLLED_BACK:
    case KD_APP_UNSUPPORTED:
    case KD_APP_UNKNOWN:
        return reported;
    case KD_APP_PENDING:
    case KD_APP_FETCHING:
    case KD_APP_DEPLOYING:
    case KD_APP_RUNNING:
    case KD_APP_UPDATING:
    case KD_APP_DEGRADED:
    case KD_APP_DOWN:
        return KD_APP_UPDATING;
    case KD_APP_REMOVING:
    case KD_APP_REMOVED:
    case KD_APP_ORPHANED:
    case KD_APP_STATE_COUNT:
        break;
    }
    return KD_APP_PENDING;
}

enum kd_app_state co_cluster_state(struct kd_str wanted, const struct kd_status *status)
{
    if (!status)
        return KD_APP_PENDING;
    enum kd_app_state reported = (enum kd_app_state)status->state;
    if (status->digest.n && !kd_str_eq(status->digest, wanted))
        return co_on_the_way(reported);
    return reported == KD_APP_REMOVED || reported == KD_APP_ORPHANED ? KD_APP_PENDING : reported;
}

enum co_group co_group_of(enum kd_app_state state)
{
    return co_groups[state];
}

uint64_t co_sums_group(const struct co_sums *sums, enum co_group group)
{
    uint64_t n = 0;
    for (int state = 0; state < KD_APP_STATE_COUNT; state++)
        n += co_groups[state] == group ? sums->count[state] : 0;
    return n;
}

enum co_deployment_word co_deployment_word(const struct co_sums *sums, bool waiting, bool terminating)
{
    static const struct {
        enum co_group group;
        enum co_deployment_word word;
    } worst_first[] = {
        { CO_GROUP_ERROR, CO_DEPLOYMENT_ERROR },         { CO_GROUP_UPDATING, CO_DEPLOYMENT_UPDATING },
        { CO_GROUP_DEPLOYING, CO_DEPLOYMENT_DEPLOYING }, { CO_GROUP_DOWN, CO_DEPLOYMENT_DOWN },
        { CO_GROUP_RUNNING, CO_DEPLOYMENT_RUNNING },
    };
    if (terminating)
        return CO_DEPLOYMENT_TERMINATING;
    if (waiting)
        return sums->total ? CO_DEPLOYMENT_UPDATING : CO_DEPLOYMENT_DEPLOYING;
    if (sums->total == 0)
        return CO_DEPLOYMENT_NO_TARGET_CLUSTERS;
    for (size_t i = 0; i < sizeof worst_first / sizeof worst_first[0]; i++)
        if (co_sums_group(sums, worst_first[i].group))
            return worst_first[i].word;
    return CO_DEPLOYMENT_UNKNOWN;
}

const char *co_deployment_word_text(enum co_deployment_word word)
{
    return co_deployment_words[word];
}
