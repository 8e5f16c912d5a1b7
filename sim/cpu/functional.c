/*
 * Functional mode. A reference that hits the most recently used ways of its first-level TLB and cache is found in two words
 * of struct hot (hot.h) and costs a local counter, whatever its kind: no branch depends on that. Everything else is out of
 * line. Assumes that hits on the most recently used way change no replacement state; machines for which that is not so
 * take plain_loop.
 */
#include "cpu/functional.h"

#include "cpu/ahead.h"
#include "cpu/hot.h"
#include "cpu/linear.h"
#include "cpu/machine/machine_internal.h"
#include "cpu/priv.h"
#include "cpu/remember.h"

#include <assert.h>
#include <string.h>

/* ---- caches ---- */

static enum line_state below(struct core *c, uint64_t line, enum req_kind kind, enum req_origin o)
{
    enum line_state s = memsys_access(machine_memsys(c->machine), c->id, line, kind, o);
    return c->cfg->cache.coherence ? s : LINE_M;
}

static enum line_state l2_access(struct core *c, uint64_t line, enum req_kind kind, enum req_origin o)
{
    if (!c->has_l2)
        return below(c, line, kind, o);
    bool write = kind == REQ_GETM;
    uint32_t e = assoc_find_big(&c->l2.tags, line);
    bool ok = e != ASSOC_NONE && (!write || c->l2.flags[e] >= LINE_E);
    cache_count(&c->l2, o, ok, write);
    if (ok)
        return (enum line_state)c->l2.flags[e];
    c->l2.st.upgrades += e != ASSOC_NONE;
    enum line_state s = below(c, line, kind, o);
    priv_l2_fill(c, line, s);
    return s;
}

/* The entry of the line. */
static __attribute__((noinline)) uint32_t l1d_miss(struct core *c, uint64_t line, bool write, bool present, enum req_origin o)
{
    cache_count(&c->l1d, o, false, write);
    c->l1d.st.upgrades += present;
    enum line_state s = l2_access(c, line, write ? REQ_GETM : REQ_GETS, o);
    uint32_t e = priv_l1d_fill(c, line, s);
    if (write)
        c->l1d.flags[e] |= L1D_DIRTY;
    return e;
}

static uint32_t l1d_access(struct core *c, uint64_t line, bool write, enum req_origin o)
{
    hot_forget_data_line(c->hot, line);
    uint32_t e = assoc_find(&c->l1d.tags, line);
    if (likely(e != ASSOC_NONE) && (!write || (c->l1d.flags[e] & L1D_WRITABLE))) {
        cache_count(&c->l1d, o, true, write);
        if (write)
            c->l1d.flags[e] |= L1D_DIRTY;
        return e;
    }
    return l1d_miss(c, line, write, e != ASSOC_NONE, o);
}

static void l1i_access(struct core *c, uint64_t line)
{
    hot_forget_fetch_line(c->hot, line);
    bool hit = assoc_find(&c->l1i.tags, line) != ASSOC_NONE;
    cache_count(&c->l1i, ORIGIN_cpu, hit, false);
    if (hit)
        return;
    l2_access(c, line, REQ_GETI, ORIGIN_cpu);
    priv_l1i_fill(c, line);
}

/* ---- translation ---- */

static uint64_t *entry_at(struct core *c, pa_t pa) { return phys_at(c->mem, pa); }

static void copy_lines(struct core *c, uint64_t from, uint64_t to, uint64_t lines)
{
    for (uint64_t i = 0; i < lines; i++) {
        l1d_access(c, from + i, false, ORIGIN_os);
        l1d_access(c, to + i, true, ORIGIN_os);
    }
}

