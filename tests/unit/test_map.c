/** The map, against a plain array that does the same. */
#include "shared/base/map.h"
#include "shared/base/own.h"
#include "tests/unit/unit.h"

#include <stdio.h>

enum { KEYS = 500, STEPS = 200000 };

static struct kd_str key_of(unsigned i)
{
    static char text[16];
    (void)snprintf(text, sizeof text, "key-%u", i);
    return kd_str(text);
}

/** Random steps from a fixed seed; after each, the entry in question is as it should be. */
static void test_like_an_array(void **state)
{
    (void)state;
    static uint64_t want[KEYS]; /* 0: not there */
    KD_AUTO(kd_map_clear) struct kd_map map = KD_MAP(sizeof(uint64_t));
    uint64_t random = 1;
    size_t count = 0;
    for (uint64_t step = 1; step < STEPS; step++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        unsigned i = (unsigned)(random >> 33) % KEYS;
        if (random >> 63) {
            uint64_t *value = kd_map_put(&map, key_of(i));
            assert_non_null(value);
            assert_int_equal(*value, want[i]); /* zero for a new one */
            count += want[i] == 0;
            *value = want[i] = step;
        } else {
            assert_int_equal(kd_map_del(&map, key_of(i)), want[i] != 0);
            count -= want[i] != 0;
            want[i] = 0;
        }
        const uint64_t *value = kd_map_get(&map, key_of(i));
        assert_int_equal(value ? *value : 0, want[i]);
        assert_int_equal(map.n, count);
    }
    for (unsigned i = 0; i < KEYS; i++) {
        const uint64_t *value = kd_map_get(&map, key_of(i));
        assert_int_equal(value ? *value : 0, want[i]);
    }
}

/** Entries that come and go do not make it grow, nor fill it with what is no longer there. */
static void test_comings_and_goings(void **state)
{
    (void)state;
    KD_AUTO(kd_map_clear) struct kd_map map = KD_MAP(1);
    for (unsigned i = 0; i < 100000; i++) {
        assert_non_null(kd_map_put(&map, key_of(i)));
        assert_true(kd_map_del(&map, key_of(i)));
        assert_true(map.used < map.cap);
    }
    assert_int_equal(map.cap, 16);
}

static void test_walk(void **state)
{
    (void)state;
    KD_AUTO(kd_map_clear) struct kd_map map = KD_MAP(sizeof(int));
    struct kd_str key;
    void *value;
    size_t at = 0, seen = 0;
    assert_false(kd_map_next(&map, &at, &key, &value));
    for (unsigned i = 0; i < 100; i++)
        *(int *)kd_map_put(&map, key_of(i)) = (int)i;
    while (kd_map_next(&map, &at, &key, &value)) {
        assert_true(kd_str_eq(key, key_of((unsigned)*(int *)value)));
        assert_true(kd_map_del(&map, key)); /* the one that was given may go */
        seen++;
    }
    assert_int_equal(seen, 100);
    assert_int_equal(map.n, 0);
}

static void test_edges(void **state)
{
    (void)state;
    KD_AUTO(kd_map_clear) struct kd_map map = KD_MAP(sizeof(int));
    assert_null(kd_map_get(&map, KD_STR("a")));
    assert_false(kd_map_del(&map, KD_STR("a")));
    *(int *)kd_map_put(&map, kd_str(NULL)) = 7;
    assert_int_equal(*(int *)kd_map_get(&map, KD_STR("")), 7);
    char text[] = "own";
    assert_non_null(kd_map_put(&map, kd_str(text)));
    text[0] = 'x'; /* the key was copied */
    assert_non_null(kd_map_get(&map, KD_STR("own")));
    kd_map_clear(&map);
    assert_null(kd_map_get(&map, KD_STR("own")));
    assert_non_null(kd_map_put(&map, KD_STR("again")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_an_array),
        cmocka_unit_test(test_comings_and_goings),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
