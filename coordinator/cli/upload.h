/** Large content goes up in parts, each a request of its own. */
#ifndef CT_UPLOAD_H
#define CT_UPLOAD_H

#include "coordinator/cli/call.h"

enum { CT_PART_BYTES = 131072 /* decoded */ };

/** Uploads the bytes under a new id, with a progress bar on a terminal. Parts that the coordinator misses at the end are sent
 *  again. *ret_id lies in the call's arena. */
KD_MUST_CHECK enum kd_code ct_upload(struct ct_call *call, struct kd_str bytes, struct kd_str *ret_id, struct kd_err *err);

#endif
