/** Any bytes as what an agent hears and what its jobs answer. What it says fits the protocol, and what it stores can be loaded again.
 *
 *  A line is an event: its first letter says which, the rest is the payload. */
#include "agent/core/core.h"
#include "shared/base/own.h"
#include "shared/model/digest.h"

#include <assert.h>

enum { FUZZ_ARENA = 1 << 24, FUZZ_JOBS = 8, FUZZ_LINES = 64, FUZZ_ROWS = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_row {
    enum ag_table table;
    struct kd_str key, value; /* owned */
};

struct fuzz {
    struct ag_core *core;
    struct kd_arena texts;
    struct kd_mono now;
    uint64_t jobs[FUZZ_JOBS]; /* running, 0 is none */
    struct fuzz_row rows[FUZZ_ROWS];
    size_t row_n;
};

static struct ag_core *fuzz_open(void)
{
    struct ag_core_options options = ag_core_defaults();
    options.project = KD_STR("p");
    options.cluster = KD_STR("c");
    struct ag_core *core = ag_core_open(&options);
    assert(core);
    return core;
}

static void fuzz_said(const struct ag_wish *wish)
{
    static const struct {
        const struct kd_json_shape *shape;
        size_t size;
    } said[] = {
        [AG_TOPIC_HELLO] = { &kd_hello_shape, sizeof(struct kd_hello) },
        [AG_TOPIC_STATUS] = { &kd_status_shape, sizeof(struct kd_status) },
    };
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(FUZZ_ARENA);
    union {
        struct kd_hello hello;
        struct kd_status status;
    } message;
    struct kd_err err = { 0 };
    if (wish->topic == AG_TOPIC_INVENTORY)
        return;
    assert(wish->payload.p && wish->payload.n <= KD_STATE_MAX);
    assert(kd_json_decode(said[wish->topic].shape, wish->payload, &arena, &message, &err) == KD_OK);
}

static void fuzz_job(struct fuzz *fuzz, const struct ag_wish *wish)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(FUZZ_ARENA);
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(AG_JOB_REQUEST_MAX);
    struct ag_job_request request;
    size_t place = 0;
    ag_job_request_encode(wish->request, &out);
    assert(ag_job_request_decode(kd_buf_str(&out), &arena, &request, NULL) == KD_OK);
    while (place < FUZZ_JOBS && fuzz->jobs[place])
        place++;
    assert(place < FUZZ_JOBS);
    fuzz->jobs[place] = wish->job;
}

static void fuzz_row(struct fuzz *fuzz, const struct ag_row *row)
{
    size_t at = 0;
    while (at < fuzz->row_n && (fuzz->rows[at].table != row->table || !kd_str_eq(fuzz->rows[at].key, row->key)))
        at++;
    if (at == FUZZ_ROWS)
        return;
    fuzz->row_n += at == fuzz->row_n;
    struct kd_str value = row->value.p ? kd_arena_copy(&fuzz->texts, row->value) : row->value;
    fuzz->rows[at] = (struct fuzz_row){ row->table, kd_arena_copy(&fuzz->texts, row->key), value };
}

static void fuzz_step(struct fuzz *fuzz, struct ag_event event)
{
    struct ag_step step;
    event.now = fuzz->now;
    event.chance = (uint64_t)fuzz->now.us * UINT64_C(0x9E3779B97F4A7C15);
    ag_core_step(fuzz->core, &event, &step);
    for (size_t i = 0; i < step.rows.n; i++)
        fuzz_row(fuzz, &step.rows.v[i]);
    for (size_t i = 0; i < step.wishes.n; i++) {
        if (step.wishes.v[i].kind == AG_PUBLISH)
            fuzz_said(&step.wishes.v[i]);
        if (step.wishes.v[i].kind == AG_JOB)
            fuzz_job(fuzz, &step.wishes.v[i]);
    }
}

static void fuzz_job_ended(struct fuzz *fuzz, struct kd_str text)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(FUZZ_ARENA);
    struct ag_job_result result = { 0 };
    size_t place = text.n % FUZZ_JOBS;
    for (size_t i = 0; i < FUZZ_JOBS && !fuzz->jobs[place]; i++)
        place = (place + 1) % FUZZ_JOBS;
    if (text.n && ag_job_result_decode(text, &arena, &result, NULL) != KD_OK)
        return;
    result.ok |= text.n == 0;
    uint64_t job = fuzz->jobs[place];
    fuzz->jobs[place] = 0;
    fuzz_step(fuzz, (struct ag_event){ .kind = AG_JOB_ENDED, .job = job, .result = &result });
}

static void fuzz_object(struct fuzz *fuzz, struct kd_str bytes)
{
    struct kd_digest digest = kd_digest_of(bytes);
    fuzz_step(fuzz, (struct ag_event){ .kind = AG_OBJECT, .text = kd_digest_hex(&digest), .payload = bytes });
}

static void fuzz_line(struct fuzz *fuzz, struct kd_str line)
{
    static const enum ag_event_kind kinds[256] = {
        ['m'] = AG_MANIFEST,     ['a'] = AG_ACK, ['k'] = AG_COORDINATOR,    ['c'] = AG_CONNECTED,
        ['d'] = AG_DISCONNECTED, ['t'] = AG_DUE, ['r'] = AG_RUNTIME_CHANGED
    };
    struct kd_str rest = { line.p + 1, line.n - 1 };
    unsigned char word = (unsigned char)line.p[0];
    fuzz->now.us += (int64_t)(rest.n % 7) * 30 * KD_US_PER_S;
    if (word == 'j')
        fuzz_job_ended(fuzz, rest);
    else if (word == 'o')
        fuzz_object(fuzz, rest);
    else if (kinds[word] != AG_STARTED)
        fuzz_step(fuzz, (struct ag_event){
                            .kind = kinds[word], .payload = rest, .text = rest, .app = KD_STR("web"), .reason = (int)rest.n });
}

/** What was stored is loaded by the next process. */
static void fuzz_load(const struct fuzz *fuzz)
{
    struct ag_core *core = fuzz_open();
    for (size_t i = 0; i < fuzz->row_n; i++)
        if (fuzz->rows[i].value.p)
            assert(ag_core_load(core, fuzz->rows[i].table, fuzz->rows[i].key, fuzz->rows[i].value, NULL) == KD_OK);
    (void)ag_core_close(core);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz fuzz;
    struct kd_str input = { (const char *)data, size };
    fuzz = (struct fuzz){ .core = fuzz_open(), .texts = KD_ARENA(FUZZ_ARENA), .now = { KD_US_PER_S } };
    fuzz_step(&fuzz, (struct ag_event){ .kind = AG_STARTED, .text = KD_STR("0123456789abcdef0123456789abcdef") });
    for (int i = 0; input.n && i < FUZZ_LINES; i++) {
        struct kd_str line = kd_str_cut(&input, '\n');
        if (line.n)
            fuzz_line(&fuzz, line);
    }
    fuzz_load(&fuzz);
    fuzz.core = ag_core_close(fuzz.core);
    kd_arena_clear(&fuzz.texts);
    return 0;
}