static void perform(struct core *c, const struct os_op *op, uint32_t repeat)
{
    if (op->kind == OS_WAIT)
        return;
    if (op->kind == OS_COPY_PAGE) {
        copy_lines(c, op->pa.v >> LINE_SHIFT, op->value >> LINE_SHIFT, (uint64_t)repeat * (PAGE_BYTES / LINE_BYTES));
        return;
    }
    if (op->kind == OS_CLEAR_PAGE) {
        uint64_t line = op->pa.v >> LINE_SHIFT, n = (uint64_t)repeat * (PAGE_BYTES / LINE_BYTES);
        for (uint64_t i = 0; i < n; i++) {
            for (unsigned stage = 0; stage < 3; stage++)
                hint_line(c, line + i + 3 * (3 - stage), stage);
            l1d_access(c, line + i, true, ORIGIN_os);
        }
        return;
    }
    for (uint32_t i = 0; i < repeat; i++) {
        pa_t pa = {op->pa.v + 8ull * i};
        l1d_access(c, pa.v >> LINE_SHIFT, true, ORIGIN_os);
        if (op->kind == OS_STORE_PTE)
            *entry_at(c, pa) = op->value;
    }
}

void functional_perform(struct core *c, const struct os_run *run, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        perform(c, &run[i].op, run[i].repeat);
}

/* The handler; false if the process is gone. */
static bool fault(struct core *c, va_t va, unsigned error)
{
    struct fault_answer a;
    frames_on_cpu(machine_frames(c->machine), c->id);
    vm_fault(machine_vm(c->machine), c->asid, va, error, &a);
    if (a.result == FAULT_SEGV || a.result == FAULT_OOM) {
        machine_tell(c->machine, a.result == FAULT_OOM ? "oom_kill" : "segfault", c, va.v,
                     vm_rss_pages(machine_vm(c->machine), c->asid));
        c->machine->oom.kills += a.result == FAULT_OOM;
        machine_compact_discard(c->machine);
        machine_kill(c->machine, c);
        return false;
    }
    machine_remap(c->machine, c->asid, va, &a);
    machine_compact_pay(c->machine, c);
    functional_perform(c, a.ops, a.n);
    machine_daemon_functional(c->machine, c);
    return true;
}

static struct xlat walk_now(struct core *c, va_t va, unsigned class)
{
    static const unsigned access[CLASS_COUNT] = {ACCESS_USER | ACCESS_FETCH, ACCESS_USER, ACCESS_USER | ACCESS_WRITE};
    bool direct = c->cfg->mmu.walker.entry == MMU_WALKER_L2;
    for (;;) {
        struct walk w;
        enum walk_result step;
        walk_begin(&w, &c->root, va, access[class]);
        psc_start(&c->psc, c->asid, &w);
        c->wst.walks++;
        do {
            pa_t pa = walk_entry_pa(&w);
            c->wst.pte_reads++;
            if (direct)
                l2_access(c, pa.v >> LINE_SHIFT, REQ_GETS, ORIGIN_walk);
            else
                l1d_access(c, pa.v >> LINE_SHIFT, false, ORIGIN_walk);
            step = walk_step(&w, *entry_at(c, pa));
            if (w.update) {
                c->wst.ad_assists++;
                l1d_access(c, pa.v >> LINE_SHIFT, true, ORIGIN_walk);
                *entry_at(c, pa) |= w.update;
            }
            if (step == WALK_NEXT)
                psc_fill(&c->psc, c->asid, &w);
        } while (step == WALK_NEXT);
        if (step == WALK_LEAF) {
            enum page_size size = xlat_origin(w.result);
            c->wst.walk_completed_4k += size == PAGE_SIZE_4K;
            c->wst.walk_completed_2m += size == PAGE_SIZE_2M;
            c->wst.walk_completed_1g += size == PAGE_SIZE_1G;
            tlb_insert(&c->stlb, c->asid, va, w.result);
            return w.result;
        }
        c->wst.faults++;
        hot_forget(c->hot);
        tlb_invalidate_page(&c->itlb, c->asid, va);
        tlb_invalidate_page(&c->dtlb, c->asid, va);
        tlb_invalidate_page(&c->stlb, c->asid, va);
        psc_invalidate_va(&c->psc, c->asid, va);
        if (!fault(c, va, w.error_code))
            return XLAT_NONE;
    }
}

