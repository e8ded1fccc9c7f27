/** Files and trees. */
#include "shared/os/file.h"

#include "shared/base/own.h"
#include "shared/os/random.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
    KD_FILE_CHUNK = 16384,  /* bytes per read */
    KD_TREE_DEPTH_MAX = 256 /* directories inside each other, a descriptor each */
};

static enum kd_code kd_file_fail(struct kd_err *err, const char *verb, const char *path)
{
    enum kd_code code = errno == ENOENT || errno == ENOTDIR ? KD_NOT_FOUND : KD_INTERNAL;
    return kd_fail(err, code, errno, "%s '%s'", verb, path);
}

/* ---- reading ---- */

/** Reads up to the end; one byte more than the limit is enough to know. */
static enum kd_code kd_read_all(int fd, const char *path, struct kd_buf *out, struct kd_err *err)
{
    char chunk[KD_FILE_CHUNK];
    ssize_t n;
    do {
        n = read(fd, chunk, sizeof chunk);
        if (n > 0)
            kd_buf_add(out, (struct kd_str){ chunk, (size_t)n });
    } while ((n > 0 && !out->overflow) || (n < 0 && errno == EINTR));
    if (n < 0)
        return kd_file_fail(err, "read", path);
    if (out->overflow)
        return kd_fail(err, KD_TOO_LARGE, 0, "'%s' has more than %zu bytes", path, out->max);
    return KD_OK;
}

enum kd_code kd_file_read(const char *path, struct kd_buf *out, struct kd_err *err)
{
    KD_AUTO(kd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    return fd < 0 ? kd_file_fail(err, "open", path) : kd_read_all(fd, path, out, err);
}

/* ---- writing ---- */

static bool kd_write_all(int fd, struct kd_str content)
{
    while (content.n) {
        ssize_t n = write(fd, content.p, content.n);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            content = (struct kd_str){ content.p + n, content.n - (size_t)n };
    }
    return true;
}

/** "dir/" of "dir/name", "./" of "name". */
static bool kd_dir_of(const char *path, char *ret, size_t cap)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return kd_str_copy(KD_STR("./"), ret, cap);
    return kd_str_copy((struct kd_str){ path, (size_t)(slash - path) + 1 }, ret, cap);
}

static bool kd_dir_sync(const char *dir)
{
    KD_AUTO(kd_closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0;
}

static bool kd_write_fresh(const char *path, struct kd_str content, mode_t mode)
{
    KD_AUTO(kd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd >= 0 && kd_write_all(fd, content) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
}

enum kd_code kd_file_write(const char *path, struct kd_str content, mode_t mode, struct kd_err *err)
{
    char dir[PATH_MAX], fresh[PATH_MAX], random[17];
    kd_random_text(random, sizeof random - 1);
    if (!kd_dir_of(path, dir, sizeof dir) || snprintf(fresh, sizeof fresh, "%s.%s.tmp", path, random) >= (int)sizeof fresh)
        return kd_fail(err, KD_INTERNAL, ENAMETOOLONG, "write '%.80s'", path);
    if (kd_write_fresh(fresh, content, mode) && rename(fresh, path) == 0 && kd_dir_sync(dir))
        return KD_OK;
    enum kd_code code = kd_file_fail(err, "write", path);
    (void)unlink(fresh);
    return code;
}

/* ---- directories ---- */

static bool kd_is_dir(const char *path)
{
    struct stat at;
    return stat(path, &at) == 0 && S_ISDIR(at.st_mode);
}

static bool kd_dir_make_one(const char *path)
{
    if (mkdir(path, 0700) == 0 || (errno == EEXIST && kd_is_dir(path)))
        return true;
    if (errno == EEXIST)
        errno = ENOTDIR;
    return false;
}

enum kd_code kd_dir_make(const char *path, struct kd_err *err)
{
    char part[PATH_MAX];
    if (!kd_str_copy(kd_str(path), part, sizeof part))
        return kd_fail(err, KD_INTERNAL, ENAMETOOLONG, "make directory '%.80s'", path);
    for (char *slash = strchr(part + (part[0] == '/'), '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (!kd_dir_make_one(part))
            return kd_fail(err, KD_INTERNAL, errno, "make directory '%s'", part);
        *slash = '/';
    }
    return kd_dir_make_one(path) ? KD_OK : kd_fail(err, KD_INTERNAL, errno, "make directory '%s'", path);
}

/* ---- trees ---- */

static void kd_dirp(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

static bool kd_remove_at(int at, const char *name, int depth);

static bool kd_is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/** Empties a directory through its own descriptor: whatever its path becomes meanwhile, nothing outside is touched. */
static bool kd_empty_at(int at, const char *name, int depth)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    KD_AUTO(kd_dirp) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            (void)close(fd);
        return false;
    }
    bool ok = true;
    for (const struct dirent *entry; ok && (entry = readdir(dir));)
        if (!kd_is_dot(entry->d_name))
            ok = kd_remove_at(fd, entry->d_name, depth + 1);
    return ok;
}

static bool kd_remove_at(int at, const char *name, int depth)
{
    if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
        return true;
    if (errno != EISDIR && errno != EPERM)
        return false;
    if (depth > KD_TREE_DEPTH_MAX) {
        errno = ELOOP;
        return false;
    }
    return kd_empty_at(at, name, depth) && (unlinkat(at, name, AT_REMOVEDIR) == 0 || errno == ENOENT);
}

enum kd_code kd_tree_remove(const char *path, struct kd_err *err)
{
    return kd_remove_at(AT_FDCWD, path, 0) ? KD_OK : kd_fail(err, KD_INTERNAL, errno, "remove '%s'", path);
}
