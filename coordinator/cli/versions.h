/** Which of two versions is newer. Pure. */
#ifndef CT_VERSIONS_H
#define CT_VERSIONS_H

#include "shared/base/str.h"

/** Parts between '.' and '-' are compared as numbers where both are, else as texts; 1.0.0-rc1 comes before 1.0.0. < 0, 0, > 0. */
int ct_version_cmp(struct kd_str a, struct kd_str b);

#endif
