/** Quantities of Kubernetes. */
#include "agent/workload/quantity.h"

#include "shared/base/own.h"

#include <math.h>

static const struct ag_unit {
    const char *suffix;
    double factor;
} ag_units[] = {
    { "", 1 },
    { "n", 1e-9 },
    { "u", 1e-6 },
    { "m", 1e-3 },
    { "k", 1e3 },
    { "M", 1e6 },
    { "G", 1e9 },
    { "T", 1e12 },
    { "P", 1e15 },
    { "E", 1e18 },
    { "Ki", 1024.0 },
    { "Mi", 1048576.0 },
    { "Gi", 1073741824.0 },
    { "Ti", 1099511627776.0 },
    { "Pi", 1125899906842624.0 },
    { "Ei", 1152921504606846976.0 },
};

/** Digits with at most one point; cuts them off. */
static bool ag_decimal(struct kd_str *text, double *ret)
{
    size_t i = 0, digits = 0;
    double value = 0, place = 0;
    for (; i < text->n && (text->p[i] == '.' || (text->p[i] >= '0' && text->p[i] <= '9')); i++) {
        if (text->p[i] == '.') {
            if (place > 0)
                return false;
            place = 1;
            continue;
        }
        digits++;
        value = value * 10 + (text->p[i] - '0');
        place *= 10;
    }
    *text = (struct kd_str){ text->p + i, text->n - i };
    *ret = place > 0 ? value / place : value;
    return digits > 0 && digits < 20;
}

/** e3, E-2: false where it is not an exponent. */
static bool ag_exponent(struct kd_str text, double *ret)
{
    if (text.n < 2 || (text.p[0] != 'e' && text.p[0] != 'E'))
        return false;
    bool minus = text.p[1] == '-', sign = minus || text.p[1] == '+';
    struct kd_str digits = { text.p + 1 + sign, text.n - 1 - sign };
    uint64_t power = 0;
    if (!kd_str_u64(digits, &power) || power > 18)
        return false;
    *ret = pow(10, minus ? -(double)power : (double)power);
    return true;
}

bool ag_quantity_parse(struct kd_str text, double *ret)
{
    double value = 0, factor = 0;
    if (!ag_decimal(&text, &value))
        return false;
    for (size_t i = 0; i < KD_COUNT(ag_units) && factor == 0; i++)
        if (kd_str_is(text, ag_units[i].suffix))
            factor = ag_units[i].factor;
    if (factor == 0 && !ag_exponent(text, &factor))
        return false;
    *ret = value * factor;
    return true;
}

bool ag_quantity_read(const cJSON *value, double *ret)
{
    if (cJSON_IsString(value))
        return ag_quantity_parse(kd_str(value->valuestring), ret);
    if (!cJSON_IsNumber(value) || !(value->valuedouble >= 0))
        return false;
    *ret = value->valuedouble;
    return true;
}
