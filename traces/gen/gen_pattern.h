/* The patterns of the generator, private to it. One struct trace_gen_pattern each, in one list
 * (gen_pattern.c). */
#ifndef TRACES_GEN_PATTERN_H
#define TRACES_GEN_PATTERN_H

#include "engine/rng.h"
#include "traces/gen/gen.h"

struct gen_ref {
    uint64_t addr;
    uint32_t size;
    enum trace_kind kind;
    uint32_t slot;  /* which of the loop's accesses this is: each has code of its own; below GEN_SLOTS */
    bool dependent; /* its address comes from the access before */
};
#define GEN_SLOTS 8u

struct gen_thread {
    uint32_t number;
    uint64_t base; /* of its region */
    uint64_t done; /* data references made */
    struct rng rng, store_rng;
    uint64_t at;   /* the pattern's own */
    uint32_t step; /* a turn ends only where this is 0 */
};

struct gen {
    const struct trace_gen_config *c;
    uint32_t threads;
    uint64_t elements; /* size / element */
    void *own;         /* the pattern's, shared by all threads */
};

struct trace_gen_pattern {
    const char *name, *help;
    int (*start)(struct gen *g, struct err *err);        /* may be NULL; fills own */
    void (*thread)(struct gen *g, struct gen_thread *t); /* may be NULL: at the thread's beginning */
    bool (*next)(struct gen *g, struct gen_thread *t,
                 struct gen_ref *out); /* false: its turn ends after this reference */
    void (*stop)(struct gen *g);       /* may be NULL */
    bool one_region;                   /* whatever `shared` says */
    bool free_count;                   /* references go to whoever can make them, only the sum counts */
};
extern const struct trace_gen_pattern *const trace_gen_patterns[]; /* NULL-terminated */

/* Zipf-distributed ranks 1..n with P(k) ~ k^-s, exactly: rejection-inversion (Hoermann and Derflinger, 1996).
 */
struct gen_zipf {
    double s, n, h_first, h_last, shortcut;
};
void gen_zipf_init(struct gen_zipf *z, uint64_t n, double s); /* n >= 1, s >= 0 */
uint64_t gen_zipf_next(const struct gen_zipf *z, struct rng *r);

#endif
