/** Any bytes as a rendered chart: a refusal names its reason; a plan asks for nothing outside its own directory, is JSON where it says
 *  so, and is the same when it is made again. */
#include "agent/workload/plan.h"
#include "shared/base/own.h"
#include "shared/model/json.h"
#include "shared/model/yaml.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ag_plan_context context = {
    .project = KD_STR_INIT("p"),
    .deployment = KD_STR_INIT("dep"),
    .uid = KD_STR_INIT("u1"),
    .app = KD_STR_INIT("app"),
    .namespace = KD_STR_INIT("ns"),
    .release = KD_STR_INIT("rel"),
    .node = KD_STR_INIT("edge"),
    .files_dir = KD_STR_INIT("/files"),
    .default_registry = KD_STR_INIT("registry:5000"),
};

static void check_json(struct kd_str text)
{
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(1 << 24);
    assert(kd_json_compact(text, "$", &out, NULL) == KD_OK);
}

static void check_containers(const struct ag_containers *containers)
{
    for (size_t i = 0; i < containers->n; i++) {
        const struct ag_container *one = &containers->v[i];
        assert(one->name.n > 0 && one->name.n <= AG_PODMAN_NAME_MAX && one->image.n > 0);
        check_json(one->body);
    }
}

/** No path leads out of the directory of this application. */
static void check_directory(const struct ag_directory *directory)
{
    assert(kd_str_starts(directory->path, KD_STR("/files/")) && kd_str_find(directory->path, KD_STR("/../")) < 0);
    for (size_t i = 0; i < directory->files.n; i++) {
        struct kd_str rest = directory->files.v[i].path;
        assert(rest.n > 0 && rest.p[0] != '/');
        while (rest.n) {
            struct kd_str level = kd_str_cut(&rest, '/');
            assert(level.n > 0 && !kd_str_is(level, "..") && !kd_str_is(level, ".") && !memchr(level.p, '\0', level.n));
        }
    }
}

static void check_pods(const struct ag_pods *pods)
{
    for (size_t i = 0; i < pods->n; i++) {
        const struct ag_pod *pod = &pods->v[i];
        assert(pod->name.n <= AG_PODMAN_NAME_MAX && pod->hash.n == AG_HASH_TEXT && pod->mains.n > 0);
        if (pod->body.n)
            check_json(pod->body);
        check_containers(&pod->inits);
        check_containers(&pod->mains);
        for (size_t k = 0; k < pod->directories.n; k++)
            check_directory(&pod->directories.v[k]);
    }
}

/** Prints the plan that is made of the documents; false where there is none. */
static bool plan_print(struct kd_strs documents, struct kd_buf *out)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_PLAN_ARENA_BYTES);
    struct ag_plan plan;
    struct kd_err err = { 0 };
    if (ag_plan_make(&context, documents, &arena, &plan, &err) != KD_OK) {
        assert(err.story[0] != '\0');
        return false;
    }
    check_pods(&plan.pods);
    check_pods(&plan.hooks);
    ag_plan_print(&plan, out);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(1 << 24);
    KD_AUTO(kd_buf_clear) struct kd_buf first = KD_BUF(1 << 26), again = KD_BUF(1 << 26);
    struct kd_strs documents = { 0 };
    struct kd_str text = { (const char *)data, size };
    if (kd_yaml_read(text, "rendering", KD_YAML_LAST_WINS, &arena, &documents, NULL) != KD_OK || !plan_print(documents, &first))
        return 0;
    assert(plan_print(documents, &again));
    assert(kd_str_eq(kd_buf_str(&first), kd_buf_str(&again)));
    return 0;
}
