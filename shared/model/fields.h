/** Short forms for the rows of JSON tables: F_…(struct, member, [shape or words,] "name", further designated initialisers). Only
 * for codecs' .c files. */
#ifndef KD_MODEL_FIELDS_H
#define KD_MODEL_FIELDS_H

#include "shared/base/own.h"
#include "shared/model/json.h"

#define F_ROW(KIND, T, member, ...)                                                                                                \
    {                                                                                                                              \
        .kind = (KIND), .at = offsetof(T, member), .name = __VA_ARGS__                                                             \
    }
#define F_TEXT(T, member, ...)  F_ROW(KD_JSON_TEXT, T, member, __VA_ARGS__)
#define F_COUNT(T, member, ...) F_ROW(KD_JSON_COUNT, T, member, __VA_ARGS__)
#define F_FLAG(T, member, ...)  F_ROW(KD_JSON_FLAG, T, member, __VA_ARGS__)
#define F_TEXTS(T, member, ...) F_ROW(KD_JSON_TEXTS, T, member, __VA_ARGS__)
#define F_PAIRS(T, member, ...) F_ROW(KD_JSON_PAIRS, T, member, __VA_ARGS__)
#define F_RAW(T, member, ...)   F_ROW(KD_JSON_RAW, T, member, __VA_ARGS__)
#define F_SHAPED(KIND, T, member, of, ...)                                                                                         \
    {                                                                                                                              \
        .kind = (KIND), .at = offsetof(T, member), .shape = (of), .name = __VA_ARGS__                                              \
    }
#define F_OBJECT(T, member, of, ...) F_SHAPED(KD_JSON_OBJECT, T, member, of, __VA_ARGS__)
#define F_REF(T, member, of, ...)    F_SHAPED(KD_JSON_REF, T, member, of, __VA_ARGS__)
#define F_LIST(T, member, of, ...)   F_SHAPED(KD_JSON_LIST, T, member, of, __VA_ARGS__)
#define F_WORD(T, member, table, ...)                                                                                              \
    {                                                                                                                              \
        .kind = KD_JSON_WORD, .at = offsetof(T, member), .words = (table), .word_count = (int)KD_COUNT(table), .name = __VA_ARGS__ \
    }

/** A shape of a struct from its rows: KD_SHAPE(struct x, rows, "what it is", further designated initialisers). */
#define KD_SHAPE(T, rows, ...)                                                                                                     \
    {                                                                                                                              \
        .size = sizeof(T), .fields = (rows), .count = KD_COUNT(rows), .what = __VA_ARGS__                                          \
    }

#endif