/* First-level TLB missed (and counted that). XLAT_NONE: the process is gone. */
static __attribute__((noinline)) struct xlat translate_miss(struct core *c, struct tlb *l1, va_t va, unsigned class)
{
    struct xlat x = tlb_lookup(&c->stlb, c->asid, va, &c->check[class]);
    if (xlat_is_none(x)) {
        x = walk_now(c, va, class);
        if (!xlat_is_none(x))
            tlb_count_resolved(&c->stlb, x);
    }
    if (!xlat_is_none(x)) {
        tlb_count_resolved(l1, x);
        tlb_insert(l1, c->asid, va, x);
    }
    return x;
}

/* Physical address of a byte; false if the process is gone. */
static inline bool translate_now(struct core *c, struct tlb *l1, va_t va, unsigned class, struct xlat *x, pa_t *pa)
{
    if (unlikely(!c->mmu_on)) {
        pa->v = va.v;
        return true;
    }
    *x = tlb_lookup(l1, c->asid, va, &c->check[class]);
    if (unlikely(xlat_is_none(*x))) {
        *x = translate_miss(c, l1, va, class);
        if (xlat_is_none(*x))
            return false;
    }
    *pa = xlat_pa(*x, va);
    return true;
}

/* ---- references ---- */

/* After an access: what its cache set used last. */
static inline void remember_data_line(struct core *c, va_t va, uint32_t e)
{
    uint64_t line = va.v >> LINE_SHIFT, *l = c->hot->line[line & c->hot->line_mask];
    l[TRACE_LOAD] = line;
    l[TRACE_STORE] = l[TRACE_MODIFY] = c->l1d.flags[e] == (L1D_WRITABLE | L1D_DIRTY) ? line : HOT_NONE;
}

static inline void remember_fetch(struct core *c, va_t va, struct xlat x)
{
    struct hot *h = c->hot;
    uint64_t page = va.v >> PAGE_SHIFT, line = va.v >> LINE_SHIFT, *p = &h->page[page & h->page_mask[TRACE_FETCH]][TRACE_FETCH];
    enum page_size size = xlat_origin(x);
    h->line[line & h->line_mask][TRACE_FETCH] = line;
    if (unlikely(size != PAGE_SIZE_4K || h->fetch_size != PAGE_SIZE_4K)) /* of large pages one part at a time */
        for (uint64_t i = 0; i <= h->page_mask[TRACE_FETCH]; i++)
            h->page[i][TRACE_FETCH] = HOT_NONE;
    h->next_size = (uint8_t)size;
    *p = likely(size == h->fetch_size) ? page : HOT_NONE; /* hits are counted by one size at a time */
}

/* One line's share of a reference; false: the process is gone. */
static inline bool data_part(struct core *c, va_t va, bool write)
{
    struct xlat x = XLAT_NONE;
    pa_t pa;
    if (unlikely(!translate_now(c, &c->dtlb, va, write ? CLASS_WRITE : CLASS_READ, &x, &pa)))
        return false;
    uint32_t e = l1d_access(c, pa.v >> LINE_SHIFT, write, ORIGIN_cpu);
    if (c->hot) {
        remember_data_page(c, va, x, write);
        remember_data_line(c, va, e);
    }
    return true;
}

static inline bool fetch_part(struct core *c, va_t va)
{
    struct xlat x = XLAT_NONE;
    pa_t pa;
    if (unlikely(!translate_now(c, &c->itlb, va, CLASS_FETCH, &x, &pa)))
        return false;
    l1i_access(c, pa.v >> LINE_SHIFT);
    if (c->hot)
        remember_fetch(c, va, x);
    return true;
}

/* cachegrind's rule (cg_sim.c, Valgrind 3.19): an access is at most a line long; one that straddles looks both lines up and
 * is one access and at most one miss, in the first level and, if that missed, in the last with both lines again. */
