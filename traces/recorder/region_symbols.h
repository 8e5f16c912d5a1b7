/*
 * Where the functions that bound a region of interest lie, in each process: in the first file mapped that has the symbol,
 * which is the program itself or a library, as the dynamic loader has it. Private to traces/recorder.
 */
#ifndef TRACES_RECORDER_REGION_SYMBOLS_H
#define TRACES_RECORDER_REGION_SYMBOLS_H

#include "traces/recorder/region.h"

enum region_name { REGION_ROI, REGION_FROM, REGION_TO, REGION_NAMES };

struct region_addresses { /* of a process */
    bool has[REGION_NAMES];
    uint64_t at[REGION_NAMES];
};

struct region_symbols;
/* An error if a program that can load no library lacks a symbol. */
int region_symbols_new(struct region_symbols **out, const struct region_names *names, struct err *err);
void region_symbols_free(struct region_symbols *s); /* NULL is fine */
/* A record that is no reference: files, mappings, processes. */
void region_symbols_event(struct region_symbols *s, uint32_t process, const struct trace_rec *rec);
/* NULL: nothing is known of the process. The pointer holds until the next event. */
const struct region_addresses *region_symbols_of(const struct region_symbols *s, uint32_t process);
/* A name that no mapped file has had; NULL: all were found. */
const char *region_symbols_missing(const struct region_symbols *s);

#endif
