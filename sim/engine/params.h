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
 *   P_SIZE_LIST, P_U64_LIST, P_PATH_LIST: struct param_list
 */
#ifndef ENGINE_PARAMS_H
#define ENGINE_PARAMS_H

#include <stddef.h>
#include <stdint.h>

enum param_type {
    P_BOOL, P_U32, P_U64, P_F64, P_SIZE, P_TIME, P_FREQ, P_CYC, P_ENUM, P_STR, P_ADDR, P_PATH,
    P_SIZE_LIST, P_U64_LIST, P_PATH_LIST,
};

struct param_list { /* elements are owned by the configuration */
    size_t n;
    uint64_t *u; /* P_SIZE_LIST, P_U64_LIST */
    char **s;    /* P_PATH_LIST */
};

enum { PARAM_POW2 = 1 /* the value must be a power of two */ };

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
};

struct param_group {
    const char *path; /* "" for the root, else "mmu.dtlb" */
    const struct param *table;
    size_t n;
    size_t base;      /* offset of the described struct in the root struct */
    const char *help; /* what this section is */
};

#endif
