/** A map from texts to values: open addressing with tombstones, FNV-1a. Keys are names that passed their checks, so an attacker has
 *  little to choose collisions from; a lookup never walks further than the table. */
#include "shared/base/map.h"

#include <stdlib.h>

enum { KD_MAP_FIRST = 16 /* slots */ };

struct kd_map_slot {
    char *key; /* owned; NULL: free, or a tombstone if `dead` */
    size_t n;
    uint64_t hash;
    bool dead;
};

static uint64_t kd_hash_text(struct kd_str s)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < s.n; i++)
        hash = (hash ^ (unsigned char)s.p[i]) * UINT64_C(1099511628211);
    return hash;
}

/** The slot of a key, or the one where it belongs; cap if there is no map yet. */
static size_t kd_map_find(const struct kd_map *map, struct kd_str key, uint64_t hash)
{
    size_t mask = map->cap - 1, place = map->cap;
    for (size_t i = 0; i < map->cap; i++) {
        size_t at = (hash + i) & mask;
        const struct kd_map_slot *slot = &map->slots[at];
        if (slot->key && slot->hash == hash && kd_str_eq((struct kd_str){ slot->key, slot->n }, key))
            return at;
        if (!slot->key && place == map->cap)
            place = at;
        if (!slot->key && !slot->dead)
            break;
    }
    return place;
}

void *kd_map_get(const struct kd_map *map, struct kd_str key)
{
    size_t at = kd_map_find(map, key, kd_hash_text(key));
    return at < map->cap && map->slots[at].key ? map->values + at * map->value_size : NULL;
}

static bool kd_map_resize(struct kd_map *map, size_t cap)
{
    struct kd_map bigger = { .value_size = map->value_size, .cap = cap, .n = map->n, .used = map->n };
    bigger.slots = calloc(cap, sizeof *bigger.slots);
    bigger.values = calloc(cap, map->value_size);
    if (!bigger.slots || !bigger.values) {
        free(bigger.slots);
        free(bigger.values);
        return false;
    }
    for (size_t i = 0; i < map->cap; i++)
        if (map->slots[i].key) {
            const struct kd_map_slot *slot = &map->slots[i];
            size_t at = kd_map_find(&bigger, (struct kd_str){ slot->key, slot->n }, slot->hash);
            bigger.slots[at] = *slot;
            memcpy(bigger.values + at * map->value_size, map->values + i * map->value_size, map->value_size);
        }
    free(map->slots);
    free(map->values);
    *map = bigger;
    return true;
}

/** Room for one more: a table that is full of entries grows, one that is full of tombstones is made anew. */
static bool kd_map_has_room(struct kd_map *map)
{
    if ((map->used + 1) * 4 <= map->cap * 3)
        return true;
    return kd_map_resize(map, map->cap == 0 ? KD_MAP_FIRST : map->n * 2 < map->cap ? map->cap : map->cap * 2);
}

void *kd_map_put(struct kd_map *map, struct kd_str key)
{
    void *known = kd_map_get(map, key);
    if (known)
        return known;
    if (!kd_map_has_room(map))
        return NULL;
    uint64_t hash = kd_hash_text(key);
    size_t at = kd_map_find(map, key, hash);
    char *copy = malloc(key.n + 1);
    if (at >= map->cap || !copy) {
        free(copy);
        return NULL;
    }
    if (key.n)
        memcpy(copy, key.p, key.n);
    copy[key.n] = '\0';
    map->used += !map->slots[at].dead;
    map->slots[at] = (struct kd_map_slot){ .key = copy, .n = key.n, .hash = hash };
    memset(map->values + at * map->value_size, 0, map->value_size);
    map->n++;
    return map->values + at * map->value_size;
}

bool kd_map_del(struct kd_map *map, struct kd_str key)
{
    size_t at = kd_map_find(map, key, kd_hash_text(key));
    if (at >= map->cap || !map->slots[at].key)
        return false;
    free(map->slots[at].key);
    map->slots[at] = (struct kd_map_slot){ .dead = true };
    map->n--;
    return true;
}

bool kd_map_next(const struct kd_map *map, size_t *at, struct kd_str *ret_key, void **ret_value)
{
    while (*at < map->cap && !map->slots[*at].key)
        ++*at;
    if (*at >= map->cap)
        return false;
    *ret_key = (struct kd_str){ map->slots[*at].key, map->slots[*at].n };
    *ret_value = map->values + *at * map->value_size;
    ++*at;
    return true;
}

void kd_map_clear(struct kd_map *map)
{
    for (size_t i = 0; i < map->cap; i++)
        free(map->slots[i].key);
    free(map->slots);
    free(map->values);
    *map = (struct kd_map){ .value_size = map->value_size };
}
