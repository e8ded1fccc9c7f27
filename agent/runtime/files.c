/** Files: the directories of a plan on this machine's disk. */
#include "agent/runtime/files.h"

#include "shared/base/own.h"
#include "shared/os/file.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

static enum kd_code ag_path_fail(struct kd_err *err, const char *what, const char *path)
{
    return kd_fail(err, errno == ENOSPC || errno == EDQUOT ? KD_UNAVAILABLE : KD_INTERNAL, errno, "%s '%s'", what, path);
}

/** A directory of exactly this mode and group; one that exists gets them. */
static enum kd_code ag_dir_make(const char *path, unsigned mode, int64_t group, struct kd_err *err)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return ag_path_fail(err, "make directory", path);
    if (group >= 0 && lchown(path, (uid_t)-1, (gid_t)group) != 0)
        return ag_path_fail(err, "give its group to", path);
    return chmod(path, mode) == 0 ? KD_OK : ag_path_fail(err, "give its mode to", path);
}

/** The directories between root and the file, which may have a path of several parts. */
static enum kd_code ag_parents_make(const char *root, struct kd_str path, const struct ag_directory *dir, struct kd_err *err)
{
    char at[PATH_MAX];
    for (size_t i = 0; i < path.n; i++) {
        if (path.p[i] != '/')
            continue;
        (void)snprintf(at, sizeof at, "%s/%.*s", root, (int)i, path.p);
        enum kd_code code = ag_dir_make(at, dir->mode, dir->group, err);
        if (code != KD_OK)
            return code;
    }
    return KD_OK;
}

static enum kd_code ag_file_make(const char *root, const struct ag_directory *dir, const struct ag_file *file, struct kd_err *err)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%.*s", root, KD_ARG(file->path)) >= (int)sizeof path)
        return kd_fail(err, KD_INVALID, 0, "the path of file '%.*s' is too long", KD_ARG(file->path));
    enum kd_code code = ag_parents_make(root, file->path, dir, err);
    if (code == KD_OK)
        code = kd_file_write(path, file->content, file->mode, err);
    if (code == KD_OK && dir->group >= 0 && lchown(path, (uid_t)-1, (gid_t)dir->group) != 0)
        return ag_path_fail(err, "give its group to", path);
    return code;
}

/** Files are made beside their place and moved there together: what has the name of its content has all of it. */
static enum kd_code ag_content_make(const struct ag_directory *dir, struct kd_err *err)
{
    char beside[PATH_MAX];
    if (access(dir->path.p, F_OK) == 0)
        return KD_OK;
    if (snprintf(beside, sizeof beside, "%s.new-%d", dir->path.p, (int)getpid()) >= (int)sizeof beside)
        return kd_fail(err, KD_INVALID, 0, "the path '%s' is too long", dir->path.p);
    enum kd_code code = kd_tree_remove(beside, err);
    if (code == KD_OK)
        code = ag_dir_make(beside, dir->mode, dir->group, err);
    for (size_t i = 0; i < dir->files.n && code == KD_OK; i++)
        code = ag_file_make(beside, dir, &dir->files.v[i], err);
    if (code == KD_OK && rename(beside, dir->path.p) != 0 && errno != EEXIST && errno != ENOTEMPTY)
        code = ag_path_fail(err, "move to", dir->path.p);
    if (code != KD_OK || access(beside, F_OK) == 0)
        (void)(kd_tree_remove(beside, NULL) == KD_OK);
    return code;
}

/** <files_dir>/pod-<name>: where the pod's emptyDirs are. */
static void ag_pod_dir(const struct ag_plan *plan, const struct ag_pod *pod, char ret[PATH_MAX])
{
    struct kd_str name = pod->name.n || !pod->mains.n ? pod->name : pod->mains.v[0].name;
    (void)snprintf(ret, PATH_MAX, "%.*s/pod-%.*s", KD_ARG(plan->files_dir), KD_ARG(name));
}

