/** Private directories, each locked by the job that it belongs to. */
#include "agent/job/private.h"

#include "shared/base/own.h"
#include "shared/os/file.h"
#include "shared/os/random.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { AG_NAME_CHARS = 16 /* hex digits of a directory's name */ };

/** Opens and locks a directory; -1 where another job holds it. */
static int ag_lock_directory(const char *path)
{
    KD_AUTO(kd_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 ? KD_TAKE(fd, -1) : -1;
}

static void ag_sweep(const char *jobs)
{
    DIR *dir = opendir(jobs);
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        char path[PATH_MAX];
        if (entry->d_name[0] == '.' || snprintf(path, sizeof path, "%s/%s", jobs, entry->d_name) >= (int)sizeof path)
            continue;
        KD_AUTO(kd_closep) int lock = ag_lock_directory(path);
        if (lock >= 0 && kd_tree_remove(path, NULL) != KD_OK)
            break;
    }
    if (dir)
        (void)closedir(dir);
}

/** Makes and locks a directory; false where another job's sweep was faster than the lock. */
static bool ag_private_try(const char *jobs, struct ag_private *ret)
{
    struct stat at;
    char name[AG_NAME_CHARS + 1];
    kd_random_text(name, AG_NAME_CHARS);
    if (snprintf(ret->path, sizeof ret->path, "%s/%s", jobs, name) >= (int)sizeof ret->path || mkdir(ret->path, 0700) != 0)
        return false;
    ret->lock = ag_lock_directory(ret->path);
    if (ret->lock >= 0 && stat(ret->path, &at) == 0)
        return true;
    ag_private_remove(ret);
    return false;
}

enum kd_code ag_private_make(const char *run_directory, struct ag_private *ret, struct kd_err *err)
{
    char jobs[PATH_MAX];
    if (snprintf(jobs, sizeof jobs, "%s/jobs", run_directory) >= (int)sizeof jobs)
        return kd_fail(err, KD_INVALID, 0, "run.directory is too long");
    enum kd_code code = kd_dir_make(jobs, err);
    if (code != KD_OK)
        return code;
    ag_sweep(jobs);
    for (int attempt = 0; attempt < 10; attempt++)
        if (ag_private_try(jobs, ret))
            return KD_OK;
    return kd_fail(err, KD_INTERNAL, errno, "make a directory in '%s'", jobs);
}

void ag_private_remove(struct ag_private *private)
{
    if (private->path[0] && kd_tree_remove(private->path, NULL) == KD_OK)
    private->path[0] = '\0';
    kd_closep(&private->lock);
    private->lock = -1;
}
