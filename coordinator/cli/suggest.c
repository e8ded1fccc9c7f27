/** "Did you mean …?" */
#include "coordinator/cli/suggest.h"

static size_t ct_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t ct_distance(struct kd_str a, struct kd_str b)
{
    size_t rows[3][CT_WORD_MAX + 1]; /* the row before the last, the last, the present one */
    if (a.n > CT_WORD_MAX || b.n > CT_WORD_MAX)
        return SIZE_MAX;
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.n; j++)
        last[j] = before[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t change = last[j - 1] + (a.p[i - 1] != b.p[j - 1]);
            row[j] = ct_min(change, ct_min(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
                row[j] = ct_min(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b.n];
}

void ct_suggest(struct ct_suggestion *suggestion, struct kd_str candidate)
{
    size_t distance = ct_distance(suggestion->typed, candidate);
    bool begins = suggestion->typed.n >= 2 && kd_str_starts(candidate, suggestion->typed);
    bool is_near = begins || distance <= (suggestion->typed.n + 2) / 3;
    if (begins)
        distance = 0;
    if (is_near && (suggestion->best.p == NULL || distance < suggestion->distance)) {
        suggestion->best = candidate;
        suggestion->distance = distance;
    }
}
