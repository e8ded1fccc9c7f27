/** The content cache: flock says who uses a file, rename gives it its name, the time of its last change is that of its last use. */
#include "shared/registry/cache.h"

#include "shared/base/own.h"
#include "shared/os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

enum {
    KD_CACHE_CHUNK = 64 * 1024,   /* bytes per read */
    KD_CACHE_ROUNDS = 100,        /* how often a file may change its place while it is being locked */
    KD_CACHE_FILES_MAX = 1 << 20, /* files that are looked at in one trim */
};

struct kd_cache_part {
    const struct kd_cache *cache;
    struct kd_digest digest;
    struct kd_hash *hash; /* owned; of the bytes that are there */
    uint64_t max, have;   /* bytes allowed, bytes there */
    int fd;               /* owned, locked alone */
};

struct kd_cache_file {
    char name[KD_DIGEST_HEX + sizeof ".part"];
    int64_t used_ns, bytes;
};

struct kd_cache_files {
    struct kd_cache_file *v;
    size_t n, cap;
};

static void kd_cache_path(const struct kd_cache *cache, const struct kd_digest *digest, const char *suffix, char ret[PATH_MAX])
{
    (void)snprintf(ret, PATH_MAX, "%s/%.*s%s", cache->directory, KD_ARG(kd_digest_hex(digest)), suffix);
}

static enum kd_code kd_disk_failed(struct kd_err *err, const char *verb, const char *path)
{
    return kd_fail(err, KD_UNAVAILABLE, errno, "%s '%s'", verb, path);
}

static bool kd_lock(int fd, int how)
{
    int bad;
    while ((bad = flock(fd, how)) != 0 && errno == EINTR)
        ;
    return bad == 0;
}

