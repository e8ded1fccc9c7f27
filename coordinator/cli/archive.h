/** A tar.gz in memory from files and directories, by libarchive. */
#ifndef CT_ARCHIVE_H
#define CT_ARCHIVE_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

enum {
    CT_ARCHIVE_MAX = 64 * 1024 * 1024, /* bytes, packed */
    CT_ARCHIVE_FILES_MAX = 1000,
    CT_ARCHIVE_FILE_MAX = 16 * 1024 * 1024, /* bytes of one file */
};

/** Appends the archive. Names in it are relative to the directory that was named (files that were named: their last part). Hidden
 *  files are left out, links are followed. Fails with KD_NOT_FOUND, KD_INVALID (neither file nor directory; nothing in it),
 *  KD_TOO_LARGE or KD_INTERNAL; the story names the path. */
KD_MUST_CHECK enum kd_code ct_archive_make(const struct kd_str *paths, size_t n, struct kd_buf *out, struct kd_err *err);

/** True for what is an archive already, or another gzip file. */
bool ct_is_gzip(struct kd_str bytes);

#endif
