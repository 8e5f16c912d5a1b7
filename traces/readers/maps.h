/*
 * The mappings a traced program has before its first instruction, read from the file NAME.maps.txt that
 * stands beside a lackey trace. Two forms, line by line:
 *
 *   Valgrind's own listing (valgrind -d -d, function am_show_nsegments)     /proc/PID/maps
 *     (1,49,7) /usr/bin/gzip                                                00400000-0040b000 r-xp 00001000
 * fe:01 8 /bin/x 2: file 000010b000-0000119fff 61440 r-x-- o=12288 (1,49) 5: anon 0000121000-00001e7fff
 * 815104 rw---
 */
#ifndef TRACES_MAPS_H
#define TRACES_MAPS_H

#include "engine/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trace_input;

#define TRACE_MAPS_MAX 65536u /* segments; more is an error */

struct trace_map {
    uint64_t start, length, offset; /* bytes */
    uint32_t prot;                  /* TRACE_PROT_* */
    uint8_t flags;                  /* TRACE_F_ANON, _STACK, _HEAP */
    char *path;                     /* owned; NULL: anonymous or unknown */
};

struct trace_maps {
    struct trace_map *map;
    size_t n;
    bool unended; /* the last line has no line end: the file may be cut off */
};

/*
 * `trace_path` without its compression and format ending, plus ".maps.txt": "d/gzip.lackey.zst" ->
 * "d/gzip.maps.txt". Known endings: .zst .xz .gz .bz2, then .lackey .log .txt .out .trace. Returns a malloced
 * string, NULL without memory.
 */
char *trace_maps_name(const char *trace_path);

/*
 * Reads all lines. 0, or -1 with err (file and line). The stack is the highest writable anonymous segment;
 * the heap (which brk extends) is the segment named [heap], or in a Valgrind listing the anonymous rwx one:
 * Valgrind makes a client's brk segment of one page with all rights (m_main.c, setup of the data segment).
 */
int trace_maps_read(struct trace_maps *out, struct trace_input *in, struct err *err);
void trace_maps_free(struct trace_maps *m);

#endif
