/** The simulation's world: one process, simulated time, one seed (main.c says what it is for). Each part has a file: world.c time, chance and
 *  the trace; broker.c the broker and the links to it; center.c the coordinator's shell; edge.c an agent's shell; runtime.c what runs
 *  on an edge; operator.c who sends requests; model.c what they were promised; faults.c what goes wrong; check.c what must hold. */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "agent/core/core.h"
#include "coordinator/server/service.h"
#include "shared/base/map.h"
#include "shared/base/plant.h"

enum {
    SIM_EDGES = 50,
    SIM_CLONES = 1,
    SIM_OPERATORS = 3,
    SIM_DEPLOYMENTS = 6, /* names, shared out among the operators */
    SIM_GROUPS = 12,     /* values of the label by which clusters are targeted */
    SIM_FILTERS = 16,    /* wildcard filters of one client */
    SIM_UID = 33,        /* a uid and its terminator */
};

#define SIM_S     KD_US_PER_S
#define SIM_MIN   (60 * SIM_S)
#define SIM_HOUR  (60 * SIM_MIN)
#define SIM_HELLO (75 * SIM_MIN) /* the interval of hellos */

/** The plan of a seed. */
#define SIM_FAULTS_END  (19 * SIM_HOUR) /* from here on nothing goes wrong */
#define SIM_CURE_END    (22 * SIM_HOUR) /* operators put in order what only they can */
#define SIM_QUIET_BEGIN (23 * SIM_HOUR) /* everything has converged: only hellos are heard */
#define SIM_END         (24 * SIM_HOUR)

/** Every kind of fault, with what it is; each happens at least once per seed. */
#define SIM_FAULTS(X)                                                                                                              \
    X(DROPPED, "message acknowledged by the broker and then lost")                                                                 \
    X(REPEATED, "message delivered twice")                                                                                         \
    X(DELAYED, "message delayed")                                                                                                  \
    X(LATE, "message of an earlier connection that arrives after the next one began")                                              \
    X(CUT, "connection lost")                                                                                                      \
    X(WILL_LATE, "will that comes late")                                                                                           \
    X(WILL_LOST, "will that is lost")                                                                                              \
    X(WILL_SHUTDOWN, "broker that sends all wills when it shuts down")                                                             \
    X(BROKER_WIPED, "broker that forgets everything")                                                                              \
    X(BROKER_BACK, "broker that goes back to an old save")                                                                         \
    X(BROKER_REFUSES, "publish refused with a reason code")                                                                        \
    X(BROKER_HANGS_UP, "connection that ends at a certain message")                                                                \
    X(TOO_LARGE, "publish beyond the Maximum Packet Size")                                                                         \
    X(RETAINED_LOST, "object or manifest missing on the broker")                                                                   \
    X(KILL_COMMIT, "coordinator killed before a commit")                                                                           \
    X(KILL_BETWEEN, "coordinator killed between its two commits")                                                                  \
    X(KILL_COMMITTED, "coordinator killed after a commit")                                                                         \
    X(KILL_PUBLISH, "coordinator killed at a publish")                                                                             \
    X(COMMIT_FAILS, "commit that fails: a full disk")                                                                              \
    X(RESTORED, "coordinator restored from an older backup")                                                                       \
    X(RESTORED_CLOCK, "coordinator restored with a wrong clock")                                                                   \
    X(EMPTIED, "coordinator's stores emptied")                                                                                     \
    X(STATUS_EMPTIED, "status store emptied")                                                                                      \
    X(REGISTRY_AWAY, "registry that cannot be reached")                                                                            \
    X(AGENT_KILL_COMMIT, "agent killed before a commit")                                                                           \
    X(AGENT_KILL_WISH, "agent killed between two wishes")                                                                          \
    X(AGENT_KILL_SPAWN, "agent killed at the start of a job")                                                                      \
    X(AGENT_KILL_JOB, "agent killed while a job runs")                                                                             \
    X(AGENT_RESTORED, "agent's store restored older")                                                                              \
    X(AGENT_EMPTIED, "agent's store emptied")                                                                                      \
    X(AGENT_CLONED, "agent cloned")                                                                                                \
    X(AWAY, "deployments deleted and names reused while clusters are away")                                                        \
    X(JOB_FAILS, "job that fails for a passing reason")                                                                            \
    X(JOB_CRASHES, "job that crashes in its middle")                                                                               \
    X(APP_FAILS, "application that never runs")                                                                                    \
    X(CONTAINER_DIES, "container that dies by itself")                                                                             \
    X(PLANS_LOST, "renderings that are not kept any more")
