/** The inventory: version, features, runtime, capacity, labels. */
#include "agent/daemon/inventory.h"

#include "shared/base/own.h"
#include "shared/model/messages.h"
#include "shared/model/name.h"
#include "shared/os/file.h"

#include <sys/utsname.h>
#include <unistd.h>

enum { AG_INVENTORY_ARENA = 65536, AG_OS_FILE_MAX = 16384, AG_LABELS_MAX = 100 };

static struct kd_str ag_feature_words[] = { KD_STR_INIT("podman") };
const struct kd_strs ag_features = { ag_feature_words, KD_COUNT(ag_feature_words) };

static const char *const ag_runtime_names[] = { [AG_RUNTIME_PODMAN] = "podman" };

/** PRETTY_NAME of /etc/os-release, without its quotes. */
static struct kd_str ag_os_name(struct kd_arena *arena)
{
    KD_AUTO(kd_buf_clear) struct kd_buf file = KD_BUF(AG_OS_FILE_MAX);
    const struct kd_str key = KD_STR("PRETTY_NAME=");
    if (kd_file_read("/etc/os-release", &file, NULL) != KD_OK)
        return KD_STR("");
    struct kd_str text = kd_buf_str(&file);
    while (text.n) {
        struct kd_str line = kd_str_trim(kd_str_cut(&text, '\n'));
        if (!kd_str_starts(line, key))
            continue;
        struct kd_str name = { line.p + key.n, line.n - key.n };
        if (name.n >= 2 && name.p[0] == '"')
            name = (struct kd_str){ name.p + 1, name.n - 2 };
        return kd_arena_copy(arena, name.n < 128 ? name : (struct kd_str){ name.p, 127 });
    }
    return KD_STR("");
}

/** key=value, by commas. */
static struct kd_pairs ag_labels(struct kd_str text, struct kd_arena *arena, struct kd_str *ret_bad)
{
    struct kd_pairs labels = { kd_arena_alloc(arena, AG_LABELS_MAX * sizeof *labels.v), 0 };
    while (labels.v && text.n && labels.n < AG_LABELS_MAX) {
        struct kd_str value = kd_str_trim(kd_str_cut(&text, ',')), one = value;
        struct kd_str key = kd_str_trim(kd_str_cut(&value, '='));
        value = kd_str_trim(value);
        if (kd_is_label_key(key) && kd_is_label_value(value))
            labels.v[labels.n++] = (struct kd_pair){ key, value };
        else if (one.n && ret_bad->n == 0)
            *ret_bad = one;
    }
    return labels;
}

void ag_inventory_add(const struct ag_settings *settings, const char *runtime_version, struct kd_buf *out, struct kd_str *ret_bad)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_INVENTORY_ARENA);
    struct utsname machine = { 0 };
    (void)uname(&machine);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    *ret_bad = KD_STR("");
    const struct kd_inventory inventory = {
        .agent_version = kd_str(KD_VERSION),
        .runtime = kd_str(ag_runtime_names[settings->runtime]),
        .runtime_version = kd_str(runtime_version),
        .architecture = kd_str(machine.machine),
        .os = ag_os_name(&arena),
        .features = ag_features,
        .labels = ag_labels(settings->labels, &arena, ret_bad),
        .cpus = cpus > 0 ? (uint64_t)cpus : 0,
        .memory_bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0,
    };
    kd_json_encode(&kd_inventory_shape, &inventory, out);
}
