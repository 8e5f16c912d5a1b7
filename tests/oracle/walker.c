/* Section 3: translation of a part, and what happens when an access has been served. */
#include "oracle_priv.h"

#include <string.h>

static unsigned access_of(const struct part *p)
{
    return ACCESS_USER | (p->kind == PART_FETCH                             ? ACCESS_FETCH
                          : p->kind == PART_STORE || p->kind == PART_MODIFY ? ACCESS_WRITE
                                                                            : ACCESS_READ);
}

static struct paging_root root_of(const struct world *w, const struct ocore *c)
{
    return vm_root(w->vm, c->asid);
}

static struct otlb *l1_tlb(struct ocore *c, const struct part *p)
{
    return p->kind == PART_FETCH ? &c->itlb : &c->dtlb;
}

void o_part_begin(struct world *w, struct ocore *c, struct part *p)
{
    if (!w->m->mmu.enabled) {
        p->pa = p->va;
        o_part_translated(w, c, p);
        return;
    }
    struct paging_root root = root_of(w, c);
    struct access_check chk = access_check_make(&root, access_of(p));
    struct xlat x = otlb_lookup(l1_tlb(c, p), c->asid, p->va, &chk);
    if (!xlat_is_none(x)) {
        p->pa = xlat_pa(x, (va_t){p->va}).v;
        o_part_translated(w, c, p);
    } else if (w->m->mmu.stlb.latency > 0) {
        o_hop(c, w, w->m->mmu.stlb.latency, EV_STLB, p);
    } else {
        o_part_stlb(w, c, p);
    }
}

void o_part_stlb(struct world *w, struct ocore *c, struct part *p)
{
    if (p->dead)
        return;
    struct paging_root root = root_of(w, c);
    struct access_check chk = access_check_make(&root, access_of(p));
    struct xlat x = otlb_lookup(&c->stlb, c->asid, p->va, &chk);
    if (xlat_is_none(x)) {
        o_ask_walk(w, c, p);
        return;
    }
    if (!otlb_has(l1_tlb(c, p), c->asid, p->va, &chk))
        otlb_insert(l1_tlb(c, p), c->asid, p->va, x);
    p->pa = xlat_pa(x, (va_t){p->va}).v;
    o_part_translated(w, c, p);
}

void o_part_translated(struct world *w, struct ocore *c, struct part *p)
{
    /* A store is only translated now; with a window of one it is written at once. */
    if (p->kind == PART_STORE && w->m->cpu.window > 1) {
        o_part_done(w, c, p, w->cycle);
        return;
    }
    struct acc *a = o_arena(w, sizeof *a);
    *a = (struct acc){.kind = ACC_PART, .origin = ORIGIN_CPU, .line = p->pa >> LINE_SHIFT, .who = p,
                      .write = p->kind == PART_STORE || p->kind == PART_MODIFY};
    o_l1_access(w, c, p->kind == PART_FETCH ? &c->l1i : &c->l1d, a, true);
}

void o_acc_served(struct world *w, struct ocore *c, struct acc *a)
{
    struct part *p = a->who;
    if (a->dead)
        return;
    switch (a->kind) {
    case ACC_PART:
        o_part_done(w, c, p, w->cycle + (p->kind == PART_LOAD || p->kind == PART_MODIFY ? c->l1d.latency : 0));
        break;
    case ACC_STORE:
        o_store_done(w, c);
        break;
    case ACC_WALK_READ:
        o_walk_value(w, c, a->who);
        break;
    case ACC_WALK_AD:
        o_walk_ad_done(w, c, a->who);
        break;
    case ACC_OS:
        o_os_store_done(w, c, a);
        break;
    }
}

/* --- walks ------------------------------------------------------------------------------------------------------------ */

static uint64_t read8(const struct world *w, uint64_t pa)
{
    uint64_t v;
    memcpy(&v, phys_at(&w->mem, (pa_t){pa}), 8);
    return v;
}

static void walk_start(struct world *w, struct ocore *c, struct owalk *k)
{
    struct paging_root root = root_of(w, c);
    o_list_push(&c->running, k);
    c->walks++;
    k->start = w->cycle;
    walk_begin(&k->w, &root, (va_t){k->va}, k->access);
    opsc_start(&c->pwc, c->asid, &k->w);
    if (w->m->mmu.pwc.latency > 0)
        o_hop(c, w, w->m->mmu.pwc.latency, EV_WALK_READ, k);
    else
        o_walk_read(w, c, k);
}

void o_ask_walk(struct world *w, struct ocore *c, struct part *p)
{
    uint64_t vpn = p->va >> PAGE_SHIFT;
    unsigned access = access_of(p);
    struct list *lists[] = {&c->running, &c->queued};
    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; i < lists[l]->n; i++) {
            struct owalk *k = lists[l]->v[i];
            if (k->vpn == vpn && k->access == access) {
                o_list_push(&k->parts, p);
                c->merges++;
                return;
            }
        }
    struct owalk *k = o_arena(w, sizeof *k);
    o_arena_list(w, &k->parts);
    *k = (struct owalk){.va = p->va, .vpn = vpn, .access = access};
    o_list_push(&k->parts, p);
    if (c->running.n < w->m->mmu.walkers)
        walk_start(w, c, k);
    else
        o_list_push(&c->queued, k);
}

