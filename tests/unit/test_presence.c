/** What a hello or a will means, seen against what is known of the cluster: each verdict; and when an agent is ahead. */
#include "coordinator/core/presence.h"
#include "shared/base/own.h"
#include "tests/unit/unit.h"

/** Known before: start 5, connection 3 of session "s5", which replaced "s4" at its connection 7; store "a". */
static const struct {
    const char *what;
    int known_state, state;
    const char *store, *session;
    uint64_t start, connection;
    enum co_hello_verdict want;
} rows[] = {
    { "the same again", KD_PRESENCE_ONLINE, KD_PRESENCE_ONLINE, "a", "s5", 5, 3, CO_HELLO_TAKE },
    { "its next connection", KD_PRESENCE_ONLINE, KD_PRESENCE_ONLINE, "a", "s5", 5, 4, CO_HELLO_TAKE },
    { "late, of an earlier connection", KD_PRESENCE_ONLINE, KD_PRESENCE_ONLINE, "a", "s5", 5, 2, CO_HELLO_OLD },
    { "its next start", KD_PRESENCE_ONLINE, KD_PRESENCE_ONLINE, "a", "s6", 6, 1, CO_HELLO_TAKE },
    { "an earlier start", KD_PRESENCE_ONLINE, KD_PRESENCE_ONLINE, "a", "s3", 4, 1, CO_HELLO_OLD },
    { "two with one start", KD_PRESENCE_ONLINE, KD_PRESENCE_ONLINE, "a", "x5", 5, 1, CO_HELLO_TAKE_CLONE },
    { "late, of the session before", KD_PRESENCE_ONLINE, KD_PRESENCE_ONLINE, "a", "s4", 4, 7, CO_HELLO_OLD },
    { "the session before connects again", KD_PRESENCE_ONLINE, KD_PRESENCE_ONLINE, "a", "s4", 4, 8, CO_HELLO_TAKE_CLONE },
    { "another store while it is online", KD_PRESENCE_ONLINE, KD_PRESENCE_ONLINE, "b", "t1", 1, 1, CO_HELLO_OTHER_STORE },
    { "another store after it went", KD_PRESENCE_OFFLINE, KD_PRESENCE_ONLINE, "b", "t1", 1, 1, CO_HELLO_TAKE },
    { "another store after it left", KD_PRESENCE_LEFT, KD_PRESENCE_ONLINE, "b", "t1", 1, 1, CO_HELLO_TAKE },
    { "back after it went", KD_PRESENCE_OFFLINE, KD_PRESENCE_ONLINE, "a", "s5", 5, 4, CO_HELLO_TAKE },
    { "a store that went back in time", KD_PRESENCE_OFFLINE, KD_PRESENCE_ONLINE, "a", "s2", 2, 1, CO_HELLO_TAKE },
    { "it leaves", KD_PRESENCE_ONLINE, KD_PRESENCE_LEFT, "a", "s5", 5, 3, CO_HELLO_TAKE },
    { "its will", KD_PRESENCE_ONLINE, KD_PRESENCE_OFFLINE, "a", "s5", 5, 3, CO_HELLO_GONE },
    { "the will of an earlier connection", KD_PRESENCE_ONLINE, KD_PRESENCE_OFFLINE, "a", "s5", 5, 2, CO_HELLO_OLD },
    { "the will of an earlier session", KD_PRESENCE_ONLINE, KD_PRESENCE_OFFLINE, "a", "s4", 4, 7, CO_HELLO_OLD },
    { "the will of another store", KD_PRESENCE_ONLINE, KD_PRESENCE_OFFLINE, "b", "s5", 5, 3, CO_HELLO_OLD },
};

static void test_verdicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        const struct co_presence known = { .state = rows[i].known_state,
                                           .session = KD_STR("s5"),
                                           .store = KD_STR("a"),
                                           .start = 5,
                                           .connection = 3,
                                           .before_session = KD_STR("s4"),
                                           .before_connection = 7 };
        const struct kd_hello hello = { .state = rows[i].state,
                                        .session = kd_str(rows[i].session),
                                        .store = kd_str(rows[i].store),
                                        .start = rows[i].start,
                                        .connection = rows[i].connection };
        if (co_hello_judge(&known, &hello) != rows[i].want)
            fail_msg("%s: %d, not %d", rows[i].what, (int)co_hello_judge(&known, &hello), (int)rows[i].want);
    }
    const struct co_presence nobody = { 0 };
    const struct kd_hello first = { .state = KD_PRESENCE_ONLINE, .session = KD_STR("s1"), .store = KD_STR("a"), .start = 1 };
    assert_int_equal(co_hello_judge(&nobody, &first), CO_HELLO_TAKE);
    const struct kd_hello will = { .state = KD_PRESENCE_OFFLINE, .session = KD_STR("s1"), .store = KD_STR("a"), .start = 1 };
    assert_int_equal(co_hello_judge(&nobody, &will), CO_HELLO_OLD);
}

static void test_take(void **state)
{
    (void)state;
    struct co_presence known = { .state = KD_PRESENCE_ONLINE, .session = KD_STR("s5"), .store = KD_STR("a"), .connection = 3 };
    struct kd_hello_refused refused = { 3, 9, KD_STR("no") };
    struct kd_hello hello = {
        .state = KD_PRESENCE_ONLINE, .session = KD_STR("s6"), .store = KD_STR("a"), .start = 6, .connection = 1, .refused = &refused
    };
    co_presence_take(&known, &hello, true);
    assert_str(known.session, "s6");
    assert_str(known.before_session, "s5");
    assert_int_equal(known.before_connection, 3);
    assert_true(known.duplicate);
    assert_str(known.refused, "no");
    assert_int_equal(known.refused_version.n, 9);
    hello.connection = 2;
    hello.refused = NULL;
    co_presence_take(&known, &hello, false);
    assert_str(known.before_session, "s5"); /* the same session replaces nothing */
    assert_true(known.duplicate);           /* said until another store comes */
    assert_int_equal(known.refused.n, 0);
    hello.store = KD_STR("b");
    hello.state = KD_PRESENCE_LEFT;
    co_presence_take(&known, &hello, false);
    assert_false(known.duplicate);
    assert_int_equal(known.state, KD_PRESENCE_LEFT);
}

static void test_ahead(void **state)
{
    (void)state;
    static const struct {
        uint64_t epoch, n;
        const char *digest, *own_digest;
        bool want;
    } ahead[] = {
        { 3, 7, "d", "d", false }, { 3, 7, "e", "d", true },   { 3, 7, "", "d", false },
        { 3, 7, "e", "", false },  { 3, 8, "d", "d", true },   { 4, 1, "d", "d", true },
        { 3, 6, "e", "d", false }, { 2, 99, "e", "d", false }, { 0, 0, "", "d", false },
    };
    for (size_t i = 0; i < KD_COUNT(ahead); i++) {
        const struct kd_hello_manifest heard = { ahead[i].epoch, ahead[i].n, kd_str(ahead[i].digest) };
        assert_int_equal(co_is_ahead(&heard, (struct kd_version){ 3, 7 }, kd_str(ahead[i].own_digest)), ahead[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_verdicts), cmocka_unit_test(test_take),
                                        cmocka_unit_test(test_ahead) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
