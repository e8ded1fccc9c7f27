/** What a handler works with: the open transactions of one batch, memory for one message, and what leaves after the commit. */
#ifndef CO_SERVER_WORK_H
#define CO_SERVER_WORK_H

#include "coordinator/server/service.h"
#include "coordinator/server/tables.h"
#include "shared/model/messages.h"

enum {
    CO_MESSAGE_MEMORY = 64 * 1024 * 1024, /* bytes that one message may use while it is handled */
    CO_LOG_LINE = 512,                    /* bytes */
};

/** What is known of a project. */
struct co_project {
    struct kd_version version; /* the newest one given to a manifest */
    struct kd_version heard;   /* the newest one that an agent said it has */
};

struct co_work {
    struct co_service *service;
    struct kd_txn *spec, *status;
    struct kd_arena *arena;      /* for the message at hand */
    struct kd_str project;       /* of the message at hand */
    struct kd_str operator_name; /* of the request at hand */
    struct kd_wall wall;
    uint64_t uptime_ms; /* of the coordinator, over all its starts: for what is kept for a time, whatever the wall clock does */
    struct kd_mono now;
    struct kd_arena *batch;                   /* lives until the end of the batch */
    struct co_touched *touched;               /* clusters whose manifest may have changed */
    struct co_letter *letters, **last_letter; /* what leaves after the commit */
};

const struct co_service_options *co_options(const struct co_work *work);

/** Logs through the shell. */
void co_note(struct co_service *service, int level, const char *event, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

uint64_t co_chance(struct co_work *work);
/** 32 hex digits of chance, in the message's memory. */
struct kd_str co_new_uid(struct co_work *work);
/** RFC 3339, in the message's memory. */
struct kd_str co_time_text(struct co_work *work);

/** Sends a message without storing it, after the commit. Copied. */
void co_send(struct co_work *work, struct kd_str topic, struct kd_str payload, struct kd_str correlation, bool retain);

/** The cluster's manifest is made anew at the end of the batch if it differs. */
void co_touch(struct co_work *work, struct kd_str cluster);

struct co_project co_project_get(struct co_work *work);
void co_project_put(struct co_work *work, const struct co_project *project);

/** Reads a JSON value of a table into *ret; false where there is none. A record that cannot be read is logged and counts as none. */
bool co_read(struct co_work *work, struct kd_txn *txn, int table, struct kd_str key, const struct kd_json_shape *shape, void *ret);
void co_write(struct co_work *work, struct kd_txn *txn, int table, struct kd_str key, const struct kd_json_shape *shape,
              const void *value);

/* ---- manifests.c: placements become manifests ---- */
struct co_placement {
    struct kd_str name, uid;
    struct kd_ref document;
    struct kd_strs adopts;
    bool remove, hold;
    bool unfit; /* the cluster's manifest has no room for it */
};
extern const struct kd_json_shape co_placement_shape;
#define CO_UNFIT_TEXT "not placed: the manifest of this cluster is full (2000 deployments, 256 KiB)"

/** Makes the manifest of one cluster from its placements; gives it a new version and puts it into the outbox if it differs. */
void co_manifest_make(struct co_work *work, struct kd_str cluster);
/** Wants the document on that cluster, or changes what is wanted. */
void co_place(struct co_work *work, struct kd_str cluster, const struct co_placement *placement);
/** Asks for removal of what was wanted. */
void co_unplace(struct co_work *work, struct kd_str cluster, const struct co_placement *placement);
/** Forgets a placement: it was removed, or its cluster is gone. */
void co_forget_placement(struct co_work *work, struct kd_str cluster, struct kd_str uid);
bool co_placement_get(struct co_work *work, struct kd_str cluster, struct kd_str uid, struct co_placement *ret);

/* ---- objects.c: bytes by digest, with counts of who names them ---- */
/** A reference to bytes of the catalog (values, artifacts), split into pieces where they are large. Counted once more. The digest is
 *  {NULL, 0} where the message's memory is used up; the same with co_object_add. */
struct kd_ref co_content_add(struct co_work *work, struct kd_str bytes);
void co_content_name(struct co_work *work, struct kd_str digest); /* one more */
void co_content_drop(struct co_work *work, struct kd_str digest); /* one less; gone with the last */
/** All bytes behind a digest, in the message's memory; {NULL, 0} where they are not there. */
struct kd_str co_content_read(struct co_work *work, struct kd_str digest);

/** Publishes bytes as an object (or as pieces and a list). Counted once more. */
struct kd_ref co_object_add(struct co_work *work, struct kd_str bytes);
/** Publishes a deployment document; what it names is counted as long as it exists. KD_TOO_LARGE where it does not fit a message. */
KD_MUST_CHECK enum kd_code co_object_add_document(struct co_work *work, const struct kd_document *document, struct kd_ref *ret,
                                                  struct kd_err *err);
/** The same content as co_content_add made, as objects. Counted once more. */
void co_object_add_content(struct co_work *work, const struct kd_ref *ref);
void co_object_name(struct co_work *work, struct kd_str digest);   /* one more */
void co_object_unname(struct co_work *work, struct kd_str digest); /* one less; cleared a day after the last */
/** Clears what is due; returns when the next is. */
struct kd_wall co_objects_clear(struct co_work *work);

/* ---- outbox.c ---- */
/** The topic shall be published as it stands (or cleared where it does not exist), after everything that was put before. */
void co_outbox_put(struct co_work *work, struct kd_str topic);
void co_outbox_put_manifest(struct co_work *work, struct kd_str cluster);
void co_outbox_put_object(struct co_work *work, struct kd_str hex);
/** A view has changed; published at most once a second, the last one always. */
void co_view_dirty(struct co_work *work, struct kd_str kind, struct kd_str name, struct kd_str version);

/* ---- tallies.c ---- */
/** Brings the sums of a deployment up to date with what is wanted and known of it on one cluster. */
void co_tally(struct co_work *work, struct kd_str uid, struct kd_str cluster);
/** The same for everything on a cluster: it went offline or came back. */
void co_tally_cluster(struct co_work *work, struct kd_str cluster);

#endif
