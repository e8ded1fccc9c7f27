/** A map from texts to values of one size. Values move when the map grows: a pointer to one is good until the next kd_map_put. */
#ifndef KD_BASE_MAP_H
#define KD_BASE_MAP_H

#include "shared/base/str.h"

struct kd_map {
    struct kd_map_slot *slots; /* owned */
    char *values;              /* owned, value_size bytes per slot */
    size_t n, used;            /* entries; entries and tombstones */
    size_t cap, value_size;    /* slots, a power of two; bytes */
};

#define KD_MAP(size)                                                                                                               \
    {                                                                                                                              \
        .value_size = (size)                                                                                                       \
    }

/** The value of a key, NULL if there is none. */
void *kd_map_get(const struct kd_map *map, struct kd_str key);

/** The value of a key, a zeroed one if it is new; NULL when out of memory. The key is copied. */
void *kd_map_put(struct kd_map *map, struct kd_str key);

bool kd_map_del(struct kd_map *map, struct kd_str key);

/** Walks: start with *at = 0; false at the end. The entry just given may be deleted, nothing may be put. */
bool kd_map_next(const struct kd_map *map, size_t *at, struct kd_str *ret_key, void **ret_value);

void kd_map_clear(struct kd_map *map);

#endif
