/** Help, manual page and completion, all from the tables of commands, flags and settings. */
#ifndef CT_HELP_H
#define CT_HELP_H

#include "coordinator/cli/call.h"

/** The overview, or one command. Pure. */
void ct_help_all(struct kd_buf *out);
void ct_help_command(const struct ct_command *command, struct kd_buf *out);

/** The manual page kedge(1), roff. Pure. */
void ct_man(struct kd_buf *out);

/** `kedge __complete WORD…`: prints what may stand in place of the last word, one per line; names are asked of the coordinator
 *  within a second. Never fails loudly. */
enum ct_exit ct_complete(struct ct_call *call, int argc, const char *const *argv);

#endif
