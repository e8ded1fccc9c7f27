/** Volumes: ConfigMaps, Secrets and the downward API as directories of files, emptyDirs, and claims as volumes of Podman. */
#include "agent/workload/config.h"
#include "agent/workload/pod.h"
#include "agent/workload/quantity.h"
#include "shared/base/own.h"
#include "shared/model/digest.h"
#include "shared/model/json.h"

#include <inttypes.h>

enum {
    AG_MODE_DEFAULT = 0644, /* of files, as in Kubernetes; the directories above them are root's alone */
    AG_MODE_DIRECTORY = 0755,
    AG_MODE_EMPTY = 0777,
    AG_FILE_PATH_MAX = 255, /* bytes */
};

struct ag_mount {
    const struct ag_source *source;
    struct kd_str target, sub;
    bool read_only;
};

/** Text in front of the hash in the path of a directory: a later change of what the digest covers changes it. */
#define AG_CONTENT_FORM "1"

/** A relative path of names: nothing empty, no "." and no "..". */
static bool ag_is_inner_path(struct kd_str path)
{
    if (!path.n || path.n > AG_FILE_PATH_MAX || path.p[path.n - 1] == '/')
        return false;
    while (path.n) {
        struct kd_str level = kd_str_cut(&path, '/');
        if (!level.n || kd_str_is(level, ".") || kd_str_is(level, ".."))
            return false;
    }
    return true;
}

static void ag_file_add(struct ag_potter *p, struct ag_directory *dir, struct kd_str path, struct kd_str content, int64_t mode)
{
    if (!ag_is_inner_path(path) || mode < 0 || mode > 0777)
        ag_build_fail(p->b, KD_INVALID, p->title, "file '%.*s' of a volume must be a relative path without .., mode at most 0777",
                      KD_ARG(path));
    struct ag_file *file = ag_build_push(p->b, &dir->files, sizeof *file);
    if (!file)
        return;
    unsigned bits = (unsigned)mode;
    if (dir->group >= 0)
        bits |= (bits & 0400) >> 3; /* as Kubernetes: the group may read what the owner may */
    *file = (struct ag_file){ ag_build_copy(p->b, path), content, bits };
}

/** All entries, or those that `items` names under their paths. */
static void ag_files_of(struct ag_potter *p, struct ag_directory *dir, const cJSON *source, const struct ag_entries *entries,
                        int64_t mode, bool optional)
{
    const cJSON *item = ag_tree_first(source, "items");
    for (size_t i = 0; !item && i < entries->n; i++)
        ag_file_add(p, dir, entries->v[i].key, entries->v[i].content, mode);
    for (; item; item = item->next) {
        const struct ag_entry *entry = ag_config_find(entries, ag_tree_text(item, "key"));
        if (entry)
            ag_file_add(p, dir, ag_tree_text(item, "path"), entry->content, ag_tree_number(item, "mode", mode));
        else if (!optional)
            ag_build_fail(p->b, KD_INVALID, p->title, "a volume names the key %.*s, which is not there",
                          KD_ARG(ag_tree_text(item, "key")));
    }
}

static void ag_files_of_config(struct ag_potter *p, struct ag_directory *dir, const cJSON *source, enum ag_role role,
                               const char *name, int64_t mode)
{
    struct ag_entries entries;
    bool optional = ag_tree_flag(source, "optional", false);
    if (ag_config_read(p->b, p->title, role, p->namespace, ag_tree_text(source, name), optional, &entries))
        ag_files_of(p, dir, source, &entries, ag_tree_number(source, "defaultMode", mode), optional);
}

static void ag_files_of_downward(struct ag_potter *p, struct ag_directory *dir, const cJSON *source, int64_t mode)
{
    const struct ag_person who = { p->title, p->pod_name, p->namespace, p->workload->template, NULL };
    for (const cJSON *item = ag_tree_first(source, "items"); item; item = item->next) {
        struct kd_str path = ag_tree_text(ag_tree_get(item, "fieldRef"), "fieldPath");
        ag_file_add(p, dir, ag_tree_text(item, "path"), ag_env_field(p->b, &who, path, true),
                    ag_tree_number(item, "mode", ag_tree_number(source, "defaultMode", mode)));
    }
}

static void ag_files_of_source(struct ag_potter *p, struct ag_directory *dir, const cJSON *volume, const char *secret_name,
                               int64_t mode)
{
    const cJSON *source = NULL;
    if ((source = ag_tree_get(volume, "configMap")))
        ag_files_of_config(p, dir, source, AG_ROLE_CONFIG, "name", mode);
    if ((source = ag_tree_get(volume, "secret")))
        ag_files_of_config(p, dir, source, AG_ROLE_SECRET, secret_name, mode);
    if ((source = ag_tree_get(volume, "downwardAPI")))
        ag_files_of_downward(p, dir, source, mode);
}