static void cachegrind_ref(struct core *c, uint64_t addr, uint32_t size, bool fetch, bool write)
{
    struct cache *l1 = fetch ? &c->l1i : &c->l1d, *ll = memsys_llc(c->machine->memsys);
    if (size > LINE_BYTES)
        size = LINE_BYTES;
    uint64_t first = addr >> LINE_SHIFT, last = (addr + (size ? size : 1) - 1) >> LINE_SHIFT, victim;
    bool miss = false;
    for (uint64_t line = first; line <= last; line++)
        if (assoc_find(&l1->tags, line) == ASSOC_NONE) {
            uint32_t e = assoc_insert(&l1->tags, line, &victim);
            l1->flags[e] = L1D_WRITABLE;
            miss = true;
        }
    cache_count(l1, ORIGIN_cpu, !miss, write);
    if (!miss)
        return;
    miss = false;
    for (uint64_t line = first; line <= last; line++)
        if (assoc_find(&ll->tags, line) == ASSOC_NONE) {
            assoc_insert(&ll->tags, line, &victim);
            miss = true;
        }
    cache_count(ll, ORIGIN_cpu, !miss, write);
}

/* The rest of a batch whose process has ended. */
static void drop_batch(struct core *c)
{
    while (c->rec < c->rec_end) {
        c->st.dropped += c->rec->kind <= TRACE_REF_MAX;
        c->rec += 1 + c->rec->slots;
    }
    c->rec = c->rec_end;
}

struct tally { /* of one chunk: what is not to be counted as a hit of its reference, because it is counted elsewhere or none */
    uint64_t itlb, l1i, dtlb, l1d;
};

/* References that run_chunk does not perform itself. False: the process is gone. */
static __attribute__((noinline)) bool cold_fetch(struct core *c, const struct trace_rec *r, struct tally *t)
{
    struct hot *h = c->hot;
    va_t va = {r->addr};
    if (likely(r->size - 1 < LINE_BYTES)) {
        uint64_t last = va.v + r->size - 1;
        if ((va.v ^ last) >> LINE_SHIFT) { /* straddles */
            if (hot_has(h, va.v, TRACE_FETCH) && hot_has(h, last, TRACE_FETCH)) {
                t->itlb--;
                t->l1i--;
                return true;
            }
        } else if (likely(hot_has_page(h, va.v, TRACE_FETCH) && h->fetch_size == PAGE_SIZE_4K)) {
            uint64_t line = hot_page_line(&c->itlb, c->asid, va.v);
            if (likely(assoc_find(&c->l1i.tags, line) != ASSOC_NONE)) {
                h->line[line & h->line_mask][TRACE_FETCH] = va.v >> LINE_SHIFT;
                return true;
            }
        }
    }
    t->itlb++;
    t->l1i++;
    if (unlikely(!core_linear(c, r, &va)))
        return true;
    uint64_t end = va.v + (r->size ? r->size : 1);
    do {
        if (!fetch_part(c, va))
            return false;
        va.v = (va.v | (LINE_BYTES - 1)) + 1;
    } while (unlikely(va.v < end));
    return true;
}

static __attribute__((noinline)) bool cold_data(struct core *c, const struct trace_rec *r, struct tally *t)
{
    bool write = r->kind != TRACE_LOAD;
    va_t va = {r->addr};
    if (likely((va.v & (LINE_BYTES - 1)) + r->size - 1 < LINE_BYTES)) {
        uint64_t line;
        if (likely(hot_has_page(c->hot, va.v, r->kind))) {
            line = hot_page_line(&c->dtlb, c->asid, va.v);
        } else {
            struct xlat x = XLAT_NONE;
            pa_t pa;
            if (unlikely(!core_segment(c, r, false, write, &va)))
                goto parts;
            t->dtlb++;
            if (unlikely(!translate_now(c, &c->dtlb, va, write ? CLASS_WRITE : CLASS_READ, &x, &pa))) {
                t->l1d++;
                return false;
            }
            remember_data_page(c, va, x, write);
            line = pa.v >> LINE_SHIFT;
        }
        uint32_t e = assoc_find(&c->l1d.tags, line);
        if (unlikely(e == ASSOC_NONE || (write && !(c->l1d.flags[e] & L1D_WRITABLE)))) {
            t->l1d++;
            e = l1d_miss(c, line, write, e != ASSOC_NONE, ORIGIN_cpu);
        } else if (write) {
            c->l1d.flags[e] |= L1D_DIRTY;
        }
        remember_data_line(c, va, e);
        return true;
    }
parts:
    t->dtlb++;
    t->l1d++;
    if (unlikely(!core_linear(c, r, &va)))
        return true;
    uint64_t end = va.v + (r->size ? r->size : 1);
    do {
        if (!data_part(c, va, write))
            return false;
        va.v = (va.v | (LINE_BYTES - 1)) + 1;
    } while (va.v < end);
    return true;
}

