/** docs/protocol.md is true: its messages are read by the tables and written again with nothing lost, its requests are sent in their order
 *  and succeed, every request that there is stands in its table, and every member of every message is named. */
#include "coordinator/server/kinds.h"
#include "tests/unit/service_world.h"

enum { PAGE_BYTES = 1 << 20, MEMORY = 1 << 22 };

/** The page, terminated; freed by the caller. */
static char *read_page(void)
{
    FILE *file = fopen("docs/protocol.md", "r");
    char *text = calloc(1, PAGE_BYTES);
    assert_non_null(file);
    assert_non_null(text);
    assert_true(fread(text, 1, PAGE_BYTES - 1, file) > 0);
    assert_int_equal(fclose(file), 0);
    return text;
}

/** The next example after *at: its words behind "json" and its text. False after the last. */
static bool next_example(const char **at, struct kd_str *ret_kind, struct kd_str *ret_rest, struct kd_str *ret_text)
{
    const char *found = strstr(*at, "```json ");
    if (!found)
        return false;
    found += strlen("```json ");
    const char *text = strchr(found, '\n') + 1, *end = strstr(text, "\n```");
    assert_non_null(end);
    *ret_rest = (struct kd_str){ found, (size_t)(text - 1 - found) };
    *ret_kind = kd_str_cut(ret_rest, ' ');
    *ret_text = (struct kd_str){ text, (size_t)(end - text) };
    *at = end + 4;
    return true;
}

static const struct {
    const char *word;
    const struct kd_json_shape *shape;
} messages[] = {
    { "coordinator", &kd_coordinator_shape }, { "marker", &kd_marker_shape }, { "hello", &kd_hello_shape },
    { "inventory", &kd_inventory_shape },     { "ack", &kd_ack_shape },       { "manifest", &kd_manifest_shape },
    { "document", &kd_document_shape },       { "list", &kd_parts_shape },    { "status", &kd_status_shape },
};

static const struct kd_json_shape *shape_of(struct kd_str word)
{
    for (size_t i = 0; i < KD_COUNT(messages); i++)
        if (kd_str_is(word, messages[i].word))
            return messages[i].shape;
    return NULL;
}

/** Decodes and encodes; both texts must say the same, so that no member is unknown, misplaced or cut. */
static void check_message(const struct kd_json_shape *shape, struct kd_str text)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(MEMORY);
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(KD_PAYLOAD_MAX);
    struct kd_err err = { 0 };
    void *value = kd_arena_alloc(&arena, shape->size);
    assert_ok(kd_json_decode(shape, text, &arena, value, &err), err);
    kd_json_encode(shape, value, &out);
    cJSON *page = cJSON_ParseWithLength(text.p, text.n), *code = cJSON_Parse(out.p);
    if (!cJSON_Compare(page, code, true))
        fail_msg("the page says %.*s\nthe code says %s", KD_ARG(text), out.p);
    cJSON_Delete(page);
    cJSON_Delete(code);
}

static void test_messages(void **state)
{
    (void)state;
    char *page = read_page();
    struct kd_str kind, rest, text;
    bool seen[KD_COUNT(messages)] = { false };
    for (const char *at = page; next_example(&at, &kind, &rest, &text);) {
        const struct kd_json_shape *shape = shape_of(kind);
        if (shape)
            check_message(shape, text);
        for (size_t i = 0; i < KD_COUNT(messages); i++)
            seen[i] |= messages[i].shape == shape;
    }
    for (size_t i = 0; i < KD_COUNT(messages); i++)
        if (!seen[i])
            fail_msg("docs/protocol.md has no example of %s", messages[i].word);
    free(page);
}

static void check_members(const char *page, const struct kd_json_shape *shape)
{
    for (size_t i = 0; i < shape->count; i++) {
        char quoted[64], span[64];
        (void)snprintf(quoted, sizeof quoted, "\"%s\"", shape->fields[i].name);
        (void)snprintf(span, sizeof span, "`%s`", shape->fields[i].name);
        if (!strstr(page, quoted) && !strstr(page, span))
            fail_msg("docs/protocol.md does not name %s of %s", quoted, shape->what);
        if (shape->fields[i].shape)
            check_members(page, shape->fields[i].shape);
    }
}

static void test_every_member_is_named(void **state)
{
    (void)state;
    char *page = read_page();
    for (size_t i = 0; i < KD_COUNT(messages); i++)
        check_members(page, messages[i].shape);
    free(page);
}

/** The agent of the examples: it has what it was given, and runs it. */
static void play_agent(struct world *w)
{
    if (world_manifest(w, "store-42")[0] == '\0' || strstr(world_manifest(w, "store-42"), "\"leave\":true"))
        return;
    world_hello_current(w, "store-42", 1, 1);
    const char *uid = world_at(w, world_manifest(w, "store-42"), "deployments[0].uid");
    if (uid[0])
        world_status(w, "store-42", "shop", uid, world_at(w, world_manifest(w, "store-42"), "deployments[0].document.digest"),
                     "running", 1, 1);
}

