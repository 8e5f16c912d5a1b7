/*
 * Reads a JSON file of a result as a flat list: "measure.cpu0.dtlb.misses" with the value's own text, so that 64-bit
 * counters stay exact. Arrays are one entry, with the raw text "[1, 2, 3]". An own small scanner, since cJSON keeps
 * numbers as doubles only. Bounded: RESULT_JSON_MAX bytes, nesting of 64; anything that is no JSON is an error with its place.
 */
#ifndef APP_RESULT_JSON_H
#define APP_RESULT_JSON_H

#include "engine/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESULT_JSON_MAX (256u << 20)

enum json_type { JSON_NUMBER, JSON_STRING, JSON_LITERAL, JSON_ARRAY, JSON_EMPTY_OBJECT };
struct json_flat_value {
    const char *path; /* member names joined by dots */
    const char *text; /* number, literal, array: as in the file; string: decoded */
    enum json_type type;
};
struct json_flat {
    struct json_flat_value *v; /* in the order of the file */
    size_t n, cap;
    char *pool; /* the texts */
};

/* A whole file of at most RESULT_JSON_MAX bytes with a NUL behind it, to be freed. */
int result_text_load(char **text, size_t *len, const char *file, struct err *err);
int json_flat_load(struct json_flat *j, const char *file, struct err *err);
/* `name` is what errors call the text. */
int json_flat_parse(struct json_flat *j, const char *text, size_t len, const char *name, struct err *err);
void json_flat_free(struct json_flat *j);
/* The text at a path, NULL if there is none. */
const char *json_flat_get(const struct json_flat *j, const char *path);
/* A number that is a whole one up to 2^64-1; false otherwise. */
bool json_flat_u64(const char *text, uint64_t *out);
/* Reads "[1, 2, 3]" into out, at most `max` elements; returns how many there are, -1 if one is no whole number. */
int json_flat_u64_array(const char *text, uint64_t *out, size_t max);

/* Which names a person means: those that a shell pattern matches, or that have the word as a part; NULL: all. */
bool result_name_matches(const char *pattern, const char *name);

/* stats.json of a result folder; the error says what to do if there is none. */
int result_stats_load(struct json_flat *j, const char *dir, struct err *err);

#endif
