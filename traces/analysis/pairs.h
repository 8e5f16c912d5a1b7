/*
 * The threads of a trace: (process, thread) pairs numbered in order of appearance, with a mark bit each, and
 * the number of distinct processes. Bounded, so that a malformed trace cannot make it grow for ever. Private
 * to traces/.
 */
#ifndef TRACES_PAIRS_H
#define TRACES_PAIRS_H

#include <stdbool.h>
#include <stdint.h>

#define PAIRS_MAX 65536u /* threads of one trace, and processes */

struct pair_slot {
    uint64_t key; /* 0 empty */
    bool mark;
};

struct pairs {
    struct pair_slot *slot; /* open addressing; pairs and processes in one table */
    uint32_t cap, used;
    uint32_t threads, processes;
};

/* Adds the pair if it is new. Its mark's place (valid until the next call), or NULL: too many, or no memory.
 */
bool *pairs_add(struct pairs *p, uint32_t process, uint32_t thread);
void pairs_fini(struct pairs *p);

#endif