/** A directory with files is named by all that is in it. */
static struct kd_str ag_content_path(struct ag_potter *p, const struct ag_directory *dir)
{
    struct kd_hash *hash = kd_hash_open();
    if (!hash) {
        ag_build_fail(p->b, KD_INTERNAL, p->title, "out of memory");
        return (struct kd_str){ NULL, 0 };
    }
    kd_hash_add(hash, ag_build_printf(p->b, AG_CONTENT_FORM " %" PRId64 "\n", dir->group));
    for (size_t i = 0; i < dir->files.n; i++) {
        const struct ag_file *file = &dir->files.v[i];
        kd_hash_add(hash, ag_build_printf(p->b, "%.*s %o %zu\n", KD_ARG(file->path), file->mode, file->content.n));
        kd_hash_add(hash, file->content);
    }
    struct kd_digest digest = kd_hash_close(hash);
    return ag_build_printf(p->b, "%.*s/content-%.*s", KD_ARG(p->b->plan->files_dir), AG_HASH_TEXT, kd_digest_hex(&digest).p);
}

static int64_t ag_group_of(const struct ag_potter *p)
{
    return ag_tree_number(ag_tree_get(p->workload->spec, "securityContext"), "fsGroup", -1);
}

static void ag_directory_add(struct ag_potter *p, struct ag_directory *dir)
{
    for (size_t i = 0; i < p->pod->directories.n; i++)
        if (kd_str_eq(p->pod->directories.v[i].path, dir->path))
            return;
    struct ag_directory *at = ag_build_push(p->b, &p->pod->directories, sizeof *at);
    if (at)
        *at = *dir;
}

static void ag_source_files(struct ag_potter *p, const cJSON *volume, struct ag_source *ret)
{
    struct ag_directory dir = { .mode = AG_MODE_DIRECTORY, .group = ag_group_of(p) };
    const cJSON *projected = ag_tree_get(volume, "projected");
    int64_t mode = ag_tree_number(projected, "defaultMode", AG_MODE_DEFAULT);
    ag_files_of_source(p, &dir, volume, "secretName", mode);
    for (const cJSON *one = ag_tree_first(projected, "sources"); one; one = one->next)
        ag_files_of_source(p, &dir, one, "name", mode);
    ret->read_only = true;
    ret->at = dir.path = ag_content_path(p, &dir);
    ag_directory_add(p, &dir);
}

/** How many mounts of the pod use the volume; `whole`: without a subPath. */
static size_t ag_source_uses(const struct ag_potter *p, struct kd_str name, bool whole)
{
    static const char *const lists[] = { "initContainers", "containers" };
    size_t uses = 0;
    for (size_t i = 0; i < KD_COUNT(lists); i++)
        for (const cJSON *one = ag_tree_first(p->workload->spec, lists[i]); one; one = one->next)
            for (const cJSON *mount = ag_tree_first(one, "volumeMounts"); mount; mount = mount->next)
                uses += kd_str_eq(ag_tree_text(mount, "name"), name) && !(whole && ag_tree_text(mount, "subPath").n);
    return uses;
}

static void ag_source_empty(struct ag_potter *p, const cJSON *empty, struct ag_source *ret)
{
    double bytes = 0;
    if (kd_str_is(ag_tree_text(empty, "medium"), "Memory") && ag_source_uses(p, ret->name, false) == 1) {
        ret->kind = AG_SOURCE_MEMORY;
        if (ag_tree_get(empty, "sizeLimit") && ag_quantity_read(ag_tree_get(empty, "sizeLimit"), &bytes) && bytes < 9e15)
            ret->bytes = (uint64_t)bytes;
        return;
    }
    ret->kind = AG_SOURCE_EMPTY;
}

struct kd_str ag_volumes_claim(struct ag_build *b, struct kd_str namespace, struct kd_str claim, struct kd_str object, bool keep)
{
    struct kd_str name = ag_podman_name(b, namespace, ag_build_printf(b, "claim_%.*s", KD_ARG(claim)), (struct kd_str){ NULL, 0 });
    for (size_t i = 0; i < b->plan->volumes.n; i++)
        if (kd_str_eq(b->plan->volumes.v[i].name, name))
            return name;
    struct ag_volume *at = ag_build_push(b, &b->plan->volumes, sizeof *at);
    if (at)
        *at = (struct ag_volume){ name, ag_body_volume(b, namespace, name, object, keep), keep };
    return name;
}

