/** JSON for people. */
#include "coordinator/cli/pretty.h"

static void ct_line(struct kd_buf *out, size_t depth)
{
    kd_buf_add_char(out, '\n');
    for (size_t i = 0; i < depth; i++)
        kd_buf_add(out, KD_STR("  "));
}

/** The length of the string that begins at p (with its quotes). */
static size_t ct_string_length(struct kd_str json)
{
    size_t i = 1;
    while (i < json.n && json.p[i] != '"')
        i += json.p[i] == '\\' ? 2 : 1;
    return i + 1 < json.n ? i + 1 : json.n;
}

void ct_pretty_json(struct kd_str json, struct kd_buf *out)
{
    size_t depth = 0;
    for (size_t i = 0; i < json.n; i++) {
        char c = json.p[i], next = i + 1 < json.n ? json.p[i + 1] : '\0';
        if (c == '"') {
            struct kd_str text = { json.p + i, ct_string_length((struct kd_str){ json.p + i, json.n - i }) };
            kd_buf_add(out, text);
            i += text.n - 1;
            continue;
        }
        bool opens = c == '{' || c == '[', closes = c == '}' || c == ']';
        bool is_empty = opens && (next == '}' || next == ']');
        if (closes && depth > 0 && !(i && (json.p[i - 1] == '{' || json.p[i - 1] == '[')))
            ct_line(out, --depth);
        kd_buf_add_char(out, c);
        if (opens && !is_empty)
            ct_line(out, ++depth);
        if (c == ',')
            ct_line(out, depth);
        if (c == ':')
            kd_buf_add_char(out, ' ');
    }
    kd_buf_add_char(out, '\n');
}