static void test_requests(void **state)
{
    (void)state;
    char *page = read_page();
    struct world *w = world_new();
    struct kd_str kind, rest, text;
    size_t sent = 0;
    for (const char *at = page; next_example(&at, &kind, &rest, &text);) {
        bool refused = kd_str_is(kind, "refused");
        if (!refused && !kd_str_is(kind, "request"))
            continue;
        char request[128], body[4096];
        assert_true(kd_str_copy(rest, request, sizeof request) && kd_str_copy(text, body, sizeof body));
        const char *reply = world_ask(w, request, body);
        if (strncmp(reply, refused ? "{\"ok\":false,\"error\":{" : "{\"ok\":true,\"result\":{", 20) != 0)
            fail_msg("%s %s\n-> %s", request, body, reply);
        while (w->lookups_n)
            world_answer(w, KD_OK, WORLD_DIGEST("a"));
        play_agent(w);
        sent++;
    }
    assert_true(sent >= 20);
    world_free(w);
    free(page);
}

/** Members of views: what the page shows is what is sent, apart from values. */
static void check_view(const cJSON *page, const cJSON *view, const char *path)
{
    for (const cJSON *item = page->child; item; item = item->next) {
        const cJSON *own = cJSON_GetObjectItemCaseSensitive(view, item->string);
        if (!own || (own->type | 3) != (item->type | 3)) /* true and false are one type here */
            fail_msg("views have no %s.%s like that of docs/protocol.md", path, item->string);
        if (cJSON_IsObject(item) && strcmp(item->string, "labels") != 0 && strcmp(item->string, "foundLabels") != 0)
            check_view(item, own, item->string);
    }
}

static void test_views(void **state)
{
    (void)state;
    static const char inventory[] =
        "{\"agentVersion\":\"1\",\"runtime\":\"podman\",\"runtimeVersion\":\"4\",\"architecture\":\"x\","
        "\"labels\":{\"a\":\"b\"}}";
    char *page = read_page();
    struct world *w = world_new();
    struct kd_str kind, rest, text;
    size_t n = 0;
    world_catalog(w);
    world_cluster(w, "store-42", "a");
    (void)world_deploy(w, "shop", "a");
    play_agent(w);
    world_deliver(w, KD_TOPIC_ROOT "default/clusters/store-42/inventory", inventory, false);
    for (const char *at = page; next_example(&at, &kind, &rest, &text);) {
        if (!kd_str_is(kind, "view"))
            continue;
        char request[64];
        (void)snprintf(request, sizeof request, "%.*s/get", KD_ARG(rest));
        const char *reply = world_ok(w, request, "{\"name\":\"%s\"}", kd_str_is(rest, "cluster") ? "store-42" : "shop");
        cJSON *shown = cJSON_ParseWithLength(text.p, text.n), *sent = cJSON_Parse(reply);
        check_view(shown, cJSON_GetObjectItemCaseSensitive(sent, "result"), "$");
        check_view(cJSON_GetObjectItemCaseSensitive(sent, "result"), shown, "$");
        cJSON_Delete(shown);
        cJSON_Delete(sent);
        n++;
    }
    assert_int_equal(n, 2);
    world_free(w);
    free(page);
}

/** Every request of the table exists, and every code of an error is explained. */
static void test_tables(void **state)
{
    (void)state;
    char *page = read_page();
    struct world *w = world_new();
    size_t requests = 0;
    for (const char *at = page; (at = strstr(at, "\n| `")); at++) {
        struct kd_str row = { at + 4, strcspn(at + 4, "`") }, verb = row, word = kd_str_cut(&verb, '/');
        if (!verb.n || kd_str_starts(row, KD_STR("<p>")))
            continue;
        for (size_t i = 0; i < (kd_str_is(word, "<kind>") ? co_kind_count : 1); i++) {
            char request[64];
            if (kd_str_is(word, "<kind>"))
                (void)snprintf(request, sizeof request, "%s/%.*s", co_kinds[i].word, KD_ARG(verb));
            else
                (void)snprintf(request, sizeof request, "%.*s", KD_ARG(row));
            if (strcmp(world_at(w, world_ask(w, request, "{}"), "error.code"), "unsupported") == 0)
                fail_msg("there is no request %s", request);
        }
        requests++;
    }
    assert_int_equal(requests, 15);
    for (int code = KD_OK + 1; code < KD_CODE_COUNT; code++) {
        char row[64];
        (void)snprintf(row, sizeof row, "\n| `%s` | ", kd_code_word((enum kd_code)code));
        if (!strstr(page, row))
            fail_msg("docs/protocol.md does not explain %s", kd_code_word((enum kd_code)code));
    }
    for (int i = 0; i < KD_APP_STATE_COUNT; i++)
        assert_non_null(strstr(page, kd_app_state_word(i)));
    world_free(w);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages), cmocka_unit_test(test_every_member_is_named),
        cmocka_unit_test(test_requests), cmocka_unit_test(test_views),
        cmocka_unit_test(test_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
