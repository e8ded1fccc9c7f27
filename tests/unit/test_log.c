/** Log lines, clocks and random texts. */
#include "shared/base/own.h"
#include "shared/os/clock.h"
#include "shared/os/log.h"
#include "shared/os/random.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

static int kept = -1, lines[2];

/** From now on what is written to stderr can be read by logged(). */
static void catch_lines(void)
{
    kept = dup(STDERR_FILENO);
    assert_int_equal(pipe(lines), 0);
    assert_int_equal(dup2(lines[1], STDERR_FILENO), STDERR_FILENO);
    (void)close(lines[1]);
}

/** Ends catch_lines() and gives what was written meanwhile. */
static struct kd_str logged(void)
{
    static char text[8192];
    (void)dup2(kept, STDERR_FILENO);
    (void)close(kept);
    ssize_t n = read(lines[0], text, sizeof text);
    (void)close(lines[0]);
    return (struct kd_str){ text, n < 0 ? 0 : (size_t)n };
}

static void test_line(void **state)
{
    (void)state;
    struct kd_wall wall;
    catch_lines();
    errno = EEXIST;
    kd_log(LOG_WARNING, "report.rejected", "node=%s count=%d", "a", 2);
    int after = errno;
    struct kd_str line = logged();
    assert_int_equal(after, EEXIST);
    assert_true(kd_wall_parse(kd_str_cut(&line, ' '), &wall));
    assert_str(line, "warning report.rejected node=a count=2\n");
}

static void test_no_pairs(void **state)
{
    (void)state;
    catch_lines();
    kd_log(LOG_ERR, "ended", "%s", "");
    assert_true(kd_str_ends(logged(), KD_STR(" error   ended \n")));
}

static void test_control_characters(void **state)
{
    (void)state;
    catch_lines();
    kd_log(LOG_INFO, "forged", "why=\"%s\"", "a\nb\x1b[31m\x7f");
    assert_true(kd_str_ends(logged(), KD_STR("forged why=\"a?b?[31m?\"\n")));
}

static void test_long_line(void **state)
{
    (void)state;
    static char text[5000];
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        (void)snprintf(text + i, 3, "\xc3\xa9");
    catch_lines();
    kd_log(LOG_INFO, "long", "text=%s", text);
    struct kd_str line = logged();
    assert_true(line.n <= KD_LOG_LINE_MAX && line.n > KD_LOG_LINE_MAX - 3);
    assert_true(kd_str_ends(line, KD_STR("\xc3\xa9\n")));
}

static void test_levels(void **state)
{
    (void)state;
    catch_lines();
    kd_log(LOG_DEBUG, "unseen", "%s", "");
    kd_log_limit(kd_log_level(1));
    kd_log(LOG_INFO, "unseen", "%s", "");
    kd_log(LOG_WARNING, "seen", "%s", "");
    kd_log_limit(LOG_INFO);
    struct kd_str text = logged();
    assert_int_equal(kd_str_find(text, KD_STR("unseen")), -1);
    assert_true(kd_str_find(text, KD_STR("seen")) > 0);
    assert_string_equal(kd_log_words[4], "debug");
    assert_int_equal(kd_log_level(4), LOG_DEBUG);
    assert_int_equal(kd_log_level(99), LOG_INFO);
}

/** The journal's variable counts only for the stream that it names. */
static void test_journal(void **state)
{
    (void)state;
    char name[64];
    struct stat at;
    catch_lines();
    assert_int_equal(fstat(STDERR_FILENO, &at), 0);
    (void)snprintf(name, sizeof name, "%ju:%ju", (uintmax_t)at.st_dev, (uintmax_t)at.st_ino);
    (void)setenv("JOURNAL_STREAM", name, 1);
    kd_log(LOG_NOTICE, "hello", "a=1");
    (void)setenv("JOURNAL_STREAM", "1:1", 1);
    kd_log(LOG_NOTICE, "hello", "a=2");
    (void)unsetenv("JOURNAL_STREAM");
    struct kd_str text = logged();
    assert_str(kd_str_cut(&text, '\n'), "<5>hello a=1");
    assert_true(kd_str_ends(text, KD_STR("Z notice  hello a=2\n")));
}

static void test_clocks(void **state)
{
    (void)state;
    struct kd_mono first = kd_mono_now();
    assert_true(first.us > 0);
    assert_true(kd_mono_now().us >= first.us);
    assert_true(kd_wall_now().unix_ms > INT64_C(1600000000000));
}

static void test_random(void **state)
{
    (void)state;
    char a[33], b[33], none[1] = { 'x' };
    kd_random_text(a, 32);
    kd_random_text(b, 32);
    kd_random_text(none, 0);
    assert_int_equal(strspn(a, "0123456789abcdef"), 32);
    assert_int_equal(strlen(a), 32);
    assert_string_not_equal(a, b);
    assert_int_equal(none[0], 0);
    assert_true(kd_random_u64() != kd_random_u64());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),      cmocka_unit_test(test_no_pairs), cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_long_line), cmocka_unit_test(test_levels),   cmocka_unit_test(test_journal),
        cmocka_unit_test(test_clocks),    cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
