/*
 * Values as people write them, strictly: "4KiB", "40ns", "3.2GHz", "9cyc", "0xffff800000000000". A unit is always needed
 * and no unit has two spellings; fractions are accepted when they are exact in the storage unit ("2.5us", "0.5KiB").
 * The parsers read the whole text, return 0, or -1 with a message that says what to write (err may be NULL).
 * Locale-independent.
 */
#ifndef CONFIG_UNITS_H
#define CONFIG_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/err.h"

int unit_parse_size(const char *text, uint64_t *bytes, struct err *err);     /* B KiB MiB GiB TiB PiB EiB */
int unit_parse_time(const char *text, uint64_t *picoseconds, struct err *err); /* ps ns us ms s */
int unit_parse_freq(const char *text, uint64_t *hertz, struct err *err);     /* Hz kHz MHz GHz */
int unit_parse_cycles(const char *text, uint32_t *cycles, struct err *err);  /* cyc */
int unit_parse_addr(const char *text, uint64_t *addr, struct err *err);      /* 0x and 1 to 16 hexadecimal digits */
int unit_parse_u64(const char *text, uint64_t *value, struct err *err);      /* decimal digits, exact */
int unit_parse_i64(const char *text, int64_t *value, struct err *err);       /* as u64 with an optional '-' */
int unit_parse_f64(const char *text, double *value, struct err *err);        /* a JSON number, finite */
int unit_parse_bool(const char *text, bool *value, struct err *err);         /* true or false */

/* The shortest exact spelling; each parses back to the same value. `buf` is returned. */
#define UNIT_BUF 48
char *unit_format_size(uint64_t bytes, char buf[UNIT_BUF]);
char *unit_format_time(uint64_t picoseconds, char buf[UNIT_BUF]);
char *unit_format_freq(uint64_t hertz, char buf[UNIT_BUF]);
char *unit_format_cycles(uint64_t cycles, char buf[UNIT_BUF]);
char *unit_format_addr(uint64_t addr, char buf[UNIT_BUF]);
char *unit_format_f64(double value, char buf[UNIT_BUF]);

#endif
