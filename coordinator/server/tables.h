/** The coordinator's tables. Keys are names joined by '/'; they start with the project, so that several coordinators can share the
 *  work by project. Names cannot contain '/'. */
#ifndef CO_SERVER_TABLES_H
#define CO_SERVER_TABLES_H

#include "shared/store/store.h"

/** The spec store: small, rarely written, precious. id, name in the file. */
#define CO_SPEC_TABLES(X)                                                                                                          \
    X(META, "meta")                   /* what -> number: batch, starts, position, uptime */                                        \
    X(PROJECT, "project")             /* p -> co_project */                                                                        \
    X(REGISTRY, "registry")           /* p/name -> document */                                                                     \
    X(ARTIFACT, "artifact")           /* p/name -> document */                                                                     \
    X(APPLICATION, "application")     /* p/name/version -> document */                                                             \
    X(PACKAGE, "package")             /* p/name/version -> document */                                                             \
    X(DEPLOYMENT, "deployment")       /* p/name -> document */                                                                     \
    X(CLUSTER, "cluster")             /* p/name -> document */                                                                     \
    X(ROLLOUT, "rollout")             /* p/uid -> co_rollout: what became of the deployment of that uid */                         \
    X(WAITING, "waiting")             /* p/name -> "": deployments whose charts are not pinned yet */                              \
    X(PLACEMENT, "placement")         /* p/cluster/uid -> co_placement */                                                          \
    X(PLACED, "placed")               /* p/uid/cluster -> "" */                                                                    \
    X(MANIFEST, "manifest")           /* p/cluster -> bytes as published */                                                        \
    X(OBJECT, "object")               /* p/hex -> bytes as published */                                                            \
    X(OBJECT_COUNT, "object-count")   /* p/hex -> co_count */                                                                      \
    X(OBJECT_DUE, "object-due")       /* time/p/hex -> "": named by nothing since a day before */                                  \
    X(CONTENT, "content")             /* p/hex -> bytes of the catalog's files */                                                  \
    X(CONTENT_COUNT, "content-count") /* p/hex -> co_count */                                                                      \
    X(OUTBOX, "outbox")               /* position -> topic that is to be published as it stands then */                            \
    X(OUTBOX_AT, "outbox-at")         /* topic -> position */                                                                      \
    X(PARKED, "parked")               /* topic -> why the broker refused it */                                                     \
    X(REPLY, "reply")                 /* p/operator/id -> co_kept_reply */                                                         \
    X(REPLY_DUE, "reply-due")         /* time/p/operator/id -> "" */                                                               \
    X(REPLY_COUNT, "reply-count")     /* p/operator -> number */                                                                   \
    X(UPLOAD, "upload")               /* p/operator/upload/part -> bytes */                                                        \
    X(UPLOAD_INFO, "upload-info")     /* p/operator/upload -> co_upload */

/** The status store: large, often written, rebuilt from what agents report again. */
#define CO_STATUS_TABLES(X)                                                                                                        \
    X(S_META, "meta")           /* what -> number or text: batch, report, marker */                                                \
    X(S_PRESENCE, "presence")   /* p/cluster -> co_presence */                                                                     \
    X(S_STATUS, "status")       /* p/cluster/uid -> kd_status */                                                                   \
    X(S_CLASS, "class")         /* p/uid/cluster -> what it counts as in the sums */                                               \
    X(S_SUMS, "sums")           /* p/uid -> co_sums */                                                                             \
    X(S_INVENTORY, "inventory") /* p/cluster -> kd_inventory */                                                                    \
    X(S_DIRTY, "dirty")         /* topic of a view -> number: to be published */

#define CO_TABLE_AS_ENUM(id, name) CO_##id,
enum co_spec_table { CO_SPEC_TABLES(CO_TABLE_AS_ENUM) CO_SPEC_TABLE_COUNT };
enum co_status_table { CO_STATUS_TABLES(CO_TABLE_AS_ENUM) CO_STATUS_TABLE_COUNT };

extern const char *const co_spec_table_names[CO_SPEC_TABLE_COUNT];
extern const char *const co_status_table_names[CO_STATUS_TABLE_COUNT];

/** a/b/c/d; empty parts at the end are left out. */
struct kd_key co_key(struct kd_str a, struct kd_str b, struct kd_str c, struct kd_str d);
#define CO_NONE          ((struct kd_str){ NULL, 0 })
#define CO_KEY1(a)       co_key((a), CO_NONE, CO_NONE, CO_NONE)
#define CO_KEY2(a, b)    co_key((a), (b), CO_NONE, CO_NONE)
#define CO_KEY3(a, b, c) co_key((a), (b), (c), CO_NONE)

/** a/b/ : the prefix of all keys below. */
struct kd_key co_prefix(struct kd_str a, struct kd_str b, struct kd_str c);

/** 16 hex digits, so that the order of the bytes is the order of the numbers. */
struct kd_key co_number_key(uint64_t number);
bool co_number_of(struct kd_str hex, uint64_t *ret);

/** Small numbers as values: decimal text. 0 where there is none. */
uint64_t co_get_number(struct kd_txn *txn, int table, struct kd_str key);
void co_put_number(struct kd_txn *txn, int table, struct kd_str key, uint64_t number);

#endif
