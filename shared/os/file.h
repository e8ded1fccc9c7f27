/** Files: whole ones in, whole ones out, private directories, trees away. */
#ifndef KD_OS_FILE_H
#define KD_OS_FILE_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

#include <sys/types.h>

/** Appends the whole file to `out`. KD_NOT_FOUND: there is none; KD_TOO_LARGE: more than the buffer may hold (it then has
 *  overflowed); KD_INTERNAL: anything else (err->sys). */
KD_MUST_CHECK enum kd_code kd_file_read(const char *path, struct kd_buf *out, struct kd_err *err);

/** Replaces the file as a whole, with exactly this mode: after a crash there is either the old or the new content. The new
 *  content is on the disk when this returns. Fails with KD_NOT_FOUND (no such directory) or KD_INTERNAL; the old file then stays. */
KD_MUST_CHECK enum kd_code kd_file_write(const char *path, struct kd_str content, mode_t mode, struct kd_err *err);

/** Makes a directory and its missing parents, all with mode 0700. One that exists stays as it is. */
KD_MUST_CHECK enum kd_code kd_dir_make(const char *path, struct kd_err *err);

/** Removes a file, a link (not what it points to) or a directory with all that is in it. Nothing there: KD_OK. */
KD_MUST_CHECK enum kd_code kd_tree_remove(const char *path, struct kd_err *err);

#endif
