#include "replay/compactions.h"

#include "replay/before/image.h"

#include <stdlib.h>
#include <string.h>

enum { PENDING_MOST = 4096 }; /* 32 targets, each tried up to ten times (COMPACT_CLUSTER_MAX, NR_MAX_MIGRATE_PAGES_RETRY) on some CPUs */

struct pending { uint64_t cpu, pfn; unsigned order; };

struct compactions {
    struct follow *f;
    struct lists *l;
    struct simulate *s;
    uint8_t *isolated;           /* a bit a frame: head of a block that compaction took and that was not freed for good since */
    bool running[FOLLOW_CPUS];
    struct pending pending[PENDING_MOST];
    unsigned n;
};

int compactions_new(struct compactions **out, struct follow *f, struct lists *l, struct simulate *s, struct err *err)
{
    struct compactions *c = calloc(1, sizeof *c);
    *out = NULL;
    if (!c || !(c->isolated = image_sparse(f->map->n_frames / 8 + 1))) {
        free(c);
        return err_set(err, ERR_RUN, "out of memory");
    }
    c->f = f;
    c->l = l;
    c->s = s;
    *out = c;
    return 0;
}

void compactions_free(struct compactions *c)
{
    if (!c)
        return;
    image_sparse_free(c->isolated, c->f->map->n_frames / 8 + 1);
    free(c);
}

static bool is_isolated(const struct compactions *c, uint64_t pfn) { return c->isolated[pfn >> 3] >> (pfn & 7) & 1; }
static void set_isolated(struct compactions *c, uint64_t pfn, bool on)
{
    uint8_t bit = (uint8_t)(1u << (pfn & 7));
    c->isolated[pfn >> 3] = (uint8_t)(on ? c->isolated[pfn >> 3] | bit : c->isolated[pfn >> 3] & ~bit);
}

static void took(void *self, uint64_t pfn, unsigned order)
{
    struct compactions *c = self;
    for (uint64_t p = pfn; p < pfn + (1ull << order); p++) /* it is handed out in smaller pieces */
        set_isolated(c, p, true);
    if (c->s)
        simulate_alloc(c->s, pfn, order, MIGRATE_MOVABLE);
}

void compactions_freed(struct compactions *c, uint64_t cpu, uint64_t pfn, unsigned order)
{
    if (pfn >= c->f->map->n_frames || !is_isolated(c, pfn))
        return;
    if (cpu < FOLLOW_CPUS && c->running[cpu] && c->n < PENDING_MOST && lists_has_order(order))
        c->pending[c->n++] = (struct pending){cpu, pfn, order}; /* the same page may come again */
    else
        set_isolated(c, pfn, false);
}

/* The frees of this CPU since its last event of compaction. `none`: they were none, the pages are compaction's again. */
static uint64_t settle(struct compactions *c, uint64_t cpu, bool none)
{
    uint64_t pages = 0;
    unsigned kept = 0;
    for (unsigned i = 0; i < c->n; i++) {
        const struct pending *p = &c->pending[i];
        if (p->cpu != cpu) {
            c->pending[kept++] = *p;
        } else if (none) {
            lists_forget(c->l, p->pfn);
            follow_used(c->f, p->pfn, p->order, true);
            pages += 1ull << p->order;
        } else {
            set_isolated(c, p->pfn, false);
        }
    }
    c->n = kept;
    return pages;
}

uint64_t compactions_event(struct compactions *c, const struct trace_rec *r, const uint64_t *w, uint64_t cpu)
{
    uint64_t returned = 0;
    follow_other(c->f, cpu);
    switch (r->kind) {
    case TRACE_COMPACT_BEGIN:
    case TRACE_COMPACT_END:
        settle(c, cpu, false);
        if (cpu < FOLLOW_CPUS)
            c->running[cpu] = r->kind == TRACE_COMPACT_BEGIN;
        break;
    case TRACE_COMPACT_FREE:
        follow_isolated(c->f, &(struct follow_isolation){.start = r->addr, .end = w[0], .taken = w[2], .fast = r->size != 0, .self = c, .each = took});
        break;
    case TRACE_COMPACT_MOVED:
        returned = settle(c, cpu, true);
        break;
    default:
        break;
    }
    c->f->st.returned += c->f->counting ? returned : 0;
    return returned;
}
