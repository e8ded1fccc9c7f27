/** Walks over the keys of a prefix. Every step seeks anew, so that changes meanwhile do no harm. */
#include "shared/store/store.h"

struct kd_scan kd_scan_prefix(int table, struct kd_str prefix)
{
    struct kd_scan scan = { .table = table, .prefix = prefix.n < KD_KEY_MAX ? prefix.n : KD_KEY_MAX };
    if (scan.prefix)
        memcpy(scan.key.p, prefix.p, scan.prefix);
    scan.key.n = scan.prefix;
    return scan;
}

struct kd_scan kd_scan_after(int table, struct kd_str prefix, struct kd_str after)
{
    struct kd_scan scan = kd_scan_prefix(table, prefix);
    if (after.n && after.n <= KD_KEY_MAX && kd_str_starts(after, prefix)) {
        memcpy(scan.key.p, after.p, after.n);
        scan.key.n = after.n;
        scan.started = true;
    }
    return scan;
}

bool kd_scan_next(struct kd_txn *txn, struct kd_scan *scan)
{
    struct kd_key from = scan->key;
    bool after = scan->started;
    scan->started = true;
    if (!txn->ops->seek(txn, scan->table, kd_key_str(&from), after, &scan->key, &scan->value))
        return false;
    return scan->key.n >= scan->prefix && memcmp(scan->key.p, from.p, scan->prefix) == 0;
}