static void count_chunk(struct core *c, uint64_t n[HOT_KINDS], const struct tally *t)
{
    uint64_t fetches = n[TRACE_FETCH], data = n[TRACE_LOAD] + n[TRACE_STORE] + n[TRACE_MODIFY], hits = fetches - t->itlb;
    c->st.references += fetches + data;
    c->st.fetches += fetches;
    c->st.instructions += fetches;
    c->st.loads += n[TRACE_LOAD];
    c->st.stores += n[TRACE_STORE];
    c->st.modifies += n[TRACE_MODIFY];
    c->itlb.st.accesses += hits;
    c->itlb.st.hits += hits;
    *(c->hot->fetch_size == PAGE_SIZE_4K   ? &c->itlb.st.hits_4k
      : c->hot->fetch_size == PAGE_SIZE_2M ? &c->itlb.st.hits_2m
                                           : &c->itlb.st.hits_1g) += hits;
    hits = fetches - t->l1i;
    c->l1i.st.accesses += hits;
    c->l1i.st.hits += hits;
    c->l1i.by[ORIGIN_cpu].accesses += hits;
    hits = data - t->dtlb;
    c->dtlb.st.accesses += hits;
    c->dtlb.st.hits += hits;
    c->dtlb.st.hits_4k += hits;
    hits = data - t->l1d;
    c->l1d.st.accesses += hits;
    c->l1d.st.hits += hits;
    c->l1d.by[ORIGIN_cpu].accesses += hits;
}

enum { COUNT_BITS = 16 }; /* a chunk's references of each kind are counted in one word */
#define COUNT_ONE(kind) (UINT64_C(1) << COUNT_BITS * ((kind) - TRACE_FETCH))

/* By kind: bytes that a reference may reach within its line (other records never do); what counts it. */
static const uint64_t reach[256] = {
    [TRACE_FETCH] = LINE_BYTES, [TRACE_LOAD] = LINE_BYTES, [TRACE_STORE] = LINE_BYTES, [TRACE_MODIFY] = LINE_BYTES};
static const uint64_t count_one[HOT_KINDS] = {[TRACE_FETCH] = COUNT_ONE(TRACE_FETCH), [TRACE_LOAD] = COUNT_ONE(TRACE_LOAD),
                                              [TRACE_STORE] = COUNT_ONE(TRACE_STORE), [TRACE_MODIFY] = COUNT_ONE(TRACE_MODIFY)};

static void call(struct core *c, const struct trace_rec *r)
{
    machine_call(c->machine, c, r);
    machine_compact_pay(c->machine, c);
    machine_daemon_functional(c->machine, c);
}

/* The records up to `end`, or until the process is gone. Returns the next one. */
static inline __attribute__((always_inline)) const struct trace_rec *
run_chunk(struct core *c, const struct trace_rec *r, const struct trace_rec *end, struct ahead *ahead, struct tally *t, uint64_t *counts)
{
    const struct hot *h = c->hot;
    const uint64_t line_mask = h->line_mask;
    uint64_t n = 0;
    while (r < end) {
        uint64_t addr = r->addr, line = addr >> LINE_SHIFT, page = addr >> PAGE_SHIFT;
        uint64_t kind = r->kind;
        if (ahead && kind > TRACE_FETCH && kind <= TRACE_MODIFY)
            look_ahead(c, ahead, r);
        if (likely((addr & (LINE_BYTES - 1)) + r->size - 1 < reach[kind]) && likely(h->line[line & line_mask][kind] == line) &&
            likely(h->page[page & h->page_mask[kind]][kind] == page)) {
            n += count_one[kind];
            r++;
            continue;
        }
        bool goes_on = true;
        if (kind <= TRACE_MODIFY) {
            n += count_one[kind];
            goes_on = kind == TRACE_FETCH ? cold_fetch(c, r, t) : cold_data(c, r, t);
        } else if (kind >= TRACE_INSNS) {
            if (is_call(r)) {
                call(c, r);
                goes_on = !c->process_dead;
            } else {
                core_note(c, r);
            }
        }
        r += 1 + r->slots;
        if (unlikely(!goes_on))
            break;
    }
    *counts = n;
    return r;
}