#define SIM_FAULT_AS_ENUM(id, text) SIM_##id,
enum sim_fault { SIM_FAULTS(SIM_FAULT_AS_ENUM) SIM_FAULT_COUNT };
extern const char *const sim_fault_texts[SIM_FAULT_COUNT];

struct sim;

/* ---- messages and events (world.c) ---- */

enum sim_packet { SIM_PUBLISH, SIM_SUBSCRIBE, SIM_UNSUBSCRIBE };

/** A packet on its way; shared, counted. */
struct sim_message {
    unsigned refs;
    enum sim_packet packet;
    struct kd_str topic, payload, response_topic, correlation;
    bool retain;
    uint64_t token;
    char bytes[];
};

struct sim_message *sim_message_make(enum sim_packet packet, struct kd_str topic, struct kd_str payload,
                                     struct kd_str response_topic, struct kd_str correlation, bool retain, uint64_t token);
struct sim_message *sim_message_keep(struct sim_message *message);
void sim_message_drop(struct sim_message *message); /* takes NULL */

typedef void sim_run(struct sim *sim, void *what, uint64_t number, struct sim_message *message);

struct sim_event {
    int64_t at;
    uint64_t order;
    sim_run *run;
    void *what;
    uint64_t number;
    struct sim_message *message; /* owned */
};

/** Runs something at a time; takes over the message (NULL for none). */
void sim_at(struct sim *sim, int64_t at, sim_run *run, void *what, uint64_t number, struct sim_message *message);

uint64_t sim_chance(struct sim *sim);
bool sim_one_in(struct sim *sim, uint64_t n);
int64_t sim_between(struct sim *sim, int64_t least, int64_t most); /* both possible */

