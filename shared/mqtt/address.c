/** Addresses of brokers. */
#include "shared/mqtt/address.h"

static const struct {
    struct kd_str scheme;
    bool tls;
    int port;
} kd_schemes[] = {
    { KD_STR_INIT("mqtts://"), true, 8883 },
    { KD_STR_INIT("mqtt://"), false, 1883 },
};

static enum kd_code kd_address_bad(struct kd_str text, struct kd_err *err)
{
    return kd_fail_field(err, KD_INVALID, "address", "address '%.*s' must look like mqtts://host:8883 or mqtt://host:1883",
                         KD_ARG(text));
}

static bool kd_host_is_plain(struct kd_str host, bool in_brackets)
{
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
        if (!plain && !(in_brackets && (c == ':' || c == '%')))
            return false;
    }
    return host.n > 0;
}

/** Cuts "host", "host:port" or "[host]:port" in two; port is {NULL, 0} if there is none. */
static bool kd_address_split(struct kd_str rest, struct kd_str *ret_host, struct kd_str *ret_port)
{
    bool in_brackets = rest.n && rest.p[0] == '[';
    if (in_brackets) {
        rest = (struct kd_str){ rest.p + 1, rest.n - 1 };
        *ret_host = kd_str_cut(&rest, ']');
        if (rest.n && rest.p[0] != ':')
            return false;
        *ret_port = rest.n ? (struct kd_str){ rest.p + 1, rest.n - 1 } : rest;
    } else {
        *ret_host = kd_str_cut(&rest, ':');
        *ret_port = rest;
    }
    return kd_host_is_plain(*ret_host, in_brackets);
}

enum kd_code kd_mqtt_address_parse(struct kd_str text, struct kd_mqtt_address *ret, struct kd_err *err)
{
    for (size_t i = 0; i < sizeof(kd_schemes) / sizeof(kd_schemes[0]); i++) {
        if (!kd_str_starts(text, kd_schemes[i].scheme))
            continue;
        struct kd_mqtt_address address = { .tls = kd_schemes[i].tls };
        struct kd_str host, port, rest = { text.p + kd_schemes[i].scheme.n, text.n - kd_schemes[i].scheme.n };
        uint64_t number = (uint64_t)kd_schemes[i].port;
        if (!kd_address_split(rest, &host, &port) || !kd_str_copy(host, address.host, sizeof(address.host)))
            return kd_address_bad(text, err);
        if (port.n && (!kd_str_u64(port, &number) || number < 1 || number > 65535))
            return kd_address_bad(text, err);
        address.port = (int)number;
        *ret = address;
        return KD_OK;
    }
    return kd_address_bad(text, err);
}
