/** Import: an archive or a YAML file with documents of the catalog becomes part of the catalog, as one change. */
#include "coordinator/server/routes.h"
#include "shared/base/own.h"
#include "shared/model/fields.h"
#include "shared/model/name.h"
#include "shared/model/yaml.h"

#include <archive.h>
#include <archive_entry.h>

enum {
    CO_FILES_MAX = 500,
    CO_FILE_BYTES = 10 * 1024 * 1024,
    CO_FILES_BYTES = 48 * 1024 * 1024, /* all files of one import, unpacked */
};

struct co_file {
    struct kd_str path, name, bytes; /* the name without its folder */
};

struct co_files {
    struct co_file v[CO_FILES_MAX];
    size_t n;
    struct kd_arena memory;
};

/** A document that was found, in the order of kinds: what is referred to comes first. */
struct co_found {
    const struct co_kind *kind;
    const struct co_file *file;
    struct kd_str json;
    struct co_found *next;
};

/* ---- files ---- */

static void co_archive_freep(struct archive **a)
{
    if (*a)
        (void)archive_read_free(*a);
}

static struct kd_str co_base_name(struct kd_str path)
{
    for (size_t i = path.n; i > 0; i--)
        if (path.p[i - 1] == '/')
            return (struct kd_str){ path.p + i, path.n - i };
    return path;
}

static enum kd_code co_file_add(struct co_files *files, struct kd_str path, struct kd_str bytes, struct kd_err *err)
{
    if (files->n == CO_FILES_MAX)
        return kd_fail(err, KD_TOO_LARGE, 0, "the archive has more than %d files", CO_FILES_MAX);
    struct co_file *file = &files->v[files->n++];
    *file = (struct co_file){ .path = kd_arena_copy(&files->memory, path), .bytes = kd_arena_copy(&files->memory, bytes) };
    file->name = co_base_name(file->path);
    return file->path.p && file->bytes.p
               ? KD_OK
               : kd_fail(err, KD_TOO_LARGE, 0, "the files have more than %d bytes together", CO_FILES_BYTES);
}

static enum kd_code co_member_read(struct archive *a, struct archive_entry *entry, struct co_files *files, struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf bytes = KD_BUF(CO_FILE_BYTES);
    const char *utf8 = archive_entry_pathname_utf8(entry); /* a daemon's locale may not have it: that is only a warning */
    struct kd_str name = kd_str(utf8 ? utf8 : archive_entry_pathname(entry));
    char piece[16384];
    for (;;) {
        ssize_t n = archive_read_data(a, piece, sizeof piece);
        if (n == 0)
            break;
        if (n < 0)
            return kd_fail(err, KD_INVALID, 0, "the archive is damaged at %.*s", KD_ARG(name));
        kd_buf_add(&bytes, (struct kd_str){ piece, (size_t)n });
        if (bytes.overflow)
            return kd_fail(err, KD_TOO_LARGE, 0, "%.*s has more than %d bytes", KD_ARG(name), CO_FILE_BYTES);
    }
    return co_file_add(files, name, kd_buf_str(&bytes), err);
}

static enum kd_code co_archive_read(struct kd_str bytes, struct co_files *files, struct kd_err *err)
{
    KD_AUTO(co_archive_freep) struct archive *a = archive_read_new();
    struct archive_entry *entry;
    if (!a)
        return kd_fail(err, KD_INTERNAL, 0, "out of memory");
    (void)archive_read_support_filter_gzip(a);
    (void)archive_read_support_format_tar(a);
    int rc = archive_read_open_memory(a, bytes.p, bytes.n);
    while (rc >= ARCHIVE_WARN && (rc = archive_read_next_header(a, &entry)) >= ARCHIVE_WARN && rc != ARCHIVE_EOF) {
        if (archive_entry_filetype(entry) != AE_IFREG)
            continue;
        enum kd_code code = co_member_read(a, entry, files, err);
        if (code != KD_OK)
            return code;
    }
    return rc == ARCHIVE_EOF ? KD_OK : kd_fail(err, KD_INVALID, 0, "the archive cannot be read: %.200s", archive_error_string(a));
}

