/** JSON to YAML in block style, as kubectl writes it. */
#include "shared/base/own.h"
#include "shared/base/utf8.h"
#include "shared/model/json.h"
#include "shared/model/yaml.h"
#include "shared/model/yaml_scalar.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdlib.h>

enum {
    KD_PLAIN_MAX = 200, /* bytes of a text that may stand without quotes */
    KD_KEY_MAX = 128,   /* bytes of a key without a mark: readers look for the colon within 1024 characters, escapes included */
};

static void kd_cjsonp(cJSON **json)
{
    cJSON_Delete(*json);
}

static void kd_indent(struct kd_buf *out, int depth)
{
    for (int i = 0; i < depth; i++)
        kd_buf_add(out, KD_STR("  "));
}

/** Characters that mean nothing special anywhere behind the first one of a plain scalar. */
static bool kd_is_tame(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("_./-@+=,;%()$ ", c));
}

/** May a text stand without quotes, and would every reader take it for that text? */
static bool kd_is_plain(struct kd_str text)
{
    KD_AUTO(kd_buf_clear) struct kd_buf ignored = KD_BUF(KD_STORY_MAX);
    char copy[KD_PLAIN_MAX + 1];
    char *end = copy;
    if (!text.n || !kd_str_copy(text, copy, sizeof copy) || !(isalnum((unsigned char)text.p[0]) || strchr("_/", text.p[0])) ||
        text.p[text.n - 1] == ' ')
        return false;
    for (size_t i = 0; i < text.n; i++) {
        bool colon = text.p[i] == ':' && i + 1 < text.n && text.p[i + 1] != ' ';
        if (!colon && !kd_is_tame(text.p[i]))
            return false;
        if (isdigit((unsigned char)text.p[0]) && (text.p[i] == ':' || text.p[i] == '-'))
            return false; /* a date or a time to some */
    }
    (void)strtod(copy, &end);
    return *end && kd_yaml_scalar(text, &ignored) == KD_YAML_TEXT;
}

/** The bytes of a character that YAML does not allow as such, 0 if it is allowed; *ret_point is its code point. */
static size_t kd_unprintable(struct kd_str left, unsigned *ret_point)
{
    static const struct {
        const char *bytes;
        unsigned point;
    } rows[] = { { "\xe2\x80\xa8", 0x2028 }, { "\xe2\x80\xa9", 0x2029 }, { "\xef\xbb\xbf", 0xfeff },
                 { "\xef\xbf\xbe", 0xfffe }, { "\xef\xbf\xbf", 0xffff }, { "\x7f", 0x7f } };
    for (size_t i = 0; i < KD_COUNT(rows); i++)
        if (kd_str_starts(left, kd_str(rows[i].bytes))) {
            *ret_point = rows[i].point;
            return strlen(rows[i].bytes);
        }
    *ret_point = left.n > 1 ? (unsigned char)left.p[1] : 0;
    return left.n > 1 && left.p[0] == '\xc2' && *ret_point < 0xa0 ? 2 : 0;
}

static void kd_write_quoted(struct kd_str text, struct kd_buf *out)
{
    kd_buf_add_char(out, '"');
    while (text.n) {
        unsigned point = 0;
        size_t n = kd_unprintable(text, &point);
        char c = text.p[0];
        if (n || ((unsigned char)c < 0x20 && c != '\n'))
            kd_buf_printf(out, "\\u%04x", n ? point : (unsigned char)c);
        else if (c == '\n')
            kd_buf_add(out, KD_STR("\\n"));
        else if (c == '"' || c == '\\')
            kd_buf_printf(out, "\\%c", c);
        else
            kd_buf_add_char(out, c);
        n = n ? n : 1;
        text = (struct kd_str){ text.p + n, text.n - n };
    }
    kd_buf_add_char(out, '"');
}

/** Several lines of printable text, none of which begins or ends with a blank, read best as a block. */
static bool kd_is_block(struct kd_str text)
{
    unsigned point;
    if (!memchr(text.p, '\n', text.n) || text.p[0] == '\n')
        return false;
    for (size_t i = 0; i < text.n; i++) {
        bool starts = i == 0 || text.p[i - 1] == '\n', ends = i + 1 == text.n || text.p[i + 1] == '\n';
        bool blank = text.p[i] == ' ' || text.p[i] == '\t';
        if ((blank && ends) || (blank && starts && i == 0) || ((unsigned char)text.p[i] < 0x20 && text.p[i] != '\n' && !blank) ||
            kd_unprintable((struct kd_str){ text.p + i, text.n - i }, &point))
            return false;
    }
    return true;
}

