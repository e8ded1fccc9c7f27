/** Health: a row per thing that can be so with what runs. */
#include "agent/workload/health.h"
#include "shared/base/own.h"
#include "tests/unit/unit.h"

#include <stdio.h>

/* The plan: two pods of a Deployment, each a plain container; a Job with one more attempt; a pod of two with an init container. */
static struct ag_container web0[] = { { .title = KD_STR_INIT("main"), .name = KD_STR_INIT("web0") } };
static struct ag_container web1[] = { { .title = KD_STR_INIT("main"), .name = KD_STR_INIT("web1") } };
static struct ag_container job0[] = { { .title = KD_STR_INIT("work"), .name = KD_STR_INIT("job0") } };
static struct ag_container duo_init[] = { { .title = KD_STR_INIT("first"), .name = KD_STR_INIT("duo_first") } };
static struct ag_container duo_mains[] = { { .title = KD_STR_INIT("a"), .name = KD_STR_INIT("duo_a") },
                                           { .title = KD_STR_INIT("b"), .name = KD_STR_INIT("duo_b") } };
static struct ag_pod pods[] = {
    { .object = KD_STR_INIT("Deployment/web"), .ordinal = 0, .mains = { web0, 1 } },
    { .object = KD_STR_INIT("Deployment/web"), .ordinal = 1, .mains = { web1, 1 } },
    { .object = KD_STR_INIT("Job/once"), .mains = { job0, 1 }, .job = true, .backoff_limit = 1 },
    { .object = KD_STR_INIT("StatefulSet/duo"), .name = KD_STR_INIT("duo"), .inits = { duo_init, 1 }, .mains = { duo_mains, 2 } },
};
static const struct ag_plan plan = { .pods = { pods, KD_COUNT(pods) } };

enum { SEEN_MAX = 8 };

#define RUNS(n)                                                                                                                    \
    {                                                                                                                              \
        .name = KD_STR_INIT(n), .state = AG_SEEN_RUNNING                                                                           \
    }
#define ENDED(n, code)                                                                                                             \
    {                                                                                                                              \
        .name = KD_STR_INIT(n), .state = AG_SEEN_ENDED, .exit_code = (code)                                                        \
    }
#define RETRIED(n, code)                                                                                                           \
    {                                                                                                                              \
        .name = KD_STR_INIT(n), .state = AG_SEEN_ENDED, .exit_code = (code), .attempt = 1                                          \
    }
#define INFRA                                                                                                                      \
    {                                                                                                                              \
        .name = KD_STR_INIT("123-infra"), .pod_name = KD_STR_INIT("duo"), .state = AG_SEEN_RUNNING, .infra = true                  \
    }
#define WEB RUNS("web0"), RUNS("web1")
#define JOB ENDED("job0", 0)
#define DUO INFRA, ENDED("duo_first", 0), RUNS("duo_a"), RUNS("duo_b")

static const struct {
    const char *name;
    struct ag_seen seen[SEEN_MAX];
    enum ag_health_state state;
    uint64_t ready;
    const char *message;
} rows[] = {
    { "all as planned", { WEB, JOB, DUO }, AG_HEALTH_RUNNING, 4, "" },
    { "a Job still works", { WEB, RUNS("job0"), DUO }, AG_HEALTH_RUNNING, 4, "" },
    { "one replica ended",
      { RUNS("web0"), ENDED("web1", 7), JOB, DUO },
      AG_HEALTH_DEGRADED,
      3,
      "container main of Deployment/web (1) ended with exit code 7" },
    { "for its memory",
      { { .name = KD_STR_INIT("web0"), .state = AG_SEEN_ENDED, .exit_code = 137, .out_of_memory = true }, RUNS("web1"), JOB, DUO },
      AG_HEALTH_DEGRADED,
      3,
      "container main of Deployment/web (0) ended with exit code 137 (out of memory)" },
    { "not started",
      { { .name = KD_STR_INIT("web0"), .state = AG_SEEN_CREATED }, RUNS("web1"), JOB, DUO },
      AG_HEALTH_DEGRADED,
      3,
      "container main of Deployment/web (0) is not started" },
    { "one container of two ended",
      { WEB, JOB, INFRA, ENDED("duo_first", 0), RUNS("duo_a"), ENDED("duo_b", 0) },
      AG_HEALTH_DEGRADED,
      3,
      "container b of StatefulSet/duo (0) ended with exit code 0" },
    { "none runs",
      { ENDED("web0", 1), ENDED("web1", 1), ENDED("job0", 1), INFRA, ENDED("duo_first", 0), ENDED("duo_a", 1), ENDED("duo_b", 1) },
      AG_HEALTH_DOWN,
      0,
      "container main of Deployment/web (0) ended with exit code 1" },
    { "a Job may try again",
      { WEB, ENDED("job0", 3), DUO },
      AG_HEALTH_DEGRADED,
      3,
      "container work of Job/once (0) ended with exit code 3" },
    { "a Job used up its attempts",
      { WEB, RETRIED("job0", 3), DUO },
      AG_HEALTH_FAILED,
      3,
      "Job/once failed: container work ended with exit code 3 in attempt 2" },
    { "a Job failed and others are missing", { RUNS("web0"), RETRIED("job0", 3), DUO }, AG_HEALTH_FAILED, 2, "Job/once failed" },
    { "something is missing",
      { RUNS("web0"), JOB, DUO },
      AG_HEALTH_DIFFERS,
      3,
      "container main of Deployment/web (1) is not there as planned" },
    { "an init container is missing",
      { WEB, JOB, INFRA, RUNS("duo_a"), RUNS("duo_b") },
      AG_HEALTH_DIFFERS,
      3,
      "init container first of StatefulSet/duo (0) is not there as planned" },
    { "something is left over", { WEB, JOB, DUO, RUNS("old") }, AG_HEALTH_DIFFERS, 4, "container old is not part of the plan" },
    { "an old one is being stopped",
      { WEB, JOB, DUO, { .name = KD_STR_INIT("old"), .state = AG_SEEN_STOPPING } },
      AG_HEALTH_RUNNING,
      4,
      "" },
    { "a hook is left over", { WEB, JOB, DUO, { .name = KD_STR_INIT("hook"), .hook = true } }, AG_HEALTH_RUNNING, 4, "" },
    { "nothing", { { .name = KD_STR_INIT("hook"), .hook = true } }, AG_HEALTH_GONE, 0, "nothing of it exists on this edge" },
};

static void test_states(void **state)
{
    (void)state;
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        struct ag_seen copy[SEEN_MAX];
        struct ag_seens seen = { copy, 0 };
        struct ag_health health;
        memcpy(copy, rows[i].seen, sizeof copy);
        while (seen.n < SEEN_MAX && copy[seen.n].name.n)
            seen.n++;
        ag_health_of(&plan, &seen, &health);
        bool told = rows[i].message[0] ? strstr(health.message, rows[i].message) != NULL : health.message[0] == '\0';
        if (health.state != rows[i].state || health.ready != rows[i].ready || health.total != 4 || !told)
            fail_msg("%s: state %d, %d of %d ready, '%s'", rows[i].name, (int)health.state, (int)health.ready, (int)health.total,
                     health.message);
    }
}

static void test_a_plan_without_pods_runs(void **state)
{
    (void)state;
    const struct ag_plan none = { .pods = { NULL, 0 } };
    struct ag_seens seen = { NULL, 0 };
    struct ag_health health;
    ag_health_of(&none, &seen, &health);
    assert_int_equal(health.state, AG_HEALTH_RUNNING);
    assert_int_equal(health.total, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_a_plan_without_pods_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
