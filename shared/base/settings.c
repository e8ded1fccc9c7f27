/** Settings: one walk over the rows for parsing, one for showing. */
#include "shared/base/settings.h"

#include "shared/base/own.h"
#include "shared/base/time.h"
#include "shared/base/utf8.h"

#include <inttypes.h>

/** Where values go while a text is read: the settings struct, or the struct of a section that is open. */
struct kd_place {
    const struct kd_setting *rows;
    size_t count;
    void *base;
    const char *name;    /* of the section, NULL outside */
    struct kd_str label; /* of the section */
};

enum { KD_SETTINGS_ROWS_MAX = 64 /* rows of one table: a bit each */ };

struct kd_list_of_any {
    void *v;
    size_t n;
};

/* ---- values ---- */

struct kd_unit {
    const char *word;
    int64_t size;
};

static const struct kd_unit kd_byte_units[] = {
    { "T", INT64_C(1) << 40 }, { "G", INT64_C(1) << 30 }, { "M", INT64_C(1) << 20 }, { "K", INT64_C(1) << 10 }, { "", 1 },
};
static const struct kd_unit kd_duration_units[] = {
    { "d", 86400 * KD_US_PER_S },
    { "h", 3600 * KD_US_PER_S },
    { "m", 60 * KD_US_PER_S },
    { "s", KD_US_PER_S },
    { "ms", 1000 },
    { "us", 1 },
};

/** An amount in the largest unit that shows it exactly. */
static void kd_amount_add(struct kd_buf *out, const struct kd_unit *units, size_t count, int64_t amount)
{
    size_t i = 0;
    while (i + 1 < count && (amount % units[i].size != 0 || (amount == 0 && units[i].size != KD_US_PER_S)))
        i++;
    kd_buf_printf(out, "%" PRId64 "%s", amount / units[i].size, units[i].word);
}

static void kd_bound_add(struct kd_buf *out, enum kd_setting_kind kind, int64_t bound)
{
    if (kind == KD_SETTING_BYTES)
        kd_amount_add(out, kd_byte_units, KD_COUNT(kd_byte_units), bound);
    else if (kind == KD_SETTING_DURATION)
        kd_amount_add(out, kd_duration_units, KD_COUNT(kd_duration_units), bound);
    else
        kd_buf_printf(out, "%" PRId64, bound);
}

/** What a row accepts: "1 to 65535", "true or false", "tcp, tls". */
static void kd_range_add(struct kd_buf *out, const struct kd_setting *row)
{
    switch (row->kind) {
    case KD_SETTING_FLAG:
        kd_buf_add(out, KD_STR("true or false"));
        break;
    case KD_SETTING_WORD:
        for (const char *const *word = row->words; *word; word++)
            kd_buf_printf(out, "%s%s", word == row->words ? "" : ", ", *word);
        break;
    case KD_SETTING_TEXT:
        kd_buf_printf(out, "%" PRId64 " to %" PRId64 " bytes", row->min, row->max);
        break;
    case KD_SETTING_COUNT:
    case KD_SETTING_DURATION:
    case KD_SETTING_BYTES:
        kd_bound_add(out, row->kind, row->min);
        kd_buf_add(out, KD_STR(" to "));
        kd_bound_add(out, row->kind, row->max);
        break;
    }
}

static bool kd_count_parse(struct kd_str text, int64_t *ret)
{
    uint64_t value = 0;
    bool minus = text.n && text.p[0] == '-';
    if (!kd_str_u64(minus ? (struct kd_str){ text.p + 1, text.n - 1 } : text, &value))
        return false;
    *ret = minus ? -(int64_t)value : (int64_t)value;
    return true;
}

static bool kd_bytes_parse(struct kd_str text, int64_t *ret)
{
    uint64_t value = 0;
    for (size_t i = 0; i < KD_COUNT(kd_byte_units); i++) {
        struct kd_str word = kd_str(kd_byte_units[i].word);
        int64_t size = kd_byte_units[i].size;
        if (!kd_str_ends(text, word))
            continue;
        if (!kd_str_u64((struct kd_str){ text.p, text.n - word.n }, &value) || value > (uint64_t)(INT64_MAX / size))
            return false;
        *ret = (int64_t)value * size;
        return true;
    }
    return false;
}

