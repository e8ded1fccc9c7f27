/** Plans: the entry, and the printer. */
#include "agent/workload/plan.h"

#include "agent/workload/pod.h"
#include "agent/workload/workload.h"
#include "shared/base/own.h"
#include "shared/model/json.h"

#include <inttypes.h>

static void ag_plan_check_context(struct ag_build *b)
{
    const struct ag_plan_context *c = b->context;
    const struct kd_str names[] = { c->project, c->deployment, c->app, c->namespace, c->release };
    for (size_t i = 0; i < KD_COUNT(names); i++)
        if (!ag_is_object_name(names[i]))
            ag_build_fail(b, KD_INVALID, c->app, "'%.*s' cannot be part of a name in Podman", KD_ARG(names[i]));
    if (!kd_str_starts(c->files_dir, KD_STR("/")))
        ag_build_fail(b, KD_INVALID, c->app, "the directory for files must be absolute");
}

static void ag_plan_pods(struct ag_build *b, const struct ag_workload *workload)
{
    struct ag_pods *list = workload->object->hooks ? &b->plan->hooks : &b->plan->pods;
    for (uint64_t i = 0; i < workload->replicas && b->code == KD_OK; i++) {
        struct ag_pod pod;
        ag_pod_make(b, workload, i, &pod);
        struct ag_pod *at = ag_build_push(b, list, sizeof *at);
        if (at)
            *at = pod;
    }
}

static void ag_plan_workloads(struct ag_build *b)
{
    struct ag_workloads workloads = { NULL, 0 };
    for (size_t i = 0; i < b->objects.n && b->code == KD_OK; i++) {
        if (b->objects.v[i].kind->role != AG_ROLE_WORKLOAD)
            continue;
        struct ag_workload *at = ag_build_push(b, &workloads, sizeof *at);
        if (at)
            ag_workload_read(b, &b->objects.v[i], at);
    }
    ag_services_check(b, &workloads);
    for (size_t i = 0; i < workloads.n && b->code == KD_OK; i++)
        ag_plan_pods(b, &workloads.v[i]);
}

enum kd_code ag_plan_make(const struct ag_plan_context *context, struct kd_strs documents, struct kd_arena *arena,
                          struct ag_plan *ret, struct kd_err *err)
{
    struct ag_plan plan = { 0 };
    KD_AUTO(ag_build_clear) struct ag_build b = { .context = context, .arena = arena, .err = err, .plan = &plan };
    plan.network = ag_build_printf(&b, "kedge-%.*s", KD_ARG(context->project));
    plan.files_dir = ag_build_printf(&b, "%.*s/%.*s/%.*s/%.*s", KD_ARG(context->files_dir), KD_ARG(context->project),
                                     KD_ARG(context->deployment), KD_ARG(context->app));
    ag_plan_check_context(&b);
    if (b.code == KD_OK)
        ag_objects_read(&b, documents);
    if (b.code == KD_OK)
        ag_plan_workloads(&b);
    if (b.code == KD_OK)
        *ret = plan;
    return b.code;
}

static void ag_print_text(struct kd_buf *out, const char *name, struct kd_str text)
{
    ag_body_key(out, name);
    kd_json_add_text(out, text);
}

static void ag_print_count(struct kd_buf *out, const char *name, uint64_t count)
{
    ag_body_key(out, name);
    kd_buf_printf(out, "%" PRIu64, count);
}

static void ag_print_item(struct kd_buf *out)
{
    kd_buf_add(out, out->n && out->p[out->n - 1] == '[' ? KD_STR("{") : KD_STR(",{"));
}

static void ag_print_probe(const struct ag_probe *probe, struct kd_buf *out)
{
    ag_print_item(out);
    if (probe->there) {
        ag_print_text(out, "scheme", probe->scheme);
        ag_print_text(out, "path", probe->path);
        ag_print_text(out, "host", probe->host);
        ag_print_text(out, "service", probe->service);
        ag_print_count(out, "grpc", probe->grpc);
        ag_print_count(out, "port", probe->port);
        ag_print_text(out, "exec", probe->exec.n ? probe->exec.v[probe->exec.n - 1] : KD_STR(""));
        kd_buf_printf(out, ",\"times\":\"%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\"", probe->delay_s,
                      probe->period_s, probe->timeout_s, probe->successes, probe->failures);
    }
    kd_buf_add_char(out, '}');
}