/** Hashes up to max bytes from the beginning; false where they cannot be read. *ret_n is how many there were. */
static bool kd_hash_file(int fd, struct kd_hash *hash, uint64_t max, uint64_t *ret_n)
{
    KD_AUTO(kd_freep) char *chunk = malloc(KD_CACHE_CHUNK);
    *ret_n = 0;
    while (chunk && *ret_n < max) {
        uint64_t want = max - *ret_n < KD_CACHE_CHUNK ? max - *ret_n : KD_CACHE_CHUNK;
        ssize_t n = pread(fd, chunk, (size_t)want, (off_t)*ret_n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0;
        kd_hash_add(hash, (struct kd_str){ chunk, (size_t)n });
        *ret_n += (uint64_t)n;
    }
    return chunk != NULL;
}

enum kd_code kd_cache_open(const char *directory, int64_t limit_bytes, struct kd_cache *ret, struct kd_err *err)
{
    if (!kd_str_copy(kd_str(directory), ret->directory, sizeof ret->directory))
        return kd_fail(err, KD_INVALID, 0, "the path '%.80s…' is too long", directory);
    ret->limit_bytes = limit_bytes;
    return kd_dir_make(directory, err);
}

/* ---- what is there ---- */

void kd_cache_entry_close(struct kd_cache_entry *entry)
{
    kd_closep(&entry->fd);
    entry->fd = -1;
}

/** Opens and locks content so that nobody removes it. */
static bool kd_cache_hold(const char *path, struct kd_cache_entry *entry)
{
    for (int round = 0; round < KD_CACHE_ROUNDS; round++) {
        struct stat at;
        entry->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (entry->fd < 0)
            return false;
        if (kd_lock(entry->fd, LOCK_SH) && fstat(entry->fd, &at) == 0 && at.st_nlink > 0 && S_ISREG(at.st_mode)) {
            entry->size = (uint64_t)at.st_size;
            return true;
        }
        kd_cache_entry_close(entry); /* removed between open and lock */
    }
    return false;
}

static bool kd_cache_is_right(const struct kd_cache_entry *entry)
{
    uint64_t n = 0;
    struct kd_hash *hash = kd_hash_open();
    bool read = hash && kd_hash_file(entry->fd, hash, entry->size, &n) && n == entry->size;
    if (!hash)
        return false;
    struct kd_digest digest = kd_hash_close(hash);
    return read && strcmp(digest.text, entry->digest.text) == 0;
}

enum kd_code kd_cache_find(const struct kd_cache *cache, const struct kd_digest *digest, struct kd_cache_entry *ret,
                           struct kd_err *err)
{
    struct kd_cache_entry entry = KD_CACHE_ENTRY;
    entry.digest = *digest;
    kd_cache_path(cache, digest, "", entry.path);
    if (!kd_cache_hold(entry.path, &entry))
        return kd_fail(err, KD_NOT_FOUND, 0, "%s is not in the cache", digest->text);
    if (!kd_cache_is_right(&entry)) {
        (void)unlink(entry.path);
        kd_cache_entry_close(&entry);
        return kd_fail(err, KD_NOT_FOUND, 0, "%s was damaged on the disk and was removed", digest->text);
    }
    (void)futimens(entry.fd, NULL);
    *ret = entry;
    return KD_OK;
}

/* ---- what is on its way ---- */

/** Opens the part's file and locks it alone. Another process may have finished or removed it meanwhile: then once more. */
static enum kd_code kd_part_lock(const char *path, int *ret_fd, struct kd_err *err)
{
    for (int round = 0; round < KD_CACHE_ROUNDS; round++) {
        struct stat mine, named;
        KD_AUTO(kd_closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 || !kd_lock(fd, LOCK_EX) || fstat(fd, &mine) != 0)
            return kd_disk_failed(err, "open", path);
        if (stat(path, &named) == 0 && named.st_ino == mine.st_ino && named.st_dev == mine.st_dev) {
            *ret_fd = KD_TAKE(fd, -1);
            return KD_OK;
        }
    }
    return kd_fail(err, KD_UNAVAILABLE, 0, "'%s' does not stay in its place", path);
}

/** Takes what an earlier attempt left; more than is allowed cannot be right. */
static enum kd_code kd_part_take_up(struct kd_cache_part *part, const char *path, struct kd_err *err)
{
    struct stat at;
    part->hash = kd_hash_open();
    if (!part->hash)
        return kd_fail(err, KD_INTERNAL, 0, "out of memory");
    if (fstat(part->fd, &at) != 0)
        return kd_disk_failed(err, "read", path);
    if ((uint64_t)at.st_size > part->max)
        return kd_cache_restart(part, err);
    return kd_hash_file(part->fd, part->hash, part->max, &part->have) ? KD_OK : kd_disk_failed(err, "read", path);
}

enum kd_code kd_cache_begin(const struct kd_cache *cache, const struct kd_digest *digest, uint64_t max, struct kd_cache_part **ret,
                            struct kd_err *err)
{
    char path[PATH_MAX], final[PATH_MAX];
    kd_cache_path(cache, digest, ".part", path);
    kd_cache_path(cache, digest, "", final);
    KD_AUTO(kd_cache_part_closep) struct kd_cache_part *part = calloc(1, sizeof *part);
    if (!part)
        return kd_fail(err, KD_INTERNAL, 0, "out of memory");
    *part = (struct kd_cache_part){ .cache = cache, .digest = *digest, .max = max, .fd = -1 };
    enum kd_code code = kd_part_lock(path, &part->fd, err);
    if (code != KD_OK)
        return code;
    if (access(final, F_OK) == 0) {
        (void)unlink(path);
        return kd_fail(err, KD_EXISTS, 0, "%s is in the cache", digest->text);
    }
    code = kd_part_take_up(part, path, err);
    if (code == KD_OK)
        *ret = KD_TAKE(part, NULL);
    return code;
}

uint64_t kd_cache_have(const struct kd_cache_part *part)
{
    return part->have;
}

enum kd_code kd_cache_add(struct kd_cache_part *part, struct kd_str bytes, struct kd_err *err)
{
    if (bytes.n > part->max - part->have)
        return kd_fail(err, KD_TOO_LARGE, 0, "%s has more than %llu bytes", part->digest.text, (unsigned long long)part->max);
    kd_hash_add(part->hash, bytes);
    while (bytes.n) {
        ssize_t n = pwrite(part->fd, bytes.p, bytes.n, (off_t)part->have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return kd_disk_failed(err, "write into", part->cache->directory);
        part->have += (uint64_t)n;
        bytes = (struct kd_str){ bytes.p + n, bytes.n - (size_t)n };
    }
    return KD_OK;
}

enum kd_code kd_cache_restart(struct kd_cache_part *part, struct kd_err *err)
{
    struct kd_hash *fresh = kd_hash_open();
    if (!fresh)
        return kd_fail(err, KD_INTERNAL, 0, "out of memory");
    (void)kd_hash_close(part->hash);
    part->hash = fresh;
    part->have = 0;
    return ftruncate(part->fd, 0) == 0 ? KD_OK : kd_disk_failed(err, "write into", part->cache->directory);
}

static bool kd_sync_directory(const char *path)
{
    KD_AUTO(kd_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0;
}

enum kd_code kd_cache_commit(struct kd_cache_part *part, struct kd_err *err)
{
    char path[PATH_MAX], final[PATH_MAX];
    kd_cache_path(part->cache, &part->digest, ".part", path);
    kd_cache_path(part->cache, &part->digest, "", final);
    struct kd_digest digest = kd_hash_close(KD_TAKE(part->hash, NULL));
    if (strcmp(digest.text, part->digest.text) != 0) {
        (void)unlink(path);
        return kd_fail(err, KD_INVALID, 0, "what was fetched as %s has digest %s", part->digest.text, digest.text);
    }
    if (fsync(part->fd) != 0 || futimens(part->fd, NULL) != 0 || rename(path, final) != 0 ||
        !kd_sync_directory(part->cache->directory))
        return kd_disk_failed(err, "write", final);
    return KD_OK;
}

struct kd_cache_part *kd_cache_part_close(struct kd_cache_part *part)
{
    if (!part)
        return NULL;
    if (part->hash)
        (void)kd_hash_close(part->hash);
    kd_closep(&part->fd);
    free(part);
    return NULL;
}

void kd_cache_part_closep(struct kd_cache_part **part)
{
    *part = kd_cache_part_close(*part);
}

enum kd_code kd_cache_put(const struct kd_cache *cache, const struct kd_digest *digest, struct kd_str bytes, struct kd_err *err)
{
    char path[PATH_MAX];
    struct kd_digest real = kd_digest_of(bytes);
    if (strcmp(real.text, digest->text) != 0)
        return kd_fail(err, KD_INVALID, 0, "what was fetched as %s has digest %s", digest->text, real.text);
    kd_cache_path(cache, digest, "", path);
    return kd_file_write(path, bytes, 0600, err);
}

/* ---- the limit ---- */

static bool kd_is_cache_name(const char *name)
{
    struct kd_str stem = kd_str(name);
    struct kd_digest ignored;
    if (kd_str_ends(stem, KD_STR(".part")))
        stem.n -= 5;
    return kd_digest_parse_hex(stem, &ignored);
}

static void kd_files_add(struct kd_cache_files *files, const char *name, const struct stat *at)
{
    if (files->n == files->cap) {
        size_t cap = files->cap ? files->cap * 2 : 64;
        struct kd_cache_file *grown = cap > KD_CACHE_FILES_MAX ? NULL : realloc(files->v, cap * sizeof *grown);
        if (!grown)
            return;
        files->v = grown;
        files->cap = cap;
    }
    struct kd_cache_file *file = &files->v[files->n++];
    (void)kd_str_copy(kd_str(name), file->name, sizeof file->name);
    file->used_ns = (int64_t)at->st_mtim.tv_sec * 1000000000 + at->st_mtim.tv_nsec;
    file->bytes = (int64_t)at->st_size;
}

static int kd_by_use(const void *left, const void *right)
{
    const struct kd_cache_file *a = left, *b = right;
    return (a->used_ns > b->used_ns) - (a->used_ns < b->used_ns);
}

/** All files of the cache, the one first that was not used for longest. */
static void kd_files_list(int directory, struct kd_cache_files *files)
{
    struct stat at;
    int copy = dup(directory);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    for (const struct dirent *entry; dir && (entry = readdir(dir));)
        if (kd_is_cache_name(entry->d_name) && fstatat(directory, entry->d_name, &at, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(at.st_mode))
            kd_files_add(files, entry->d_name, &at);
    if (dir)
        (void)closedir(dir);
    else if (copy >= 0)
        (void)close(copy);
    if (files->n)
        qsort(files->v, files->n, sizeof *files->v, kd_by_use);
}

static bool kd_is_in_use(const char *name, const struct kd_digest *in_use, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strncmp(name, kd_digest_hex(&in_use[i]).p, KD_DIGEST_HEX) == 0)
            return true;
    return false;
}

/** Removes a file unless a process holds it. */
static bool kd_drop(int directory, const char *name)
{
    KD_AUTO(kd_closep) int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && unlinkat(directory, name, 0) == 0;
}

int64_t kd_cache_trim(const struct kd_cache *cache, const struct kd_digest *in_use, size_t n)
{
    KD_AUTO(kd_closep) int directory = open(cache->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct kd_cache_files files = { 0 };
    int64_t total = 0;
    if (directory >= 0)
        kd_files_list(directory, &files);
    for (size_t i = 0; i < files.n; i++)
        total += files.v[i].bytes;
    for (size_t i = 0; i < files.n && total > cache->limit_bytes; i++)
        if (!kd_is_in_use(files.v[i].name, in_use, n) && kd_drop(directory, files.v[i].name))
            total -= files.v[i].bytes;
    free(files.v);
    return total;
}