static void kd_write_block(struct kd_str text, int depth, struct kd_buf *out)
{
    bool newline = text.p[text.n - 1] == '\n';
    bool several = newline && text.n > 1 && text.p[text.n - 2] == '\n';
    kd_buf_add(out, several ? KD_STR("|+") : newline ? KD_STR("|") : KD_STR("|-"));
    if (newline)
        text.n--;
    for (bool more = true; more;) {
        more = memchr(text.p, '\n', text.n) != NULL;
        struct kd_str line = kd_str_cut(&text, '\n');
        kd_buf_add_char(out, '\n');
        if (line.n)
            kd_indent(out, depth);
        kd_buf_add(out, line);
        more = more && (text.n || several);
    }
}

static void kd_write_text(struct kd_str text, int depth, struct kd_buf *out)
{
    if (text.n && kd_is_block(text))
        kd_write_block(text, depth ? depth : 1, out);
    else if (kd_is_plain(text))
        kd_buf_add(out, text);
    else
        kd_write_quoted(text, out);
}

/** A key stands on one line; a long one needs a mark before it. */
static void kd_write_key(struct kd_str key, int depth, struct kd_buf *out)
{
    bool is_long = key.n > KD_KEY_MAX;
    if (is_long)
        kd_buf_add(out, KD_STR("? "));
    if (kd_is_plain(key))
        kd_buf_add(out, key);
    else
        kd_write_quoted(key, out);
    if (is_long) {
        kd_buf_add_char(out, '\n');
        kd_indent(out, depth);
    }
    kd_buf_add_char(out, ':');
}

static void kd_write_scalar(const cJSON *item, int depth, struct kd_buf *out)
{
    if (cJSON_IsString(item))
        kd_write_text(kd_str(item->valuestring), depth, out);
    else if (cJSON_IsBool(item))
        kd_buf_add(out, cJSON_IsTrue(item) ? KD_STR("true") : KD_STR("false"));
    else if (cJSON_IsNull(item))
        kd_buf_add(out, KD_STR("null"));
    else
        kd_yaml_add_real(item->valuedouble, out);
}

/** Writes a value whose first line begins where the buffer stands; lists and maps end with a line end, scalars do not. */
static void kd_write_value(const cJSON *item, int depth, struct kd_buf *out)
{
    for (const cJSON *one = item->child; one; one = one->next) {
        bool inner = one->child != NULL, list = cJSON_IsArray(item);
        if (one != item->child)
            kd_indent(out, depth);
        if (list)
            kd_buf_add(out, KD_STR("- "));
        else
            kd_write_key(kd_str(one->string), depth, out);
        if (!list && inner) {
            int below = cJSON_IsArray(one) ? depth : depth + 1; /* kubectl does not indent a map's lists */
            kd_buf_add_char(out, '\n');
            kd_indent(out, below);
            kd_write_value(one, below, out);
            continue;
        }
        if (inner) {
            kd_write_value(one, depth + 1, out);
            continue;
        }
        if (!list)
            kd_buf_add_char(out, ' ');
        if (cJSON_IsArray(one) || cJSON_IsObject(one))
            kd_buf_add(out, cJSON_IsArray(one) ? KD_STR("[]") : KD_STR("{}"));
        else
            kd_write_scalar(one, depth + 1, out);
        kd_buf_add_char(out, '\n');
    }
}

enum kd_code kd_yaml_write(struct kd_str json, struct kd_buf *out, struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf checked = KD_BUF(json.n * 6 + 16); /* only to be told what is wrong */
    enum kd_code code = kd_json_compact(json, "$", &checked, err);
    if (code != KD_OK)
        return code;
    KD_AUTO(kd_cjsonp) cJSON *tree = cJSON_ParseWithLength(json.p, json.n);
    if (!tree)
        return kd_fail(err, KD_INTERNAL, 0, "out of memory");
    if (tree->child) {
        kd_write_value(tree, 0, out);
        return KD_OK;
    }
    if (cJSON_IsArray(tree) || cJSON_IsObject(tree))
        kd_buf_add(out, cJSON_IsArray(tree) ? KD_STR("[]") : KD_STR("{}"));
    else
        kd_write_scalar(tree, 0, out);
    kd_buf_add_char(out, '\n');
    return KD_OK;
}
