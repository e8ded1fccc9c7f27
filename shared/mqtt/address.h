/** Addresses of brokers: "mqtts://host[:8883]", "mqtt://host[:1883]", "mqtts://[2001:db8::1]:8883". Pure. */
#ifndef KD_MQTT_ADDRESS_H
#define KD_MQTT_ADDRESS_H

#include "shared/base/err.h"
#include "shared/base/str.h"

enum { KD_MQTT_HOST_MAX = 253 /* bytes, the limit of DNS names */ };

struct kd_mqtt_address {
    bool tls;
    char host[KD_MQTT_HOST_MAX + 1];
    int port;
};

/** KD_INVALID with err->field "address" for anything else than the forms above. */
KD_MUST_CHECK enum kd_code kd_mqtt_address_parse(struct kd_str text, struct kd_mqtt_address *ret, struct kd_err *err);

#endif
