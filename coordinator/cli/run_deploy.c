/** kedge deploy, kedge upgrade. */
#include <stdio.h>

#include "coordinator/cli/documents.h"
#include "coordinator/cli/labels.h"
#include "coordinator/cli/runs.h"
#include "coordinator/cli/sets.h"
#include "coordinator/cli/status.h"
#include "coordinator/cli/versions.h"
#include "shared/base/own.h"
#include "shared/model/catalog.h"
#include "shared/model/messages.h"
#include "shared/model/name.h"
#include "shared/model/yaml.h"

/* ---- what the flags say ---- */

static enum kd_code ct_add_cluster_targets(struct kd_str names, struct kd_deployment *deployment, struct kd_err *err)
{
    while (names.n) {
        struct kd_str name = kd_str_trim(kd_str_cut(&names, ','));
        if (!kd_is_name(name))
            return kd_fail(err, KD_INVALID, 0, "cluster '%.*s' %s", KD_ARG(name), KD_NAME_RULE);
        if (deployment->targets.n == KD_TARGETS_MAX)
            return kd_fail(err, KD_INVALID, 0, "more than %d targets: use labels", KD_TARGETS_MAX);
        deployment->targets.v[deployment->targets.n++] = (struct kd_target){ .cluster = name };
    }
    return KD_OK;
}

/** Each -l is a target of its own; several are "or". */
static enum kd_code ct_read_targets(struct ct_call *call, struct kd_deployment *deployment, struct kd_err *err)
{
    const struct kd_strs *labels = &call->args.values[CT_FLAG_SELECTOR], *clusters = &call->args.values[CT_FLAG_CLUSTER];
    enum kd_code code = KD_OK;
    deployment->targets.v = kd_arena_alloc(call->arena, KD_TARGETS_MAX * sizeof(*deployment->targets.v));
    if (deployment->targets.v == NULL)
        return kd_fail(err, KD_INTERNAL, 0, "no memory");
    for (size_t i = 0; i < labels->n && code == KD_OK; i++) {
        struct kd_target *target = &deployment->targets.v[deployment->targets.n++];
        code = ct_labels_parse(labels->v[i], call->arena, &target->labels, err);
    }
    for (size_t i = 0; i < clusters->n && code == KD_OK; i++)
        code = ct_add_cluster_targets(clusters->v[i], deployment, err);
    return code;
}

/** --values app=FILE */
static enum kd_code ct_read_values_file(struct ct_call *call, struct kd_str argument, struct ct_sets *sets, struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf text = KD_BUF(CT_FILE_MAX);
    struct kd_str path = argument, app = kd_str_cut(&path, '=');
    struct kd_strs documents = { 0 };
    if (app.n == argument.n || !kd_is_app_name(app) || path.n == 0)
        return kd_fail(err, KD_INVALID, 0, "--values %.*s: it must look like app=FILE", KD_ARG(argument));
    enum kd_code code = ct_file_read(path, &text, err);
    code = code ? code
                : kd_yaml_read(kd_buf_str(&text), kd_arena_copy(call->arena, path).p, KD_YAML_LAST_WINS, call->arena, &documents,
                               err);
    if (code == KD_OK && documents.n > 1)
        return kd_fail(err, KD_INVALID, 0, "%.*s: more than one document", KD_ARG(path));
    return code || documents.n == 0 ? code : ct_sets_merge(sets, app, documents.v[0], err);
}

/** Files first, then single values, as Helm does. */
static enum kd_code ct_read_values(struct ct_call *call, struct ct_sets *sets, struct kd_err *err)
{
    const struct kd_strs *files = &call->args.values[CT_FLAG_VALUES], *set = &call->args.values[CT_FLAG_SET];
    const struct kd_strs *texts = &call->args.values[CT_FLAG_SET_STRING];
    enum kd_code code = KD_OK;
    for (size_t i = 0; i < files->n && code == KD_OK; i++)
        code = ct_read_values_file(call, files->v[i], sets, err);
    for (size_t i = 0; i < set->n && code == KD_OK; i++)
        code = ct_sets_assign(sets, set->v[i], false, err);
    for (size_t i = 0; i < texts->n && code == KD_OK; i++)
        code = ct_sets_assign(sets, texts->v[i], true, err);
    return code;
}

/** The override of an application, made where there is none. NULL: too many. */
static struct kd_override *ct_override_of(struct kd_deployment *deployment, struct kd_str app)
{
    for (size_t i = 0; i < deployment->overrides.n; i++)
        if (kd_str_eq(deployment->overrides.v[i].app, app))
            return &deployment->overrides.v[i];
    if (deployment->overrides.n == KD_PACKAGE_APPS_MAX)
        return NULL;
    struct kd_override *one = &deployment->overrides.v[deployment->overrides.n++];
    *one = (struct kd_override){ .app = app };
    return one;
}