static bool hot_loop(struct core *c, uint64_t refs)
{
    struct ahead ahead = {0};
    bool thrashing = false;
    memset(ahead.line, 0xff, sizeof ahead.line);
    for (uint64_t done = 0; done < refs;) {
        if (unlikely(c->rec == c->rec_end) && !core_refill(c))
            return false;
        if (unlikely(c->process_dead)) {
            drop_batch(c);
            continue;
        }
        const struct trace_rec *r = c->rec, *end = c->rec_end;
        uint64_t misses = c->l1d.st.misses, counts;
        struct tally t = {0};
        if (end - r > AHEAD_CHUNK)
            end = r + AHEAD_CHUNK;
        if ((uint64_t)(end - r) > refs - done)
            end = r + (refs - done);
        r = unlikely(thrashing) ? run_chunk(c, r, end, &ahead, &t, &counts) : run_chunk(c, r, end, NULL, &t, &counts);
        c->rec = r > c->rec_end ? c->rec_end : r;
        uint64_t n[HOT_KINDS] = {0};
        for (unsigned k = TRACE_FETCH; k <= TRACE_MODIFY; k++)
            n[k] = counts >> COUNT_BITS * (k - TRACE_FETCH) & ((1u << COUNT_BITS) - 1);
        count_chunk(c, n, &t);
        uint64_t data = n[TRACE_LOAD] + n[TRACE_STORE] + n[TRACE_MODIFY];
        thrashing = (c->l1d.st.misses - misses) * AHEAD_MISSES > data;
        done += n[TRACE_FETCH] + data;
        hot_next_size(c->hot);
    }
    return true;
}

static void plain_ref(struct core *c, const struct trace_rec *r)
{
    unsigned kind = r->kind;
    va_t va;
    if (!core_linear(c, r, &va))
        return;
    if (kind == TRACE_MODIFY && c->cfg->cache.modify_counts == MODIFY_COUNTS_READ)
        kind = TRACE_LOAD;
    if (c->cfg->cache.straddle == STRADDLE_CACHEGRIND) {
        cachegrind_ref(c, va.v, r->size, kind == TRACE_FETCH, kind == TRACE_STORE);
        return;
    }
    for (uint64_t end = va.v + (r->size ? r->size : 1); va.v < end; va.v = (va.v | (LINE_BYTES - 1)) + 1)
        if (!(kind == TRACE_FETCH ? fetch_part(c, va) : data_part(c, va, kind != TRACE_LOAD)))
            return;
}

static bool plain_loop(struct core *c, uint64_t refs)
{
    for (uint64_t done = 0; done < refs;) {
        if (c->rec == c->rec_end && !core_refill(c))
            return false;
        if (c->process_dead) {
            drop_batch(c);
            continue;
        }
        const struct trace_rec *r = c->rec;
        c->rec += 1 + r->slots;
        if (r->kind > TRACE_REF_MAX) {
            if (is_call(r))
                call(c, r);
            else
                core_note(c, r);
            continue;
        }
        done++;
        c->st.references++;
        c->st.fetches += r->kind == TRACE_FETCH;
        c->st.instructions += r->kind == TRACE_FETCH;
        c->st.loads += r->kind == TRACE_LOAD;
        c->st.stores += r->kind == TRACE_STORE;
        c->st.modifies += r->kind == TRACE_MODIFY;
        plain_ref(c, r);
    }
    return true;
}

bool functional_run(struct core *c, uint64_t refs)
{
    return c->hot ? hot_loop(c, refs) : plain_loop(c, refs);
}
