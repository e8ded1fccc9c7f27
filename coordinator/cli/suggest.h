/** "Did you mean …?": the known word that is nearest to what was typed. Pure. */
#ifndef CT_SUGGEST_H
#define CT_SUGGEST_H

#include "shared/base/str.h"

enum { CT_WORD_MAX = 64 /* bytes: longer words get no suggestion */ };

/** How many letters must be added, removed, changed or swapped with their neighbour; SIZE_MAX for words that are too long. */
size_t ct_distance(struct kd_str a, struct kd_str b);

struct ct_suggestion {
    struct kd_str typed, best; /* best: {NULL, 0} as long as nothing is near enough */
    size_t distance;
};

/** Compares one candidate after the other; a suggestion is at most a third of the typed word away, or begins with it. */
void ct_suggest(struct ct_suggestion *suggestion, struct kd_str candidate);

#endif
