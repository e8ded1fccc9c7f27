/** Digests and base64, with the values of their standards. */
#include "shared/base/own.h"
#include "shared/model/digest.h"
#include "tests/unit/unit.h"

#define EMPTY "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC   "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void test_values(void **state)
{
    (void)state;
    assert_string_equal(kd_digest_of(KD_STR("")).text, EMPTY);
    assert_string_equal(kd_digest_of((struct kd_str){ NULL, 0 }).text, EMPTY);
    assert_string_equal(kd_digest_of(KD_STR("abc")).text, ABC);
}

static void test_in_pieces(void **state)
{
    (void)state;
    struct kd_hash *hash = kd_hash_open();
    assert_non_null(hash);
    kd_hash_add(hash, KD_STR("a"));
    kd_hash_add(hash, (struct kd_str){ NULL, 0 });
    kd_hash_add(hash, KD_STR("bc"));
    assert_string_equal(kd_hash_close(hash).text, ABC);
}

static void test_parse(void **state)
{
    (void)state;
    static const char *const bad[] = { "",
                                       "sha256:",
                                       EMPTY "0",
                                       "sha5126:e3b0",
                                       "SHA256:e3b0c44298fc1c149afbf4c8996fb92427ae41e464",
                                       "sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                                       "sha256:g3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" };
    struct kd_digest digest = { "" };
    for (size_t i = 0; i < KD_COUNT(bad); i++)
        assert_false(kd_digest_parse(kd_str(bad[i]), &digest) || kd_is_digest(kd_str(bad[i])));
    assert_int_equal(kd_digest_hex(&digest).n, 0);
    assert_true(kd_digest_parse(KD_STR(ABC), &digest));
    assert_str(kd_digest_str(&digest), ABC);
    struct kd_digest again;
    assert_true(kd_digest_parse_hex(kd_digest_hex(&digest), &again));
    assert_string_equal(again.text, ABC);
    assert_false(kd_digest_parse_hex(KD_STR("ab"), &again));
}

static void test_base64(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *coded;
    } rows[] = {
        { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "foobar", "Zm9vYmFy" }
    };
    static const char *const bad[] = { "Z", "Zg=", "Zg", "Z===", "Zm9v!", "Zm9\n", "Zm9 ", "Zm9v Zm9v===", "=Zm9" };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(100), back = KD_BUF(100);
        kd_base64_add(&out, kd_str(rows[i].plain));
        assert_str(kd_buf_str(&out), rows[i].coded);
        assert_true(kd_base64_decode(kd_str(rows[i].coded), &back));
        assert_str(kd_buf_str(&back), rows[i].plain);
    }
    for (size_t i = 0; i < KD_COUNT(bad); i++) {
        KD_AUTO(kd_buf_clear) struct kd_buf back = KD_BUF(100);
        if (kd_base64_decode(kd_str(bad[i]), &back))
            fail_msg("\"%s\" is no base64", bad[i]);
    }
    KD_AUTO(kd_buf_clear) struct kd_buf small = KD_BUF(4);
    assert_false(kd_base64_decode(KD_STR("Zm9vYmFy"), &small));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_values), cmocka_unit_test(test_in_pieces),
                                        cmocka_unit_test(test_parse), cmocka_unit_test(test_base64) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
