/** The kinds of things that operators name. */
#include "coordinator/cli/kinds.h"

#include "coordinator/cli/labels.h"
#include "coordinator/cli/suggest.h"
#include "shared/base/own.h"
#include "shared/model/name.h"

/* ---- cells ---- */

struct kd_str ct_age_text(struct kd_str time, struct kd_wall now, struct kd_arena *arena)
{
    struct kd_wall then;
    char text[16];
    if (!kd_wall_parse(time, &then))
        return time;
    int64_t ms = now.unix_ms - then.unix_ms;
    kd_duration_text((ms > 0 ? ms : 0) * 1000, text);
    return kd_arena_printf(arena, "%s ago", text);
}

struct kd_str ct_deployment_state(const struct ct_view *view, struct kd_arena *arena)
{
    struct kd_str state = view->status.state.n ? view->status.state : KD_STR("unknown");
    if (view->status.summary.offline)
        return kd_arena_printf(arena, "%.*s (%llu offline)", KD_ARG(state), (unsigned long long)view->status.summary.offline);
    return state;
}

struct kd_str ct_summary_text(const struct ct_summary *s, struct kd_arena *arena)
{
    const struct {
        const char *word;
        uint64_t count;
    } rows[] = { { "deploying", s->deploying },
                 { "updating", s->updating },
                 { "down", s->down },
                 { "error", s->error },
                 { "unknown", s->unknown } };
    KD_AUTO(kd_buf_clear) struct kd_buf text = KD_BUF(256);
    kd_buf_printf(&text, "%llu/%llu", (unsigned long long)s->running, (unsigned long long)s->total);
    for (size_t i = 0; i < KD_COUNT(rows); i++)
        if (rows[i].count)
            kd_buf_printf(&text, ", %llu %s", (unsigned long long)rows[i].count, rows[i].word);
    return kd_arena_copy(arena, kd_buf_str(&text));
}

static struct kd_str ct_count_text(uint64_t count, struct kd_arena *arena)
{
    return kd_arena_printf(arena, "%llu", (unsigned long long)count);
}

static struct kd_str ct_bytes_text(uint64_t bytes, struct kd_arena *arena)
{
    if (bytes < 10 * 1024)
        return kd_arena_printf(arena, "%lluB", (unsigned long long)bytes);
    if (bytes < 10 * 1024 * 1024)
        return kd_arena_printf(arena, "%lluKi", (unsigned long long)(bytes >> 10));
    return kd_arena_printf(arena, "%lluMi", (unsigned long long)(bytes >> 20));
}

static struct kd_str ct_none_if_empty(struct kd_str text)
{
    return text.n ? text : KD_STR("-");
}

/** What an operator should look at: why a deployment waits, why a cluster is not all right. */
struct kd_str ct_deployment_note(const struct ct_view *view, struct kd_arena *arena)
{
    const struct ct_view_status *s = &view->status;
    if (s->waiting.n)
        return kd_arena_printf(arena, "waits: %.*s", KD_ARG(s->waiting));
    if (s->waiting_for.n)
        return kd_arena_printf(arena, "waits for %.*s%s", KD_ARG(s->waiting_for.v[0]), s->waiting_for.n > 1 ? " and others" : "");
    if (kd_str_is(s->state, "no-target-clusters"))
        return KD_STR("no cluster is its target: compare 'kedge get clusters'");
    if (view->hold)
        return KD_STR("on hold after a restore: kedge resume");
    return s->message;
}

static struct kd_str ct_cluster_note(const struct ct_view *view, struct kd_arena *arena)
{
    const struct ct_view_status *s = &view->status;
    if (s->ahead)
        return KD_STR("ahead of the coordinator: kedge-coordinator new-epoch");
    if (s->duplicate)
        return KD_STR("two agents under this name");
    if (s->enrolment_differs)
        return KD_STR("enrolment differs: kedge adopt");
    if (s->refused.n)
        return kd_arena_printf(arena, "refused its manifest: %.*s", KD_ARG(s->refused));
    return view->leave ? KD_STR("leaving") : KD_STR("");
}

/* ---- kinds ---- */

static void ct_fill_deployment(const struct ct_view *v, struct kd_wall now, struct kd_arena *arena, struct ct_cell *cells)
{
    struct kd_str state = ct_deployment_state(v, arena);
    cells[0].text = v->name;
    cells[1].text = kd_arena_printf(arena, "%.*s:%.*s", KD_ARG(v->package.name), KD_ARG(v->package.version));
    cells[2] = (struct ct_cell){ state, ct_paint_of_state(state) };
    cells[3].text = ct_summary_text(&v->status.summary, arena);
    cells[4].text = ct_age_text(v->create_time, now, arena);
    cells[5].text = ct_deployment_note(v, arena);
    cells[6].text = ct_none_if_empty(v->profile);
    cells[7].text = v->uid;
}

