/* Translation in time: second-level TLB, walks that merge and queue, accessed and dirty bits (timing.md section 3). */
#include "cpu/machine/machine_internal.h"
#include "cpu/remember.h"
#include "cpu/timed.h"
#include "engine/grow.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct tlb *l1_tlb(struct core *c, const struct part *p)
{
    return p->kind == PART_FETCH ? &c->itlb : &c->dtlb;
}

/* Two parts may have missed on one page: the second finds the first's entry. */
static void l1_insert(struct core *c, const struct part *x, struct xlat t)
{
    struct tlb *l1 = l1_tlb(c, x);
    tlb_count_resolved(l1, t);
    if (xlat_is_none(tlb_peek(l1, c->asid, x->va, &c->check[part_class(x)]))) {
        tlb_insert(l1, c->asid, x->va, t);
        forget_page(c, x->kind == PART_FETCH, x->va);
    }
}

/* The second level has been asked; true: translated. */
static bool second_level(struct core *c, uint32_t p)
{
    struct part *x = &c->part[p];
    struct xlat t = tlb_lookup(&c->stlb, c->asid, x->va, &c->check[part_class(x)]);
    if (xlat_is_none(t)) {
        ask_walk(c, p);
        return false;
    }
    l1_insert(c, x, t);
    x->pa = xlat_pa(t, x->va);
    return true;
}

bool translate(struct core *c, uint32_t p)
{
    struct part *x = &c->part[p];
    if (!c->mmu_on) {
        x->pa.v = x->va.v;
        return true;
    }
    struct xlat t = tlb_lookup(l1_tlb(c, x), c->asid, x->va, &c->check[part_class(x)]);
    if (!xlat_is_none(t)) {
        remember_translated(c, x->kind == PART_FETCH, x->va, t, part_class(x) == CLASS_WRITE);
        x->pa = xlat_pa(t, x->va);
        return true;
    }
    forget_page(c, x->kind == PART_FETCH, x->va);
    if (c->stlb.latency == 0)
        return second_level(c, p);
    wheel_add(&c->wheel, c->now + c->stlb.latency, HOP_STLB, p);
    return false;
}

void stlb_hop(struct core *c, uint32_t p)
{
    if (unlikely(c->part[p].dead))
        part_free(c, p);
    else if (second_level(c, p))
        translated(c, p);
}

/* ---- walks ---- */

static uint32_t run_new(struct core *c)
{
    uint32_t w = c->walk_free;
    if (w != NIL) {
        c->walk_free = c->walk[w].next;
        return w;
    }
    if (c->walk_n == c->walk_cap)
        c->walk = grow_array(c->walk, &c->walk_cap, 16, sizeof *c->walk);
    return c->walk_n++;
}

static void run_free(struct core *c, uint32_t w)
{
    c->walk[w].live = false;
    c->walk[w].next = c->walk_free;
    c->walk_free = w;
}

static void begin_from_root(struct core *c, uint32_t w)
{
    struct walk_run *r = &c->walk[w];
    const struct part *first = &c->part[r->parts.head];
    walk_begin(&r->w, &c->root, first->va, part_access(first));
    r->restart = r->assisted = false;
}

static void start(struct core *c, uint32_t w)
{
    struct walk_run *r = &c->walk[w];
    c->walks_running++;
    r->next = c->run_head;
    c->run_head = w;
    r->start = c->now;
    c->wst.walks++;
    begin_from_root(c, w);
    psc_start(&c->psc, c->asid, &r->w);
    if (c->cfg->mmu.pwc.latency)
        wheel_add(&c->wheel, c->now + c->cfg->mmu.pwc.latency, HOP_WALK_READ, w);
    else
        walk_read(c, w);
}

static uint32_t *bucket_of(struct core *c, uint64_t vpn, unsigned class)
{
    return &c->walk_bucket[((vpn * CLASS_COUNT + class) * 0x9e3779b97f4a7c15u) >> 56];
}
_Static_assert(WALK_BUCKETS == 256, "bucket_of takes 8 bits");

/* The running or queued walk; there is at most one. */
static uint32_t pending(struct core *c, uint64_t vpn, unsigned class)
{
    uint32_t w = *bucket_of(c, vpn, class);
    while (w != NIL && (c->walk[w].vpn != vpn || c->walk[w].class != class))
        w = c->walk[w].chain;
    return w;
}

void ask_walk(struct core *c, uint32_t p)
{
    struct part *x = &c->part[p];
    uint64_t vpn = x->va.v >> PAGE_SHIFT;
    unsigned class = part_class(x);
    uint32_t w = pending(c, vpn, class);
    if (w != NIL) {
        c->wst.merges++;
        plist_push(c, &c->walk[w].parts, p);
        return;
    }
    w = run_new(c);
    c->walk[w] = (struct walk_run){.live = true, .vpn = vpn, .class = (uint8_t)class, .parts = {NIL, NIL}, .next = NIL};
    uint32_t *bucket = bucket_of(c, vpn, class);
    c->walk[w].chain = *bucket;
    *bucket = w;
    plist_push(c, &c->walk[w].parts, p);
    if (c->walks_running < c->cfg->mmu.walkers) {
        start(c, w);
    } else {
        if (c->queue_head == NIL)
            c->queue_head = w;
        else
            c->walk[c->queue_tail].next = w;
        c->queue_tail = w;
    }
}

