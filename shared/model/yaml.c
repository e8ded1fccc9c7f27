/** YAML to JSON: libyaml's events become a tree in an arena, with aliases resolved and merge keys applied; the tree is written out. */
#include "shared/model/yaml.h"

#include "shared/base/own.h"
#include "shared/base/utf8.h"
#include "shared/model/digest.h"
#include "shared/model/json.h"
#include "shared/model/yaml_scalar.h"

#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

enum {
    KD_YAML_TREE_MAX = 128 * 1024 * 1024, /* bytes of a tree: KD_YAML_NODES_MAX with short texts */
    KD_YAML_ANCHORS_MAX = 1000,
    KD_YAML_GROW = 8, /* the first capacity of a list */
};

enum kd_node_kind { KD_NODE_SCALAR, KD_NODE_LIST, KD_NODE_MAP };

struct kd_node {
    unsigned char kind; /* enum kd_node_kind */
    bool open;          /* its end was not read yet: an alias to it would contain itself */
    bool merge_key;     /* the scalar << without quotes */
    bool null, quoted;  /* the scalar is null; it is a text, which JSON quotes */
    uint32_t n, cap;
    uint32_t line, column;
    union {
        struct kd_str text;         /* scalar: the text, or the JSON of what is no text */
        struct kd_pair_node *pairs; /* map */
        struct kd_node **items;     /* list */
    };
};

struct kd_pair_node {
    struct kd_node *key, *value;
    uint32_t order; /* its place in the map; own pairs come before merged ones */
    bool merged;
};

struct kd_anchor {
    struct kd_str name;
    struct kd_node *node;
};

struct kd_yaml_reader {
    yaml_parser_t parser;
    struct kd_arena tree; /* nodes of the current document */
    struct kd_anchor *anchors;
    uint32_t anchor_count, anchor_cap, depth;
    size_t budget; /* nodes that may still be read or written */
    enum kd_yaml_mode mode;
    const char *name;
    struct kd_err *err;
};

static void kd_parserp(yaml_parser_t **parser)
{
    yaml_parser_delete(*parser);
}

