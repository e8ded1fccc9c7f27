/** Planted defects: the simulation is worth something only if it finds them. They exist in its own build alone (-DKD_PLANTED). */
#ifndef KD_BASE_PLANT_H
#define KD_BASE_PLANT_H

/** id, what is wrong when it is switched on. */
#define KD_PLANTS(X)                                                                                                               \
    X(NONE, "nothing")                                                                                                             \
    X(REPLY_BEFORE_COMMIT, "the coordinator replies although the commit failed")                                                   \
    X(ACK_BEFORE_COMMIT, "the coordinator acknowledges a status that it did not store")                                            \
    X(ACK_DROPPED, "the coordinator never acknowledges removals")                                                                  \
    X(OUTBOX_NOT_KEPT, "what is to be published is forgotten by a crash")                                                          \
    X(LATE_WILL, "a will of an earlier connection makes a cluster offline")                                                        \
    X(CLEARED_EARLY, "an object is cleared while a manifest still leads to it")                                                    \
    X(MARKER_IGNORED, "a broker that went back in time is not noticed")                                                            \
    X(EPOCH_KEPT, "a restored store goes on in its old epoch")                                                                     \
    X(OLD_MANIFEST, "the agent accepts an older manifest")                                                                         \
    X(ABSENCE_REMOVES, "the agent removes what its manifest does not name")                                                        \
    X(NAME_IS_UID, "the agent takes another uid under the same name for the same thing")                                           \
    X(HOLD_IGNORED, "the agent changes what is held after a restore")                                                              \
    X(SEQUENCE_IGNORED, "the coordinator stores a status that is older than the one it has")                                       \
    X(SAVE_AFTER_SPAWN, "the agent starts a job before it stored why")                                                             \
    X(MISSING_NOT_SAID, "the agent does not say which objects it misses")

#define KD_PLANT_AS_ENUM(id, text) KD_PLANT_##id,
enum kd_plant { KD_PLANTS(KD_PLANT_AS_ENUM) KD_PLANT_COUNT };

#ifdef KD_PLANTED
extern enum kd_plant kd_planted;
#define KD_PLANT(id) (kd_planted == KD_PLANT_##id)
#else
#define KD_PLANT(id) 0
#endif

#endif