void walk_read(struct core *c, uint32_t w)
{
    if (unlikely(c->walk[w].dead)) {
        run_free(c, w);
        return;
    }
    if (c->walk[w].restart)
        begin_from_root(c, w);
    uint32_t p = part_new(c, PART_WALK_READ, w, 0, c->walk[w].w.va);
    c->part[p].pa = walk_entry_pa(&c->walk[w].w);
    c->wst.pte_reads++;
    if (c->cfg->mmu.walker.entry == MMU_WALKER_L2)
        walk_l2_access(c, p);
    else if (l1_access(c, p, true))
        part_served(c, p);
}

void walk_served(struct core *c, uint32_t p)
{
    struct part *x = &c->part[p];
    uint32_t w = x->owner;
    uint64_t *entry = phys_at(c->mem, x->pa);
    bool wrote = x->kind == PART_WALK_WRITE;
    /* After a change of the tables the entry may be anybody's: the walk begins again. */
    if (wrote && !c->walk[w].restart && (*entry & PTE_P))
        *entry |= c->walk[w].w.update;
    c->walk[w].value = *entry;
    part_free(c, p);
    cyc_t delay = wrote ? c->cfg->mmu.ad_assist : c->l1d_lat;
    if (wrote)
        c->walk[w].assisted = true;
    if (delay)
        wheel_add(&c->wheel, c->now + delay, HOP_WALK_GO, w);
    else
        walk_go(c, w);
}

/* Takes the walk off the running ones; its parts are the caller's. The next queued walk starts in walk_next. */
static struct plist finish(struct core *c, uint32_t w)
{
    struct walk_run *r = &c->walk[w];
    uint32_t *link = &c->run_head;
    while (*link != w)
        link = &c->walk[*link].next;
    *link = r->next;
    for (link = bucket_of(c, r->vpn, r->class); *link != w; link = &c->walk[*link].chain)
        ;
    *link = r->chain;
    c->walks_running--;
    c->wst.cycles += c->now - r->start;
    stat_hist_add(&c->walk_latency, c->now - r->start);
    struct plist parts = r->parts;
    run_free(c, w);
    return parts;
}

static void walk_next(struct core *c)
{
    uint32_t w = c->queue_head;
    if (w == NIL || c->walks_running >= c->cfg->mmu.walkers)
        return;
    c->queue_head = c->walk[w].next;
    start(c, w);
}

static void leaf(struct core *c, uint32_t w)
{
    struct xlat x = c->walk[w].w.result;
    enum page_size size = xlat_origin(x);
    c->wst.walk_completed_4k += size == PAGE_SIZE_4K;
    c->wst.walk_completed_2m += size == PAGE_SIZE_2M;
    c->wst.walk_completed_1g += size == PAGE_SIZE_1G;
    tlb_insert(&c->stlb, c->asid, c->walk[w].w.va, x);
    struct plist parts = finish(c, w);
    while (parts.head != NIL) {
        uint32_t p = plist_pop(c, &parts);
        tlb_count_resolved(&c->stlb, x);
        l1_insert(c, &c->part[p], x);
        c->part[p].pa = xlat_pa(x, c->part[p].va);
        translated(c, p);
    }
    walk_next(c);
}

static void fault(struct core *c, uint32_t w)
{
    va_t va = c->walk[w].w.va;
    uint32_t error = c->walk[w].w.error_code;
    c->wst.faults++;
    hot_forget(c->hot);
    tlb_invalidate_page(&c->itlb, c->asid, va);
    tlb_invalidate_page(&c->dtlb, c->asid, va);
    tlb_invalidate_page(&c->stlb, c->asid, va);
    psc_invalidate_va(&c->psc, c->asid, va);
    struct plist parts = finish(c, w);
    while (parts.head != NIL) {
        uint32_t p = plist_pop(c, &parts);
        c->part[p].error = error;
        park(c, p);
    }
    walk_next(c);
}

void walk_go(struct core *c, uint32_t w)
{
    struct walk_run *r = &c->walk[w];
    if (unlikely(r->dead)) {
        run_free(c, w);
        return;
    }
    if (r->restart) {
        walk_read(c, w);
        return;
    }
    if (r->assisted)
        r->w = r->before; /* its bits are set: judged anew, with what the entry is now */
    else
        r->before = r->w;
    r->assisted = false;
    enum walk_result step = walk_step(&r->w, r->value);
    if (r->w.update) {
        c->wst.ad_assists++;
        uint32_t p = part_new(c, PART_WALK_WRITE, w, 0, r->w.va);
        c->part[p].pa = r->w.entry_pa;
        if (l1_access(c, p, true))
            part_served(c, p);
        return;
    }
    if (step == WALK_NEXT) {
        psc_fill(&c->psc, c->asid, &r->w);
        walk_read(c, w);
    } else if (step == WALK_LEAF) {
        leaf(c, w);
    } else {
        fault(c, w);
    }
}

/* A walk of a process that has ended: its read or its hop comes still. */
void walk_dead_served(struct core *c, uint32_t p)
{
    run_free(c, c->part[p].owner);
}

void walks_drop(struct core *c)
{
    for (uint32_t w = c->run_head, next; w != NIL; w = next) {
        next = c->walk[w].next;
        c->walk[w].dead = true;
    }
    for (uint32_t w = c->queue_head, next; w != NIL; w = next) {
        next = c->walk[w].next;
        run_free(c, w);
    }
    c->run_head = c->queue_head = c->queue_tail = NIL;
    memset(c->walk_bucket, 0xff, sizeof c->walk_bucket);
    c->walks_running = 0;
}

void walks_restart(struct core *c, uint32_t asid)
{
    if (c->asid != asid)
        return;
    for (uint32_t w = c->run_head; w != NIL; w = c->walk[w].next)
        c->walk[w].restart = true;
}
