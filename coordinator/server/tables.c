/** The coordinator's tables: their names and keys. */
#include "coordinator/server/tables.h"

#include <inttypes.h>
#include <stdio.h>

#define CO_TABLE_AS_NAME(id, name) [CO_##id] = name,
const char *const co_spec_table_names[CO_SPEC_TABLE_COUNT] = { CO_SPEC_TABLES(CO_TABLE_AS_NAME) };
const char *const co_status_table_names[CO_STATUS_TABLE_COUNT] = { CO_STATUS_TABLES(CO_TABLE_AS_NAME) };

static void co_key_add(struct kd_key *key, struct kd_str part)
{
    if (part.n > KD_KEY_MAX - key->n) { /* cannot be a name: a key of length 0 is refused by the store */
        key->n = 0;
        return;
    }
    if (part.n)
        memcpy(key->p + key->n, part.p, part.n);
    key->n += part.n;
}

struct kd_key co_key(struct kd_str a, struct kd_str b, struct kd_str c, struct kd_str d)
{
    const struct kd_str parts[] = { a, b, c, d };
    struct kd_key key = { .n = 0 };
    for (size_t i = 0; i < 4 && parts[i].n; i++) {
        if (i)
            co_key_add(&key, KD_STR("/"));
        co_key_add(&key, parts[i]);
    }
    return key;
}

struct kd_key co_prefix(struct kd_str a, struct kd_str b, struct kd_str c)
{
    struct kd_key key = co_key(a, b, c, CO_NONE);
    co_key_add(&key, KD_STR("/"));
    return key;
}

struct kd_key co_number_key(uint64_t number)
{
    struct kd_key key = { .n = 16 };
    char text[17];
    (void)snprintf(text, sizeof text, "%016" PRIx64, number);
    memcpy(key.p, text, 16);
    return key;
}

bool co_number_of(struct kd_str hex, uint64_t *ret)
{
    uint64_t number = 0;
    if (hex.n < 16)
        return false;
    for (size_t i = 0; i < 16; i++) {
        const char *digits = "0123456789abcdef", *at = strchr(digits, hex.p[i]);
        if (!at || !hex.p[i])
            return false;
        number = number << 4 | (uint64_t)(at - digits);
    }
    *ret = number;
    return true;
}

uint64_t co_get_number(struct kd_txn *txn, int table, struct kd_str key)
{
    struct kd_str text;
    uint64_t number = 0;
    return kd_txn_get(txn, table, key, &text) && kd_str_u64(text, &number) ? number : 0;
}

void co_put_number(struct kd_txn *txn, int table, struct kd_str key, uint64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, number);
    kd_txn_put(txn, table, key, kd_str(text));
}
