/** What a cluster counts as, and what the clusters of a deployment sum up to. */
#include "coordinator/core/sums.h"
#include "shared/base/own.h"
#include "tests/unit/unit.h"

#define NEW "sha256:new"
#define OLD "sha256:old"

/** The state that is reported, with the wanted document, another one, or none: what it counts as. */
static void test_cluster(void **state)
{
    (void)state;
    static const struct {
        enum kd_app_state reported, wanted, other;
    } rows[] = {
        { KD_APP_UNKNOWN, KD_APP_UNKNOWN, KD_APP_UNKNOWN },    { KD_APP_PENDING, KD_APP_PENDING, KD_APP_UPDATING },
        { KD_APP_FETCHING, KD_APP_FETCHING, KD_APP_UPDATING }, { KD_APP_DEPLOYING, KD_APP_DEPLOYING, KD_APP_UPDATING },
        { KD_APP_RUNNING, KD_APP_RUNNING, KD_APP_UPDATING },   { KD_APP_UPDATING, KD_APP_UPDATING, KD_APP_UPDATING },
        { KD_APP_DEGRADED, KD_APP_DEGRADED, KD_APP_UPDATING }, { KD_APP_DOWN, KD_APP_DOWN, KD_APP_UPDATING },
        { KD_APP_FAILED, KD_APP_FAILED, KD_APP_FAILED },       { KD_APP_ROLLED_BACK, KD_APP_ROLLED_BACK, KD_APP_ROLLED_BACK },
        { KD_APP_REMOVING, KD_APP_REMOVING, KD_APP_PENDING },  { KD_APP_REMOVED, KD_APP_PENDING, KD_APP_PENDING },
        { KD_APP_ORPHANED, KD_APP_PENDING, KD_APP_PENDING },   { KD_APP_UNSUPPORTED, KD_APP_UNSUPPORTED, KD_APP_UNSUPPORTED },
    };
    assert_int_equal(KD_COUNT(rows), KD_APP_STATE_COUNT);
    assert_int_equal(co_cluster_state(KD_STR(NEW), NULL), KD_APP_PENDING);
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        struct kd_status status = { .digest = KD_STR(NEW), .state = (int)rows[i].reported };
        assert_int_equal(co_cluster_state(KD_STR(NEW), &status), rows[i].wanted);
        status.digest = KD_STR(OLD);
        assert_int_equal(co_cluster_state(KD_STR(NEW), &status), rows[i].other);
        status.digest = (struct kd_str){ NULL, 0 }; /* nothing runs yet */
        assert_int_equal(co_cluster_state(KD_STR(NEW), &status), rows[i].wanted);
    }
}

/** The worst decides; waiting and terminating decide first. */
static void test_word(void **state)
{
    (void)state;
    static const struct {
        uint64_t running, down, deploying, updating, failed, unknown;
        bool waiting, terminating;
        const char *want;
    } rows[] = {
        { 0, 0, 0, 0, 0, 0, false, false, "no-target-clusters" },
        { 0, 0, 0, 0, 0, 0, true, false, "deploying" },
        { 3, 0, 0, 0, 0, 0, true, false, "updating" },
        { 3, 0, 0, 0, 0, 0, true, true, "terminating" },
        { 0, 0, 0, 0, 0, 0, false, true, "terminating" },
        { 3, 0, 0, 0, 0, 0, false, false, "running" },
        { 3, 1, 0, 0, 0, 0, false, false, "down" },
        { 3, 1, 1, 0, 0, 0, false, false, "deploying" },
        { 3, 1, 1, 1, 0, 0, false, false, "updating" },
        { 3, 1, 1, 1, 1, 0, false, false, "error" },
        { 0, 0, 0, 0, 0, 2, false, false, "unknown" },
        { 1, 0, 0, 0, 0, 2, false, false, "running" },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        struct co_sums sums = { .count = { [KD_APP_RUNNING] = rows[i].running,
                                           [KD_APP_DOWN] = rows[i].down,
                                           [KD_APP_PENDING] = rows[i].deploying,
                                           [KD_APP_UPDATING] = rows[i].updating,
                                           [KD_APP_FAILED] = rows[i].failed,
                                           [KD_APP_UNKNOWN] = rows[i].unknown } };
        for (int s = 0; s < KD_APP_STATE_COUNT; s++)
            sums.total += sums.count[s];
        enum co_deployment_word word = co_deployment_word(&sums, rows[i].waiting, rows[i].terminating);
        if (strcmp(co_deployment_word_text(word), rows[i].want) != 0)
            fail_msg("row %zu: %s, not %s", i, co_deployment_word_text(word), rows[i].want);
    }
}

/** Every state is in one group, and groups count all of theirs. */
static void test_groups(void **state)
{
    (void)state;
    struct co_sums sums = { .total = 0 };
    uint64_t all = 0;
    for (int s = 0; s < KD_APP_STATE_COUNT; s++)
        sums.count[s] = 1;
    for (int group = 0; group < CO_GROUP_COUNT; group++)
        all += co_sums_group(&sums, (enum co_group)group);
    assert_int_equal(all, KD_APP_STATE_COUNT);
    assert_int_equal(co_sums_group(&sums, CO_GROUP_ERROR), 3);
    assert_int_equal(co_group_of(KD_APP_DEGRADED), CO_GROUP_DOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_cluster), cmocka_unit_test(test_word),
                                        cmocka_unit_test(test_groups) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