static bool ag_is_below(struct kd_str path, const char *dir)
{
    size_t n = strlen(dir);
    return kd_str_starts(path, kd_str(dir)) && path.n > n && path.p[n] == '/';
}

/** An emptyDir, and the directory of its volume where this one is a subPath. */
static enum kd_code ag_empty_make(const struct ag_directory *dir, const char *pod_dir, struct kd_err *err)
{
    struct kd_str inner = { dir->path.p + strlen(pod_dir) + 1, dir->path.n - strlen(pod_dir) - 1 };
    enum kd_code code = ag_parents_make(pod_dir, inner, dir, err);
    return code == KD_OK ? ag_dir_make(dir->path.p, dir->mode, dir->group, err) : code;
}

enum kd_code ag_files_make(const struct ag_plan *plan, const struct ag_pod *pod, bool fresh, struct kd_err *err)
{
    char pod_dir[PATH_MAX];
    ag_pod_dir(plan, pod, pod_dir);
    if (!pod->directories.n)
        return KD_OK;
    enum kd_code code = kd_dir_make(plan->files_dir.p, err);
    if (code == KD_OK && fresh)
        code = kd_tree_remove(pod_dir, err);
    for (size_t i = 0; i < pod->directories.n && code == KD_OK; i++) {
        const struct ag_directory *dir = &pod->directories.v[i];
        bool empty = ag_is_below(dir->path, pod_dir);
        if (empty)
            code = kd_dir_make(pod_dir, err);
        if (code == KD_OK)
            code = empty ? ag_empty_make(dir, pod_dir, err) : ag_content_make(dir, err);
    }
    return code;
}

static bool ag_pods_use(const struct ag_plan *plan, const struct ag_pods *pods, const char *path)
{
    for (size_t i = 0; i < pods->n; i++) {
        const struct ag_pod *pod = &pods->v[i];
        char pod_dir[PATH_MAX];
        ag_pod_dir(plan, pod, pod_dir);
        if (pod->directories.n && strcmp(pod_dir, path) == 0)
            return true;
        for (size_t d = 0; d < pod->directories.n; d++)
            if (kd_str_is(pod->directories.v[d].path, path))
                return true;
    }
    return false;
}

static void ag_closedirp(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

enum kd_code ag_files_sweep(const struct ag_plan *plan, struct kd_err *err)
{
    KD_AUTO(ag_closedirp) DIR *dir = opendir(plan->files_dir.p);
    if (!dir)
        return errno == ENOENT ? KD_OK : ag_path_fail(err, "open directory", plan->files_dir.p);
    enum kd_code code = KD_OK;
    for (const struct dirent *entry = readdir(dir); entry && code == KD_OK; entry = readdir(dir)) {
        char path[PATH_MAX];
        if (entry->d_name[0] == '.' || snprintf(path, sizeof path, "%s/%s", plan->files_dir.p, entry->d_name) >= (int)sizeof path)
            continue;
        if (!ag_pods_use(plan, &plan->pods, path) && !ag_pods_use(plan, &plan->hooks, path))
            code = kd_tree_remove(path, err);
    }
    return code;
}

enum kd_code ag_files_remove(struct kd_str files_dir, struct kd_str project, struct kd_str deployment, struct kd_str app,
                             struct kd_err *err)
{
    char path[PATH_MAX];
    if (!project.n || !deployment.n)
        return KD_OK;
    if (snprintf(path, sizeof path, "%.*s/%.*s/%.*s%s%.*s", KD_ARG(files_dir), KD_ARG(project), KD_ARG(deployment),
                 app.n ? "/" : "", KD_ARG(app)) >= (int)sizeof path)
        return KD_OK;
    enum kd_code code = kd_tree_remove(path, err);
    for (char *slash = strrchr(path, '/'); code == KD_OK && slash && (size_t)(slash - path) > files_dir.n;
         slash = strrchr(path, '/')) {
        *slash = '\0';
        if (rmdir(path) != 0)
            break; /* something else is in it */
    }
    return code;
}
