/** A tar.gz in memory. */
#include "coordinator/cli/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <sys/stat.h>

#include "shared/base/own.h"
#include "shared/os/file.h"

struct ct_packing {
    struct archive *archive;
    size_t files;
    struct kd_err *err;
};

bool ct_is_gzip(struct kd_str bytes)
{
    return bytes.n > 2 && (unsigned char)bytes.p[0] == 0x1F && (unsigned char)bytes.p[1] == 0x8B;
}

static ssize_t ct_on_packed(struct archive *archive, void *ctx, const void *bytes, size_t n)
{
    struct kd_buf *out = ctx;
    kd_buf_add(out, (struct kd_str){ bytes, n });
    if (!out->overflow)
        return (ssize_t)n;
    archive_set_error(archive, EFBIG, "larger than %d bytes", CT_ARCHIVE_MAX);
    return -1;
}

static enum kd_code ct_pack_fail(struct ct_packing *packing, const char *path)
{
    int number = archive_errno(packing->archive);
    return kd_fail(packing->err, number == EFBIG ? KD_TOO_LARGE : KD_INTERNAL, number, "pack '%s': %s", path,
                   archive_error_string(packing->archive));
}

static void ct_entryp(struct archive_entry **entry)
{
    archive_entry_free(*entry);
}

/** The same content gives the same archive: no times, no owners. */
static enum kd_code ct_pack_file(struct ct_packing *packing, const char *path, const char *name)
{
    KD_AUTO(kd_buf_clear) struct kd_buf content = KD_BUF(CT_ARCHIVE_FILE_MAX);
    KD_AUTO(ct_entryp) struct archive_entry *entry = archive_entry_new();
    if (++packing->files > CT_ARCHIVE_FILES_MAX)
        return kd_fail(packing->err, KD_TOO_LARGE, 0, "more than %d files: name a smaller directory", CT_ARCHIVE_FILES_MAX);
    enum kd_code code = kd_file_read(path, &content, packing->err);
    if (code != KD_OK)
        return code;
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)content.n);
    bool done = archive_write_header(packing->archive, entry) == ARCHIVE_OK &&
                archive_write_data(packing->archive, content.p, content.n) == (la_ssize_t)content.n;
    return done ? KD_OK : ct_pack_fail(packing, path);
}

static void ct_ftsp(FTS **tree)
{
    if (*tree)
        (void)fts_close(*tree);
}

static int ct_by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static enum kd_code ct_pack_tree(struct ct_packing *packing, char *root)
{
    char *const roots[] = { root, NULL };
    KD_AUTO(ct_ftsp) FTS *tree = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, ct_by_name);
    size_t skip = strlen(root);
    FTSENT *at = NULL;
    enum kd_code code = tree ? KD_OK : kd_fail(packing->err, KD_INTERNAL, errno, "read '%s': %s", root, strerror(errno));
    while (code == KD_OK && (at = fts_read(tree)) != NULL) {
        if (at->fts_level > 0 && at->fts_name[0] == '.') {
            (void)fts_set(tree, at, FTS_SKIP);
            continue;
        }
        const char *name = at->fts_path + skip;
        if (at->fts_info == FTS_F)
            code = ct_pack_file(packing, at->fts_path, name + strspn(name, "/"));
        else if (at->fts_info == FTS_DNR || at->fts_info == FTS_ERR || at->fts_info == FTS_NS)
            code = kd_fail(packing->err, KD_INTERNAL, at->fts_errno, "read '%s': %s", at->fts_path, strerror(at->fts_errno));
    }
    return code;
}

static enum kd_code ct_pack(struct ct_packing *packing, struct kd_str path)
{
    char name[4097];
    struct stat status;
    if (!kd_str_copy(path, name, sizeof(name)) || path.n == 0)
        return kd_fail(packing->err, KD_INVALID, 0, "'%.*s' is not the name of a file", KD_ARG(path));
    if (stat(name, &status) != 0)
        return kd_fail(packing->err, errno == ENOENT ? KD_NOT_FOUND : KD_INTERNAL, errno, "'%s': %s", name, strerror(errno));
    if (S_ISDIR(status.st_mode))
        return ct_pack_tree(packing, name);
    const char *last = strrchr(name, '/');
    return S_ISREG(status.st_mode) ? ct_pack_file(packing, name, last ? last + 1 : name)
                                   : kd_fail(packing->err, KD_INVALID, 0, "'%s' is neither a file nor a directory", name);
}

static void ct_archivep(struct archive **archive)
{
    (void)archive_write_free(*archive);
}

enum kd_code ct_archive_make(const struct kd_str *paths, size_t n, struct kd_buf *out, struct kd_err *err)
{
    KD_AUTO(ct_archivep) struct archive *archive = archive_write_new();
    struct ct_packing packing = { .archive = archive, .err = err };
    if (archive == NULL || archive_write_add_filter_gzip(archive) != ARCHIVE_OK ||
        archive_write_set_format_pax_restricted(archive) != ARCHIVE_OK)
        return kd_fail(err, KD_INTERNAL, 0, "no memory for an archive");
    (void)archive_write_set_options(archive, "gzip:!timestamp");
    (void)archive_write_set_bytes_in_last_block(archive, 1);
    if (archive_write_open(archive, out, NULL, ct_on_packed, NULL) != ARCHIVE_OK)
        return ct_pack_fail(&packing, "the archive");
    enum kd_code code = KD_OK;
    for (size_t i = 0; i < n && code == KD_OK; i++)
        code = ct_pack(&packing, paths[i]);
    if (code == KD_OK && packing.files == 0)
        code = kd_fail(err, KD_INVALID, 0, "there is no file in '%.*s'", KD_ARG(paths[0]));
    if (code == KD_OK && archive_write_close(archive) != ARCHIVE_OK)
        code = ct_pack_fail(&packing, "the archive");
    return code;
}
