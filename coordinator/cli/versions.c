/** Which of two versions is newer. */
#include "coordinator/cli/versions.h"

static int ct_part_cmp(struct kd_str a, struct kd_str b)
{
    uint64_t x = 0, y = 0;
    if (kd_str_u64(a, &x) && kd_str_u64(b, &y))
        return (x > y) - (x < y);
    return kd_str_cmp(a, b);
}

static int ct_dotted_cmp(struct kd_str a, struct kd_str b)
{
    while (a.n || b.n) {
        int order = ct_part_cmp(kd_str_cut(&a, '.'), kd_str_cut(&b, '.'));
        if (order)
            return order;
    }
    return 0;
}

int ct_version_cmp(struct kd_str a, struct kd_str b)
{
    int order = ct_dotted_cmp(kd_str_cut(&a, '-'), kd_str_cut(&b, '-'));
    if (order)
        return order;
    if (a.n == 0 || b.n == 0) /* what comes behind '-' makes it a version before that */
        return (b.n > 0) - (a.n > 0);
    return ct_dotted_cmp(a, b);
}
