/** What the core knows, for its own files only. Each part of it belongs to one file, which is named beside it. */
#ifndef AG_CORE_STATE_H
#define AG_CORE_STATE_H

#include "agent/core/core.h"
#include "shared/model/digest.h"
#include "shared/model/name.h"

enum {
    AG_STEP_BYTES = 64 * 1024 * 1024,   /* memory of one step, given back at the next one */
    AG_DECODE_BYTES = 16 * 1024 * 1024, /* memory for one decoded message or document */
    AG_RELEASE_MAX = 53,                /* bytes: 44, '-' and 8 hex digits */
    AG_UIDS_MAX = 63,                   /* uids that one deployment adopted */
    AG_OBJECT_BUCKETS = 256,
    AG_KNOWN_MAX = 16, /* renderings that are remembered */
    AG_WORKS_MAX = 64, /* jobs at once, of all kinds */
};

/** Trying again: `at` is in the past where nothing is to be waited for. */
struct ag_retry {
    unsigned attempt;
    struct kd_mono at;
};

/** A failure that is shown until something succeeds. */
struct ag_trouble {
    enum kd_code code; /* KD_OK: none */
    char text[KD_REASON_MAX + 1];
};

/* ---- objects (objects.c) ---- */

/** References; digests lie in the object's `texts`. */
struct ag_refs {
    struct kd_ref *v; /* owned */
    size_t n;
};

/** An object that something names. Equal bytes may be wanted as a document and as a value: then they are two entries. */
struct ag_object {
    struct ag_object *next; /* in its bucket */
    struct kd_digest digest;
    bool blob;             /* values: the shell keeps the bytes */
    bool have, asked;      /* asked: subscribed to */
    bool read, opened;     /* `parts` are filled; `values` are */
    uint64_t mark;         /* the sweep that found it needed */
    struct kd_mono since;  /* when it was asked for on this connection */
    struct kd_str bytes;   /* owned; documents, lists and their parts */
    struct ag_refs parts;  /* of a list */
    struct ag_refs values; /* that a document names */
    struct kd_arena texts;
};

/* ---- applications (app.c) ---- */

/** One application of one deployment on this edge. What the key stands for is running, or was; `trying` is on its way. */
struct ag_app {
    char name[KD_APP_NAME_MAX + 1], namespace[KD_NAME_MAX + 1], release[AG_RELEASE_MAX + 1];
    /* stored */
    char version[KD_VERSION_MAX + 1];
    char key[KD_DIGEST_HEX + 1];    /* applied; "" for what was never applied, or found by its labels only */
    char trying[KD_DIGEST_HEX + 1]; /* an apply began and has not succeeded yet; "" otherwise */
    struct kd_digest document;      /* the document of `trying`, else of `key` */
    bool upgrade;                   /* `key` was rendered as an upgrade */
    bool found;                     /* only known by labels, since a store was lost: kept until a newer manifest speaks */
    bool touched;                   /* something of it may run here */
    /* wanted by the planned document */
    bool wanted;
    char want_key[KD_DIGEST_HEX + 1], want_version[KD_VERSION_MAX + 1], want_namespace[KD_NAME_MAX + 1];
    size_t place;        /* in the document */
    uint64_t depends[2]; /* bits of places: KD_PACKAGE_APPS_MAX fit */
    /* at work */
    char prepared[KD_DIGEST_HEX + 1];
    bool assumed;  /* … because it was prepared once; only an apply shows whether it still is */
    uint64_t work; /* the job that runs for it, 0 for none */
    struct ag_retry retry;
    struct ag_trouble trouble;
    /* observed */
    int seen;    /* enum ag_found */
    bool known;  /* `seen` says something about what was applied */
    bool look;   /* to be observed */
    bool asked;  /* the observation that runs is about it, and no job changed it since */
    bool broken; /* to be repaired */
    bool lost;   /* its rendering is not kept any more: prepare again before it is repaired */
    unsigned repairs;
    struct kd_mono repair_at, well_since, state_since;
    int state;                           /* as reported: enum kd_app_state */
    char waits_for[KD_APP_NAME_MAX + 1]; /* a dependency that does not run yet */
    char message[KD_REASON_MAX + 1];     /* as observed */
    uint64_t ready, total;
    struct kd_arena skipped_texts;
    struct {
        struct kd_status_skipped *v;
        size_t n;
    } skipped;
};

