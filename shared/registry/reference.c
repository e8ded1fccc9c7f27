/** Parts of a reference, checked character by character. */
#include "shared/registry/reference.h"

#include <ctype.h>

static bool kd_is_made_of(struct kd_str text, const char *more)
{
    for (size_t i = 0; i < text.n; i++)
        if (!isalnum((unsigned char)text.p[i]) && (!text.p[i] || !strchr(more, text.p[i])))
            return false;
    return text.n > 0;
}

/** Segments of letters, digits and . _ -, none of them empty or made of points. */
static bool kd_is_path(struct kd_str path)
{
    while (path.n) {
        bool last = !memchr(path.p, '/', path.n);
        struct kd_str segment = kd_str_cut(&path, '/');
        if (!kd_is_made_of(segment, "._-") || segment.p[0] == '.' || (!last && !path.n))
            return false;
    }
    return true;
}

static struct kd_str kd_without_slashes(struct kd_str path)
{
    while (path.n && path.p[path.n - 1] == '/')
        path.n--;
    return path;
}

static bool kd_tag_make(struct kd_str version, char *ret)
{
    if (!kd_is_made_of(version, "._-+") || strchr(".-+", version.p[0]) || !kd_str_copy(version, ret, KD_TAG_MAX + 1))
        return false;
    for (char *at = ret; (at = strchr(at, '+'));)
        *at = '_';
    return true;
}

/** host and path of "scheme://host[:port][/path]". */
static bool kd_split_root(struct kd_str root, struct kd_str *ret_host, struct kd_str *ret_path)
{
    ptrdiff_t at = kd_str_find(root, KD_STR("://"));
    if (at < 0)
        return false;
    *ret_path = (struct kd_str){ root.p + at + 3, root.n - (size_t)at - 3 };
    *ret_host = kd_str_cut(ret_path, '/');
    *ret_path = kd_without_slashes(*ret_path);
    return kd_is_made_of(*ret_host, ".-:[]");
}

enum kd_code kd_reference_make(struct kd_str root, struct kd_str name, struct kd_str version, struct kd_reference *ret,
                               struct kd_err *err)
{
    struct kd_str host, path;
    if (!kd_split_root(root, &host, &path) || !kd_is_path(path) || !kd_str_copy(host, ret->host, sizeof ret->host))
        return kd_fail(err, KD_INVALID, 0, "'%.*s' is not the address of a registry", (int)(root.n < 200 ? root.n : 200), root.p);
    size_t used = path.n ? path.n + 1 : 0;
    if (!kd_is_path(name) || !name.n || used + name.n > KD_REPOSITORY_MAX)
        return kd_fail(err, KD_INVALID, 0, "'%.*s' cannot be a chart's name in a registry", (int)(name.n < 80 ? name.n : 80),
                       name.p);
    if (!kd_tag_make(version, ret->tag))
        return kd_fail(err, KD_INVALID, 0, "'%.*s' cannot be a chart's version in a registry",
                       (int)(version.n < 80 ? version.n : 80), version.p);
    if (path.n) {
        memcpy(ret->repository, path.p, path.n);
        ret->repository[path.n] = '/';
    }
    memcpy(ret->repository + used, name.p, name.n);
    ret->repository[used + name.n] = '\0';
    return KD_OK;
}
