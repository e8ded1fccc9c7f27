/** Short forms for the rows of JSON tables: F_…(struct, member, "name", further designated initialisers). Only for codecs' .c
 * files. */
#ifndef KD_MODEL_FIELDS_H
#define KD_MODEL_FIELDS_H

#include "shared/base/own.h"
#include "shared/model/json.h"

#define F_ROW(KIND, T, member, text, ...)                                                                                          \
    {                                                                                                                              \
        .name = (text), .kind = (KIND), .at = offsetof(T, member), __VA_ARGS__                                                     \
    }
#define F_TEXT(T, member, text, ...)      F_ROW(KD_JSON_TEXT, T, member, text, __VA_ARGS__)
#define F_COUNT(T, member, text, ...)     F_ROW(KD_JSON_COUNT, T, member, text, __VA_ARGS__)
#define F_FLAG(T, member, text, ...)      F_ROW(KD_JSON_FLAG, T, member, text, __VA_ARGS__)
#define F_TEXTS(T, member, text, ...)     F_ROW(KD_JSON_TEXTS, T, member, text, __VA_ARGS__)
#define F_PAIRS(T, member, text, ...)     F_ROW(KD_JSON_PAIRS, T, member, text, __VA_ARGS__)
#define F_RAW(T, member, text, ...)       F_ROW(KD_JSON_RAW, T, member, text, __VA_ARGS__)
#define F_OBJECT(T, member, text, s, ...) F_ROW(KD_JSON_OBJECT, T, member, text, .shape = (s), __VA_ARGS__)
#define F_REF(T, member, text, s, ...)    F_ROW(KD_JSON_REF, T, member, text, .shape = (s), __VA_ARGS__)
#define F_LIST(T, member, text, s, ...)   F_ROW(KD_JSON_LIST, T, member, text, .shape = (s), __VA_ARGS__)
#define F_WORD(T, member, text, table, ...)                                                                                        \
    F_ROW(KD_JSON_WORD, T, member, text, .words = (table), .word_count = (int)KD_COUNT(table), __VA_ARGS__)

/** A shape of a struct from its rows. */
#define KD_SHAPE(text, T, rows, ...)                                                                                               \
    {                                                                                                                              \
        .what = (text), .size = sizeof(T), .fields = (rows), .count = KD_COUNT(rows), __VA_ARGS__                                  \
    }

#endif
