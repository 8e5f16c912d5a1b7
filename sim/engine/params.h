/*
 * Parameter tables: one table beside the struct it fills gives defaults, validation, units, `-s key=value`, sweep axes,
 * the JSON Schema, the reference manual, the effective configuration written beside every result, and its hash.
 *
 * A table describes the members of one struct. A `struct param_group` places one such struct at a path of the
 * configuration ("mmu.dtlb") and at an offset of the root struct, so several instances share one table macro.
 *
 * Storage by type:
 *   P_BOOL bool            P_U32 uint32_t      P_U64 uint64_t     P_F64 double
 *   P_SIZE uint64_t bytes ("4KiB", "512B", "1GiB")
 *   P_TIME uint64_t picoseconds ("40ns")       P_FREQ uint64_t hertz ("3.2GHz")
 *   P_CYC  uint32_t core cycles ("9cyc"; a bare number is an error that says what to write)
 *   P_ENUM int, index into `names`             P_STR char * (owned by the configuration; NULL when absent)
 *   P_ADDR uint64_t, a hexadecimal string ("0xffff800000000000")
 *   P_PATH char *, as P_STR, made relative to the file that names it
 *   P_I64  int64_t; `def`, `min` and `max` hold the two's complement ((uint64_t)-1000); both bounds 0: no bound
 *   P_SIZE_LIST, P_TIME_LIST, P_U64_LIST, P_STR_LIST, P_PATH_LIST: struct param_list; default in `def_s` as after -s: "[4KiB, 2MiB]"
 *   P_OBJECT_LIST: struct param_list whose `o` is an array of the structs that `elem` describes; empty by default
 */
#ifndef ENGINE_PARAMS_H
#define ENGINE_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum param_type {
    P_BOOL, P_U32, P_U64, P_F64, P_SIZE, P_TIME, P_FREQ, P_CYC, P_ENUM, P_STR, P_ADDR, P_PATH,
    P_SIZE_LIST, P_U64_LIST, P_PATH_LIST, P_I64, P_STR_LIST, P_OBJECT_LIST, P_TIME_LIST,
};

/* A list of plain values, in brackets after -s. */
static inline bool param_plain_list(enum param_type t)
{
    return t == P_SIZE_LIST || t == P_TIME_LIST || t == P_U64_LIST || t == P_STR_LIST || t == P_PATH_LIST;
}

struct param_list { /* elements are owned by the configuration */
    size_t n;
    uint64_t *u; /* P_SIZE_LIST, P_TIME_LIST, P_U64_LIST */
    char **s;    /* P_PATH_LIST, P_STR_LIST */
    void *o;     /* P_OBJECT_LIST: array of n elements */
};

enum {
    PARAM_POW2 = 1,     /* the value must be a power of two */
    PARAM_REQUIRED = 2, /* in the element of an object list only: the key must be given */
    PARAM_NO_HASH = 4,  /* does not change the result (output folder, progress): left out of the configuration hash */
    PARAM_NOT_WARM = 16, /* the state that functional mode reaches after so many references does not depend on it: it gives times, or
                          * is of what comes later. Runs that differ in such values alone share a checkpoint (docs/checkpoints.md) */
    PARAM_OR_ZERO = 8,  /* 0 is accepted although it lies below `min` or is no power of two: "off" or "automatic" */
};

struct param;
struct param_elem { /* the element of a P_OBJECT_LIST */
    const struct param *table;
    size_t n, size; /* size of the described struct */
};

struct param {
    const char *key; /* last part of the configuration key, lower case with underscores */
    enum param_type type;
    size_t offset;
    uint64_t def;              /* default of the integer types, in the storage unit; enum index; 0/1 for bool */
    double def_f;              /* default of P_F64 */
    const char *def_s;         /* default of P_STR, P_PATH; NULL: absent */
    uint64_t min, max;         /* inclusive, integer types; max 0 means no bound */
    double min_f, max_f;       /* inclusive, P_F64; both 0 means no bound */
    const char *const *names;  /* P_ENUM: NULL-terminated */
    unsigned flags;            /* PARAM_* */
    const char *help;          /* one sentence, unit and source */
    const struct param_elem *elem; /* P_OBJECT_LIST */
};

struct param_group {
    const char *path; /* "" for the root, else "mmu.dtlb" */
    const struct param *table;
    size_t n;
    size_t base;      /* offset of the described struct in the root struct */
    const char *help; /* what this section is */
};

/* Fills one struct with its table's defaults (lists: empty; strings: the table's own, never freed). */
void param_defaults(const struct param *table, size_t n, void *object);
/* The same for every group of a root struct. */
void param_group_defaults(const struct param_group *groups, size_t n, void *root);

#endif
