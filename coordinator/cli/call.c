/** One run of a command. */
#include "coordinator/cli/call.h"

#include <stdio.h>

#include "coordinator/cli/suggest.h"
#include "shared/base/own.h"
#include "shared/model/messages.h"

enum { CT_PAGE_ITEMS = 500, CT_LIST_MAX = 200000 /* things */ };

const char *const ct_format_words[CT_FORMAT_COUNT] = { "table", "wide", "json", "yaml", "name" };

enum kd_code ct_format(const struct ct_call *call, enum ct_format *ret, struct kd_err *err)
{
    struct kd_str word = ct_text(call, CT_FLAG_OUTPUT);
    *ret = CT_FORMAT_TABLE;
    if (!ct_given(call, CT_FLAG_OUTPUT))
        return KD_OK;
    for (size_t i = 0; i < CT_FORMAT_COUNT; i++) {
        if (kd_str_is(word, ct_format_words[i])) {
            *ret = (enum ct_format)i;
            return KD_OK;
        }
    }
    return kd_fail(err, KD_INVALID, 0, "there is no output format '%.*s': use table, wide, json, yaml or name", KD_ARG(word));
}

/* ---- how it ended ---- */

static const char *const ct_hints[KD_CODE_COUNT] = {
    [KD_NOT_FOUND] = "'kedge get deployments' (packages, clusters, …) shows what there is",
    [KD_EXISTS] = "change what is there with 'kedge apply' or 'kedge upgrade', or choose another name",
    [KD_CONFLICT] = "it is not what it was when you looked, or may not be changed: see 'kedge describe', then try again",
    [KD_IN_USE] = "remove what refers to it first: 'kedge get deployments' and 'kedge get packages' show it",
    [KD_FORBIDDEN] = "use another --operator or --project, or ask whoever runs the broker for the right",
    [KD_TOO_LARGE] = "make it smaller: large content belongs into a registry",
    [KD_UNAVAILABLE] = "try again in a moment",
    [KD_UNSUPPORTED] = "the coordinator is older than this kedge: upgrade it",
    [KD_INTERNAL] = "the coordinator's log says more; trying again does no harm",
    [KD_TIMEOUT] = "check that kedge-coordinator runs with this broker and project; --timeout waits longer",
};

static void ct_complain(const struct ct_call *call, const struct kd_err *err)
{
    bool colours = call->screen.has_errors_live && call->screen.has_colours;
    KD_AUTO(kd_buf_clear) struct kd_buf story = KD_BUF(KD_STORY_MAX + 1);
    ct_add_visible(&story, kd_str(err->story));
    (void)fflush(stdout);
    (void)fprintf(stderr, "%skedge: %.*s%s", colours ? ct_paint_on(CT_BAD) : "", KD_ARG(kd_buf_str(&story)),
                  colours ? ct_paint_off(CT_BAD) : "");
    if (err->field[0] && strstr(err->story, err->field) == NULL)
        (void)fprintf(stderr, " (%s)", err->field);
    (void)fputc('\n', stderr);
}

enum ct_exit ct_fail(const struct ct_call *call, const struct kd_err *err)
{
    bool is_lost = call->client ? ct_client_is_lost(call->client) : err->code == KD_UNAVAILABLE;
    ct_complain(call, err);
    if (is_lost) {
        struct kd_str path = ct_settings_path(call->arena);
        (void)fprintf(stderr, "  is the broker running, and is its address right? Set it with --broker, KEDGE_BROKER or in %.*s\n",
                      KD_ARG(path));
        return CT_EXIT_NO_CONNECTION;
    }
    (void)fputs("  ", stderr);
    if (err->code == KD_INVALID)
        (void)fprintf(stderr, "correct it and try again; 'kedge help %s' shows how it should look",
                      call->args.command ? call->args.command->name : "");
    else
        (void)fputs(ct_hints[err->code] ? ct_hints[err->code] : "try again", stderr);
    (void)fputc('\n', stderr);
    return err->code == KD_TIMEOUT ? CT_EXIT_TIMEOUT : CT_EXIT_FAILED;
}

enum ct_exit ct_usage(const struct ct_call *call, const struct kd_err *err)
{
    ct_complain(call, err);
    if (call->args.command)
        (void)fprintf(stderr, "  'kedge help %s' shows how it is used\n", call->args.command->name);
    else
        (void)fputs("  'kedge help' lists the commands\n", stderr);
    return CT_EXIT_USAGE;
}

enum ct_exit ct_print(const struct ct_call *call, const struct kd_buf *text)
{
    struct kd_err err = { 0 };
    if (text->overflow)
        (void)kd_fail(&err, KD_TOO_LARGE, 0, "the output is larger than %zu bytes", text->max);
    else if (!ct_screen_print(kd_buf_str(text)))
        (void)kd_fail(&err, KD_INTERNAL, 0, "the output cannot be written");
    return err.code == KD_OK ? CT_EXIT_OK : ct_fail(call, &err);
}