/* The walk reads its next entry (also where a restarted walk begins, without a look into the paging-structure caches). */
void o_walk_read(struct world *w, struct ocore *c, struct owalk *k)
{
    if (k->dead)
        return;
    if (k->restart) { /* flagged while it waited for the paging-structure caches */
        struct paging_root root = root_of(w, c);
        k->restart = false;
        walk_begin(&k->w, &root, (va_t){k->va}, k->access);
    }
    c->pte_reads++;
    struct acc *a = o_arena(w, sizeof *a);
    *a = (struct acc){.kind = ACC_WALK_READ, .origin = ORIGIN_WALK, .line = walk_entry_pa(&k->w).v >> LINE_SHIFT, .who = k};
    if (w->m->mmu.walker.entry == MMU_WALKER_L1D) {
        o_l1_access(w, c, &c->l1d, a, true);
        return;
    }
    struct client2 *cl = o_arena(w, sizeof *cl);
    cl->walk = a;
    if (c->l2.latency > c->l1d.latency)
        o_hop(c, w, c->l2.latency - c->l1d.latency, EV_L2_LOOKUP, cl);
    else
        o_l2_lookup(w, c, cl, true);
}

void o_walk_value(struct world *w, struct ocore *c, struct owalk *k)
{
    if (k->dead)
        return;
    k->value = read8(w, walk_entry_pa(&k->w).v);
    o_hop(c, w, c->l1d.latency, EV_WALK_GO, k);
}

static void walk_over(struct world *w, struct ocore *c, struct owalk *k)
{
    for (size_t i = 0; i < c->running.n; i++)
        if (c->running.v[i] == k)
            o_list_take(&c->running, i--);
    if (c->queued.n > 0 && c->running.n < w->m->mmu.walkers)
        walk_start(w, c, o_list_take(&c->queued, w->plant == PLANT_WALK_ORDER ? c->queued.n - 1 : 0));
}

static void walk_leaf(struct world *w, struct ocore *c, struct owalk *k)
{
    struct access_check chk = access_check_make(&k->w.root, k->access);
    struct xlat x = k->w.result;
    c->walk_cycles += w->cycle - k->start;
    c->completed[xlat_size(x)]++;
    otlb_insert(&c->stlb, c->asid, k->va, x);
    for (size_t i = 0; i < k->parts.n; i++) {
        struct part *p = k->parts.v[i];
        if (!otlb_has(l1_tlb(c, p), c->asid, p->va, &chk))
            otlb_insert(l1_tlb(c, p), c->asid, p->va, x);
        p->pa = xlat_pa(x, (va_t){p->va}).v;
        o_part_translated(w, c, p);
    }
    walk_over(w, c, k);
}

static void walk_fault(struct world *w, struct ocore *c, struct owalk *k)
{
    c->faults++;
    c->walk_cycles += w->cycle - k->start;
    otlb_drop_range(&c->itlb, c->asid, k->va & ~(uint64_t)(PAGE_BYTES - 1), PAGE_BYTES);
    otlb_drop_range(&c->dtlb, c->asid, k->va & ~(uint64_t)(PAGE_BYTES - 1), PAGE_BYTES);
    otlb_drop_range(&c->stlb, c->asid, k->va & ~(uint64_t)(PAGE_BYTES - 1), PAGE_BYTES);
    opsc_drop_va(&c->pwc, c->asid, k->va);
    for (size_t i = 0; i < k->parts.n; i++) {
        struct part *p = k->parts.v[i];
        p->parked = true;
        p->error_code = k->w.error_code;
        o_list_push(&c->parked, p);
    }
    if (o_is_serial(w))
        o_send_fault(w, c, k->parts.v[0]);
    else
        o_tick_at(w, c, w->cycle);
    walk_over(w, c, k);
}

void o_walk_go(struct world *w, struct ocore *c, struct owalk *k, bool again)
{
    if (k->dead)
        return;
    if (k->restart) {
        o_walk_read(w, c, k);
        return;
    }
    if (again) /* judged anew with the value of the instant at which the line was writable */
        k->w = k->before;
    k->before = k->w;
    enum walk_result r = walk_step(&k->w, k->value);
    if (r != WALK_FAULT && k->w.update) {
        c->ad_assists++;
        struct acc *a = o_arena(w, sizeof *a);
        *a = (struct acc){.kind = ACC_WALK_AD, .origin = ORIGIN_WALK, .write = true,
                          .line = k->w.entry_pa.v >> LINE_SHIFT, .who = k};
        o_l1_access(w, c, &c->l1d, a, true);
        return;
    }
    if (r == WALK_NEXT) {
        opsc_fill(&c->pwc, c->asid, &k->w);
        o_walk_read(w, c, k);
    } else if (r == WALK_LEAF) {
        walk_leaf(w, c, k);
    } else {
        walk_fault(w, c, k);
    }
}

void o_walk_ad_done(struct world *w, struct ocore *c, struct owalk *k)
{
    if (k->dead)
        return;
    if (!k->restart) { /* the frame of a walk that must restart may be somebody else's by now */
        uint64_t pa = k->w.entry_pa.v, v = read8(w, pa);
        if (v & PTE_P) {
            v |= k->w.update;
            memcpy(phys_at(&w->mem, (pa_t){pa}), &v, 8);
        }
        k->value = v;
    }
    if (w->m->mmu.ad_assist > 0)
        o_hop(c, w, w->m->mmu.ad_assist, EV_WALK_AGAIN, k);
    else
        o_walk_go(w, c, k, true);
}
