/* Hints to the host's cache: an access that misses the simulated caches misses the host's too. No effect on results. */
#ifndef CPU_AHEAD_H
#define CPU_AHEAD_H

#include "cpu/core.h"
#include "cpu/machine/machine_internal.h"

/* `line` will be accessed; stages 0, 1, 2 some accesses apart, each reads what the one before has fetched. */
static inline void hint_line(const struct core *c, uint64_t line, unsigned stage)
{
    const struct memsys *m = c->machine->memsys;
    if (stage < 2)
        memsys_prefetch(m, line, stage);
    if (stage > 0 && c->has_l2) { /* the line that leaves the L2 for it is written back */
        const struct assoc *l2 = &c->l2.tags;
        uint64_t victim = l2->key[assoc_likely(l2, line)];
        if (victim != ASSOC_EMPTY && victim != line)
            memsys_prefetch(m, victim, stage - 1);
    }
}

enum { AHEAD_CHUNK = 512, AHEAD_MISSES = 8 }; /* hints while an eighth of the last records' data references missed */
enum { AHEAD_TABLE = 16, AHEAD_LINE = 11, AHEAD_ENTRY = 7, AHEAD_VICTIM = 3, AHEAD_RING = 32 }; /* records ahead */
struct ahead { /* by record number modulo AHEAD_RING */
    const uint64_t *pte[AHEAD_RING];
    uint64_t line[AHEAD_RING], table_line[AHEAD_RING];
};

/* Translates the records ahead of `r` through the simulated page table and tells the host what their accesses will read. A
 * payload slot may be taken for a record: a useless hint. */
void look_ahead(const struct core *c, struct ahead *h, const struct trace_rec *r);

#endif