static bool kd_flag_parse(struct kd_str text, bool *ret)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = { { "true", true }, { "yes", true }, { "on", true }, { "false", false }, { "no", false }, { "off", false } };
    for (size_t i = 0; i < KD_COUNT(words); i++)
        if (kd_str_is(text, words[i].word)) {
            *ret = words[i].value;
            return true;
        }
    return false;
}

static bool kd_word_parse(struct kd_str text, const char *const *words, int *ret)
{
    for (int i = 0; words[i]; i++)
        if (kd_str_is(text, words[i])) {
            *ret = i;
            return true;
        }
    return false;
}

/** No control characters: a value ends up in logs, headers and arguments. */
static bool kd_text_is_plain(struct kd_str text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7F)
            return false;
    return kd_utf8_is_valid(text);
}

/** True if the text is a value of the row; writes it to `at`. Sets *ret_full when only memory is missing. */
static bool kd_value_parse(const struct kd_setting *row, struct kd_str text, struct kd_arena *arena, void *at, bool *ret_full)
{
    int64_t number = 0;
    switch (row->kind) {
    case KD_SETTING_TEXT:
        if ((int64_t)text.n < row->min || (int64_t)text.n > row->max || !kd_text_is_plain(text))
            return false;
        *(struct kd_str *)at = kd_arena_copy(arena, text);
        *ret_full = !((struct kd_str *)at)->p;
        return !*ret_full;
    case KD_SETTING_FLAG:
        return kd_flag_parse(text, at);
    case KD_SETTING_WORD:
        return kd_word_parse(text, row->words, at);
    case KD_SETTING_COUNT:
        if (!kd_count_parse(text, &number))
            return false;
        break;
    case KD_SETTING_DURATION:
        if (!kd_duration_parse(text, &number))
            return false;
        break;
    case KD_SETTING_BYTES:
        if (!kd_bytes_parse(text, &number))
            return false;
        break;
    }
    if (number < row->min || number > row->max)
        return false;
    *(int64_t *)at = number;
    return true;
}

/** A text may be a password: its length is shown, never itself. */
static enum kd_code kd_value_bad(const struct kd_setting *row, struct kd_str value, const char *where, struct kd_err *err)
{
    struct kd_buf range = KD_BUF(KD_STORY_MAX);
    kd_range_add(&range, row);
    struct kd_str may = kd_buf_str(&range);
    if (row->kind == KD_SETTING_TEXT)
        (void)kd_fail_field(err, KD_INVALID, row->key, "%s: %s has %zu bytes, must be %.*s of plain text", where, row->key, value.n,
                            KD_ARG(may));
    else
        (void)kd_fail_field(err, KD_INVALID, row->key, "%s: %s is '%.*s', must be %.*s", where, row->key,
                            KD_ARG(kd_utf8_head(value, 64)), KD_ARG(may));
    kd_buf_clear(&range);
    return KD_INVALID;
}

static const struct kd_setting *kd_row_of(const struct kd_setting *rows, size_t count, struct kd_str key)
{
    for (size_t i = 0; i < count; i++)
        if (kd_str_is(key, rows[i].key))
            return &rows[i];
    return NULL;
}

static enum kd_code kd_place_set(const struct kd_place *place, struct kd_str key, struct kd_str value, const char *where,
                                 struct kd_arena *arena, struct kd_err *err)
{
    const struct kd_setting *row = kd_row_of(place->rows, place->count, key);
    bool full = false;
    char name[KD_FIELD_MAX + 1];
    (void)kd_str_copy(kd_utf8_head(key, KD_FIELD_MAX), name, sizeof name);
    if (!row)
        return kd_fail_field(err, KD_INVALID, name, "%s: '%s' is not a setting%s%s (--help lists them)", where, name,
                             place->name ? " of section " : "", place->name ? place->name : "");
    if (kd_value_parse(row, value, arena, (char *)place->base + row->at, &full))
        return KD_OK;
    if (full)
        return kd_fail_field(err, KD_TOO_LARGE, row->key, "%s: %s: the settings need more memory than allowed", where, row->key);
    return kd_value_bad(row, value, where, err);
}

