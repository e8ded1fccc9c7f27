/** One run of a command: what was typed, the settings, the terminal, the client (made when first needed). */
#ifndef CT_CALL_H
#define CT_CALL_H

#include "coordinator/cli/client.h"
#include "coordinator/cli/command.h"
#include "coordinator/cli/kinds.h"
#include "coordinator/cli/screen.h"

enum {
    CT_CALL_MEMORY = 256 * 1024 * 1024, /* bytes: lists and documents of one command */
    CT_WAIT_US = 300000000,             /* --wait without --timeout */
};

struct ct_call {
    struct ct_args args;
    struct ct_settings settings;
    struct kd_arena *arena; /* until the end of the command */
    struct ct_screen screen;
    struct ct_client *client; /* owned; NULL until the first request */
};

/* ---- what was typed ---- */

static inline bool ct_given(const struct ct_call *call, enum ct_flag_id id)
{
    return call->args.values[id].n > 0;
}

/** The text of a flag, {NULL, 0} if it was not given. */
static inline struct kd_str ct_text(const struct ct_call *call, enum ct_flag_id id)
{
    return ct_given(call, id) ? call->args.values[id].v[0] : (struct kd_str){ NULL, 0 };
}

/** The i-th word behind the command, {NULL, 0} if there is none. */
static inline struct kd_str ct_word(const struct ct_call *call, size_t i)
{
    return i < call->args.word_count ? call->args.words[i] : (struct kd_str){ NULL, 0 };
}

enum ct_format { CT_FORMAT_TABLE, CT_FORMAT_WIDE, CT_FORMAT_JSON, CT_FORMAT_YAML, CT_FORMAT_NAME, CT_FORMAT_COUNT };
extern const char *const ct_format_words[CT_FORMAT_COUNT];

KD_MUST_CHECK enum kd_code ct_format(const struct ct_call *call, enum ct_format *ret, struct kd_err *err);

/* ---- how it ended ---- */

/** Says on standard error what failed and what to do next; the exit code. */
enum ct_exit ct_fail(const struct ct_call *call, const struct kd_err *err);

/** The same where the command line itself is wrong. */
enum ct_exit ct_usage(const struct ct_call *call, const struct kd_err *err);

/** Prints to standard output; a failure to write becomes CT_EXIT_FAILED. */
enum ct_exit ct_print(const struct ct_call *call, const struct kd_buf *text);

/* ---- requests ---- */

/** A JSON object of texts; empty ones are left out. {NULL, 0} when the arena is full. */
struct kd_str ct_object(struct kd_arena *arena, const struct kd_pair *members, size_t n);

/** One request, waiting as long as the settings say. */
KD_MUST_CHECK enum kd_code ct_request(struct ct_call *call, const char *kind, const char *verb, struct kd_str body,
                                      struct kd_arena *arena, struct kd_str *ret_result, struct kd_err *err);

/** The view of one thing, as JSON and decoded. */
struct ct_thing {
    struct kd_str json;
    struct ct_view view;
};
KD_MUST_CHECK enum kd_code ct_get(struct ct_call *call, const struct ct_kind *kind, const struct ct_name *name,
                                  struct kd_arena *arena, struct ct_thing *ret, struct kd_err *err);

/** All pages of a list request. `body` has the further members of the request ("{}" for none). */
KD_MUST_CHECK enum kd_code ct_list(struct ct_call *call, const char *kind, const char *verb, struct kd_str body,
                                   struct kd_arena *arena, struct ct_views *ret, struct kd_err *err);

/** {"name":…,"version":…,"uid":…,"resourceVersion":…}: exactly the thing that was looked at. */
struct kd_str ct_exactly(struct kd_arena *arena, const struct ct_view *view);

#endif