__attribute__((format(printf, 4, 5))) static enum kd_code kd_yaml_bad(struct kd_yaml_reader *r, size_t line, size_t column,
                                                                      const char *fmt, ...)
{
    char why[KD_STORY_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    return kd_fail_field(r->err, KD_INVALID, r->name, "%s: line %zu, column %zu: %s", r->name, line, column, why);
}

static enum kd_code kd_yaml_full(struct kd_yaml_reader *r)
{
    return kd_fail_field(r->err, KD_TOO_LARGE, r->name, "%s has more than %d values, or needs more memory than allowed", r->name,
                         KD_YAML_NODES_MAX);
}

static bool kd_spend(struct kd_yaml_reader *r, size_t nodes)
{
    if (nodes > r->budget)
        return false;
    r->budget -= nodes;
    return true;
}

/** Room for one more item in an array that lies in the arena. */
static bool kd_room(struct kd_arena *arena, void *array, uint32_t n, uint32_t *cap, size_t size)
{
    void **at = array;
    if (n < *cap)
        return true;
    uint32_t more = *cap ? *cap * 2 : KD_YAML_GROW;
    void *grown = kd_arena_alloc(arena, more * size);
    if (!grown)
        return false;
    if (n)
        memcpy(grown, *at, n * size);
    *at = grown;
    *cap = more;
    return true;
}

/* ---- scalars ---- */

static bool kd_tag_is(const yaml_char_t *tag, const char *full)
{
    return tag && strcmp((const char *)tag, full) == 0;
}

static enum kd_code kd_scalar_text(struct kd_yaml_reader *r, struct kd_node *node, struct kd_str text)
{
    if (!kd_utf8_is_valid(text) || (text.n && memchr(text.p, 0, text.n)))
        return kd_yaml_bad(r, node->line, node->column, "a text must be UTF-8 without NUL characters");
    node->quoted = true;
    node->text = kd_arena_copy(&r->tree, text);
    return node->text.p ? KD_OK : kd_yaml_full(r);
}

static enum kd_code kd_scalar_binary(struct kd_yaml_reader *r, struct kd_node *node, struct kd_str text)
{
    KD_AUTO(kd_buf_clear) struct kd_buf packed = KD_BUF(KD_YAML_TREE_MAX), bytes = KD_BUF(KD_YAML_TREE_MAX);
    for (size_t i = 0; i < text.n; i++)
        if (!strchr(" \t\r\n", text.p[i]))
            kd_buf_add_char(&packed, text.p[i]);
    if (!kd_base64_decode(kd_buf_str(&packed), &bytes))
        return kd_yaml_bad(r, node->line, node->column, "!!binary needs base64");
    return kd_scalar_text(r, node, kd_buf_str(&bytes));
}

/** A scalar that may be something else than a text. */
static enum kd_code kd_scalar_plain(struct kd_yaml_reader *r, struct kd_node *node, struct kd_str text)
{
    KD_AUTO(kd_buf_clear) struct kd_buf json = KD_BUF(KD_STORY_MAX);
    enum kd_yaml_type type = kd_yaml_scalar(text, &json);
    node->merge_key = kd_str_is(text, "<<");
    if (type == KD_YAML_NOT_JSON)
        return kd_yaml_bad(r, node->line, node->column, "%.*s is not a number that JSON has", KD_ARG(text));
    if (type == KD_YAML_TEXT)
        return kd_scalar_text(r, node, text);
    node->null = type == KD_YAML_NULL;
    node->text = kd_arena_copy(&r->tree, kd_buf_str(&json));
    return node->text.p ? KD_OK : kd_yaml_full(r);
}

/** Does a tag on a scalar fit the type that it has? */
static bool kd_tag_fits(const yaml_char_t *tag, struct kd_str text)
{
    static const struct {
        const char *tag;
        enum kd_yaml_type type, also;
    } rows[] = {
        { YAML_INT_TAG, KD_YAML_WHOLE, KD_YAML_WHOLE },
        { YAML_FLOAT_TAG, KD_YAML_REAL, KD_YAML_WHOLE },
        { YAML_BOOL_TAG, KD_YAML_FLAG, KD_YAML_FLAG },
        { YAML_NULL_TAG, KD_YAML_NULL, KD_YAML_NULL },
    };
    KD_AUTO(kd_buf_clear) struct kd_buf json = KD_BUF(KD_STORY_MAX);
    for (size_t i = 0; i < KD_COUNT(rows); i++)
        if (kd_tag_is(tag, rows[i].tag)) {
            enum kd_yaml_type type = kd_yaml_scalar(text, &json);
            return type == rows[i].type || type == rows[i].also;
        }
    return true;
}

static enum kd_code kd_read_scalar(struct kd_yaml_reader *r, const yaml_event_t *event, struct kd_node *node)
{
    const yaml_char_t *tag = event->data.scalar.tag;
    struct kd_str text = { (const char *)event->data.scalar.value, event->data.scalar.length };
    bool number = kd_tag_is(tag, YAML_INT_TAG) || kd_tag_is(tag, YAML_FLOAT_TAG) || kd_tag_is(tag, YAML_BOOL_TAG) ||
                  kd_tag_is(tag, YAML_NULL_TAG);
    if (kd_tag_is(tag, "tag:yaml.org,2002:binary"))
        return kd_scalar_binary(r, node, text);
    if (!kd_tag_fits(tag, text))
        return kd_yaml_bad(r, node->line, node->column, "'%.*s' is not what its tag %s says", KD_ARG(kd_utf8_head(text, 80)),
                           (const char *)tag);
    if (!number && (tag || !event->data.scalar.plain_implicit))
        return kd_scalar_text(r, node, text);
    return kd_scalar_plain(r, node, text);
}

/* ---- maps ---- */

static int kd_pair_by_key(const void *left, const void *right)
{
    const struct kd_pair_node *a = left, *b = right;
    int by_key = kd_str_cmp(a->key->text, b->key->text);
    return by_key ? by_key : (a->order > b->order) - (a->order < b->order);
}

static int kd_pair_by_order(const void *left, const void *right)
{
    const struct kd_pair_node *a = left, *b = right;
    return (a->order > b->order) - (a->order < b->order);
}

/** Of the pairs of one key, sorted by order: the own one that counts, else the first merged one. */
static enum kd_code kd_choose(struct kd_yaml_reader *r, const struct kd_pair_node *run, size_t n, struct kd_pair_node *ret)
{
    *ret = run[0];
    for (size_t i = 1; i < n && !run[i].merged; i++) {
        const struct kd_node *key = run[i].key;
        if (r->mode == KD_YAML_STRICT)
            return kd_yaml_bad(r, key->line, key->column, "key '%.*s' stands there twice", KD_ARG(kd_utf8_head(key->text, 80)));
        ret->value = run[i].value;
    }
    return KD_OK;
}

/** Leaves one pair per key, in the order in which the keys first stood there. */
static enum kd_code kd_unique(struct kd_yaml_reader *r, struct kd_node *map)
{
    size_t kept = 0;
    if (!map->n)
        return KD_OK;
    qsort(map->pairs, map->n, sizeof *map->pairs, kd_pair_by_key);
    for (size_t i = 0, end; i < map->n; i = end) {
        for (end = i + 1; end < map->n && kd_str_eq(map->pairs[i].key->text, map->pairs[end].key->text);)
            end++;
        enum kd_code code = kd_choose(r, map->pairs + i, end - i, &map->pairs[kept++]);
        if (code != KD_OK)
            return code;
    }
    map->n = (uint32_t)kept;
    qsort(map->pairs, map->n, sizeof *map->pairs, kd_pair_by_order);
    return KD_OK;
}

static enum kd_code kd_add_pair(struct kd_yaml_reader *r, struct kd_node *map, struct kd_node *key, struct kd_node *value,
                                bool merged)
{
    if (!kd_room(&r->tree, &map->pairs, map->n, &map->cap, sizeof *map->pairs))
        return kd_yaml_full(r);
    map->pairs[map->n] = (struct kd_pair_node){ key, value, map->n, merged };
    map->n++;
    return KD_OK;
}

static enum kd_code kd_merge_map(struct kd_yaml_reader *r, struct kd_node *map, const struct kd_node *from)
{
    if (from->kind != KD_NODE_MAP)
        return kd_yaml_bad(r, from->line, from->column, "<< needs a map or a list of maps");
    if (!kd_spend(r, from->n))
        return kd_yaml_full(r);
    enum kd_code code = KD_OK;
    for (size_t i = 0; i < from->n && code == KD_OK; i++)
        code = kd_add_pair(r, map, from->pairs[i].key, from->pairs[i].value, true);
    return code;
}

/** Takes the << pairs out of a map that was read and puts the pairs in that they name. */
static enum kd_code kd_merge(struct kd_yaml_reader *r, struct kd_node *map)
{
    struct kd_pair_node *read = map->pairs;
    size_t n = map->n, kept = 0;
    for (size_t i = 0; i < n; i++)
        kept += !read[i].key->merge_key;
    if (kept == n)
        return KD_OK;
    *map = (struct kd_node){ .kind = KD_NODE_MAP, .line = map->line, .column = map->column };
    enum kd_code code = KD_OK;
    for (size_t i = 0; i < n && code == KD_OK; i++)
        if (!read[i].key->merge_key)
            code = kd_add_pair(r, map, read[i].key, read[i].value, false);
    for (size_t i = 0; i < n && code == KD_OK; i++) {
        const struct kd_node *from = read[i].value;
        bool list = read[i].key->merge_key && from->kind == KD_NODE_LIST;
        for (size_t k = 0; list && k < from->n && code == KD_OK; k++)
            code = kd_merge_map(r, map, from->items[k]);
        if (read[i].key->merge_key && !list && code == KD_OK)
            code = kd_merge_map(r, map, from);
    }
    return code;
}

/* ---- events to a tree ---- */

static enum kd_code kd_next_event(struct kd_yaml_reader *r, yaml_event_t *ret)
{
    if (yaml_parser_parse(&r->parser, ret))
        return KD_OK;
    if (r->parser.error == YAML_MEMORY_ERROR)
        return kd_yaml_full(r);
    const yaml_mark_t *at = &r->parser.problem_mark;
    return kd_yaml_bad(r, at->line + 1, at->column + 1, "%s", r->parser.problem ? r->parser.problem : "not YAML");
}

static enum kd_code kd_remember(struct kd_yaml_reader *r, const yaml_char_t *name, struct kd_node *node)
{
    if (!name)
        return KD_OK;
    if (r->anchor_count >= KD_YAML_ANCHORS_MAX)
        return kd_yaml_bad(r, node->line, node->column, "there are more than %d anchors", KD_YAML_ANCHORS_MAX);
    struct kd_str copy = kd_arena_copy(&r->tree, kd_str((const char *)name));
    if (!copy.p || !kd_room(&r->tree, &r->anchors, r->anchor_count, &r->anchor_cap, sizeof *r->anchors))
        return kd_yaml_full(r);
    r->anchors[r->anchor_count++] = (struct kd_anchor){ copy, node };
    return KD_OK;
}

/** The newest anchor of that name: YAML allows to use a name again. */
static enum kd_code kd_resolve(struct kd_yaml_reader *r, const yaml_event_t *event, struct kd_node **ret)
{
    struct kd_str name = kd_str((const char *)event->data.alias.anchor);
    size_t line = event->start_mark.line + 1, column = event->start_mark.column + 1;
    for (size_t i = r->anchor_count; i-- > 0;)
        if (kd_str_eq(r->anchors[i].name, name)) {
            if (r->anchors[i].node->open)
                return kd_yaml_bad(r, line, column, "alias *%.*s would contain itself", KD_ARG(kd_utf8_head(name, 80)));
            *ret = r->anchors[i].node;
            return KD_OK;
        }
    return kd_yaml_bad(r, line, column, "alias *%.*s has no anchor", KD_ARG(kd_utf8_head(name, 80)));
}

static enum kd_code kd_read_node(struct kd_yaml_reader *r, const yaml_event_t *event, struct kd_node **ret);

/** Reads the next event and the node that it begins; *ret becomes NULL at the end of a list or map. */
static enum kd_code kd_read_next(struct kd_yaml_reader *r, struct kd_node **ret)
{
    yaml_event_t event;
    enum kd_code code = kd_next_event(r, &event);
    if (code != KD_OK)
        return code;
    *ret = NULL;
    if (event.type != YAML_SEQUENCE_END_EVENT && event.type != YAML_MAPPING_END_EVENT)
        code = kd_read_node(r, &event, ret);
    yaml_event_delete(&event);
    return code;
}

static enum kd_code kd_read_items(struct kd_yaml_reader *r, struct kd_node *list)
{
    struct kd_node *item = NULL;
    enum kd_code code;
    while ((code = kd_read_next(r, &item)) == KD_OK && item) {
        if (!kd_room(&r->tree, &list->items, list->n, &list->cap, sizeof(struct kd_node *)))
            return kd_yaml_full(r);
        list->items[list->n++] = item;
    }
    return code;
}

static enum kd_code kd_read_pairs_of(struct kd_yaml_reader *r, struct kd_node *map)
{
    struct kd_node *key = NULL, *value = NULL;
    enum kd_code code;
    while ((code = kd_read_next(r, &key)) == KD_OK && key) {
        if (key->kind != KD_NODE_SCALAR || key->null)
            return kd_yaml_bad(r, key->line, key->column, "a key must be a text");
        code = kd_read_next(r, &value);
        if (code == KD_OK)
            code = kd_add_pair(r, map, key, value, false);
        if (code != KD_OK)
            return code;
    }
    if (code == KD_OK)
        code = kd_merge(r, map);
    return code == KD_OK ? kd_unique(r, map) : code;
}

static enum kd_code kd_read_inner(struct kd_yaml_reader *r, struct kd_node *node)
{
    if (++r->depth > KD_YAML_DEPTH_MAX)
        return kd_yaml_bad(r, node->line, node->column, "lists and maps lie more than %d deep in each other", KD_YAML_DEPTH_MAX);
    node->open = true;
    enum kd_code code = node->kind == KD_NODE_LIST ? kd_read_items(r, node) : kd_read_pairs_of(r, node);
    node->open = false;
    r->depth--;
    return code;
}

static enum kd_code kd_read_node(struct kd_yaml_reader *r, const yaml_event_t *event, struct kd_node **ret)
{
    if (!kd_spend(r, 1))
        return kd_yaml_full(r);
    if (event->type == YAML_ALIAS_EVENT)
        return kd_resolve(r, event, ret);
    struct kd_node *node = KD_NEW(&r->tree, struct kd_node);
    if (!node)
        return kd_yaml_full(r);
    *ret = node;
    node->line = (uint32_t)event->start_mark.line + 1;
    node->column = (uint32_t)event->start_mark.column + 1;
    const yaml_char_t *anchor = event->type == YAML_SCALAR_EVENT           ? event->data.scalar.anchor
                                : event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.anchor
                                                                           : event->data.mapping_start.anchor;
    enum kd_code code = kd_remember(r, anchor, node);
    if (code != KD_OK)
        return code;
    if (event->type == YAML_SCALAR_EVENT)
        return kd_read_scalar(r, event, node);
    node->kind = event->type == YAML_SEQUENCE_START_EVENT ? KD_NODE_LIST : KD_NODE_MAP;
    return kd_read_inner(r, node);
}

/* ---- the tree to JSON ---- */

/** Aliases can make a small tree a large text and a deep one: both are counted again here. */
static enum kd_code kd_write_node(struct kd_yaml_reader *r, const struct kd_node *node, size_t depth, struct kd_buf *out)
{
    if (depth > KD_YAML_DEPTH_MAX)
        return kd_yaml_bad(r, node->line, node->column, "aliases lie more than %d deep in each other", KD_YAML_DEPTH_MAX);
    if (out->overflow || !kd_spend(r, 1))
        return kd_yaml_full(r);
    if (node->kind == KD_NODE_SCALAR) {
        if (node->quoted)
            kd_json_add_text(out, node->text);
        else
            kd_buf_add(out, node->text);
        return KD_OK;
    }
    enum kd_code code = KD_OK;
    kd_buf_add_char(out, node->kind == KD_NODE_LIST ? '[' : '{');
    for (size_t i = 0; i < node->n && code == KD_OK; i++) {
        if (i)
            kd_buf_add_char(out, ',');
        if (node->kind == KD_NODE_MAP) {
            kd_json_add_text(out, node->pairs[i].key->text);
            kd_buf_add_char(out, ':');
        }
        code = kd_write_node(r, node->kind == KD_NODE_MAP ? node->pairs[i].value : node->items[i], depth + 1, out);
    }
    kd_buf_add_char(out, node->kind == KD_NODE_LIST ? ']' : '}');
    return code;
}

struct kd_texts {
    struct kd_str *v;
    uint32_t n, cap;
};

static enum kd_code kd_keep_document(struct kd_yaml_reader *r, const struct kd_node *root, struct kd_arena *arena,
                                     struct kd_texts *ret)
{
    KD_AUTO(kd_buf_clear) struct kd_buf json = KD_BUF(arena->left);
    if (root->null)
        return KD_OK;
    enum kd_code code = kd_write_node(r, root, 0, &json);
    if (code != KD_OK)
        return code;
    struct kd_str text = json.overflow ? (struct kd_str){ NULL, 0 } : kd_arena_copy(arena, kd_buf_str(&json));
    if (!text.p || !kd_room(arena, &ret->v, ret->n, &ret->cap, sizeof(struct kd_str)))
        return kd_yaml_full(r);
    ret->v[ret->n++] = text;
    return KD_OK;
}

/** One document, from the event behind its start to its end. */
static enum kd_code kd_read_document(struct kd_yaml_reader *r, struct kd_arena *arena, struct kd_texts *ret)
{
    struct kd_node *root = NULL;
    r->tree = (struct kd_arena)KD_ARENA(KD_YAML_TREE_MAX);
    r->anchors = NULL;
    r->anchor_count = r->anchor_cap = r->depth = 0;
    enum kd_code code = kd_read_next(r, &root);
    if (code == KD_OK)
        code = kd_keep_document(r, root, arena, ret);
    kd_arena_clear(&r->tree);
    return code;
}

static enum kd_code kd_read_stream(struct kd_yaml_reader *r, struct kd_arena *arena, struct kd_texts *ret)
{
    for (;;) {
        yaml_event_t event;
        enum kd_code code = kd_next_event(r, &event);
        if (code != KD_OK)
            return code;
        yaml_event_type_t type = event.type;
        yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT)
            return KD_OK;
        if (type == YAML_DOCUMENT_START_EVENT)
            code = kd_read_document(r, arena, ret);
        if (code != KD_OK)
            return code;
    }
}

enum kd_code kd_yaml_read(struct kd_str yaml, const char *name, enum kd_yaml_mode mode, struct kd_arena *arena, struct kd_strs *ret,
                          struct kd_err *err)
{
    struct kd_yaml_reader r = { .budget = 2 * (size_t)KD_YAML_NODES_MAX, .mode = mode, .name = name, .err = err };
    struct kd_texts texts = { 0 };
    if (!kd_utf8_is_valid(yaml))
        return kd_fail_field(err, KD_INVALID, name, "%s is not valid UTF-8", name);
    if (!yaml_parser_initialize(&r.parser))
        return kd_fail(err, KD_INTERNAL, 0, "out of memory");
    KD_AUTO(kd_parserp) yaml_parser_t *parser = &r.parser;
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(parser, (const unsigned char *)(yaml.p ? yaml.p : ""), yaml.n);
    enum kd_code code = kd_read_stream(&r, arena, &texts);
    if (code == KD_OK)
        *ret = (struct kd_strs){ texts.v, texts.n };
    return code;
}