/* ---- requests ---- */

struct kd_str ct_object(struct kd_arena *arena, const struct kd_pair *members, size_t n)
{
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(KD_PAYLOAD_MAX);
    bool is_first = true;
    kd_buf_add_char(&out, '{');
    for (size_t i = 0; i < n; i++) {
        if (members[i].value.n == 0)
            continue;
        kd_buf_add(&out, is_first ? KD_STR("") : KD_STR(","));
        kd_json_add_text(&out, members[i].key);
        kd_buf_add_char(&out, ':');
        kd_json_add_text(&out, members[i].value);
        is_first = false;
    }
    kd_buf_add_char(&out, '}');
    return kd_arena_copy(arena, kd_buf_str(&out));
}

enum kd_code ct_request(struct ct_call *call, const char *kind, const char *verb, struct kd_str body, struct kd_arena *arena,
                        struct kd_str *ret_result, struct kd_err *err)
{
    if (call->client == NULL) {
        enum kd_code code = ct_client_open(&call->settings, &call->client, err);
        if (code != KD_OK)
            return code;
    }
    return ct_client_call(call->client, kind, verb, body, ct_client_deadline(call->client), arena, ret_result, err);
}

enum kd_code ct_get(struct ct_call *call, const struct ct_kind *kind, const struct ct_name *name, struct kd_arena *arena,
                    struct ct_thing *ret, struct kd_err *err)
{
    const struct kd_pair members[] = { { KD_STR("name"), name->name }, { KD_STR("version"), name->version } };
    struct kd_str json;
    enum kd_code code = ct_request(call, kind->name, "get", ct_object(arena, members, KD_COUNT(members)), arena, &json, err);
    if (code != KD_OK)
        return code;
    ret->json = json;
    return kd_json_decode(&ct_view_shape, json, arena, &ret->view, err);
}

/** `{members of the body, "pageSize":500,"pageToken":"…"}` */
static struct kd_str ct_page_body(struct kd_str body, struct kd_str token, struct kd_arena *arena)
{
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(KD_PAYLOAD_MAX);
    kd_buf_printf(&out, "{\"pageSize\":%d", CT_PAGE_ITEMS);
    if (token.n) {
        kd_buf_add(&out, KD_STR(",\"pageToken\":"));
        kd_json_add_text(&out, token);
    }
    if (body.n > 2)
        kd_buf_printf(&out, ",%.*s", (int)(body.n - 1), body.p + 1);
    else
        kd_buf_add_char(&out, '}');
    return kd_arena_copy(arena, kd_buf_str(&out));
}

static enum kd_code ct_views_join(struct ct_views *all, const struct ct_views *more, struct kd_arena *arena, struct kd_err *err)
{
    if (all->n == 0) {
        *all = *more;
        return KD_OK;
    }
    size_t n = all->n + more->n;
    struct ct_views joined = { .v = kd_arena_alloc(arena, n * sizeof(*joined.v)),
                               .json = kd_arena_alloc(arena, n * sizeof(*joined.json)),
                               .n = n };
    if (joined.v == NULL || joined.json == NULL || n > CT_LIST_MAX)
        return kd_fail(err, KD_TOO_LARGE, 0, "the list is too long");
    memcpy(joined.v, all->v, all->n * sizeof(*all->v));
    memcpy(joined.json, all->json, all->n * sizeof(*all->json));
    if (more->n) {
        memcpy(joined.v + all->n, more->v, more->n * sizeof(*more->v));
        memcpy(joined.json + all->n, more->json, more->n * sizeof(*more->json));
    }
    *all = joined;
    return KD_OK;
}

enum kd_code ct_list(struct ct_call *call, const char *kind, const char *verb, struct kd_str body, struct kd_arena *arena,
                     struct ct_views *ret, struct kd_err *err)
{
    struct ct_page page = { 0 };
    *ret = (struct ct_views){ 0 };
    do {
        struct kd_str json;
        struct ct_views views;
        enum kd_code code = ct_request(call, kind, verb, ct_page_body(body, page.next, arena), arena, &json, err);
        code = code ? code : kd_json_decode(&ct_page_shape, json, arena, &page, err);
        code = code ? code : ct_views_read(page.items, arena, &views, err);
        code = code ? code : ct_views_join(ret, &views, arena, err);
        if (code != KD_OK)
            return code;
    } while (page.next.n);
    return KD_OK;
}

struct kd_str ct_exactly(struct kd_arena *arena, const struct ct_view *view)
{
    const struct kd_pair members[] = { { KD_STR("name"), view->name },
                                       { KD_STR("version"), view->version },
                                       { KD_STR("uid"), view->uid } };
    struct kd_str object = ct_object(arena, members, KD_COUNT(members));
    if (view->resource_version == 0 || object.n < 2)
        return object;
    return kd_arena_printf(arena, "%.*s,\"resourceVersion\":%llu}", (int)(object.n - 1), object.p,
                           (unsigned long long)view->resource_version);
}