static void ct_fill_cluster(const struct ct_view *v, struct kd_wall now, struct kd_arena *arena, struct ct_cell *cells)
{
    cells[0].text = v->name;
    cells[1] = (struct ct_cell){ v->status.state, ct_paint_of_state(v->status.state) };
    cells[2].text = ct_none_if_empty(ct_age_text(v->status.last_seen, now, arena));
    cells[3].text = ct_count_text(v->status.deployments, arena);
    cells[4].text = ct_none_if_empty(ct_labels_text(&v->labels, arena));
    cells[5].text = ct_cluster_note(v, arena);
    cells[6].text = ct_none_if_empty(v->status.runtime);
    cells[7].text = ct_none_if_empty(v->status.agent_version);
    cells[8].text = ct_count_text(v->status.orphans, arena);
    cells[9].text = v->uid;
}

static void ct_fill_package(const struct ct_view *v, struct kd_wall now, struct kd_arena *arena, struct ct_cell *cells)
{
    cells[0].text = v->name;
    cells[1].text = v->version;
    cells[2].text = ct_count_text(v->applications.n, arena);
    cells[3].text = v->is_deployed ? KD_STR("yes") : KD_STR("no");
    cells[4].text = ct_age_text(v->create_time, now, arena);
    cells[5].text = v->display_name;
    cells[6].text = v->description;
}

static void ct_fill_application(const struct ct_view *v, struct kd_wall now, struct kd_arena *arena, struct ct_cell *cells)
{
    cells[0].text = v->name;
    cells[1].text = v->version;
    cells[2].text = kd_arena_printf(arena, "%.*s:%.*s", KD_ARG(v->chart_name), KD_ARG(v->chart_version));
    cells[3].text = v->helm_registry;
    cells[4].text = ct_age_text(v->create_time, now, arena);
    cells[5].text = v->display_name;
    cells[6].text = v->description;
}

static void ct_fill_registry(const struct ct_view *v, struct kd_wall now, struct kd_arena *arena, struct ct_cell *cells)
{
    cells[0].text = v->name;
    cells[1].text = ct_none_if_empty(v->type);
    cells[2].text = v->root_url;
    cells[3].text = ct_age_text(v->create_time, now, arena);
    cells[4].text = v->display_name;
}

static void ct_fill_artifact(const struct ct_view *v, struct kd_wall now, struct kd_arena *arena, struct ct_cell *cells)
{
    cells[0].text = v->name;
    cells[1].text = v->mime_type;
    cells[2].text = ct_bytes_text(v->content.size, arena);
    cells[3].text = ct_age_text(v->create_time, now, arena);
    cells[4].text = v->display_name;
}

static void ct_fill_orphan(const struct ct_view *v, struct kd_wall now, struct kd_arena *arena, struct ct_cell *cells)
{
    (void)now, (void)arena;
    cells[0].text = v->cluster;
    cells[1].text = v->deployment;
    cells[2] = (struct ct_cell){ v->state, ct_paint_of_state(v->state) };
    cells[3].text = v->uid;
}

static const char *const ct_deployment_headers[] = { "NAME", "PACKAGE", "STATE", "CLUSTERS", "AGE", "NOTE", "PROFILE", "UID" };
static const char *const ct_cluster_headers[] = { "NAME", "STATE",   "LAST SEEN", "DEPLOYMENTS", "LABELS",
                                                  "NOTE", "RUNTIME", "AGENT",     "ORPHANS",     "UID" };
static const char *const ct_package_headers[] = { "NAME", "VERSION",      "APPLICATIONS", "DEPLOYED",
                                                  "AGE",  "DISPLAY NAME", "DESCRIPTION" };
static const char *const ct_application_headers[] = {
    "NAME", "VERSION", "CHART", "REGISTRY", "AGE", "DISPLAY NAME", "DESCRIPTION"
};
static const char *const ct_registry_headers[] = { "NAME", "TYPE", "URL", "AGE", "DISPLAY NAME" };
static const char *const ct_artifact_headers[] = { "NAME", "TYPE", "SIZE", "AGE", "DISPLAY NAME" };
static const char *const ct_orphan_headers[] = { "CLUSTER", "DEPLOYMENT", "STATE", "UID" };

