#include "replay/before/infer.h"

#include "engine/rng.h"

#include <math.h>
#include <stdlib.h>

enum { TYPES = MIGRATE_PCPTYPES + 1 }; /* HighAtomic too, where pagetypeinfo has some */
enum { STEPS_A_BLOCK = 300, STEPS_MOST = 4000000 };
/* How much a pageblock's contents count against one free block of disagreement with pagetypeinfo. */
static const double content_weight = 3.0, block_count_weight = 0.05, hot = 3.0, cold = 0.02;

static double content_cost(const struct infer_block *b, unsigned t)
{
    double slab = b->used[CLASS_SLAB], table = b->used[CLASS_PGTABLE];
    double user = b->used[CLASS_ANON] + b->used[CLASS_FILE] + b->used[CLASS_HUGE];
    double all = slab + table + user + b->used[CLASS_OTHER];
    if (all < 1)
        return t == MIGRATE_MOVABLE ? 0 : 0.2; /* how all memory begins */
    switch (t) {
    case MIGRATE_MOVABLE: return content_weight * (slab + table) / all + (slab + table > 0 ? 0.5 : 0);
    case MIGRATE_UNMOVABLE: return content_weight * user / all + 0.3;
    case MIGRATE_RECLAIMABLE: return content_weight * (user + table) / all + 0.3 + (table > 0 ? 0.5 : 0);
    default: return content_weight;
    }
}

/* What the search reads of a pageblock at each of its millions of steps. */
struct brief {
    double cost[TYPES];         /* content_cost */
    uint16_t free[SNAP_ORDERS]; /* as in struct infer_block */
    uint16_t orders;            /* bit o: free[o] is not 0 */
};

struct search {
    bool has_blocks;
    int64_t over[TYPES][SNAP_ORDERS], over_blocks[TYPES]; /* counted so far, less what pagetypeinfo says */
};

/* By how much the counts fit pagetypeinfo worse when b, which counts as no type now, becomes type t. here: it does count as t. */
static double misfit(const struct search *s, const struct brief *b, unsigned t, bool here)
{
    int64_t d = 0;
    for (unsigned orders = b->orders; orders; orders &= orders - 1) {
        unsigned o = (unsigned)__builtin_ctz(orders);
        int64_t then = s->over[t][o] + (here ? 0 : b->free[o]);
        d += llabs(then) - llabs(then - b->free[o]);
    }
    if (!s->has_blocks)
        return (double)d;
    int64_t then = s->over_blocks[t] + (here ? 0 : 1);
    return (double)d + block_count_weight * (double)(llabs(then) - llabs(then - 1));
}

static void count(struct search *s, const struct brief *b, unsigned t, int sign)
{
    for (unsigned o = 0; o < SNAP_ORDERS; o++)
        s->over[t][o] += sign * b->free[o];
    s->over_blocks[t] += sign;
}

/* exp(-gain / temperature) > a random number; the exponential is left out where it is below the smallest one but 0. */
static bool by_chance(double gain, double temperature, struct rng *rng)
{
    static const double hopeless = -40, next_to_none = 1e-17; /* exp(-40) is 4e-18 */
    double x = -gain / temperature, u = rng_unit(rng);
    return !(x < hopeless && u > next_to_none) && exp(x) > u;
}

/* Moves pageblock b, whose type is *type, to t if that is better, or by chance at this temperature. */
static void consider(struct search *s, const struct brief *b, uint8_t *type, unsigned t, double temperature, struct rng *rng)
{
    unsigned from = *type;
    double gain = misfit(s, b, t, false) - misfit(s, b, from, true) + b->cost[t] - b->cost[from];
    if (gain < 0 || (temperature > 0 && by_chance(gain, temperature, rng))) {
        count(s, b, from, -1);
        count(s, b, t, 1);
        *type = (uint8_t)t;
    }
}

static void brief_of(struct brief *out, const struct infer_block *b)
{
    for (unsigned t = 0; t < TYPES; t++)
        out->cost[t] = content_cost(b, t);
    out->orders = 0;
    for (unsigned o = 0; o < SNAP_ORDERS; o++) {
        out->free[o] = b->free[o];
        out->orders |= (uint16_t)((b->free[o] != 0) << o);
    }
}

uint64_t infer_types(struct infer_block *b, size_t n, const struct snap_zone *z)
{
    struct search s = {.has_blocks = z->has_blocks};
    uint64_t unlike = 0;
    struct rng rng;
    rng_init(&rng, 1, "pageblock types");
    unsigned types = z->has_blocks && z->blocks[MIGRATE_HIGHATOMIC] ? TYPES : MIGRATE_PCPTYPES;
    size_t *loose = calloc(n ? n : 1, sizeof *loose), n_loose = 0; /* where the search has a choice */
    struct brief *brief = calloc(n ? n : 1, sizeof *brief);
    for (unsigned t = 0; t < TYPES; t++) {
        s.over_blocks[t] = -(int64_t)z->blocks[t];
        for (unsigned o = 0; o < SNAP_ORDERS; o++)
            s.over[t][o] = -(int64_t)z->nr_free_mt[o][t];
    }
    for (size_t i = 0; brief && loose && i < n; i++) {
        brief_of(&brief[i], &b[i]);
        if (!b[i].fixed) {
            b[i].type = 0;
            for (unsigned t = 1; t < types; t++)
                if (brief[i].cost[t] < brief[i].cost[b[i].type])
                    b[i].type = (uint8_t)t;
            loose[n_loose++] = i;
        }
        if (b[i].type < TYPES)
            count(&s, &brief[i], b[i].type, 1);
    }
    if (z->has_types && n_loose) {
        uint64_t steps = (uint64_t)n_loose * STEPS_A_BLOCK;
        if (steps > STEPS_MOST)
            steps = STEPS_MOST;
        double temperature = hot, cooling = pow(cold / hot, 1.0 / (double)steps);
        for (uint64_t k = 0; k < steps; k++) {
            size_t i = loose[rng_below(&rng, n_loose)];
            unsigned t = (unsigned)rng_below(&rng, types);
            if (t != b[i].type)
                consider(&s, &brief[i], &b[i].type, t, temperature, &rng);
            temperature *= cooling;
        }
        for (unsigned pass = 0; pass < 4; pass++)
            for (size_t k = 0; k < n_loose; k++)
                for (unsigned t = 0; t < types; t++)
                    if (t != b[loose[k]].type)
                        consider(&s, &brief[loose[k]], &b[loose[k]].type, t, 0, &rng);
    }
    free(loose);
    free(brief);
    for (unsigned o = 0; z->has_types && o < SNAP_ORDERS; o++)
        for (unsigned t = 0; t < TYPES; t++)
            unlike += (uint64_t)llabs(s.over[t][o]);
    return unlike;
}