static enum kd_code ct_read_namespaces(struct ct_call *call, struct kd_deployment *deployment, struct kd_err *err)
{
    const struct kd_strs *given = &call->args.values[CT_FLAG_NAMESPACE];
    for (size_t i = 0; i < given->n; i++) {
        struct kd_str namespace = given->v[i], app = kd_str_cut(&namespace, '=');
        struct kd_override *one = kd_is_app_name(app) && kd_is_name(namespace) ? ct_override_of(deployment, app) : NULL;
        if (one == NULL)
            return kd_fail(err, KD_INVALID, 0, "--namespace %.*s: it must look like app=namespace", KD_ARG(given->v[i]));
        one->namespace = namespace;
    }
    return KD_OK;
}

/** Lays what the flags say over what the deployment has. */
static enum kd_code ct_read_overrides(struct ct_call *call, struct kd_deployment *deployment, struct kd_err *err)
{
    KD_AUTO(ct_sets_closep) struct ct_sets *sets = ct_sets_open();
    struct kd_override *before = deployment->overrides.v;
    size_t count = deployment->overrides.n;
    deployment->overrides.v = kd_arena_alloc(call->arena, KD_PACKAGE_APPS_MAX * sizeof(*before));
    if (sets == NULL || deployment->overrides.v == NULL || count > KD_PACKAGE_APPS_MAX)
        return kd_fail(err, KD_INTERNAL, 0, "no memory");
    if (count)
        memcpy(deployment->overrides.v, before, count * sizeof(*before));
    enum kd_code code = KD_OK;
    for (size_t i = 0; i < count && code == KD_OK; i++)
        if (before[i].values.n)
            code = ct_sets_merge(sets, before[i].app, before[i].values, err);
    code = code ? code : ct_read_values(call, sets, err);
    struct kd_str app, json;
    for (size_t i = 0; code == KD_OK && ct_sets_get(sets, i, call->arena, &app, &json); i++) {
        struct kd_override *one = ct_override_of(deployment, kd_arena_copy(call->arena, app));
        if (one == NULL || json.p == NULL)
            return kd_fail(err, KD_TOO_LARGE, 0, "too many or too large values");
        one->values = json;
    }
    return code ? code : ct_read_namespaces(call, deployment, err);
}

/* ---- which package ---- */

/** The newest version of a package. */
static enum kd_code ct_newest(struct ct_call *call, struct kd_str name, struct kd_str *ret, struct kd_err *err)
{
    struct ct_views views;
    struct kd_str filter = kd_arena_printf(call->arena, "name=%.*s", KD_ARG(name));
    const struct kd_pair members[] = { { KD_STR("filter"), filter } };
    enum kd_code code = ct_list(call, "package", "list", ct_object(call->arena, members, 1), call->arena, &views, err);
    if (code != KD_OK)
        return code;
    struct kd_str newest = { NULL, 0 };
    for (size_t i = 0; i < views.n; i++)
        if (kd_str_eq(views.v[i].name, name) && (newest.p == NULL || ct_version_cmp(views.v[i].version, newest) > 0))
            newest = views.v[i].version;
    *ret = newest;
    return newest.p ? KD_OK
                    : kd_fail(err, KD_NOT_FOUND, 0, "there is no package '%.*s': 'kedge import' brings packages in", KD_ARG(name));
}

static enum kd_code ct_send_deployment(struct ct_call *call, const char *verb, const struct kd_deployment *deployment,
                                       struct ct_view *ret, struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf body = KD_BUF(KD_PAYLOAD_MAX);
    struct kd_str json;
    kd_json_encode(&kd_deployment_shape, deployment, &body);
    if (body.overflow)
        return kd_fail(err, KD_TOO_LARGE, 0, "the deployment with its values is larger than %d bytes", KD_PAYLOAD_MAX);
    enum kd_code code = ct_request(call, "deployment", verb, kd_buf_str(&body), call->arena, &json, err);
    return code ? code : kd_json_decode(&ct_view_shape, json, call->arena, ret, err);
}

static enum ct_exit ct_say(const struct ct_call *call, const char *fmt, struct kd_str name, struct kd_str version)
{
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(1024);
    kd_buf_printf(&out, fmt, KD_ARG(name), KD_ARG(version));
    return ct_print(call, &out);
}

/* ---- deploy ---- */

/** Everything that can be wrong without asking the coordinator. */
static enum kd_code ct_deploy_read(struct ct_call *call, struct kd_deployment *ret, struct kd_err *err)
{
    struct ct_name package;
    enum kd_code code = ct_name_parse(ct_kind_of(KD_STR("package")), ct_word(call, 0), false, &package, err);
    if (code != KD_OK)
        return code;
    ret->package = (struct kd_application_reference){ package.name, package.version };
    ret->name = ct_given(call, CT_FLAG_NAME) ? ct_text(call, CT_FLAG_NAME) : package.name;
    ret->profile = ct_text(call, CT_FLAG_PROFILE);
    if (!kd_is_name(ret->name))
        return kd_fail(err, KD_INVALID, 0, "--name '%.*s' %s", KD_ARG(ret->name), KD_NAME_RULE);
    if (!ct_given(call, CT_FLAG_SELECTOR) && !ct_given(call, CT_FLAG_CLUSTER))
        return kd_fail(err, KD_INVALID, 0, "say where: -l key=value for all clusters with that label, or --cluster NAME");
    code = ct_read_targets(call, ret, err);
    return code ? code : ct_read_overrides(call, ret, err);
}