/* ---- deployment instances (unit.c) ---- */

#define AG_PHASES(X)                                                                                                               \
    X(REMOVED, "removed")                                                                                                          \
    X(REMOVING, "removing")                                                                                                        \
    X(ORPHANED, "orphaned")                                                                                                        \
    X(BLOCKED, "blocked")                                                                                                          \
    X(HELD, "held")                                                                                                                \
    X(MISSING, "missing")                                                                                                          \
    X(REFUSED, "refused") X(PREPARING, "preparing") X(APPLYING, "applying") X(PRUNING, "pruning") X(SETTLED, "settled")
#define AG_PHASE_AS_ENUM(id, word) AG_PHASE_##id,
#define AG_PHASE_AS_WORD(id, word) [AG_PHASE_##id] = word,
enum ag_phase { AG_PHASES(AG_PHASE_AS_ENUM) AG_PHASE_COUNT };

/** What was said about a unit, and whether it was heard (report.c). */
struct ag_report {
    bool unsent;         /* the content changed, or is to be said again */
    bool unheard;        /* the last one sent is not acknowledged */
    uint64_t sequence;   /* of the last one sent in this session; 0 before the first */
    uint64_t content;    /* a hash of what was said last */
    unsigned burst;      /* sent in short order */
    struct kd_mono sent; /* when */
    struct kd_mono next; /* not before */
    struct kd_mono calm; /* nor before this: it may be over by then */
    struct ag_retry retry;
};

struct ag_unit {
    uint64_t serial; /* names it within this process, whatever its uid becomes */
    char uid[KD_UID_TEXT + 1], name[KD_NAME_MAX + 1];
    /* stored */
    struct {
        char (*v)[KD_UID_TEXT + 1]; /* owned: uids that it adopted */
        size_t n;
    } uids;
    struct kd_digest applied; /* the document that runs as a whole; "" if none does */
    bool removed;             /* nothing runs any more; said until it is acknowledged */
    bool found;               /* only known by labels: not removed by the manifest that was stored already */
    struct ag_app **apps;     /* owned */
    size_t app_count;
    /* wanted by the manifest */
    bool wanted, removal, hold;
    struct kd_digest want;
    struct kd_digest planned;  /* the document that the applications' `want…` are from */
    struct ag_trouble refusal; /* why the planned document cannot be used */
    int64_t apply_us;          /* deadline of an apply, 0: the usual one */
    /* at work */
    enum ag_phase phase;
    bool stored, save, drop; /* has a row; the row is to be written; forget it */
    bool dirty, waits;       /* look at it again; wanted a job while there was no room */
    struct kd_mono due;
    uint64_t work; /* a removal of the whole */
    struct ag_retry retry;
    struct ag_trouble trouble;
    struct ag_report report;
};

/* ---- jobs (work.c) ---- */

/** A change is retried with the application's backoff; a repair with that of repairs, and it never stands in a change's way. */
enum ag_purpose { AG_CHANGE, AG_REPAIR };

struct ag_work {
    uint64_t id; /* 0: free */
    enum ag_job_kind kind;
    enum ag_purpose purpose;
    uint64_t unit;                 /* serial; 0 for observe */
    char app[KD_APP_NAME_MAX + 1]; /* "" for the whole unit */
    char key[KD_DIGEST_HEX + 1];
    char version[KD_VERSION_MAX + 1], namespace[KD_NAME_MAX + 1];
    bool upgrade, killed;
};

/* ---- the whole ---- */

struct ag_core {
    struct ag_core_options options;
    struct kd_arena names; /* texts of the options */

    /* the step at hand (core.c) */
    struct kd_arena step;
    struct kd_mono now;
    uint64_t chance;
    struct {
        struct ag_row *v;
        size_t n, cap;
    } rows;
    struct {
        struct ag_wish *v;
        size_t n, cap;
    } wishes;
    struct kd_mono woken; /* the last AG_WAKE */
    struct kd_mono wake;  /* the next one, as far as this step knows */