static enum kd_code kd_place_defaults(const struct kd_place *place, struct kd_arena *arena, struct kd_err *err)
{
    enum kd_code code = KD_OK;
    if (place->count > KD_SETTINGS_ROWS_MAX)
        return kd_fail(err, KD_INTERNAL, 0, "a table has more than %d settings", KD_SETTINGS_ROWS_MAX);
    for (size_t i = 0; i < place->count && code == KD_OK; i++) {
        const struct kd_setting *row = &place->rows[i];
        if (row->fallback && row->kind == KD_SETTING_TEXT && !row->fallback[0])
            *(struct kd_str *)(void *)((char *)place->base + row->at) = KD_STR("");
        else if (row->fallback)
            code = kd_place_set(place, kd_str(row->key), kd_str(row->fallback), "default", arena, err);
    }
    return code;
}

/* ---- the text ---- */

struct kd_settings_reader {
    const struct kd_settings *table;
    struct kd_arena *arena;
    void *settings;
    struct kd_place top, section, *open; /* open: one of the two */
    uint64_t seen_top, seen_section;     /* a bit per row that a line has set */
    int line;
    struct kd_err *err;
};

static struct kd_list_of_any *kd_section_list(const struct kd_settings_section *section, void *settings)
{
    return (struct kd_list_of_any *)(void *)((char *)settings + section->list_at);
}

static void kd_where(const struct kd_settings_reader *r, char ret[32])
{
    struct kd_buf text = KD_BUF(31);
    kd_buf_printf(&text, "line %d", r->line);
    (void)kd_str_copy(kd_buf_str(&text), ret, 32);
    kd_buf_clear(&text);
}

/** What has no default must have been set. */
static enum kd_code kd_place_check(const struct kd_place *place, uint64_t seen, struct kd_err *err)
{
    for (size_t i = 0; i < place->count; i++)
        if (!place->rows[i].fallback && !(seen & UINT64_C(1) << i)) {
            const char *key = place->rows[i].key;
            if (place->name)
                return kd_fail_field(err, KD_INVALID, key, "[%s %.*s]: %s must be set: %s", place->name, KD_ARG(place->label), key,
                                     place->rows[i].help);
            return kd_fail_field(err, KD_INVALID, key, "%s must be set: %s", key, place->rows[i].help);
        }
    return KD_OK;
}

static enum kd_code kd_section_end(struct kd_settings_reader *r)
{
    if (r->open == &r->top)
        return KD_OK;
    r->open = &r->top;
    return kd_place_check(&r->section, r->seen_section, r->err);
}

static const struct kd_settings_section *kd_section_of(const struct kd_settings *table, struct kd_str name)
{
    for (size_t i = 0; i < table->section_count; i++)
        if (kd_str_is(name, table->sections[i].name))
            return &table->sections[i];
    return NULL;
}

/** True if the list has the label already. */
static bool kd_section_has(const struct kd_settings_section *section, const struct kd_list_of_any *list, struct kd_str label)
{
    for (size_t i = 0; i < list->n; i++)
        if (kd_str_eq(*(const struct kd_str *)(const void *)((const char *)list->v + i * section->size + section->label_at), label))
            return true;
    return false;
}

/** Room for one more struct at the end of the list. The whole list is allocated at the first one: it is small. */
static void *kd_section_room(const struct kd_settings_section *section, struct kd_list_of_any *list, struct kd_arena *arena)
{
    if (!list->v)
        list->v = kd_arena_alloc(arena, KD_SETTINGS_SECTIONS_MAX * section->size);
    return list->v ? (char *)list->v + section->size * list->n++ : NULL;
}