static bool co_is_gzip(struct kd_str bytes)
{
    return bytes.n > 2 && (unsigned char)bytes.p[0] == 0x1F && (unsigned char)bytes.p[1] == 0x8B;
}

static bool co_is_yaml_name(struct kd_str name)
{
    return kd_str_ends(name, KD_STR(".yaml")) || kd_str_ends(name, KD_STR(".yml")) || kd_str_ends(name, KD_STR(".json"));
}

/* ---- documents ---- */

struct co_header {
    struct kd_str schema, schema_version;
};

#define T struct co_header
static const struct kd_json_field co_header_fields[] = {
    F_TEXT(T, schema, "specSchema", .max = 64),
    F_TEXT(T, schema_version, "schemaVersion", .max = 16),
};
static const struct kd_json_shape co_header_shape = KD_SHAPE(T, co_header_fields, "a document");
#undef T

/** Sorts a document into the list of its kind; files without specSchema are values. */
static enum kd_code co_sort_document(struct co_work *work, const struct co_file *file, struct kd_str json, struct co_found **lists,
                                     struct kd_err *err)
{
    struct co_header header = { 0 };
    if (kd_json_decode(&co_header_shape, json, work->arena, &header, NULL) != KD_OK || !header.schema.n)
        return KD_OK;
    const struct co_kind *kind = co_kind_of_schema(header.schema);
    if (!kind)
        return kd_fail_field(err, KD_INVALID, "$.specSchema", "%.*s: specSchema \"%.*s\" is not known", KD_ARG(file->name),
                             KD_ARG(header.schema));
    if (header.schema_version.n && !kd_str_is(header.schema_version, "0.1"))
        return kd_fail_field(err, KD_INVALID, "$.schemaVersion", "%.*s: schemaVersion \"%.*s\" is not known, 0.1 is",
                             KD_ARG(file->name), KD_ARG(header.schema_version));
    struct co_found *found = KD_NEW(work->arena, struct co_found), **end = &lists[kind - co_kinds];
    if (!found)
        return kd_fail(err, KD_TOO_LARGE, 0, "the import needs more memory than allowed");
    while (*end)
        end = &(*end)->next;
    *found = (struct co_found){ kind, file, json, NULL };
    *end = found;
    return KD_OK;
}

static enum kd_code co_sort_file(struct co_work *work, const struct co_file *file, struct co_found **lists, struct kd_err *err)
{
    struct kd_strs documents;
    char name[256];
    (void)kd_str_copy(file->name, name, sizeof name);
    if (!co_is_yaml_name(file->name))
        return KD_OK;
    enum kd_code code = kd_yaml_read(file->bytes, name, KD_YAML_STRICT, work->arena, &documents, err);
    if (code != KD_OK && kd_str_find(file->bytes, KD_STR("specSchema")) < 0)
        return KD_OK; /* values may be what only Helm understands */
    for (size_t i = 0; i < documents.n && code == KD_OK; i++)
        code = co_sort_document(work, file, documents.v[i], lists, err);
    return code;
}

static struct kd_str co_folder(const struct co_file *file)
{
    return (struct kd_str){ file->path.p, file->path.n - file->name.n };
}

/** A values file beside the document that names it, else the only one of that name; *ret_many: there are several, and none beside it. */
static const struct co_file *co_values_file(const struct co_files *files, const struct co_file *document, struct kd_str wanted,
                                            bool *ret_many)
{
    const struct co_file *elsewhere = NULL;
    struct kd_str name = co_base_name(wanted);
    *ret_many = false;
    for (size_t i = 0; i < files->n && name.n; i++) {
        const struct co_file *file = &files->v[i];
        if (!kd_str_eq(file->name, name))
            continue;
        if (kd_str_eq(co_folder(file), co_folder(document)))
            return file;
        *ret_many |= elsewhere != NULL;
        elsewhere = file;
    }
    return *ret_many ? NULL : elsewhere;
}