    /* identity: one row (rows.c) */
    char store[KD_UID_TEXT + 1], session[KD_UID_TEXT + 1], enrolment[KD_UID_TEXT + 1];
    uint64_t start;
    bool left; /* sent away, and that was heard: nothing is accepted but another enrolment */
    bool save;

    /* the manifest (manifest.c) */
    struct kd_str manifest; /* owned bytes */
    struct kd_digest manifest_digest;
    struct kd_version version;
    bool leaving, save_manifest;
    bool spoken;         /* one was accepted since the start */
    bool place;          /* what it wants is to be found out anew */
    bool adoption_waits; /* for the end of a job */
    struct kd_hello_refused refused;
    char refused_reason[KD_REASON_MAX + 1];

    /* objects (objects.c) */
    struct ag_object *objects[AG_OBJECT_BUCKETS];
    uint64_t sweep;
    size_t lacking; /* objects that are not here */
    bool sweeps;    /* what is needed has changed */

    /* units (unit.c) and their jobs (work.c) */
    struct ag_unit **units;
    size_t unit_count, unit_cap, first; /* first: who is looked at first, by turns */
    uint64_t serial, work_id;
    struct ag_work works[AG_WORKS_MAX];
    char known[AG_KNOWN_MAX][KD_DIGEST_HEX + 1]; /* keys that were prepared lately, in a ring */
    size_t known_next;

    /* observing (observe.c) */
    bool observed; /* once since the start: what runs is known */
    bool look_all;
    uint64_t removals, removals_before; /* removals begun or ended; when the observation began */
    struct kd_mono observe_at, observed_at;
    struct ag_retry observe_retry;
    struct ag_trouble runtime; /* why the last observation failed */

    /* talking (hello.c, report.c) */
    bool connected;
    uint64_t connection;
    bool muted;                /* the coordinator refuses to hear this agent: no statuses */
    bool asks;                 /* … for a reason that may pass: hello is said again */
    struct kd_mono refused_at; /* when that was said last */
    char coordinator[65], report[65];
    uint64_t coordinator_epoch, sequence; /* sequence: of the last status; one counter for all uids of a session */
    bool hello_look, hello_unsent;        /* it may have changed; it did */
    uint64_t hello_content;
    struct kd_mono hello_at, hello_sent;
    struct ag_retry hello_retry; /* while something is missing, or leaving is not heard */
    struct kd_str inventory;     /* owned */
    struct kd_digest inventory_digest;
};

/* ---- core.c: what every file uses ---- */

/** The next random number of this step. */
uint64_t ag_chance(struct ag_core *core);

/** Remembers to come back by then. */
void ag_wake_by(struct ag_core *core, struct kd_mono at);

static inline bool ag_is_due(const struct ag_core *core, struct kd_mono at)
{
    return at.us <= core->now.us;
}

static inline struct kd_mono ag_after(const struct ag_core *core, int64_t us)
{
    return (struct kd_mono){ us > INT64_MAX - core->now.us ? INT64_MAX : core->now.us + us };
}

/** Full jitter between base and cap, at least a second: sets when to try again. */
void ag_retry_later(struct ag_core *core, struct ag_retry *retry, int64_t base_us, int64_t cap_us);

/** Room for one more wish or row; a place that is thrown away when memory is out. */
struct ag_wish *ag_wish_add(struct ag_core *core, enum ag_wish_kind kind);
void ag_row_add(struct ag_core *core, enum ag_table table, struct kd_str key, struct kd_str value);

