/** Backup and restore of the coordinator's stores on disk: what comes back, in which epoch, and what is refused. */
#include "coordinator/server/stores.h"
#include "shared/os/file.h"
#include "tests/unit/service_world.h"

#include <fcntl.h>
#include <unistd.h>

enum { STORE_BYTES = 64 * 1024 * 1024 };

/** A running coordinator over the stores of a directory. */
static struct world *begin(const char *directory, struct co_stores *stores)
{
    struct world *w = calloc(1, sizeof *w);
    struct kd_err err;
    assert_non_null(w);
    w->now_us = 1000 * KD_US_PER_S;
    w->wall_ms = INT64_C(1800000000000);
    w->chance = 42;
    assert_ok(co_stores_open(kd_str(directory), STORE_BYTES, stores, &err), err);
    w->spec = stores->spec;
    w->status = stores->status;
    world_open(w);
    world_connect(w);
    return w;
}

static void end(struct world *w, struct co_stores *stores)
{
    w->spec = w->status = NULL; /* the stores close them */
    world_free(w);
    co_stores_close(stores);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
}

static void test_backup_and_restore(void **state)
{
    (void)state;
    char directory[] = "/tmp/kedge-stores-XXXXXX", coordinator[64], backup[64], junk[64], foreign[64], cut[64];
    struct co_stores stores, second;
    const struct co_service_options options = world_options();
    struct kd_err err;
    assert_non_null(mkdtemp(directory));
    (void)snprintf(coordinator, sizeof coordinator, "%s/c", directory);
    (void)snprintf(backup, sizeof backup, "%s/backup", directory);
    (void)snprintf(junk, sizeof junk, "%s/junk", directory);
    (void)snprintf(foreign, sizeof foreign, "%s/foreign", directory);
    (void)snprintf(cut, sizeof cut, "%s/cut", directory);

    struct world *w = begin(coordinator, &stores);
    world_catalog(w);
    world_cluster(w, "one", "a");
    char uid[64], epoch[32];
    (void)snprintf(uid, sizeof uid, "%s", world_deploy(w, "s", "a"));
    (void)snprintf(epoch, sizeof epoch, "%s", world_at(w, world_manifest(w, "one"), "version.epoch"));
    assert_ok(co_stores_backup(kd_str(coordinator), backup, &err), err); /* while it runs */
    assert_int_equal(co_stores_backup(kd_str(coordinator), backup, &err), KD_INVALID);
    assert_ok(co_stores_backup(kd_str(coordinator), cut, &err), err);
    (void)world_ok(w, "deployment/delete", "{\"name\":\"s\"}");
    world_cluster(w, "two", "a");
    assert_int_equal(co_stores_open(kd_str(coordinator), STORE_BYTES, &second, &err), KD_UNAVAILABLE); /* one at a time */
    assert_int_equal(co_stores_restore(kd_str(coordinator), STORE_BYTES, backup, &options, &err), KD_UNAVAILABLE);
    end(w, &stores);

    write_file(junk, "this is not a backup");
    struct kd_store *other = NULL;
    static const char *const tables[] = { "other" };
    assert_ok(kd_store_open(foreign, tables, 1, STORE_BYTES, &other, &err), err);
    other = kd_store_close(other);
    (void)snprintf(foreign + strlen(foreign), 16, "/data.mdb");
    assert_int_equal(co_stores_restore(kd_str(coordinator), STORE_BYTES, junk, &options, &err), KD_INVALID);
    assert_int_equal(truncate(cut, 20000), 0);
    assert_int_equal(co_stores_restore(kd_str(coordinator), STORE_BYTES, cut, &options, &err), KD_INVALID);
    assert_non_null(strstr(err.story, "it was cut off: it has 20000 bytes"));
    assert_int_not_equal(co_stores_restore(kd_str(coordinator), STORE_BYTES, "/no/such", &options, &err), KD_OK);
    assert_int_equal(co_stores_restore(kd_str(coordinator), STORE_BYTES, foreign, &options, &err), KD_INVALID);
    assert_non_null(strstr(err.story, "is no backup of a kedge-coordinator"));
    w = begin(coordinator, &stores); /* nothing of that has changed anything */
    (void)world_ok(w, "cluster/get", "{\"name\":\"two\"}");
    end(w, &stores);

    assert_ok(co_stores_restore(kd_str(coordinator), STORE_BYTES, backup, &options, &err), err);
    w = begin(coordinator, &stores);
    world_bad(w, "cluster/get", "{\"name\":\"two\"}", "not-found", "$.name", "does not exist");
    (void)world_ok(w, "deployment/get", "{\"name\":\"s\"}");
    assert_string_equal(world_at(w, w->reply, "result.uid"), uid);
    assert_string_equal(world_at(w, w->reply, "result.hold"), "true");
    assert_string_equal(world_at(w, w->reply, "result.status.summary.total"), "1");
    assert_string_equal(world_at(w, world_manifest(w, "one"), "deployments[0].hold"), "true");
    assert_true(strtoull(world_at(w, world_manifest(w, "one"), "version.epoch"), NULL, 10) > strtoull(epoch, NULL, 10));
    end(w, &stores);
    assert_ok(kd_tree_remove(directory, &err), err);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_backup_and_restore) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
