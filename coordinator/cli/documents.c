/** Documents as files hold them. */
#include "coordinator/cli/documents.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>

#include "shared/base/own.h"
#include "shared/model/fields.h"
#include "shared/model/yaml.h"
#include "shared/os/file.h"

/** What only the coordinator writes. */
static const char *const ct_dropped[] = { "status", "order", "uid", "resourceVersion", "createTime", "updateTime", "id", NULL };

static enum kd_code ct_read_input(struct kd_buf *out, struct kd_err *err)
{
    ssize_t n = 0;
    do {
        char *room = kd_buf_room(out, 65536);
        if (room == NULL)
            return kd_fail(err, KD_TOO_LARGE, 0, "the standard input holds more than %zu bytes", out->max);
        n = read(STDIN_FILENO, room, 65536);
        if (n > 0)
            out->n += (size_t)n;
    } while (n > 0 || (n < 0 && errno == EINTR));
    return n < 0 ? kd_fail(err, KD_INTERNAL, errno, "read the standard input: %s", strerror(errno)) : KD_OK;
}

enum kd_code ct_file_read(struct kd_str path, struct kd_buf *out, struct kd_err *err)
{
    char name[4097];
    if (kd_str_is(path, "-"))
        return ct_read_input(out, err);
    if (!kd_str_copy(path, name, sizeof(name)))
        return kd_fail(err, KD_INVALID, 0, "the name of a file is too long");
    return kd_file_read(name, out, err);
}

struct ct_head {
    struct kd_str schema, name, version, uid;
    uint64_t resource_version;
};

static const struct kd_json_field ct_head_fields[] = {
    F_TEXT(struct ct_head, schema, "specSchema"),
    F_TEXT(struct ct_head, name, "name"),
    F_TEXT(struct ct_head, version, "version"),
    F_TEXT(struct ct_head, uid, "uid"),
    F_COUNT(struct ct_head, resource_version, "resourceVersion"),
};
static const struct kd_json_shape ct_head_shape = KD_SHAPE(struct ct_head, ct_head_fields, "a document");

static void ct_jsonp(cJSON **json)
{
    cJSON_Delete(*json);
}

struct kd_str ct_document_strip(struct kd_str json, struct kd_arena *arena)
{
    KD_AUTO(ct_jsonp) cJSON *object = cJSON_ParseWithLength(json.p, json.n);
    for (size_t i = 0; ct_dropped[i]; i++)
        cJSON_DeleteItemFromObjectCaseSensitive(object, ct_dropped[i]);
    char *text = object ? cJSON_PrintUnformatted(object) : NULL;
    struct kd_str copy = text ? kd_arena_copy(arena, kd_str(text)) : (struct kd_str){ NULL, 0 };
    cJSON_free(text);
    return copy;
}

static enum kd_code ct_document_read(struct kd_str json, struct kd_arena *arena, struct ct_document *ret, struct kd_err *err)
{
    struct ct_head head;
    enum kd_code code = kd_json_decode(&ct_head_shape, json, arena, &head, err);
    if (code != KD_OK)
        return code;
    const struct ct_kind *kind = ct_kind_of_schema(head.schema);
    if (head.schema.n == 0)
        return kd_fail(err, KD_INVALID, 0,
                       "specSchema is missing: Deployment, Cluster, Registry, Artifact, Application or DeploymentPackage");
    if (kind == NULL)
        return kd_fail(
            err, KD_INVALID, 0,
            "there is no specSchema '%.*s': use Deployment, Cluster, Registry, Artifact, Application or DeploymentPackage",
            KD_ARG(head.schema));
    if (head.name.n == 0)
        return kd_fail(err, KD_INVALID, 0, "a %s without a name", head.schema.p);
    *ret = (struct ct_document){ .kind = kind,
                                 .name = { head.name, kind->is_versioned ? head.version : (struct kd_str){ NULL, 0 } },
                                 .uid = head.uid,
                                 .resource_version = head.resource_version,
                                 .json = ct_document_strip(json, arena) };
    return ret->json.p ? KD_OK : kd_fail(err, KD_TOO_LARGE, 0, "too large");
}

enum kd_code ct_documents_read(struct kd_str text, const char *name, struct kd_arena *arena, struct ct_documents *ret,
                               struct kd_err *err)
{
    struct kd_strs texts = { 0 };
    enum kd_code code = kd_yaml_read(text, name, KD_YAML_STRICT, arena, &texts, err); /* JSON is YAML too */
    if (code != KD_OK)
        return code;
    struct ct_documents documents = { .v = kd_arena_alloc(arena, (texts.n + 1) * sizeof(*documents.v)) };
    if (documents.v == NULL)
        return kd_fail(err, KD_TOO_LARGE, 0, "%s: too many documents", name);
    for (size_t i = 0; i < texts.n; i++) {
        if (ct_document_read(texts.v[i], arena, &documents.v[documents.n], err) != KD_OK)
            return kd_wrap(err, "%s: document %zu", name, i + 1);
        documents.n++;
    }
    *ret = documents;
    return documents.n ? KD_OK : kd_fail(err, KD_INVALID, 0, "%s: there is no document in it", name);
}

struct kd_str ct_document_body(const struct ct_document *document, struct kd_str uid, uint64_t resource_version,
                               struct kd_arena *arena)
{
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(CT_FILE_MAX);
    kd_buf_add_char(&out, '{');
    if (uid.n) {
        kd_buf_add(&out, KD_STR("\"uid\":"));
        kd_json_add_text(&out, uid);
        kd_buf_add_char(&out, ',');
    }
    if (resource_version)
        kd_buf_printf(&out, "\"resourceVersion\":%llu,", (unsigned long long)resource_version);
    kd_buf_add(&out, (struct kd_str){ document->json.p + 1, document->json.n - 1 });
    return kd_arena_copy(arena, kd_buf_str(&out));
}

struct kd_str ct_document_of_view(const struct ct_kind *kind, struct kd_str view, struct kd_arena *arena)
{
    if (kind->schema == NULL || view.n < 3)
        return view;
    return kd_arena_printf(arena, "{\"specSchema\":\"%s\",\"schemaVersion\":\"0.1\",%.*s", kind->schema, (int)view.n - 1,
                           view.p + 1);
}
