/** What the service keeps in memory between batches. All of it can be lost: it is found again from the stores and from what is heard. */
#ifndef CO_SERVER_STATE_H
#define CO_SERVER_STATE_H

#include "coordinator/server/work.h"
#include "shared/base/map.h"

/** A message that leaves after a commit. */
struct co_letter {
    struct co_letter *next;
    struct kd_str topic, payload, correlation;
    bool retain;
};

/** When a cluster that says nothing is offline, and what it was sent lately. */
struct co_watch {
    struct kd_mono silent_at;   /* offline then; KD_NEVER.us: it is offline already */
    struct kd_mono repaired_at; /* when it was last sent what it misses */
    struct kd_mono logged_at;   /* when it was last complained about */
};

/** A publish whose answer is awaited, in the order of sending. */
struct co_flight {
    uint64_t token, position; /* position 0: a view */
    uint64_t stamp;           /* of a view: the mark that it answers */
    struct kd_key topic;
    int reason; /* the broker's answer, -1 before it came */
};

enum {
    CO_FLIGHTS = 128,     /* publishes from the outbox at once: a window that is settled in one transaction */
    CO_REPEAT_STEP = 500, /* topics that are put into the outbox at once while everything is repeated */
    CO_PARK_AFTER = 3,    /* ends of the connection at the same message */
};

struct co_outbox {
    uint64_t sent;                       /* position up to which everything was sent in this connection */
    struct co_flight flight[CO_FLIGHTS]; /* the window, in the order of sending */
    size_t flights, answered;
    struct kd_key view_at;    /* where the round over the views stands */
    bool view_round;          /* a round is under way */
    struct kd_mono view_next; /* when the next one may begin */
    struct kd_key last_topic; /* at which the connection ended */
    unsigned last_topic_ends;
    struct kd_mono parked_next; /* parked messages are tried again after a connect, not before this */
};

enum co_sync { CO_SYNC_OFFLINE, CO_SYNC_ASKING, CO_SYNC_REPEATING, CO_SYNC_DONE };
/* offline: no connection; asking: the marker is being read, nothing retained is published; repeating: the broker lost something,
 * everything is published again; done: the broker has what we wrote. */

struct co_repeat {
    size_t step; /* index into the tables that are walked */
    struct kd_key at;
    bool heard; /* everything that the broker had retained has come back */
};

struct co_service {
    struct co_service_options options;
    struct kd_str project; /* owned text */
    struct kd_store *spec, *status;
    const struct co_service_ops *ops;
    void *ctx;
    struct co_service_counts counts;

    char session[33]; /* of this connection: a changed one makes agents say hello */
    char report[33];  /* of this status store */
    bool uneven;      /* the status store is ahead of the spec store: the sums are to be made anew */
    struct kd_mono started;
    uint64_t uptime_ms;          /* of earlier starts */
    uint64_t order_epoch, order; /* of the last view: {epoch, order} only grows */
    enum co_sync sync;
    struct kd_marker found;    /* the broker's marker; {0, 0} if it has none */
    bool judge;                /* the marker is read: to be judged after this batch */
    struct kd_mono probe_next; /* when the probe is sent again if it did not come back */
    struct co_repeat repeat;
    struct co_outbox outbox;

    struct co_letter *letters, **last_letter; /* that the transport had no room for yet */
    size_t letter_bytes;
    struct kd_map watches;       /* p/cluster -> co_watch */
    struct kd_mono next_silence; /* no watch is due before */
    struct kd_map lookups;       /* see lookups.c */
    uint64_t lookup_ids;
    struct kd_mono next_lookup, next_clear;
    char filter[KD_TOPIC_MAX + 1];
};

/** Begins the transactions of a batch; false (logged) where the stores cannot be written. */
bool co_work_begin(struct co_service *service, struct co_work *work);
/** Makes manifests, commits, and lets the letters go. False: nothing was changed and nothing leaves. */
bool co_work_commit(struct co_work *work);
/** Undoes everything. */
void co_work_abort(struct co_work *work);
/** A read of both stores, for views and payloads; ended by co_work_abort. */
bool co_work_read(struct co_service *service, struct co_work *work);

/* ---- outbox.c ---- */
void co_outbox_connected(struct co_service *service);
void co_outbox_disconnected(struct co_service *service);
/** Publishes what is due as far as there is room; returns when it wants to be called again. */
struct kd_mono co_outbox_pump(struct co_service *service);
void co_outbox_published(struct co_service *service, uint64_t token, int reason);
/** A retained message of our own topics came back while everything is repeated: cleared if it is not known. */
void co_outbox_found(struct co_work *work, const struct kd_topic *topic, struct kd_str text);
/** The marker, or the probe behind it, came back. */
void co_outbox_marker(struct co_service *service, struct kd_str payload, bool retain);

/** Subscribes to our own retained topics while everything is repeated, or ends that. */
void co_service_repeat_all(struct co_service *service, bool on);

/* ---- agents.c ---- */
void co_agent_hello(struct co_work *work, struct kd_str cluster, struct kd_str payload);
void co_agent_inventory(struct co_work *work, struct kd_str cluster, struct kd_str payload);
void co_agent_status(struct co_work *work, struct kd_str cluster, struct kd_str payload);
/** Clusters that have been silent too long are offline. Returns when the next may be. */
struct kd_mono co_agents_tick(struct co_service *service);
/** A connection begins: silence is counted from here. */
void co_agents_connected(struct co_service *service);

/* ---- lookups.c ---- */
struct kd_mono co_lookups_tick(struct co_service *service);
void co_lookups_clear(struct co_service *service);

/* ---- routes.c ---- */
void co_request(struct co_work *work, const struct kd_topic *topic, const struct co_message *message);
/** Forgets replies and uploads that are an hour old. */
void co_requests_expire(struct co_work *work);

/* ---- views.c ---- */
/** The bytes of a retained topic as they are now: empty where it is to be cleared. In the work's arena. */
struct kd_str co_retained(struct co_work *work, const struct kd_topic *topic);

#endif