static bool ag_is_kept(const struct ag_object *claim)
{
    const cJSON *notes = ag_tree_at(claim->json, "metadata.annotations");
    return kd_str_is(ag_tree_text(notes, "helm.sh/resource-policy"), "keep");
}

static void ag_source_claim(struct ag_potter *p, const cJSON *source, struct ag_source *ret)
{
    struct kd_str name = ag_tree_text(source, "claimName");
    const struct ag_object *claim = ag_objects_find(p->b, AG_ROLE_CLAIM, p->namespace, name);
    ret->kind = AG_SOURCE_CLAIM;
    ret->read_only = ag_tree_flag(source, "readOnly", false);
    if (!claim)
        ag_build_fail(p->b, KD_INVALID, p->title, "PersistentVolumeClaim %.*s is not part of this application", KD_ARG(name));
    else
        ret->at = ag_volumes_claim(p->b, p->namespace, claim->name, claim->title, ag_is_kept(claim));
}

static void ag_source_make(struct ag_potter *p, const cJSON *volume)
{
    struct ag_source source = { .name = ag_tree_text(volume, "name"), .title = p->title };
    if (!ag_is_object_name(source.name))
        ag_build_fail(p->b, KD_INVALID, p->title, "the name of volume '%.*s' is not lower-case letters, digits and '-'",
                      KD_ARG(source.name));
    const cJSON *claim = ag_tree_get(volume, "persistentVolumeClaim"), *empty = ag_tree_get(volume, "emptyDir");
    const cJSON *files = ag_tree_get(volume, "configMap");
    files = files ? files : ag_tree_get(volume, "secret");
    files = files ? files : ag_tree_get(volume, "projected");
    files = files ? files : ag_tree_get(volume, "downwardAPI");
    if (claim)
        ag_source_claim(p, claim, &source);
    else if (files)
        ag_source_files(p, volume, &source);
    else
        ag_source_empty(p, empty, &source); /* a volume that names nothing is an emptyDir too */
    struct ag_source *at = ag_build_push(p->b, &p->sources, sizeof *at);
    if (at)
        *at = source;
}

/** A StatefulSet's own volume: claim "data" of pod "db-0" is data-db-0, as in Kubernetes. */
static void ag_source_template(struct ag_potter *p, const cJSON *claim)
{
    struct kd_str name = ag_tree_text(ag_tree_get(claim, "metadata"), "name");
    struct kd_str own = ag_build_printf(p->b, "%.*s-%.*s", KD_ARG(name), KD_ARG(p->pod_name));
    struct ag_source source = { .name = name, .title = p->title, .kind = AG_SOURCE_CLAIM };
    source.at = ag_volumes_claim(p->b, p->namespace, own, p->title, true);
    struct ag_source *at = ag_build_push(p->b, &p->sources, sizeof *at);
    if (at)
        *at = source;
}

void ag_volumes_make(struct ag_potter *p)
{
    for (const cJSON *claim = p->workload->claims; claim; claim = claim->next)
        ag_source_template(p, claim);
    for (const cJSON *volume = ag_tree_first(p->workload->spec, "volumes"); volume; volume = volume->next)
        ag_source_make(p, volume);
}

static const struct ag_source *ag_source_of(struct ag_potter *p, struct kd_str name)
{
    for (size_t i = 0; i < p->sources.n; i++)
        if (kd_str_eq(p->sources.v[i].name, name))
            return &p->sources.v[i];
    ag_build_fail(p->b, KD_INVALID, p->title, "a volumeMount names the volume %.*s, which is not there", KD_ARG(name));
    return NULL;
}

static void ag_mount_text(struct kd_buf *out, const char *key, struct kd_str value)
{
    ag_body_key(out, key);
    kd_json_add_text(out, value);
}

/** An emptyDir belongs to one making of its pod: its path has the pod's name in Podman, which has its hash. */
static struct kd_str ag_mount_empty(struct ag_potter *p, const struct ag_source *source, struct kd_str sub)
{
    struct ag_directory dir = { .mode = AG_MODE_EMPTY, .group = ag_group_of(p) };
    dir.path = ag_build_printf(p->b, "%.*s/pod-%.*s/%.*s%s%.*s", KD_ARG(p->b->plan->files_dir), KD_ARG(p->name),
                               KD_ARG(source->name), sub.n ? "/" : "", KD_ARG(sub));
    ag_directory_add(p, &dir);
    return dir.path;
}