static enum kd_code kd_section_begin(struct kd_settings_reader *r, const struct kd_settings_section *section, struct kd_str label,
                                     const char *where)
{
    struct kd_list_of_any *list = kd_section_list(section, r->settings);
    if (label.n == 0 || label.n > KD_FIELD_MAX || !kd_text_is_plain(label))
        return kd_fail_field(r->err, KD_INVALID, section->name, "%s: [%s] needs a label: [%s %s]", where, section->name,
                             section->name, section->label_help);
    if (kd_section_has(section, list, label))
        return kd_fail_field(r->err, KD_INVALID, section->name, "%s: [%s %.*s] stands there twice", where, section->name,
                             KD_ARG(label));
    if (list->n == KD_SETTINGS_SECTIONS_MAX)
        return kd_fail_field(r->err, KD_TOO_LARGE, section->name, "%s: more than %d sections [%s]", where, KD_SETTINGS_SECTIONS_MAX,
                             section->name);
    void *base = kd_section_room(section, list, r->arena);
    struct kd_str kept = kd_arena_copy(r->arena, label);
    if (!base || !kept.p)
        return kd_fail_field(r->err, KD_TOO_LARGE, section->name, "%s: the settings need more memory than allowed", where);
    *(struct kd_str *)(void *)((char *)base + section->label_at) = kept;
    r->section = (struct kd_place){ section->rows, section->count, base, section->name, kept };
    r->seen_section = 0;
    r->open = &r->section;
    return kd_place_defaults(&r->section, r->arena, r->err);
}

static enum kd_code kd_read_section(struct kd_settings_reader *r, struct kd_str line, const char *where)
{
    enum kd_code code = kd_section_end(r);
    if (code != KD_OK)
        return code;
    if (!kd_str_ends(line, KD_STR("]")))
        return kd_fail(r->err, KD_INVALID, 0, "%s: a section is written [name label]", where);
    struct kd_str label = { line.p + 1, line.n - 2 };
    struct kd_str name = kd_str_cut(&label, ' ');
    const struct kd_settings_section *section = kd_section_of(r->table, name);
    if (!section)
        return kd_fail(r->err, KD_INVALID, 0, "%s: [%.*s] is not a section (--help lists them)", where,
                       KD_ARG(kd_utf8_head(name, 64)));
    return kd_section_begin(r, section, kd_str_trim(label), where);
}

static enum kd_code kd_read_line(struct kd_settings_reader *r, struct kd_str line)
{
    char where[32];
    kd_where(r, where);
    line = kd_str_trim(line);
    if (line.n == 0 || line.p[0] == '#')
        return KD_OK;
    if (line.p[0] == '[')
        return kd_read_section(r, line, where);
    if (kd_str_find(line, KD_STR("=")) < 0)
        return kd_fail(r->err, KD_INVALID, 0, "%s: a setting is written key = value", where);
    struct kd_str value = line;
    struct kd_str key = kd_str_trim(kd_str_cut(&value, '='));
    enum kd_code code = kd_place_set(r->open, key, kd_str_trim(value), where, r->arena, r->err);
    const struct kd_setting *row = kd_row_of(r->open->rows, r->open->count, key);
    if (code == KD_OK && row)
        *(r->open == &r->top ? &r->seen_top : &r->seen_section) |= UINT64_C(1) << (row - r->open->rows);
    return code;
}

enum kd_code kd_settings_parse(const struct kd_settings *table, struct kd_str text, struct kd_arena *arena, void *ret,
                               struct kd_err *err)
{
    struct kd_settings_reader r = { .table = table, .arena = arena, .settings = ret, .err = err };
    r.top = (struct kd_place){ .rows = table->rows, .count = table->count, .base = ret };
    r.open = &r.top;
    memset(ret, 0, table->size);
    if (text.n > KD_SETTINGS_FILE_MAX)
        return kd_fail(err, KD_TOO_LARGE, 0, "the settings have %zu bytes, at most %d are read", text.n, KD_SETTINGS_FILE_MAX);
    enum kd_code code = kd_place_defaults(&r.top, arena, err);
    while (text.n && code == KD_OK) {
        r.line++;
        code = kd_read_line(&r, kd_str_cut(&text, '\n'));
    }
    if (code == KD_OK)
        code = kd_section_end(&r);
    return code == KD_OK ? kd_place_check(&r.top, r.seen_top, err) : code;
}

