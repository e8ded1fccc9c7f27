/** The kinds of things that operators name: how each is called, asked for and shown in a table. */
#ifndef CT_KINDS_H
#define CT_KINDS_H

#include "coordinator/cli/table.h"
#include "coordinator/cli/views.h"
#include "shared/base/time.h"

struct ct_kind {
    const char *name, *plural, *shorter; /* "deployment", "deployments", "dep"; shorter may be NULL */
    const char *schema;                  /* the specSchema of its documents, NULL if it has none */
    bool is_versioned;                   /* named NAME:VERSION */
    bool is_listed_only;                 /* only `kedge get` knows it */
    const char *const *headers;
    size_t columns, wide_columns;
    void (*fill)(const struct ct_view *view, struct kd_wall now, struct kd_arena *arena, struct ct_cell *cells);
};

extern const struct ct_kind ct_kinds[];
extern const size_t ct_kind_count;

/** By name, plural or short form, or by the schema of a document (also the old Deployment-Package); NULL for none. */
const struct ct_kind *ct_kind_of(struct kd_str word);
const struct ct_kind *ct_kind_of_schema(struct kd_str schema);

/** KD_INVALID: "there is no kind 'x': did you mean …". */
KD_MUST_CHECK enum kd_code ct_kind_parse(struct kd_str word, const struct ct_kind **ret, struct kd_err *err);

/** A name as operators type it: NAME, or NAME:VERSION for versioned kinds (needs_version: an error without). KD_INVALID says how
 *  it must look. */
struct ct_name {
    struct kd_str name, version;
};
KD_MUST_CHECK enum kd_code ct_name_parse(const struct ct_kind *kind, struct kd_str text, bool needs_version, struct ct_name *ret,
                                         struct kd_err *err);

/** "shop" or "shop:1.0.0". */
struct kd_str ct_name_text(const struct ct_kind *kind, const struct ct_view *view, struct kd_arena *arena);

/** "3m ago"; "" for "". */
struct kd_str ct_age_text(struct kd_str time, struct kd_wall now, struct kd_arena *arena);

/** "running", "running (1 offline)". */
struct kd_str ct_deployment_state(const struct ct_view *view, struct kd_arena *arena);

/** What an operator should know of it: what it waits for, why nothing happens; "" if there is nothing. */
struct kd_str ct_deployment_note(const struct ct_view *view, struct kd_arena *arena);

/** "2/2", "1/2 running, 1 error". */
struct kd_str ct_summary_text(const struct ct_summary *summary, struct kd_arena *arena);

/** The table of some views. */
void ct_kind_table(const struct ct_kind *kind, const struct ct_views *views, bool is_wide, struct kd_wall now,
                   struct kd_arena *arena, struct ct_table *ret);

#endif
