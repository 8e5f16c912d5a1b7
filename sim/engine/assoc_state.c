/* The state of a set-associative array as bytes, and what must hold of bytes that come from a file. */
#include "engine/assoc.h"

/* Each of the 16 places of an order holds another way. */
static bool permutation(uint64_t order)
{
    unsigned seen = 0;
    for (unsigned i = 0; i < 16; i++)
        seen |= 1u << (order >> (4 * i) & 15);
    return seen == 0xffff;
}

static const char *wrong_head(const struct assoc *a, uint32_t set)
{
    const struct assoc_head *h = &a->head[set];
    if ((unsigned)h->valid & ~(unsigned)a->full)
        return "an array has an entry in a way that does not exist";
    if (!permutation(h->order))
        return "an array's order of replacement is none";
    for (uint32_t w = 0; w < a->ways; w++) {
        uint64_t key = a->key[set * a->ways + w];
        if ((h->valid >> w & 1) != (key != ASSOC_EMPTY) || (key != ASSOC_EMPTY && h->sig[w] != assoc_sig(key)))
            return "an array's signatures are not those of its keys";
    }
    return NULL;
}

static const char *wrong_meta(const struct assoc *a)
{
    uint32_t most = a->policy == REPL_srrip ? 3 : a->policy == REPL_tree_plru ? 1 : UINT32_MAX;
    for (size_t i = 0; a->meta && i < (size_t)a->sets * a->ways; i++)
        if (a->meta[i] > most || (most == UINT32_MAX && a->meta[i] > a->clock))
            return "an array's replacement state is impossible";
    return NULL;
}

static const char *wrong(const struct assoc *a)
{
    uint32_t used = 0;
    for (uint32_t s = 0; s < a->sets; s++) {
        const char *what = a->head ? wrong_head(a, s) : NULL;
        if (what)
            return what;
        if (a->mru[s] / a->ways != s)
            return "an array's most recently used entry is in another set";
        for (uint32_t e = s * a->ways; e < (s + 1) * a->ways; e++) {
            if (a->key[e] == ASSOC_EMPTY)
                continue;
            used++;
            if (assoc_set(a, a->key[e]) != s)
                return "an array has a key in the wrong set";
        }
    }
    return used == a->used ? wrong_meta(a) : "an array's entries are not as many as it counts";
}

void assoc_state(struct assoc *a, struct state_io *io)
{
    size_t n = (size_t)a->sets * a->ways;
    state_same(io, a->sets, "number of sets");
    state_same(io, a->ways, "number of ways");
    state_same(io, a->policy, "replacement policy");
    state_bytes(io, a->key, n * sizeof *a->key);
    state_bytes(io, a->mru, a->sets * sizeof *a->mru);
    if (a->head)
        state_bytes(io, a->head, a->sets * sizeof *a->head);
    if (a->meta)
        state_bytes(io, a->meta, n * sizeof *a->meta);
    state_u32(io, &a->clock);
    state_u32(io, &a->used);
    state_bytes(io, &a->rng, sizeof a->rng);
    if (io->loading && !state_bad(io)) {
        const char *what = wrong(a);
        state_check(io, !what && (a->rng.s[0] | a->rng.s[1] | a->rng.s[2] | a->rng.s[3]) != 0, what ? what : "a random generator is dead");
    }
}