enum kd_code kd_settings_set(const struct kd_settings *table, struct kd_str key, struct kd_str value, const char *where,
                             struct kd_arena *arena, void *settings, struct kd_err *err)
{
    const struct kd_place top = { .rows = table->rows, .count = table->count, .base = settings };
    return kd_place_set(&top, key, value, where, arena, err);
}

/* ---- reload ---- */

static size_t kd_value_size(enum kd_setting_kind kind)
{
    switch (kind) {
    case KD_SETTING_TEXT:
        return sizeof(struct kd_str);
    case KD_SETTING_COUNT:
    case KD_SETTING_DURATION:
    case KD_SETTING_BYTES:
        return sizeof(int64_t);
    case KD_SETTING_FLAG:
        return sizeof(bool);
    case KD_SETTING_WORD:
        return sizeof(int);
    }
    return 0;
}

static bool kd_value_eq(const struct kd_setting *row, const void *a, const void *b)
{
    const void *left = (const char *)a + row->at, *right = (const char *)b + row->at;
    if (row->kind == KD_SETTING_TEXT)
        return kd_str_eq(*(const struct kd_str *)left, *(const struct kd_str *)right);
    return memcmp(left, right, kd_value_size(row->kind)) == 0;
}

static bool kd_rows_eq(const struct kd_settings_section *section, const void *a, const void *b)
{
    const struct kd_setting label = { .kind = KD_SETTING_TEXT, .at = section->label_at };
    bool same = kd_value_eq(&label, a, b);
    for (size_t i = 0; i < section->count && same; i++)
        same = kd_value_eq(&section->rows[i], a, b);
    return same;
}

static bool kd_section_eq(const struct kd_settings_section *section, const struct kd_list_of_any *a, const struct kd_list_of_any *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; i < a->n && same; i++)
        same = kd_rows_eq(section, (const char *)a->v + i * section->size, (const char *)b->v + i * section->size);
    return same;
}

static bool kd_section_reloads(const struct kd_settings_section *section)
{
    bool reloads = section->count > 0;
    for (size_t i = 0; i < section->count && reloads; i++)
        reloads = section->rows[i].reloads;
    return reloads;
}

static void kd_name_add(struct kd_buf *out, const char *name)
{
    kd_buf_printf(out, "%s%s", out->n ? "," : "", name);
}

void kd_settings_reload(const struct kd_settings *table, const void *fresh, void *current, struct kd_buf *ret_ignored)
{
    /* What reloads is taken even if it is equal: afterwards no text of an earlier file is needed. */
    for (size_t i = 0; i < table->count; i++) {
        const struct kd_setting *row = &table->rows[i];
        if (row->reloads)
            memcpy((char *)current + row->at, (const char *)fresh + row->at, kd_value_size(row->kind));
        else if (!kd_value_eq(row, fresh, current))
            kd_name_add(ret_ignored, row->key);
    }
    for (size_t i = 0; i < table->section_count; i++) {
        const struct kd_settings_section *section = &table->sections[i];
        const struct kd_list_of_any *from = (const void *)((const char *)fresh + section->list_at);
        if (kd_section_reloads(section))
            *kd_section_list(section, current) = *from;
        else if (!kd_section_eq(section, from, kd_section_list(section, current)))
            kd_name_add(ret_ignored, section->name);
    }
}

/* ---- showing ---- */

/** What stands in brackets behind the help: " (1 to 65535; 8883)". A text has no range that a reader could use. */
static void kd_brackets_add(struct kd_buf *out, const struct kd_setting *row, const char *last)
{
    bool has_range = row->kind != KD_SETTING_TEXT;
    if (!has_range && !*last)
        return;
    kd_buf_add(out, KD_STR(" ("));
    if (has_range)
        kd_range_add(out, row);
    kd_buf_printf(out, "%s%s)", has_range && *last ? "; " : "", last);
}

static void kd_help_row(const struct kd_setting *row, int width, struct kd_buf *out)
{
    kd_buf_printf(out, "  %-*s  %s", width, row->key, row->help);
    kd_brackets_add(out, row, row->fallback ? row->fallback : "must be set");
    kd_buf_add_char(out, '\n');
}