/** A profile names a file of the same upload: its bytes become the profile's values. */
static enum kd_code co_fill_values(const struct co_files *files, const struct co_file *document,
                                   struct kd_catalog_application *application, struct kd_err *err)
{
    for (size_t i = 0; i < application->profiles.n; i++) {
        struct kd_catalog_profile *profile = &application->profiles.v[i];
        bool many = false;
        const struct co_file *file = co_values_file(files, document, profile->values_file_name, &many);
        if (many)
            return kd_fail_field(
                err, KD_INVALID, "$.profiles",
                "profile %.*s names the values file %.*s, which stands in several other folders: put it beside the "
                "document",
                KD_ARG(profile->name), KD_ARG(profile->values_file_name));
        if (profile->values_file_name.n && !file)
            return kd_fail_field(err, KD_INVALID, "$.profiles", "profile %.*s names the values file %.*s, which is not there",
                                 KD_ARG(profile->name), KD_ARG(profile->values_file_name));
        if (file && file->bytes.n > KD_VALUES_MAX)
            return kd_fail_field(err, KD_TOO_LARGE, "$.profiles", "values file %.*s has more than %d bytes", KD_ARG(file->name),
                                 KD_VALUES_MAX);
        if (file)
            profile->chart_values = file->bytes;
    }
    return KD_OK;
}

static void co_imported_add(const struct co_kind *kind, const union co_document *document, enum co_action action, bool first,
                            struct kd_buf *out)
{
    static const char *const words[] = { [CO_CREATED] = "created", [CO_UPDATED] = "updated", [CO_UNCHANGED] = "unchanged" };
    struct kd_str version = co_document_version(kind, document);
    kd_buf_printf(out, "%s{\"kind\":\"%s\",\"name\":\"%.*s\",", first ? "" : ",", kind->word,
                  KD_ARG(co_document_name(kind, document)));
    if (version.n)
        kd_buf_printf(out, "\"version\":\"%.*s\",", KD_ARG(version));
    kd_buf_printf(out, "\"action\":\"%s\"}", words[action]);
}

static enum kd_code co_import_one(struct co_work *work, const struct co_files *files, const struct co_found *found, bool first,
                                  struct kd_buf *out, struct kd_err *err)
{
    union co_document document;
    enum co_action action;
    enum kd_code code = kd_json_decode(found->kind->shape, found->json, work->arena, &document, err);
    if (code == KD_OK && found->kind->table == CO_APPLICATION)
        code = co_fill_values(files, found->file, &document.application, err);
    if (code == KD_OK)
        code = co_document_put(work, found->kind, &document, true, true, &action, err);
    if (code != KD_OK)
        return kd_wrap(err, "%.*s", KD_ARG(found->file->name));
    co_imported_add(found->kind, &document, action, first, out);
    return KD_OK;
}

static enum kd_code co_import_files(struct co_work *work, const struct co_files *files, struct kd_buf *out, struct kd_err *err)
{
    struct co_found **lists = kd_arena_alloc(work->arena, co_kind_count * sizeof *lists);
    enum kd_code code = lists ? KD_OK : kd_fail(err, KD_TOO_LARGE, 0, "the import needs more memory than allowed");
    for (size_t i = 0; i < files->n && code == KD_OK; i++)
        code = co_sort_file(work, &files->v[i], lists, err);
    size_t n = 0;
    for (size_t kind = 0; kind < co_kind_count && code == KD_OK; kind++)
        for (const struct co_found *found = lists[kind]; found && code == KD_OK; found = found->next)
            code = co_import_one(work, files, found, n++ == 0, out, err);
    if (code == KD_OK && n == 0)
        return kd_fail(err, KD_INVALID, 0, "there is no document with specSchema in what was uploaded");
    return code;
}

enum kd_code co_import(struct co_work *work, struct kd_str bytes, struct kd_buf *out, struct kd_err *err)
{
    struct co_files *files = calloc(1, sizeof *files);
    if (!files)
        return kd_fail(err, KD_INTERNAL, 0, "out of memory");
    files->memory = (struct kd_arena)KD_ARENA(CO_FILES_BYTES);
    enum kd_code code = co_is_gzip(bytes) ? co_archive_read(bytes, files, err)
                                          : co_file_add(files, KD_STR("upload.yaml"), bytes, err);
    kd_buf_add_char(out, '[');
    if (code == KD_OK)
        code = co_import_files(work, files, out, err);
    kd_buf_add_char(out, ']');
    kd_arena_clear(&files->memory);
    free(files);
    return code;
}
