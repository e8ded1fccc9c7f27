/** Addresses of brokers. */
#include "tests/unit/unit.h"

#include "shared/base/own.h"
#include "shared/mqtt/address.h"

static const struct {
    const char *text, *host; /* host NULL: refused */
    int port;
    bool tls;
} rows[] = {
    { "mqtt://localhost", "localhost", 1883, false },
    { "mqtts://broker.example.com", "broker.example.com", 8883, true },
    { "mqtts://10.0.0.1:18883", "10.0.0.1", 18883, true },
    { "mqtt://[::1]:1884", "::1", 1884, false },
    { "mqtt://[fe80::1%eth0]", "fe80::1%eth0", 1883, false },
    { "", NULL, 0, false },
    { "localhost:1883", NULL, 0, false },
    { "http://localhost", NULL, 0, false },
    { "mqtt://", NULL, 0, false },
    { "mqtt://:1883", NULL, 0, false },
    { "mqtt://host:0", NULL, 0, false },
    { "mqtt://host:65536", NULL, 0, false },
    { "mqtt://host:18x", NULL, 0, false },
    { "mqtt://[::1]1884", NULL, 0, false },
    { "mqtt://[]", NULL, 0, false },
    { "mqtt://ho st", NULL, 0, false },
    { "mqtt://user@host", NULL, 0, false },
    { "mqtt://host/path", NULL, 0, false },
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        struct kd_mqtt_address address = { 0 };
        struct kd_err err = { 0 };
        enum kd_code code = kd_mqtt_address_parse(kd_str(rows[i].text), &address, &err);
        if (rows[i].host == NULL) {
            assert_int_equal(code, KD_INVALID);
            assert_string_equal(err.field, "address");
            continue;
        }
        assert_int_equal(code, KD_OK);
        assert_string_equal(address.host, rows[i].host);
        assert_int_equal(address.port, rows[i].port);
        assert_true(address.tls == rows[i].tls);
    }
}

static void test_host_that_is_too_long(void **state)
{
    (void)state;
    char text[400] = "mqtt://";
    memset(text + 7, 'a', 254);
    struct kd_mqtt_address address;
    assert_int_equal(kd_mqtt_address_parse(kd_str(text), &address, NULL), KD_INVALID);
    text[7 + 253] = '\0';
    assert_int_equal(kd_mqtt_address_parse(kd_str(text), &address, NULL), KD_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_host_that_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
