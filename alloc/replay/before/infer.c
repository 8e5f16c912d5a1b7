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

struct search {
    struct infer_block *b;
    double (*cost)[TYPES]; /* content_cost of each */
    const struct snap_zone *z;
    int64_t free[SNAP_ORDERS][TYPES], blocks[TYPES];
};

static double misfit(const struct search *s, const struct infer_block *b, unsigned t, int sign)
{
    double d = 0;
    if (!s->z->has_types)
        return 0;
    for (unsigned o = 0; o < SNAP_ORDERS; o++)
        if (b->free[o]) {
            int64_t now = s->free[o][t] - (int64_t)s->z->nr_free_mt[o][t], then = now + sign * b->free[o];
            d += (double)(llabs(then) - llabs(now));
        }
    if (s->z->has_blocks) {
        int64_t now = s->blocks[t] - (int64_t)s->z->blocks[t], then = now + sign;
        d += block_count_weight * (double)(llabs(then) - llabs(now));
    }
    return d;
}

static void count(struct search *s, const struct infer_block *b, unsigned t, int sign)
{
    for (unsigned o = 0; o < SNAP_ORDERS; o++)
        s->free[o][t] += sign * b->free[o];
    s->blocks[t] += sign;
}

/* Moves block b to type t if that is better, or by chance at this temperature. */
static void consider(struct search *s, struct infer_block *b, unsigned t, double temperature, struct rng *rng)
{
    unsigned from = b->type;
    count(s, b, from, -1);
    double gain = misfit(s, b, t, 1) - misfit(s, b, from, 1) + s->cost[b - s->b][t] - s->cost[b - s->b][from];
    bool take = gain < 0 || (temperature > 0 && exp(-gain / temperature) > rng_unit(rng));
    if (take)
        b->type = (uint8_t)t;
    count(s, b, b->type, 1);
}

uint64_t infer_types(struct infer_block *b, size_t n, const struct snap_zone *z)
{
    struct search s = {.b = b, .z = z};
    uint64_t unlike = 0;
    struct rng rng;
    rng_init(&rng, 1, "pageblock types");
    unsigned types = z->has_blocks && z->blocks[MIGRATE_HIGHATOMIC] ? TYPES : MIGRATE_PCPTYPES;
    size_t *loose = calloc(n ? n : 1, sizeof *loose), n_loose = 0; /* where the search has a choice that matters */
    s.cost = calloc(n ? n : 1, sizeof *s.cost);
    for (size_t i = 0; i < n; i++) {
        for (unsigned t = 0; s.cost && t < TYPES; t++)
            s.cost[i][t] = content_cost(&b[i], t);
        if (!b[i].fixed) {
            b[i].type = 0;
            for (unsigned t = 1; t < types; t++)
                if (content_cost(&b[i], t) < content_cost(&b[i], b[i].type))
                    b[i].type = (uint8_t)t;
            if (loose && s.cost)
                loose[n_loose++] = i;
        }
        if (b[i].type < TYPES)
            count(&s, &b[i], b[i].type, 1);
    }
    if (z->has_types && n_loose) {
        uint64_t steps = (uint64_t)n_loose * STEPS_A_BLOCK;
        if (steps > STEPS_MOST)
            steps = STEPS_MOST;
        double temperature = hot, cooling = pow(cold / hot, 1.0 / (double)steps);
        for (uint64_t k = 0; k < steps; k++) {
            struct infer_block *x = &b[loose[rng_below(&rng, n_loose)]];
            unsigned t = (unsigned)rng_below(&rng, types);
            if (t != x->type)
                consider(&s, x, t, temperature, &rng);
            temperature *= cooling;
        }
        for (unsigned pass = 0; pass < 4; pass++)
            for (size_t i = 0; i < n_loose; i++)
                for (unsigned t = 0; t < types; t++)
                    if (t != b[loose[i]].type)
                        consider(&s, &b[loose[i]], t, 0, &rng);
    }
    free(loose);
    free(s.cost);
    for (unsigned o = 0; z->has_types && o < SNAP_ORDERS; o++)
        for (unsigned t = 0; t < TYPES; t++)
            unlike += (uint64_t)llabs(s.free[o][t] - (int64_t)z->nr_free_mt[o][t]);
    return unlike;
}
