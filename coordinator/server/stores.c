/** The coordinator's stores on disk. */
#include "coordinator/server/stores.h"

#include "coordinator/server/restore.h"
#include "coordinator/server/tables.h"
#include "shared/base/own.h"
#include "shared/os/clock.h"
#include "shared/os/file.h"
#include "shared/os/log.h"
#include "shared/os/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

enum { CO_PATH = 4200 /* bytes */, CO_COPY = 65536 /* bytes at a time */ };

static const char *co_path(char out[CO_PATH], struct kd_str directory, const char *name)
{
    (void)snprintf(out, CO_PATH, "%.*s/%s", KD_ARG(directory), name);
    return out;
}

static enum kd_code co_lock(struct kd_str directory, int *ret, struct kd_err *err)
{
    char path[CO_PATH];
    KD_AUTO(kd_closep) int fd = -1;
    enum kd_code code = kd_dir_make(co_path(path, directory, "."), err);
    if (code != KD_OK)
        return code;
    fd = open(co_path(path, directory, "lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return kd_fail(err, KD_UNAVAILABLE, errno, "open '%s'", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return kd_fail(err, KD_UNAVAILABLE, 0, "another kedge-coordinator uses '%.*s': stop it first", KD_ARG(directory));
    *ret = KD_TAKE(fd, -1);
    return KD_OK;
}

static enum kd_code co_open_both(struct kd_str directory, const char *spec, int64_t bytes, struct co_stores *stores,
                                 struct kd_err *err)
{
    char path[CO_PATH];
    enum kd_code code = kd_store_open(co_path(path, directory, spec), co_spec_table_names, CO_SPEC_TABLE_COUNT, (uint64_t)bytes,
                                      &stores->spec, err);
    if (code == KD_OK)
        code = kd_store_open(co_path(path, directory, "status"), co_status_table_names, CO_STATUS_TABLE_COUNT, (uint64_t)bytes,
                             &stores->status, err);
    return code;
}

enum kd_code co_stores_open(struct kd_str directory, int64_t bytes, struct co_stores *ret, struct kd_err *err)
{
    struct co_stores stores = { .lock = -1 };
    enum kd_code code = co_lock(directory, &stores.lock, err);
    if (code == KD_OK)
        code = co_open_both(directory, "spec", bytes, &stores, err);
    if (code == KD_OK)
        *ret = stores;
    else
        co_stores_close(&stores);
    return code;
}

void co_stores_close(struct co_stores *stores)
{
    stores->spec = kd_store_close(stores->spec);
    stores->status = kd_store_close(stores->status);
    kd_closep(&stores->lock);
    stores->lock = -1;
}

enum kd_code co_stores_backup(struct kd_str directory, const char *file, struct kd_err *err)
{
    char path[CO_PATH];
    return kd_store_backup(co_path(path, directory, "spec"), file, err);
}

/* ---- a service without a shell, for the time of a new epoch ---- */

static bool co_quiet_publish(void *ctx, const struct co_publish *message)
{
    (void)ctx, (void)message;
    return false;
}

static size_t co_quiet_room(void *ctx)
{
    (void)ctx;
    return 0;
}

static void co_quiet_resolve(void *ctx, const struct co_lookup *lookup)
{
    (void)ctx, (void)lookup;
}

static void co_quiet_subscribe(void *ctx, struct kd_str filter, bool on)
{
    (void)ctx, (void)filter, (void)on;
}

static struct kd_mono co_clock_now(void *ctx)
{
    (void)ctx;
    return kd_mono_now();
}

static struct kd_wall co_clock_wall(void *ctx)
{
    (void)ctx;
    return kd_wall_now();
}

static uint64_t co_chance_from_kernel(void *ctx)
{
    (void)ctx;
    return kd_random_u64();
}

static void co_log_line(void *ctx, int level, const char *event, const char *text)
{
    (void)ctx;
    kd_log(level, event, "%s", text);
}

static enum kd_code co_epoch_in(struct co_stores *stores, const struct co_service_options *options, struct kd_err *err)
{
    static const struct co_service_ops quiet = { .publish = co_quiet_publish,
                                                 .room = co_quiet_room,
                                                 .subscribe = co_quiet_subscribe,
                                                 .resolve = co_quiet_resolve,
                                                 .now = co_clock_now,
                                                 .wall = co_clock_wall,
                                                 .chance = co_chance_from_kernel,
                                                 .log = co_log_line };
    struct co_service *service = NULL;
    enum kd_code code = co_service_open(options, stores->spec, stores->status, &quiet, NULL, &service, err);
    if (code == KD_OK)
        code = co_service_new_epoch(service, err);
    (void)co_service_close(service);
    return code;
}

enum kd_code co_stores_new_epoch(struct kd_str directory, int64_t bytes, const struct co_service_options *options,
                                 struct kd_err *err)
{
    struct co_stores stores;
    enum kd_code code = co_stores_open(directory, bytes, &stores, err);
    if (code != KD_OK)
        return code;
    code = co_epoch_in(&stores, options, err);
    co_stores_close(&stores);
    return code;
}

/* ---- restore ---- */

static enum kd_code co_copy_file(const char *from, const char *to, struct kd_err *err)
{
    char piece[CO_COPY];
    KD_AUTO(kd_closep) int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return kd_fail(err, KD_NOT_FOUND, errno, "open '%s'", from);
    KD_AUTO(kd_closep) int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out < 0)
        return kd_fail(err, KD_UNAVAILABLE, errno, "create '%s'", to);
    for (ssize_t n; (n = read(in, piece, sizeof piece)) != 0;)
        if (n < 0 || write(out, piece, (size_t)n) != n)
            return kd_fail(err, KD_UNAVAILABLE, errno, "copy '%s' to '%s'", from, to);
    return fsync(out) == 0 ? KD_OK : kd_fail(err, KD_UNAVAILABLE, errno, "write '%s'", to);
}

/** A file that is no backup would become an empty catalog. */
static enum kd_code co_check_backup(struct kd_str directory, int64_t bytes, const char *file, struct kd_err *err)
{
    char path[CO_PATH];
    struct kd_store *store = NULL;
    struct kd_txn *txn = NULL;
    uint64_t starts = 0;
    enum kd_code code = kd_store_check_backup(co_path(path, directory, "spec.new"), err);
    if (code != KD_OK)
        return kd_wrap(err, "'%s'", file);
    code = kd_store_open(path, co_spec_table_names, CO_SPEC_TABLE_COUNT, (uint64_t)bytes, &store, err);
    if (code == KD_OK)
        code = kd_txn_begin(store, false, &txn, err);
    if (txn) {
        starts = co_get_number(txn, CO_META, KD_STR("starts"));
        kd_txn_abort(txn);
    }
    store = kd_store_close(store);
    if (code == KD_OK && starts == 0)
        return kd_fail(err, KD_INVALID, 0, "'%s' is no backup of a kedge-coordinator", file);
    return code;
}

/** The backup becomes a store of its own beside the old one, in its new epoch. */
static enum kd_code co_prepare(struct kd_str directory, int64_t bytes, const char *file, const struct co_service_options *options,
                               struct kd_err *err)
{
    char path[CO_PATH];
    struct co_stores stores = { .lock = -1 };
    enum kd_code code = kd_tree_remove(co_path(path, directory, "spec.new"), err);
    if (code == KD_OK)
        code = kd_dir_make(path, err);
    if (code == KD_OK)
        code = co_copy_file(file, co_path(path, directory, "spec.new/data.mdb"), err);
    if (code == KD_OK)
        code = co_check_backup(directory, bytes, file, err);
    if (code == KD_OK)
        code = kd_tree_remove(co_path(path, directory, "status"), err);
    if (code == KD_OK)
        code = co_open_both(directory, "spec.new", bytes, &stores, err);
    if (code == KD_OK)
        code = co_epoch_in(&stores, options, err);
    co_stores_close(&stores);
    return code;
}

static enum kd_code co_exchange(struct kd_str directory, struct kd_err *err)
{
    char fresh[CO_PATH], old[CO_PATH];
    (void)co_path(fresh, directory, "spec.new");
    (void)co_path(old, directory, "spec");
    if (access(old, F_OK) != 0)
        return rename(fresh, old) == 0 ? KD_OK : kd_fail(err, KD_UNAVAILABLE, errno, "rename '%s'", fresh);
    if (renameat2(AT_FDCWD, fresh, AT_FDCWD, old, RENAME_EXCHANGE) != 0)
        return kd_fail(err, KD_UNAVAILABLE, errno, "exchange '%s' and '%s'", fresh, old);
    return kd_tree_remove(fresh, err);
}

enum kd_code co_stores_restore(struct kd_str directory, int64_t bytes, const char *file, const struct co_service_options *options,
                               struct kd_err *err)
{
    KD_AUTO(kd_closep) int lock = -1;
    enum kd_code code = co_lock(directory, &lock, err);
    if (code == KD_OK)
        code = co_prepare(directory, bytes, file, options, err);
    return code == KD_OK ? co_exchange(directory, err) : code;
}
