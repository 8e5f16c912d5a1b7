/*
 * State and statistics of one cache: tags by the common lookup, a byte of flags a line. What happens when, and between
 * caches, is the business of sim/cpu (private caches) and memsys.c (LLC); docs/model/cache.md, docs/model/timing.md.
 */
#ifndef MEMORY_CACHE_H
#define MEMORY_CACHE_H

#include "engine/assoc.h"
#include "engine/req.h"
#include "engine/stats.h"
#include "memory/cache_config.h"

/* MESI of a line in a private cache hierarchy. */
enum line_state { LINE_I, LINE_S, LINE_E, LINE_M };

#define CACHE_STATS(X)                                                                                                  \
    X(accesses, "accesses", "lookups")                                                                                  \
    X(hits, "accesses", "... that found the line with the permission they need")                                        \
    X(misses, "accesses", "... that did not")                                                                           \
    X(read_misses, "accesses", "misses of reads and fetches")                                                           \
    X(write_misses, "accesses", "misses of writes (permission missing included)")                                       \
    X(upgrades, "accesses", "misses that found the line without write permission")                                      \
    X(mshr_merges, "accesses", "misses that joined an outstanding one to the same line")                                \
    X(mshr_full, "accesses", "misses that waited for a free MSHR")                                                      \
    X(writebacks, "lines", "dirty victims written to the next level")                                                   \
    X(writebacks_in, "lines", "dirty lines received from the level above")                                              \
    X(snoops, "messages", "invalidations and downgrades sent (LLC) or received (private)")                              \
    X(back_invalidations, "messages", "invalidations sent because the LLC gave up a line")
struct cache_stats {
    CACHE_STATS(STAT_FIELD)
};
/* Totals above, and the same by origin. */
#define CACHE_ORIGIN_STATS(X)                                                                                           \
    X(accesses, "accesses", "lookups of this origin")                                                                   \
    X(misses, "accesses", "... that missed")
struct cache_origin_stats {
    CACHE_ORIGIN_STATS(STAT_FIELD)
};

struct cache {
    struct assoc tags; /* key: physical line number */
    uint8_t *flags;    /* by entry; the owner's */
    struct cache_stats st;
    struct cache_origin_stats by[ORIGIN_COUNT];
};

/* `name` seeds the random policy and appears in messages. */
int cache_init(struct cache *c, const struct cache_config *cfg, uint64_t seed, const char *name, struct err *err);
void cache_fini(struct cache *c);
void cache_state(struct cache *c, struct state_io *io); /* tags, flags, statistics */
/* Registers under `path` and `path.ORIGIN` for the origins of the mask (bit enum req_origin). */
void cache_register_stats(const struct cache *c, struct stats *s, const char *path, unsigned origins);

static inline void cache_count(struct cache *c, enum req_origin o, bool hit, bool write)
{
    c->st.accesses++;
    c->by[o].accesses++;
    if (likely(hit)) {
        c->st.hits++;
    } else {
        c->st.misses++;
        c->by[o].misses++;
        if (write)
            c->st.write_misses++;
        else
            c->st.read_misses++;
    }
}

#endif