/** A line of the trace, where one is wanted. */
void sim_say(struct sim *sim, const char *who, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/** Whatever happens goes into the hash: the same seed must give the same. */
void sim_mix(struct sim *sim, struct kd_str bytes);
/** An invariant is broken: the first one is kept and ends the run. */
void sim_fail(struct sim *sim, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sim_count(struct sim *sim, enum sim_fault fault);

/* ---- the broker (broker.c) ---- */

struct sim_peer {
    void (*connected)(struct sim *sim, void *owner);
    void (*disconnected)(struct sim *sim, void *owner, int reason);
    void (*message)(struct sim *sim, void *owner, struct sim_message *message, bool retained);
    void (*published)(struct sim *sim, void *owner, uint64_t token, int reason);
};

/** One client and its way to the broker. */
struct sim_link {
    const struct sim_peer *peer;
    void *owner;
    char identity[32];
    unsigned index;
    bool cut, gone;                     /* the way is interrupted; for good */
    uint64_t connection;                /* as the broker sees it; 0: none */
    uint64_t own;                       /* as the client sees it; 0: none */
    int64_t up_at, down_at, slow_until; /* the last packet arrives then; packets are slow until then */
    uint64_t late;                      /* an earlier connection, of which so many packets still arrive */
    unsigned late_count;
    struct sim_message *will;
    struct sim_message *(*will_of)(struct sim *sim, void *owner);
    char filters[SIM_FILTERS][80]; /* with wildcards */
    size_t filter_count;
    struct kd_map exact; /* topics subscribed to */
    bool attempting;     /* to connect */
    uint64_t attempts;   /* only the last one counts */
};

struct sim_broker {
    bool down;
    uint64_t connections;
    struct kd_map retained, saved; /* topic -> struct sim_message * */
    struct kd_map subscribers;     /* topic -> uint64_t, a bit per link */
    int64_t drops_until, repeats_until;
    char hang_up[80]; /* the connection that publishes this topic ends */
    unsigned hang_ups;
    unsigned refuse, refuse_large; /* so many publishes of the coordinator are refused; … as too large */
};

void sim_link_init(struct sim *sim, struct sim_link *link, const char *identity, const struct sim_peer *peer, void *owner);
void sim_link_clear(struct sim_link *link);
/** Connects now, or tries again by itself until it can; `will` is asked for when it does. */
void sim_connect(struct sim *sim, struct sim_link *link, int64_t delay_us,
                 struct sim_message *(*will)(struct sim *sim, void *owner));
/** The client sends. False: it is not connected. */
bool sim_send(struct sim *sim, struct sim_link *link, struct sim_message *message);
/** The connection ends without a word: the client knows at once, the broker sooner or later. */
void sim_link_lose(struct sim *sim, struct sim_link *link, int reason);
/** The client's process is gone. */
void sim_link_die(struct sim *sim, struct sim_link *link);
void sim_broker_stop(struct sim *sim, bool wills, bool wipe, int64_t down_us);
void sim_broker_save(struct sim *sim);
/** One retained object or manifest vanishes. */
void sim_broker_lose_retained(struct sim *sim);
void sim_broker_clear(struct sim *sim);

/* ---- the coordinator (center.c) ---- */

struct sim_backup {
    struct kd_store *spec, *status;
};

enum sim_fuse { SIM_FUSE_NONE, SIM_FUSE_COMMIT, SIM_FUSE_BETWEEN, SIM_FUSE_COMMITTED, SIM_FUSE_PUBLISH, SIM_FUSE_FAIL };

struct sim_center {
    struct sim_link link;
    struct kd_store *spec, *status;
    struct co_service *service;
    bool dead, running;
    int64_t clock_ms; /* how wrong its clock is */
    enum sim_fuse fuse;
    unsigned fuse_count;     /* so many boundaries until it burns */
    enum sim_fuse fuses[16]; /* that wait for their turn */
    size_t fuses_n;
    struct sim_message **inbox;
    bool *inbox_retained;
    size_t inbox_n, inbox_cap;
    bool batch_planned;
    int64_t tick_at;
    uint64_t life; /* counts processes: what was planned for an earlier one does not happen */
    size_t in_flight;
    struct sim_backup backup;
    struct kd_map owed; /* topics that were to be published when it was killed */
    int64_t connected_at;
    int64_t registry_until;    /* registries cannot be reached until then */
    struct kd_txn *status_txn; /* to tell its commit from the other one */
};

void sim_center_start(struct sim *sim);
void sim_center_stop(struct sim *sim); /* a crash */
void sim_center_backup(struct sim *sim);
/** Stops it and puts the backup (or nothing at all) in the place of its stores. */
void sim_center_restore(struct sim *sim, int64_t clock_ms);
void sim_center_empty(struct sim *sim);
void sim_center_empty_status(struct sim *sim);
/** What an operator does where clusters are ahead. */
void sim_center_new_epoch(struct sim *sim);
/** What was to be published when it was killed was published since. */
void sim_center_check_owed(struct sim *sim);
void sim_center_close(struct sim *sim);

/* ---- edges (edge.c, runtime.c) ---- */

/** What truly runs: one application of one uid. */
struct sim_object {
    char uid[SIM_UID], name[44], app[32], key[68], namespace[44], release[60];
    char chart[80];
    uint64_t values; /* a hash of what it was rendered with */
    int state;       /* enum ag_found */
    bool shaken;     /* not as planned */
};

struct sim_plan {
    char chart[80];
    uint64_t values;
    bool kept;
};

struct sim_job {
    uint64_t id;
    struct kd_arena memory;
    int kind;
    struct ag_job_app *apps;
    size_t n;
    uint64_t values;
    struct ag_job_result early; /* observe: what was seen at its start */
    bool is_early, killed;
};

struct sim_runtime {
    struct sim_object *v;
    size_t n, cap;
    struct kd_map plans; /* key -> struct sim_plan */
};

struct sim_edge {
    struct sim_link link;
    char name[16];
    bool clone, exists;
    unsigned index;
    struct ag_core *core;
    struct kd_store *rows;
    struct kd_store *old_rows; /* a backup of them */
    struct sim_runtime runtime;
    struct sim_job *jobs[64];
    uint64_t life, wake;
    enum { SIM_BURN_NONE, SIM_BURN_COMMIT, SIM_BURN_WISH, SIM_BURN_SPAWN, SIM_BURN_JOB } fuse;
    unsigned fuse_count;
    bool away; /* cut off until the end */
    int64_t stepped_at;
    unsigned spins;
    char session[SIM_UID];
    uint64_t connection; /* of this session */
    int64_t connected_at;
    struct kd_map held; /* uids that are held here, and were not on their way to something else then */
};

void sim_edge_init(struct sim *sim, struct sim_edge *edge, unsigned index, bool clone);
void sim_edge_start(struct sim *sim, struct sim_edge *edge);
void sim_edge_kill(struct sim *sim, struct sim_edge *edge, int64_t restart_us);
void sim_edge_clear(struct sim *sim, struct sim_edge *edge);
void sim_edge_step(struct sim *sim, struct sim_edge *edge, struct ag_event *event);
/** The clone begins as a copy of an edge. */
void sim_edge_copy(struct sim *sim, struct sim_edge *to, const struct sim_edge *from);
bool sim_edge_row(struct sim_edge *edge, int table, struct kd_str key, struct kd_buf *out);

void sim_job_start(struct sim *sim, struct sim_edge *edge, const struct ag_wish *wish);
void sim_job_kill(struct sim *sim, struct sim_edge *edge, uint64_t id);
void sim_jobs_end(struct sim *sim, struct sim_edge *edge); /* with their agent */
void sim_container_die(struct sim *sim, struct sim_edge *edge);
void sim_runtime_copy(struct sim_runtime *to, const struct sim_runtime *from);
void sim_runtime_clear(struct sim_runtime *runtime);

/* ---- operators and what they were promised (operator.c, model.c) ---- */

enum sim_act {
    SIM_UPLOAD,
    SIM_IMPORT,
    SIM_CREATE,
    SIM_UPDATE,
    SIM_DELETE,
    SIM_LABEL,
    SIM_PRUNE,
    SIM_ADOPT,
    SIM_RESUME,
    SIM_CLUSTER_CREATE,
    SIM_CLUSTER_DELETE,
    SIM_CLUSTER_ADOPT,
    SIM_CLUSTER_LEAVE,
    SIM_ACT_COUNT
};

struct sim_deployment {
    char name[8], uid[SIM_UID];
    bool exists, hold, busy;
    bool nameless;    /* being created: nobody knows its uid yet */
    unsigned version; /* of the package */
    unsigned groups;  /* bits of targeted groups */
    unsigned named;   /* 1 + a cluster that is targeted by its name, 0 none */
    unsigned flavour; /* of its overrides */
};

struct sim_cluster {
    bool exists, leave, busy;
    unsigned group;
};

struct sim_operator {
    struct sim_link link;
    char name[8];
    unsigned index;
    bool waiting; /* for a reply */
    enum sim_act act;
    unsigned subject; /* a deployment or a cluster */
    struct sim_deployment wanted;
    struct sim_cluster wanted_cluster;
    char prune[SIM_UID], prune_name[8];
    char id[40];
    int64_t looked_at; /* for what needs an operator */
    struct kd_buf body;
    uint64_t ids;
    uint64_t round; /* of repetitions: older timers are void */
    struct {
        enum sim_act act;
        unsigned subject;
    } todo[8]; /* before its own ideas */
    size_t todo_n;
};

struct sim_model {
    struct sim_deployment deployments[SIM_DEPLOYMENTS];
    struct sim_cluster clusters[SIM_EDGES];
    bool catalog;          /* imported */
    unsigned failing;      /* the version that the next update is to; 0: any */
    struct kd_map allowed; /* cluster/uid: an operator asked for this removal */
};

void sim_operator_init(struct sim *sim, struct sim_operator *o, unsigned index);
void sim_operator_clear(struct sim_operator *o);
/** The coordinator went back in time: what was asked is not waited for any more. */
void sim_operators_forget(struct sim *sim);
/** Something for an operator to do before its own ideas. */
void sim_operator_todo(struct sim_operator *o, enum sim_act act, unsigned subject);
struct sim_operator *sim_owner_of_deployment(struct sim *sim, unsigned deployment);
struct sim_operator *sim_owner_of_cluster(struct sim *sim, unsigned cluster);

bool sim_targets(const struct sim_deployment *deployment, unsigned cluster, const struct sim_cluster *document);
void sim_allow(struct sim *sim, unsigned cluster, const char *uid);
bool sim_is_allowed(struct sim *sim, struct kd_str cluster, struct kd_str name, struct kd_str uid);
/** Permissions that follow from a deployment as it is asked for; revoke: those that an answer took back. */
void sim_allow_deployment(struct sim *sim, const struct sim_deployment *deployment);
void sim_allow_cluster(struct sim *sim, unsigned cluster, const struct sim_cluster *document);
void sim_allow_all(struct sim *sim, const char *uid);
/** Of a deployment whose uid has just become known: what was asked for meanwhile may concern it. */
void sim_allow_new(struct sim *sim, const struct sim_deployment *deployment);
void sim_revoke(struct sim *sim, int deployment_only, int cluster_only); /* -1: all */
/** The model becomes what the stores say: after a restore. */
void sim_model_read(struct sim *sim);
/** No acknowledged request is lost: the stores say what the model says. */
void sim_model_check(struct sim *sim);

/* ---- faults and checks ---- */

void sim_faults_plan(struct sim *sim);
/** The coordinator has begun anew, or an hour has passed. */
void sim_fuse_next(struct sim *sim);
/** What an operator sees that only an operator can put in order. False: nothing. */
bool sim_need(struct sim *sim, struct sim_operator *o, enum sim_act *ret, unsigned *ret_subject);
/** Looks for clusters that are ahead, and begins a new epoch where there are. */
sim_run sim_watch_ahead;
/** Each manifest that leaves the coordinator. */
void sim_check_manifest(struct sim *sim, struct kd_str payload);
/** Each removal that an agent begins. */
void sim_check_removal(struct sim *sim, struct sim_edge *edge, const struct ag_job_app *app);
/** A cluster that the coordinator calls offline. */
sim_run sim_check_offline;
/** A manifest that holds deployments reaches an edge; each apply that begins there. */
void sim_check_holds(struct sim_edge *edge, struct kd_str payload);
void sim_check_apply(struct sim *sim, struct sim_edge *edge, const struct ag_job_app *app);
void sim_check_end(struct sim *sim);
void sim_check_quiet(struct sim *sim, const struct sim_message *message);

/* ---- the whole ---- */

struct sim {
    uint64_t seed, state, hash, order;
    bool verbose, failed, quiet, faultless;
    unsigned epochs;      /* that operators had to begin */
    uint64_t idle_faults; /* kinds that this seed did not have */
    char failure[2000];
    int64_t now;
    uint64_t events, faults[SIM_FAULT_COUNT];
    struct {
        struct sim_event *v;
        size_t n, cap;
    } queue;
    struct sim_broker broker;
    struct sim_center center;
    struct sim_edge edges[SIM_EDGES + SIM_CLONES];
    struct sim_operator operators[SIM_OPERATORS];
    struct sim_model model;
    struct sim_link *links[64];
    unsigned link_count;
    struct kd_map versions; /* epoch/n -> hash of the manifest that was published under it */
    struct kd_map heard;    /* topic -> unsigned: in the quiet hour */
};

struct sim_way {
    bool verbose, faultless;
    const volatile bool *stop; /* set when somebody else has found what is looked for */
};

/** Runs one seed to its end or to its first failure. */
void sim_run_seed(struct sim *sim, uint64_t seed, const struct sim_way *way);
void sim_clear(struct sim *sim);

#endif
