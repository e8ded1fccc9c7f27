/** Kept renderings as files. */
#include "agent/job/kept.h"

#include "shared/model/fields.h"
#include "shared/os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

enum { AG_HEAD_MAX = 1024 /* bytes of the first line */ };

/** The first line. */
struct ag_kept_head {
    struct kd_str chart, archive, digest; /* digest: of all bytes behind the line */
    uint64_t documents;
};

static const struct kd_json_field head_rows[] = {
    F_TEXT(struct ag_kept_head, chart, "chart", .required = true, .check = kd_is_digest, .rule = "must be a digest"),
    F_TEXT(struct ag_kept_head, archive, "archive", .required = true, .check = kd_is_digest, .rule = "must be a digest"),
    F_TEXT(struct ag_kept_head, digest, "digest", .required = true, .check = kd_is_digest, .rule = "must be a digest"),
    F_COUNT(struct ag_kept_head, documents, "documents", .required = true, .max = AG_KEPT_MAX),
};
static const struct kd_json_shape head_shape = KD_SHAPE(struct ag_kept_head, head_rows, "kept rendering");

static bool ag_kept_path(const char *directory, struct kd_str key, char ret[PATH_MAX])
{
    struct kd_digest ignored;
    return kd_digest_parse_hex(key, &ignored) && snprintf(ret, PATH_MAX, "%s/%.*s.json", directory, KD_ARG(key)) < PATH_MAX;
}

enum kd_code ag_kept_write(const char *directory, struct kd_str key, const struct ag_kept *kept, struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf file = KD_BUF(AG_KEPT_MAX), lines = KD_BUF(AG_KEPT_MAX);
    char path[PATH_MAX];
    if (!ag_kept_path(directory, key, path))
        return kd_fail(err, KD_INVALID, 0, "a rendering's key must have 64 hex digits");
    for (size_t i = 0; i < kept->documents.n; i++) {
        kd_buf_add(&lines, kept->documents.v[i]);
        kd_buf_add_char(&lines, '\n');
    }
    struct kd_digest digest = kd_digest_of(kd_buf_str(&lines));
    const struct ag_kept_head head = { kd_digest_str(&kept->chart), kd_digest_str(&kept->archive), kd_digest_str(&digest),
                                       kept->documents.n };
    kd_json_encode(&head_shape, &head, &file);
    kd_buf_add_char(&file, '\n');
    kd_buf_add(&file, kd_buf_str(&lines));
    if (file.overflow || lines.overflow)
        return kd_fail(err, KD_TOO_LARGE, 0, "the rendered chart has more than %d bytes", AG_KEPT_MAX);
    enum kd_code code = kd_dir_make(directory, err);
    return code == KD_OK ? kd_file_write(path, kd_buf_str(&file), 0600, err) : code;
}

/** The objects behind the first line; false where they are not those that were written. */
static bool ag_kept_lines(struct kd_str lines, const struct ag_kept_head *head, struct kd_arena *arena, struct kd_strs *ret)
{
    struct kd_digest digest = kd_digest_of(lines);
    struct kd_str copy = kd_arena_copy(arena, lines);
    ret->n = (size_t)head->documents;
    ret->v = kd_arena_alloc(arena, ret->n * sizeof *ret->v);
    if (!kd_str_eq(head->digest, kd_digest_str(&digest)) || !copy.p || !ret->v)
        return false;
    for (size_t i = 0; i < ret->n; i++)
        ret->v[i] = kd_str_cut(&copy, '\n');
    return true;
}

static bool ag_kept_parse(struct kd_str text, struct kd_arena *arena, struct ag_kept *ret)
{
    struct ag_kept_head head;
    struct kd_str line = kd_str_cut(&text, '\n');
    return kd_json_decode(&head_shape, line, arena, &head, NULL) == KD_OK && kd_digest_parse(head.chart, &ret->chart) &&
           kd_digest_parse(head.archive, &ret->archive) && ag_kept_lines(text, &head, arena, &ret->documents);
}

/** Marks a file as used; not each time, to spare the disk. */
static void ag_kept_touch(const char *path)
{
    struct stat at;
    if (stat(path, &at) == 0 && time(NULL) - at.st_mtim.tv_sec > AG_KEPT_USED_S)
        (void)utimensat(AT_FDCWD, path, NULL, 0);
}

