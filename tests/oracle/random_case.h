/* Random machines and random streams, all from a seed, for the comparison of the simulator with the oracle. */
#ifndef TESTS_RANDOM_CASE_H
#define TESTS_RANDOM_CASE_H

#include "oracle.h"

#include "engine/rng.h"

enum { RANDOM_CORES = 8 };

struct rec_list { /* records of one stream under construction */
    struct trace_rec *rec;
    size_t n, cap;
};
void rec_add(struct rec_list *l, uint8_t kind, uint64_t addr, uint32_t size);
void rec_call(struct rec_list *l, uint8_t kind, uint64_t addr, uint32_t size, const uint64_t *word, unsigned words);

struct random_case {
    struct machine_config m;
    struct oracle_stream stream[RANDOM_CORES];
    size_t n_streams;
    struct rec_list rec[RANDOM_CORES];
};

/* A machine that every part of the contract can be seen on; 1 to `max_cores` cores. */
void random_machine(struct machine_config *m, struct rng *r, uint32_t max_cores);
/* The streams of the cores of c->m: about `references` records each. */
void random_streams(struct random_case *c, struct rng *r, unsigned references);
/* Both, from the seed alone. */
void random_case_new(struct random_case *c, uint64_t seed, uint32_t max_cores, unsigned references);
void random_case_free(struct random_case *c);

/* A plain machine of `cores` cores for hand-computed cases: caches of 4 KiB / 16 KiB / 64 KiB, LRU, no refresh, MMU off. */
void plain_machine(struct machine_config *m, uint32_t cores);
/* One line that says what is special about a machine. */
void describe_machine(const struct machine_config *m, char *buf, size_t size);

#endif
