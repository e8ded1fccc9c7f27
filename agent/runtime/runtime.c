/** Runtimes by name. */
#include "agent/runtime/runtime.h"

#include "shared/base/own.h"

static const struct ag_runtime *const ag_runtimes[] = { &ag_runtime_podman };

const struct ag_runtime *ag_runtime_of(struct kd_str name)
{
    for (size_t i = 0; i < KD_COUNT(ag_runtimes); i++)
        if (kd_str_is(name, ag_runtimes[i]->name))
            return ag_runtimes[i];
    return NULL;
}