enum kd_code ag_kept_read(const char *directory, struct kd_str key, struct kd_arena *arena, struct ag_kept *ret, struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf text = KD_BUF(AG_KEPT_MAX);
    char path[PATH_MAX];
    if (!ag_kept_path(directory, key, path) || kd_file_read(path, &text, NULL) != KD_OK)
        return kd_fail(err, KD_NOT_FOUND, 0, "no rendering is kept under %.*s", KD_ARG(key));
    ag_kept_touch(path);
    if (ag_kept_parse(kd_buf_str(&text), arena, ret))
        return KD_OK;
    (void)unlink(path);
    return kd_fail(err, KD_NOT_FOUND, 0, "the rendering kept under %.*s was damaged", KD_ARG(key));
}

/** A file of the directory, also one that a crash left half written. */
struct ag_kept_file {
    char name[KD_DIGEST_HEX + 32];
    int64_t used_s, bytes;
};

static int ag_by_use(const void *left, const void *right)
{
    const struct ag_kept_file *a = left, *b = right;
    return (a->used_s > b->used_s) - (a->used_s < b->used_s);
}

static size_t ag_kept_files(DIR *dir, struct ag_kept_file *files, size_t max)
{
    size_t n = 0;
    for (const struct dirent *entry; n < max && (entry = readdir(dir));) {
        struct stat at;
        if (entry->d_name[0] == '.' || fstatat(dirfd(dir), entry->d_name, &at, AT_SYMLINK_NOFOLLOW) != 0 ||
            !kd_str_copy(kd_str(entry->d_name), files[n].name, sizeof files[n].name))
            continue;
        files[n].used_s = at.st_mtim.tv_sec;
        files[n++].bytes = at.st_size;
    }
    qsort(files, n, sizeof *files, ag_by_use);
    return n;
}

void ag_kept_trim(const char *directory, int64_t limit_bytes)
{
    DIR *dir = opendir(directory);
    KD_AUTO(kd_freep) struct ag_kept_file *files = calloc(AG_KEPT_COUNT_MAX, sizeof *files);
    size_t n = dir && files ? ag_kept_files(dir, files, AG_KEPT_COUNT_MAX) : 0;
    int64_t total = 0, now_s = time(NULL);
    for (size_t i = 0; i < n; i++)
        total += files[i].bytes;
    for (size_t i = 0; i < n && total > limit_bytes && now_s - files[i].used_s > AG_KEPT_MIN_AGE_S; i++)
        if (unlinkat(dirfd(dir), files[i].name, 0) == 0)
            total -= files[i].bytes;
    if (dir)
        (void)closedir(dir);
}

/** The first line of a kept rendering. */
static bool ag_kept_head(int directory, const char *name, struct kd_arena *arena, struct ag_kept_head *ret)
{
    char text[AG_HEAD_MAX];
    KD_AUTO(kd_closep) int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    struct kd_str all = { text, n > 0 ? (size_t)n : 0 };
    struct kd_str line = kd_str_cut(&all, '\n');
    return kd_json_decode(&head_shape, line, arena, ret, NULL) == KD_OK;
}

void ag_kept_digests(const char *directory, struct kd_arena *arena, struct kd_digest **ret, size_t *ret_n)
{
    DIR *dir = opendir(directory);
    *ret_n = 0;
    *ret = kd_arena_alloc(arena, 2 * AG_KEPT_COUNT_MAX * sizeof **ret);
    for (const struct dirent *entry; *ret && dir && *ret_n < 2 * AG_KEPT_COUNT_MAX && (entry = readdir(dir));) {
        KD_AUTO(kd_arena_clear) struct kd_arena own = KD_ARENA(4 * AG_HEAD_MAX);
        struct ag_kept_head head;
        if (!kd_str_ends(kd_str(entry->d_name), KD_STR(".json")) || !ag_kept_head(dirfd(dir), entry->d_name, &own, &head))
            continue;
        *ret_n += kd_digest_parse(head.chart, *ret + *ret_n);
        *ret_n += kd_digest_parse(head.archive, *ret + *ret_n);
    }
    if (dir)
        (void)closedir(dir);
}
