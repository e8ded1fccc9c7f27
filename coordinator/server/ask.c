/** Asking a registry for a chart's digest. */
#include "coordinator/server/ask.h"

#include "shared/base/own.h"
#include "shared/os/file.h"
#include "shared/registry/registry.h"

#include <stdio.h>

enum { CO_QUESTION_MEMORY = 64 * 1024, CO_SECRET_BYTES = 4096 };

struct co_ask {
    uv_work_t work;
    co_answer *answer;
    void *ctx;
    uint64_t id;
    struct kd_arena memory;
    struct kd_registry_access access;
    struct kd_chart_name chart;
    struct kd_str password_file, ca_certs;
    enum kd_code code;
    struct kd_digest digest;
    struct kd_err err;
};

/** A CA that the catalog names as text becomes a file for the time of the question. -1: none, or it could not be written. */
static int co_ca_file(const struct co_ask *ask, char path[64])
{
    (void)snprintf(path, 64, "/tmp/kedge-ca-XXXXXX");
    int fd = ask->ca_certs.n ? mkstemp(path) : -1;
    if (fd >= 0 && write(fd, ask->ca_certs.p, ask->ca_certs.n) != (ssize_t)ask->ca_certs.n) {
        (void)close(fd);
        (void)unlink(path);
        fd = -1;
    }
    return fd;
}

static void co_ask_work(uv_work_t *work)
{
    struct co_ask *ask = work->data;
    char ca_file[64];
    KD_AUTO(kd_buf_clear) struct kd_buf password = KD_BUF(CO_SECRET_BYTES);
    KD_AUTO(kd_closep) int ca = co_ca_file(ask, ca_file);
    if (ca >= 0)
        ask->access.ca_file = ca_file;
    if (!ask->access.password && ask->password_file.n && kd_file_read(ask->password_file.p, &password, &ask->err) == KD_OK) {
        struct kd_str text = kd_buf_str(&password);
        ask->access.password = kd_arena_copy(&ask->memory, kd_str_trim(kd_str_cut(&text, '\n'))).p;
    }
    ask->code = kd_registry_resolve(&ask->access, &ask->chart, &ask->digest, &ask->err);
    if (ca >= 0)
        (void)unlink(ca_file);
}

static void co_ask_done(uv_work_t *work, int status)
{
    struct co_ask *ask = work->data;
    if (status != 0)
        ask->code = kd_fail(&ask->err, KD_UNAVAILABLE, 0, "the question was not asked: %s", uv_strerror(status));
    ask->answer(ask->ctx, ask->id, ask->code, ask->code == KD_OK ? kd_digest_str(&ask->digest) : kd_str(ask->err.story));
    kd_arena_clear(&ask->memory);
    free(ask);
}

static const char *co_text_or_null(struct kd_arena *memory, struct kd_str text)
{
    return text.n ? kd_arena_copy(memory, text).p : NULL;
}

void co_ask_registry(uv_loop_t *loop, const struct co_settings *settings, const struct co_lookup *lookup, co_answer *answer,
                     void *ctx)
{
    struct co_ask *ask = calloc(1, sizeof *ask);
    if (!ask) {
        answer(ctx, lookup->id, KD_UNAVAILABLE, KD_STR("out of memory"));
        return;
    }
    const struct co_settings_registry *own = co_settings_registry_of(settings, kd_registry_host(lookup->root_url));
    ask->work.data = ask;
    ask->answer = answer;
    ask->ctx = ctx;
    ask->id = lookup->id;
    ask->memory = (struct kd_arena)KD_ARENA(CO_QUESTION_MEMORY);
    ask->chart = (struct kd_chart_name){ kd_arena_copy(&ask->memory, lookup->root_url), kd_arena_copy(&ask->memory, lookup->chart),
                                         kd_arena_copy(&ask->memory, lookup->version) };
    ask->ca_certs = kd_arena_copy(&ask->memory, lookup->ca_certs);
    ask->access.username = co_text_or_null(&ask->memory, lookup->user_name.n ? lookup->user_name
                                                         : own               ? own->username
                                                                             : (struct kd_str){ 0 });
    ask->access.password = co_text_or_null(&ask->memory, lookup->auth_token);
    if (own) {
        ask->access.plain_http = own->plain_http;
        ask->access.ca_file = co_text_or_null(&ask->memory, own->ca_file);
        ask->password_file = kd_arena_copy(&ask->memory, own->password_file);
    }
    if (uv_queue_work(loop, &ask->work, co_ask_work, co_ask_done) != 0)
        co_ask_done(&ask->work, UV_EAGAIN);
}