static void ag_mount_directory(struct ag_potter *p, const struct ag_mount *mount, struct kd_buf *out)
{
    struct kd_str at = mount->source->at;
    if (mount->source->kind == AG_SOURCE_EMPTY)
        at = ag_mount_empty(p, mount->source, mount->sub);
    else if (mount->sub.n)
        at = ag_build_printf(p->b, "%.*s/%.*s", KD_ARG(at), KD_ARG(mount->sub));
    ag_mount_text(out, "source", at);
    ag_mount_text(out, "destination", mount->target);
    kd_buf_printf(out, ",\"type\":\"bind\",\"options\":[\"rbind\",\"rprivate\",\"%s\"]}", mount->read_only ? "ro" : "rw");
}

static void ag_mount_memory(const struct ag_mount *mount, struct kd_buf *out)
{
    ag_mount_text(out, "source", KD_STR("tmpfs"));
    ag_mount_text(out, "destination", mount->target);
    kd_buf_printf(out, ",\"type\":\"tmpfs\",\"options\":[\"mode=1777\",\"nosuid\",\"nodev\",\"%s\"",
                  mount->read_only ? "ro" : "rw");
    if (mount->source->bytes)
        kd_buf_printf(out, ",\"size=%" PRIu64 "\"", mount->source->bytes);
    kd_buf_add(out, KD_STR("]}"));
}

/** What a container can write must never lead to a mount: behind a symbolic link there it would get files of the host. So an
 *  emptyDir is either mounted whole or by its subPaths, each a directory of its own. */
static bool ag_mount_takes_sub(const struct ag_potter *p, const struct ag_mount *mount)
{
    if (mount->source->kind == AG_SOURCE_FILES)
        return true;
    return mount->source->kind == AG_SOURCE_EMPTY && kd_str_find(mount->sub, KD_STR("/")) < 0 &&
           ag_source_uses(p, mount->source->name, true) == 0;
}

static bool ag_mount_read(struct ag_potter *p, const cJSON *mount, struct ag_mount *ret)
{
    *ret = (struct ag_mount){ ag_source_of(p, ag_tree_text(mount, "name")), ag_tree_text(mount, "mountPath"),
                              ag_tree_text(mount, "subPath"), ag_tree_flag(mount, "readOnly", false) };
    if (!kd_str_starts(ret->target, KD_STR("/")) || (ret->sub.n && !ag_is_inner_path(ret->sub)))
        ag_build_fail(p->b, KD_INVALID, p->title, "mountPath '%.*s' must be absolute, its subPath relative and without ..",
                      KD_ARG(ret->target));
    if (!ret->source)
        return false;
    if (ret->sub.n && !ag_mount_takes_sub(p, ret))
        ag_build_fail(p->b, KD_UNSUPPORTED, p->title, "subPath of the volume %.*s cannot be done on a Podman edge",
                      KD_ARG(ret->source->name));
    ret->read_only |= ret->source->read_only;
    return p->b->code == KD_OK;
}

static void ag_mount_claim(const struct ag_mount *mount, struct kd_buf *out)
{
    ag_mount_text(out, "Name", mount->source->at);
    ag_mount_text(out, "Dest", mount->target);
    kd_buf_printf(out, ",\"Options\":[\"nocopy\",\"%s\"]}", mount->read_only ? "ro" : "rw");
}

static void ag_mounts_of(struct ag_potter *p, const struct ag_person *who, bool claims, struct kd_buf *out)
{
    for (const cJSON *one = ag_tree_first(who->container, "volumeMounts"); one; one = one->next) {
        struct ag_mount mount;
        if (!ag_mount_read(p, one, &mount) || (mount.source->kind == AG_SOURCE_CLAIM) != claims)
            continue;
        kd_buf_add(out, out->p[out->n - 1] == '[' ? KD_STR("{") : KD_STR(",{"));
        if (mount.source->kind == AG_SOURCE_CLAIM)
            ag_mount_claim(&mount, out);
        else if (mount.source->kind == AG_SOURCE_MEMORY)
            ag_mount_memory(&mount, out);
        else
            ag_mount_directory(p, &mount, out);
    }
}

void ag_volumes_mount(struct ag_potter *p, const struct ag_person *who, struct kd_buf *out)
{
    ag_body_key(out, "mounts");
    kd_buf_add_char(out, '[');
    ag_mounts_of(p, who, false, out);
    kd_buf_add(out, KD_STR("]"));
    ag_body_key(out, "volumes");
    kd_buf_add_char(out, '[');
    ag_mounts_of(p, who, true, out);
    kd_buf_add(out, KD_STR("]"));
}
