/** What the commands do, one function each. */
#ifndef CT_RUNS_H
#define CT_RUNS_H

#include "coordinator/cli/call.h"

enum ct_exit ct_run_get(struct ct_call *call);
enum ct_exit ct_run_describe(struct ct_call *call);
enum ct_exit ct_run_status(struct ct_call *call);
enum ct_exit ct_run_import(struct ct_call *call);
enum ct_exit ct_run_apply(struct ct_call *call);
enum ct_exit ct_run_deploy(struct ct_call *call);
enum ct_exit ct_run_upgrade(struct ct_call *call);
enum ct_exit ct_run_delete(struct ct_call *call);
enum ct_exit ct_run_prune(struct ct_call *call);
enum ct_exit ct_run_resume(struct ct_call *call);
enum ct_exit ct_run_leave(struct ct_call *call);
enum ct_exit ct_run_adopt(struct ct_call *call);
enum ct_exit ct_run_help(struct ct_call *call);

#endif
