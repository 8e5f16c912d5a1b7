#include "replay/compactions.h"

#include "replay/before/image.h"

#include <stdlib.h>
#include <string.h>

enum { PENDING_MOST = 4096 }; /* 32 targets, each tried up to ten times (COMPACT_CLUSTER_MAX, NR_MAX_MIGRATE_PAGES_RETRY) on some CPUs */

struct pending { uint64_t cpu, pfn; unsigned order; bool told; };

struct compactions {
    struct compactions_options o;
    uint64_t pages;
    uint8_t *isolated;           /* a bit a frame: head of a block that compaction took and that was not freed for good since */
    bool running[FOLLOW_CPUS];
    struct pending pending[PENDING_MOST];
    unsigned n;
};

int compactions_new(struct compactions **out, const struct compactions_options *o, struct err *err)
{
    struct compactions *c = calloc(1, sizeof *c);
    uint64_t pages = o->follow ? o->follow->map->n_frames : recorded_frames(o->recorded);
    *out = NULL;
    if (!c || !(c->isolated = image_sparse(pages / 8 + 1))) {
        free(c);
        return err_set(err, ERR_RUN, "out of memory");
    }
    c->o = *o;
    c->pages = pages;
    *out = c;
    return 0;
}

void compactions_free(struct compactions *c)
{
    if (!c)
        return;
    image_sparse_free(c->isolated, c->pages / 8 + 1);
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
    if (c->o.simulate)
        simulate_alloc(c->o.simulate, pfn, order, MIGRATE_MOVABLE);
}

/* No follower: what the free scanner found in a range is what nobody had. */
static void took_range(struct compactions *c, uint64_t start, uint64_t end)
{
    for (uint64_t p = start; p < (end < c->pages ? end : c->pages); p++)
        if (recorded_is_free(c->o.recorded, p))
            set_isolated(c, p, true);
}

static void tell(struct compactions *c, struct pending *p, bool none)
{
    if (c->o.freed && !p->told)
        c->o.freed(c->o.self, p->cpu, p->pfn, p->order, none);
    p->told = true;
}

bool compactions_freed(struct compactions *c, uint64_t cpu, uint64_t pfn, unsigned order)
{
    if (pfn >= c->pages || !is_isolated(c, pfn))
        return false;
    if (cpu >= FOLLOW_CPUS || !c->running[cpu] || c->n == PENDING_MOST || !lists_has_order(order)) {
        set_isolated(c, pfn, false);
        return false;
    }
    c->pending[c->n++] = (struct pending){.cpu = cpu, .pfn = pfn, .order = order}; /* the same page may come again */
    return true;
}

void compactions_alloc(struct compactions *c, uint64_t pfn, unsigned order)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < c->n; i++) {
        struct pending *p = &c->pending[i];
        if (p->pfn < pfn + (1ull << order) && pfn < p->pfn + (1ull << p->order))
            tell(c, p, false);
        else
            c->pending[kept++] = *p;
    }
    c->n = kept;
    for (uint64_t p = pfn; p < pfn + (1ull << order) && p < c->pages; p++)
        if (is_isolated(c, p))
            set_isolated(c, p, false);
}

void compactions_part(struct compactions *c)
{
    for (unsigned i = 0; i < c->n; i++)
        tell(c, &c->pending[i], false);
}

/* The frees of this CPU since its last event of compaction. `none`: they were none, the pages are compaction's again. */
static uint64_t settle(struct compactions *c, uint64_t cpu, bool none)
{
    uint64_t pages = 0;
    unsigned kept = 0;
    for (unsigned i = 0; i < c->n; i++) {
        struct pending *p = &c->pending[i];
        if (p->cpu != cpu) {
            c->pending[kept++] = *p;
            continue;
        }
        tell(c, p, none);
        if (none && c->o.follow) {
            lists_forget(c->o.lists, p->pfn);
            follow_used(c->o.follow, p->pfn, p->order, true);
        }
        if (none)
            pages += 1ull << p->order;
        else
            set_isolated(c, p->pfn, false);
    }
    c->n = kept;
    return pages;
}

uint64_t compactions_event(struct compactions *c, const struct trace_rec *r, const uint64_t *w, uint64_t cpu)
{
    struct follow *f = c->o.follow;
    uint64_t returned = 0;
    if (f)
        follow_other(f, cpu);
    switch (r->kind) {
    case TRACE_COMPACT_BEGIN:
    case TRACE_COMPACT_END:
        settle(c, cpu, false);
        if (cpu < FOLLOW_CPUS)
            c->running[cpu] = r->kind == TRACE_COMPACT_BEGIN;
        break;
    case TRACE_COMPACT_FREE:
        if (f)
            follow_isolated(f, &(struct follow_isolation){.start = r->addr, .end = w[0], .taken = w[2], .fast = r->size != 0, .self = c, .each = took});
        else if (w[2] && r->size == 0)
            took_range(c, r->addr, w[0]);
        break;
    case TRACE_COMPACT_MOVED:
        returned = settle(c, cpu, true);
        break;
    default:
        break;
    }
    if (f)
        f->st.returned += f->counting ? returned : 0;
    return returned;
}
