/** Names: a set of characters, a set for the first, and a length. */
#include "shared/model/name.h"

#include "shared/base/utf8.h"

enum { LOWER = 1, UPPER = 2, DIGIT = 4 };

static bool kd_in_class(unsigned char c, unsigned classes, const char *also)
{
    return ((classes & LOWER) && c >= 'a' && c <= 'z') || ((classes & UPPER) && c >= 'A' && c <= 'Z') ||
           ((classes & DIGIT) && c >= '0' && c <= '9') || (c && strchr(also, c));
}

static bool kd_consists_of(struct kd_str s, size_t least, size_t most, unsigned classes, const char *also)
{
    if (s.n < least || s.n > most)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!kd_in_class((unsigned char)s.p[i], classes, also))
            return false;
    return true;
}

/** The catalog's shape: starts with a lower-case letter or digit, then also what `also` names. */
static bool kd_is_catalog_name(struct kd_str s, size_t most, const char *also)
{
    return kd_consists_of(s, 1, most, LOWER | DIGIT, also) && kd_in_class((unsigned char)s.p[0], LOWER | DIGIT, "");
}

bool kd_is_name(struct kd_str s)
{
    return kd_is_catalog_name(s, KD_NAME_MAX, "-");
}

bool kd_is_app_name(struct kd_str s)
{
    return kd_is_catalog_name(s, KD_APP_NAME_MAX, "-");
}

bool kd_is_version(struct kd_str s)
{
    return kd_is_catalog_name(s, KD_VERSION_MAX, "-.");
}

bool kd_is_chart_name(struct kd_str s)
{
    return kd_consists_of(s, 1, KD_CHART_NAME_MAX, LOWER | DIGIT, "-/") && kd_str_find(s, KD_STR("//")) < 0 && s.p[0] != '/';
}

bool kd_is_chart_version(struct kd_str s)
{
    return kd_is_catalog_name(s, KD_CHART_VERSION_MAX, "-.");
}

static bool kd_is_label_name(struct kd_str s)
{
    return kd_consists_of(s, 1, KD_LABEL_MAX, LOWER | UPPER | DIGIT, "-_.") &&
           kd_in_class((unsigned char)s.p[0], LOWER | UPPER | DIGIT, "") &&
           kd_in_class((unsigned char)s.p[s.n - 1], LOWER | UPPER | DIGIT, "");
}

bool kd_is_label_key(struct kd_str s)
{
    struct kd_str name = s, prefix = kd_str_cut(&name, '/');
    if (prefix.n == s.n)
        return kd_is_label_name(s);
    return kd_consists_of(prefix, 1, 253, LOWER | DIGIT, "-.") && kd_is_label_name(name);
}

bool kd_is_label_value(struct kd_str s)
{
    return s.n == 0 || kd_is_label_name(s);
}

bool kd_is_operator(struct kd_str s)
{
    return kd_consists_of(s, 1, KD_OPERATOR_MAX, LOWER | UPPER | DIGIT, "._@-");
}

bool kd_is_request_id(struct kd_str s)
{
    return kd_consists_of(s, 1, 64, LOWER | UPPER | DIGIT, "_-");
}

bool kd_is_uid(struct kd_str s)
{
    return kd_consists_of(s, KD_UID_TEXT, KD_UID_TEXT, DIGIT, "abcdef");
}

bool kd_is_display_name(struct kd_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7F)
            return false;
    return kd_utf8_length(s) <= KD_NAME_MAX && kd_str_trim(s).n == s.n;
}

bool kd_is_root_url(struct kd_str s)
{
    static const struct kd_str schemes[] = { KD_STR_INIT("https://"), KD_STR_INIT("http://"), KD_STR_INIT("oci://") };
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (kd_str_starts(s, schemes[i])) {
            struct kd_str rest = { s.p + schemes[i].n, s.n - schemes[i].n };
            return kd_consists_of(rest, 1, 1000, LOWER | UPPER | DIGIT, "-._~:/?#[]@!$&'()*+,;=%") && rest.p[0] != '/';
        }
    return false;
}

bool kd_is_parameter(struct kd_str s)
{
    return kd_consists_of(s, 1, 4096, LOWER | UPPER | DIGIT, "-/_[].\\");
}

bool kd_is_resource_kind(struct kd_str s)
{
    return kd_consists_of(s, 1, KD_NAME_MAX, LOWER | UPPER | DIGIT, "._-");
}

bool kd_is_resource_name(struct kd_str s)
{
    return kd_is_catalog_name(s, KD_NAME_MAX, "._-");
}

bool kd_is_lower_word(struct kd_str s)
{
    return kd_consists_of(s, 0, 16, LOWER, "");
}