/** A wish to log; `event` is a literal. */
void ag_log(struct ag_core *core, enum ag_level level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/** A message of a shape as a text of this step; {NULL, 0} if it does not fit `max` bytes. */
struct kd_str ag_encode(struct ag_core *core, const struct kd_json_shape *shape, const void *value, size_t max);

/** A hash to notice changes by. */
uint64_t ag_content(struct kd_str bytes);

void ag_trouble_set(struct ag_trouble *trouble, enum kd_code code, struct kd_str text);

static inline bool ag_digest_eq(const struct kd_digest *a, const struct kd_digest *b)
{
    return strcmp(a->text, b->text) == 0;
}

/** An owned copy on the heap, terminated; {NULL, 0} when out of memory. */
struct kd_str ag_own(struct kd_str text);

/* ---- rows.c ---- */

void ag_rows_save(struct ag_core *core);
KD_MUST_CHECK enum kd_code ag_rows_load(struct ag_core *core, enum ag_table table, struct kd_str key, struct kd_str value,
                                        struct kd_err *err);

/* ---- manifest.c ---- */

void ag_on_manifest(struct ag_core *core, const struct ag_event *event);
KD_MUST_CHECK enum kd_code ag_manifest_load(struct ag_core *core, struct kd_str bytes, struct kd_err *err);
/** Finds out what the manifest wants of each unit. */
void ag_manifest_place(struct ag_core *core);
/** True while a manifest says leave and everything is gone. */
bool ag_has_left(const struct ag_core *core);
/** The coordinator knows that this cluster has left. */
void ag_left(struct ag_core *core);

/* ---- objects.c ---- */

void ag_on_object(struct ag_core *core, const struct ag_event *event);
/** Subscribes to what is needed and lacks, drops what nothing needs any more. */
void ag_objects_sweep(struct ag_core *core);
/** Not subscribed to anything any more. */
void ag_objects_unasked(struct ag_core *core);
KD_MUST_CHECK enum kd_code ag_object_load(struct ag_core *core, bool blob, struct kd_str key, struct kd_str value,
                                          struct kd_err *err);
/** True if the document and everything that it names is here; what is not is asked for. */
bool ag_document_is_whole(struct ag_core *core, const struct kd_digest *digest);
/** Decodes a document that is here. */
KD_MUST_CHECK enum kd_code ag_document_read(struct ag_core *core, const struct kd_digest *digest, struct kd_arena *arena,
                                            struct kd_document *ret, struct kd_err *err);
/** The blobs that a value consists of. */
struct kd_strs ag_value_blobs(struct ag_core *core, const struct kd_ref *value);
/** At most `max` digests that have been waited for for 5 seconds, sorted. */
struct kd_strs ag_objects_missing(struct ag_core *core, struct kd_arena *arena, size_t max);
void ag_objects_clear(struct ag_core *core);

/* ---- app.c ---- */

/** Fixed for the application's life. */
void ag_release_make(struct kd_str deployment, struct kd_str app, char ret[AG_RELEASE_MAX + 1]);
/** Over all that its rendering depends on. */
void ag_key_make(const struct ag_unit *unit, struct kd_str release, const struct kd_document_app *app, char ret[KD_DIGEST_HEX + 1]);
/** What may be running now: `trying`, else `key`. */
const char *ag_app_key(const struct ag_app *app);
/** True if what it shall be is not what was applied. */
bool ag_app_changes(const struct ag_app *app);
bool ag_app_is_well(const struct ag_app *app);
void ag_app_saw(struct ag_core *core, struct ag_unit *unit, struct ag_app *app, const struct ag_job_found *found);
/** What a prepare or an apply says that cannot run here. */
void ag_app_skips(struct ag_app *app, const struct ag_job_found *found);
void ag_app_failed(struct ag_core *core, struct ag_app *app, enum kd_code code, struct kd_str text);
void ag_app_succeeded(struct ag_app *app);
/** A repair begins: when the next one may. */
void ag_app_repairs(struct ag_core *core, struct ag_app *app);
/** Works out the state that is reported. */
void ag_app_state(struct ag_core *core, const struct ag_unit *unit, struct ag_app *app);
struct ag_app *ag_app_close(struct ag_app *app);

/* ---- unit.c ---- */

struct ag_unit *ag_unit_of(const struct ag_core *core, struct kd_str uid);
struct ag_unit *ag_unit_of_serial(const struct ag_core *core, uint64_t serial);
/** The unit whose own or adopted uid it is. */
struct ag_unit *ag_unit_with(const struct ag_core *core, struct kd_str uid);
/** NULL when out of memory. */
struct ag_unit *ag_unit_add(struct ag_core *core, struct kd_str uid, struct kd_str name);
struct ag_app *ag_unit_app(const struct ag_unit *unit, struct kd_str name);
struct ag_app *ag_unit_app_add(struct ag_unit *unit, struct kd_str name);
void ag_unit_app_drop(struct ag_unit *unit, struct ag_app *app);
bool ag_unit_adopts(struct ag_unit *unit, struct kd_str uid);
/** True if something of it may run here. */
bool ag_unit_is_touched(const struct ag_unit *unit);
bool ag_unit_is_busy(const struct ag_unit *unit);
/** Looks at every unit that asked for it, or whose time has come. */
void ag_units_settle(struct ag_core *core);
void ag_units_dirty(struct ag_core *core);
/** Nothing runs any more: said until acknowledged. */
void ag_unit_removed(struct ag_core *core, struct ag_unit *unit);
void ag_unit_forget_apps(struct ag_unit *unit);
struct ag_unit *ag_unit_close(struct ag_unit *unit);

/* ---- work.c ---- */

void ag_on_job_ended(struct ag_core *core, const struct ag_event *event);
/** Each starts a job if there is room for it, else remembers that the unit waits for room. */
void ag_work_prepare(struct ag_core *core, struct ag_unit *unit, struct ag_app *app, enum ag_purpose purpose);
void ag_work_apply(struct ag_core *core, struct ag_unit *unit, struct ag_app *app, enum ag_purpose purpose);
void ag_work_remove(struct ag_core *core, struct ag_unit *unit, struct ag_app *app);
void ag_work_kill(struct ag_core *core, uint64_t id);
const struct ag_work *ag_work_of(const struct ag_core *core, uint64_t id);
/** A free place for a job; NULL if there is none. */
struct ag_work *ag_work_add(struct ag_core *core, enum ag_job_kind kind);
/** True if this key was prepared by this process not long ago: its rendering and its images are likely to be here. */
bool ag_key_is_known(const struct ag_core *core, const char *key);
bool ag_work_any(const struct ag_core *core);
/** Wishes for a job; the caller's apps lie in the step's arena. */
struct ag_wish *ag_work_wish(struct ag_core *core, const struct ag_work *work, int64_t deadline_us, struct ag_job_app *apps,
                             size_t n);
void ag_work_app(struct ag_core *core, const struct ag_unit *unit, const struct ag_app *app, struct ag_job_app *ret);

/* ---- observe.c ---- */

void ag_on_runtime_changed(struct ag_core *core, const struct ag_event *event);
void ag_observe_settle(struct ag_core *core);
/** Looks again, soon. */
void ag_look_soon(struct ag_core *core);
void ag_observed(struct ag_core *core, const struct ag_job_result *result);

/* ---- report.c ---- */

void ag_on_ack(struct ag_core *core, const struct ag_event *event);
void ag_report_unit(struct ag_core *core, struct ag_unit *unit);
/** Publishes the statuses whose time has come. */
void ag_reports_settle(struct ag_core *core);
/** Everything is said again, at random within the window. */
void ag_reports_again(struct ag_core *core, int64_t spread_us);
/** Fills *ret; texts are borrowed from the unit, lists lie in the arena. */
void ag_status_fill(const struct ag_core *core, const struct ag_unit *unit, struct kd_mono now, struct kd_arena *arena,
                    struct kd_status *ret);

/* ---- hello.c ---- */

void ag_on_connected(struct ag_core *core, const struct ag_event *event);
void ag_on_disconnected(struct ag_core *core, const struct ag_event *event);
void ag_on_coordinator(struct ag_core *core, const struct ag_event *event);
void ag_on_inventory(struct ag_core *core, const struct ag_event *event);
void ag_publish_inventory(struct ag_core *core);
void ag_hello_settle(struct ag_core *core);
/** Says it again before the interval is over, with backoff. */
void ag_hello_again(struct ag_core *core);
/** Something in it changed. */
void ag_hello_changed(struct ag_core *core);

#endif