static void ag_print_containers(const struct ag_containers *list, const char *name, struct kd_buf *out)
{
    ag_body_key(out, name);
    kd_buf_add_char(out, '[');
    for (size_t i = 0; i < list->n; i++) {
        const struct ag_container *one = &list->v[i];
        ag_print_item(out);
        ag_print_text(out, "title", one->title);
        ag_print_text(out, "image", one->image);
        ag_print_text(out, "pull", one->always_pull ? KD_STR("always") : one->never_pull ? KD_STR("never") : KD_STR("missing"));
        ag_body_key(out, "body");
        kd_buf_add(out, one->body);
        ag_body_key(out, "probes");
        kd_buf_add_char(out, '[');
        for (int probe = 0; probe < AG_PROBE_KIND_COUNT; probe++)
            ag_print_probe(&one->probes[probe], out);
        kd_buf_add(out, KD_STR("]}"));
    }
    kd_buf_add_char(out, ']');
}

static void ag_print_directories(const struct ag_pod *pod, struct kd_buf *out)
{
    ag_body_key(out, "directories");
    kd_buf_add_char(out, '[');
    for (size_t i = 0; i < pod->directories.n; i++) {
        const struct ag_directory *dir = &pod->directories.v[i];
        ag_print_item(out);
        ag_print_text(out, "path", dir->path);
        kd_buf_printf(out, ",\"mode\":\"%o\",\"group\":%" PRId64 ",\"files\":[", dir->mode, dir->group);
        for (size_t f = 0; f < dir->files.n; f++) {
            ag_print_item(out);
            ag_print_text(out, "path", dir->files.v[f].path);
            kd_buf_printf(out, ",\"mode\":\"%o\",\"bytes\":%zu}", dir->files.v[f].mode, dir->files.v[f].content.n);
        }
        kd_buf_add(out, KD_STR("]}"));
    }
    kd_buf_add_char(out, ']');
}

static void ag_print_pod(const struct ag_pod *pod, struct kd_buf *out)
{
    ag_print_item(out);
    ag_print_text(out, "object", pod->object);
    ag_print_count(out, "ordinal", pod->ordinal);
    ag_print_text(out, "hash", pod->hash);
    ag_print_count(out, "restart", pod->restart);
    ag_print_count(out, "job", pod->job);
    ag_print_count(out, "backoff", pod->backoff_limit);
    ag_print_count(out, "surge", pod->surge);
    ag_print_count(out, "grace", pod->grace_s);
    ag_print_count(out, "hooks", pod->hooks);
    if (pod->body.n) {
        ag_body_key(out, "body");
        kd_buf_add(out, pod->body);
    }
    ag_print_containers(&pod->inits, "inits", out);
    ag_print_containers(&pod->mains, "mains", out);
    ag_print_directories(pod, out);
    kd_buf_add_char(out, '}');
}

static void ag_print_pods(const struct ag_pods *pods, const char *name, struct kd_buf *out)
{
    ag_body_key(out, name);
    kd_buf_add_char(out, '[');
    for (size_t i = 0; i < pods->n; i++)
        ag_print_pod(&pods->v[i], out);
    kd_buf_add_char(out, ']');
}

void ag_plan_print(const struct ag_plan *plan, struct kd_buf *out)
{
    kd_buf_add_char(out, '{');
    ag_print_text(out, "network", plan->network);
    ag_print_pods(&plan->pods, "pods", out);
    ag_print_pods(&plan->hooks, "hooks", out);
    kd_buf_add(out, KD_STR(",\"volumes\":["));
    for (size_t i = 0; i < plan->volumes.n; i++) {
        kd_buf_add(out, i ? KD_STR(",") : KD_STR(""));
        kd_buf_add(out, plan->volumes.v[i].body);
    }
    kd_buf_add(out, KD_STR("],\"skipped\":["));
    for (size_t i = 0; i < plan->skipped.n; i++) {
        ag_print_item(out);
        ag_print_text(out, "kind", plan->skipped.v[i].kind);
        ag_print_text(out, "name", plan->skipped.v[i].name);
        ag_print_text(out, "reason", plan->skipped.v[i].reason);
        kd_buf_add_char(out, '}');
    }
    kd_buf_add(out, KD_STR("]}"));
}