#define CT_TABLE(list, narrow) .headers = (list), .columns = (narrow), .wide_columns = KD_COUNT(list)
const struct ct_kind ct_kinds[] = {
    { "deployment", "deployments", "dep", "Deployment", .fill = ct_fill_deployment, CT_TABLE(ct_deployment_headers, 6) },
    { "cluster", "clusters", "cl", "Cluster", .fill = ct_fill_cluster, CT_TABLE(ct_cluster_headers, 6) },
    { "package", "packages", "pkg", "DeploymentPackage", .is_versioned = true, .fill = ct_fill_package,
      CT_TABLE(ct_package_headers, 5) },
    { "application", "applications", "app", "Application", .is_versioned = true, .fill = ct_fill_application,
      CT_TABLE(ct_application_headers, 5) },
    { "registry", "registries", "reg", "Registry", .fill = ct_fill_registry, CT_TABLE(ct_registry_headers, 4) },
    { "artifact", "artifacts", "art", "Artifact", .fill = ct_fill_artifact, CT_TABLE(ct_artifact_headers, 4) },
    { "orphan", "orphans", NULL, NULL, .is_listed_only = true, .fill = ct_fill_orphan, CT_TABLE(ct_orphan_headers, 4) },
};
const size_t ct_kind_count = KD_COUNT(ct_kinds);

const struct ct_kind *ct_kind_of(struct kd_str word)
{
    for (size_t i = 0; i < ct_kind_count; i++) {
        const struct ct_kind *kind = &ct_kinds[i];
        if (kd_str_is(word, kind->name) || kd_str_is(word, kind->plural) || (kind->shorter && kd_str_is(word, kind->shorter)))
            return kind;
    }
    return NULL;
}

const struct ct_kind *ct_kind_of_schema(struct kd_str schema)
{
    if (kd_str_is(schema, "Deployment-Package"))
        schema = KD_STR("DeploymentPackage");
    for (size_t i = 0; i < ct_kind_count; i++)
        if (ct_kinds[i].schema && kd_str_is(schema, ct_kinds[i].schema))
            return &ct_kinds[i];
    return NULL;
}

enum kd_code ct_kind_parse(struct kd_str word, const struct ct_kind **ret, struct kd_err *err)
{
    *ret = ct_kind_of(word);
    if (*ret)
        return KD_OK;
    struct ct_suggestion suggestion = { .typed = word };
    KD_AUTO(kd_buf_clear) struct kd_buf all = KD_BUF(256);
    for (size_t i = 0; i < ct_kind_count; i++) {
        ct_suggest(&suggestion, kd_str(ct_kinds[i].name));
        ct_suggest(&suggestion, kd_str(ct_kinds[i].plural));
        kd_buf_printf(&all, "%s%s", i ? ", " : "", ct_kinds[i].plural);
    }
    if (suggestion.best.p)
        return kd_fail(err, KD_INVALID, 0, "there is no kind '%.*s': did you mean %.*s?", KD_ARG(word), KD_ARG(suggestion.best));
    return kd_fail(err, KD_INVALID, 0, "there is no kind '%.*s'; kinds are %.*s", KD_ARG(word), KD_ARG(kd_buf_str(&all)));
}

enum kd_code ct_name_parse(const struct ct_kind *kind, struct kd_str text, bool needs_version, struct ct_name *ret,
                           struct kd_err *err)
{
    struct kd_str version = text, name = kd_str_cut(&version, ':');
    bool has_version = name.n < text.n;
    if (!kd_is_name(name))
        return kd_fail(err, KD_INVALID, 0, "name '%.*s' %s", KD_ARG(name), KD_NAME_RULE);
    if (has_version && !kind->is_versioned)
        return kd_fail(err, KD_INVALID, 0, "'%.*s': a %s has no version, give its name alone", KD_ARG(text), kind->name);
    if (has_version && !kd_is_version(version))
        return kd_fail(err, KD_INVALID, 0, "version '%.*s' %s", KD_ARG(version), KD_VERSION_RULE);
    if (!has_version && needs_version && kind->is_versioned)
        return kd_fail(err, KD_INVALID, 0, "say which version of '%.*s': %.*s:VERSION ('kedge get %s' lists them)", KD_ARG(name),
                       KD_ARG(name), kind->plural);
    *ret = (struct ct_name){ name, version };
    return KD_OK;
}

struct kd_str ct_name_text(const struct ct_kind *kind, const struct ct_view *view, struct kd_arena *arena)
{
    return kind->is_versioned ? kd_arena_printf(arena, "%.*s:%.*s", KD_ARG(view->name), KD_ARG(view->version)) : view->name;
}

void ct_kind_table(const struct ct_kind *kind, const struct ct_views *views, bool is_wide, struct kd_wall now,
                   struct kd_arena *arena, struct ct_table *ret)
{
    ct_table_begin(ret, arena, kind->headers, is_wide ? kind->wide_columns : kind->columns);
    for (size_t i = 0; i < views->n; i++) {
        struct ct_row *row = ct_table_row(ret);
        if (row)
            kind->fill(&views->v[i], now, arena, row->cells);
    }
}