/** With --adopt an existing deployment is no mistake: then only the orphans are taken over. */
static enum kd_code ct_deploy_create(struct ct_call *call, struct kd_deployment *deployment, bool *ret_created, struct kd_err *err)
{
    struct ct_view view;
    enum kd_code code = KD_OK;
    if (deployment->package.version.n == 0)
        code = ct_newest(call, deployment->package.name, &deployment->package.version, err);
    code = code ? code : ct_send_deployment(call, "create", deployment, &view, err);
    *ret_created = code == KD_OK;
    return code == KD_EXISTS && ct_given(call, CT_FLAG_ADOPT) ? KD_OK : code;
}

static enum kd_code ct_deploy_adopt(struct ct_call *call, struct kd_str name, struct kd_err *err)
{
    const struct kd_pair members[] = { { KD_STR("name"), name } };
    struct kd_str json;
    return ct_request(call, "deployment", "adopt", ct_object(call->arena, members, 1), call->arena, &json, err);
}

enum ct_exit ct_run_deploy(struct ct_call *call)
{
    struct kd_deployment deployment = { 0 };
    struct kd_err err = { 0 };
    bool is_created = false;
    if (ct_deploy_read(call, &deployment, &err) != KD_OK)
        return ct_usage(call, &err);
    enum kd_code code = ct_deploy_create(call, &deployment, &is_created, &err);
    if (code == KD_OK && ct_given(call, CT_FLAG_ADOPT))
        code = ct_deploy_adopt(call, deployment.name, &err);
    if (code != KD_OK)
        return ct_fail(call, &err);
    enum ct_exit exit_code = is_created
                                 ? ct_say(call, "deployment/%.*s created (%.*s)\n", deployment.name, deployment.package.version)
                                 : CT_EXIT_OK;
    if (exit_code == CT_EXIT_OK && ct_given(call, CT_FLAG_ADOPT))
        exit_code = ct_say(call, "deployment/%.*s takes over the orphans of its name%.*s\n", deployment.name, KD_STR(""));
    if (exit_code != CT_EXIT_OK || !ct_given(call, CT_FLAG_WAIT))
        return exit_code;
    return ct_await_running(call, deployment.name);
}

/* ---- upgrade ---- */

/** The document that is there now, with its uid and resourceVersion. */
static enum kd_code ct_upgrade_read(struct ct_call *call, struct kd_str name, struct kd_deployment *ret, struct kd_err *err)
{
    struct ct_thing there;
    enum kd_code code = ct_get(call, ct_kind_of(KD_STR("deployment")), &(struct ct_name){ .name = name }, call->arena, &there, err);
    if (code != KD_OK)
        return code;
    struct kd_str document = ct_document_strip(there.json, call->arena);
    code = kd_json_decode(&kd_deployment_shape, document, call->arena, ret, err);
    ret->meta.uid = there.view.uid;
    ret->meta.resource_version = there.view.resource_version;
    return code ? kd_wrap(err, "the deployment '%.*s' cannot be read", KD_ARG(name)) : KD_OK;
}

enum ct_exit ct_run_upgrade(struct ct_call *call)
{
    struct kd_deployment deployment = { 0 };
    struct kd_str name = ct_word(call, 0), version = ct_word(call, 1);
    struct ct_view view;
    struct kd_err err = { 0 };
    if (!kd_is_name(name) || !kd_is_version(version)) {
        (void)kd_fail(&err, KD_INVALID, 0, "it must be kedge upgrade DEPLOYMENT VERSION, e.g. kedge upgrade shop 1.1.0");
        return ct_usage(call, &err);
    }
    enum kd_code code = ct_upgrade_read(call, name, &deployment, &err);
    if (code == KD_OK) {
        deployment.package.version = version;
        if (ct_given(call, CT_FLAG_PROFILE))
            deployment.profile = ct_text(call, CT_FLAG_PROFILE);
        code = ct_read_overrides(call, &deployment, &err);
    }
    code = code ? code : ct_send_deployment(call, "update", &deployment, &view, &err);
    if (code != KD_OK)
        return ct_fail(call, &err);
    enum ct_exit exit_code = ct_say(call, "deployment/%.*s is upgraded to %.*s\n", name, version);
    return exit_code == CT_EXIT_OK && ct_given(call, CT_FLAG_WAIT) ? ct_await_running(call, name) : exit_code;
}