static int kd_key_width(const struct kd_setting *rows, size_t count)
{
    size_t width = 0;
    for (size_t i = 0; i < count; i++)
        width = strlen(rows[i].key) > width ? strlen(rows[i].key) : width;
    return (int)width;
}

static void kd_help_rows(const struct kd_setting *rows, size_t count, struct kd_buf *out)
{
    for (size_t i = 0; i < count; i++)
        kd_help_row(&rows[i], kd_key_width(rows, count), out);
}

void kd_settings_help(const struct kd_settings *table, struct kd_buf *out)
{
    kd_buf_add(out, KD_STR("Settings (lines `key = value`; the default stands last in brackets):\n"));
    kd_help_rows(table->rows, table->count, out);
    for (size_t i = 0; i < table->section_count; i++) {
        const struct kd_settings_section *section = &table->sections[i];
        kd_buf_printf(out, "\nSection [%s %s]: %s\n", section->name, section->label_help, section->help);
        kd_help_rows(section->rows, section->count, out);
    }
}

void kd_roff_add(struct kd_buf *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        kd_buf_add(out, KD_STR("\\&"));
    for (; *text; text++)
        if (*text == '\\')
            kd_buf_add(out, KD_STR("\\e"));
        else if (*text == '-')
            kd_buf_add(out, KD_STR("\\-"));
        else
            kd_buf_add_char(out, *text);
}

static void kd_man_rows(const struct kd_setting *rows, size_t count, struct kd_buf *out)
{
    for (size_t i = 0; i < count; i++) {
        struct kd_buf range = KD_BUF(KD_STORY_MAX);
        kd_brackets_add(&range, &rows[i], rows[i].fallback ? rows[i].fallback : "must be set");
        kd_buf_add(out, KD_STR(".TP\n.B "));
        kd_roff_add(out, rows[i].key);
        kd_buf_add_char(out, '\n');
        kd_roff_add(out, rows[i].help);
        kd_roff_add(out, kd_buf_str(&range).n ? range.p : "");
        kd_buf_add_char(out, '.');
        kd_buf_add(out, rows[i].reloads ? KD_STR(" Taken over at SIGHUP.\n") : KD_STR("\n"));
        kd_buf_clear(&range);
    }
}

void kd_settings_man(const struct kd_settings *table, struct kd_buf *out)
{
    kd_buf_add(out, KD_STR(".SH SETTINGS\n"));
    kd_man_rows(table->rows, table->count, out);
    for (size_t i = 0; i < table->section_count; i++) {
        const struct kd_settings_section *section = &table->sections[i];
        kd_buf_add(out, KD_STR(".SS ["));
        kd_roff_add(out, section->name);
        kd_buf_add_char(out, ' ');
        kd_roff_add(out, section->label_help);
        kd_buf_add(out, KD_STR("]\n"));
        kd_roff_add(out, section->help);
        kd_buf_add(out, KD_STR(".\n"));
        kd_man_rows(section->rows, section->count, out);
    }
}

static void kd_example_rows(const struct kd_setting *rows, size_t count, const char *mark, struct kd_buf *out)
{
    for (size_t i = 0; i < count; i++) {
        const char *fallback = rows[i].fallback;
        kd_buf_printf(out, "\n# %s", rows[i].help);
        kd_brackets_add(out, &rows[i], rows[i].reloads ? "" : "needs a restart");
        if (fallback)
            kd_buf_printf(out, "\n#%s =%s%s\n", rows[i].key, *fallback ? " " : "", fallback);
        else
            kd_buf_printf(out, "\n%s%s =\n", mark, rows[i].key);
    }
}

void kd_settings_example(const struct kd_settings *table, struct kd_buf *out)
{
    kd_buf_printf(out, "# Settings of %s. What is commented out is the default.\n", table->program);
    kd_example_rows(table->rows, table->count, "", out);
    for (size_t i = 0; i < table->section_count; i++) {
        const struct kd_settings_section *section = &table->sections[i];
        kd_buf_printf(out, "\n# %s; once per %s.\n#[%s %s]\n", section->help, section->label_help, section->name,
                      section->label_help);
        kd_example_rows(section->rows, section->count, "#", out);
    }
}
