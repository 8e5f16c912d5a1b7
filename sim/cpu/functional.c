/*
 * Functional mode. The hot path is functional_run: a reference that hits the most recently used ways of its first-level
 * TLB and cache costs a handful of instructions and no store but a local counter (measured: this is what makes it about
 * half as fast as a bare loop). Everything else is out of line. Assumes that hits on the most recently used way change no
 * replacement state; policies for which that is not so (assoc.touch_on_mru) take the out-of-line path.
 */
#include "cpu/functional.h"

#include "cpu/linear.h"

#include "cpu/machine_internal.h"
#include "cpu/priv.h"

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

static __attribute__((noinline)) void l1d_miss(struct core *c, uint64_t line, bool write, bool present, enum req_origin o)
{
    cache_count(&c->l1d, o, false, write);
    c->l1d.st.upgrades += present;
    enum line_state s = l2_access(c, line, write ? REQ_GETM : REQ_GETS, o);
    uint32_t e = priv_l1d_fill(c, line, s);
    if (write)
        c->l1d.flags[e] |= L1D_DIRTY;
}

static void l1d_access(struct core *c, uint64_t line, bool write, enum req_origin o)
{
    uint32_t e = assoc_find(&c->l1d.tags, line);
    if (likely(e != ASSOC_NONE) && (!write || (c->l1d.flags[e] & L1D_WRITABLE))) {
        cache_count(&c->l1d, o, true, write);
        if (write)
            c->l1d.flags[e] |= L1D_DIRTY;
        return;
    }
    l1d_miss(c, line, write, e != ASSOC_NONE, o);
}

static void l1i_access(struct core *c, uint64_t line)
{
    bool hit = assoc_find(&c->l1i.tags, line) != ASSOC_NONE;
    cache_count(&c->l1i, ORIGIN_cpu, hit, false);
    if (hit)
        return;
    l2_access(c, line, REQ_GETI, ORIGIN_cpu);
    priv_l1i_fill(c, line);
}

/* ---- hints to the host's cache: an access that misses the simulated caches misses the host's too ---- */

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

/* Where the page table has the entry of a 4 KiB page, or NULL. */
static const uint64_t *ahead_pte(const struct core *c, va_t va, uint64_t *line)
{
    pa_t table = c->root.table;
    for (unsigned level = c->root.levels;; level--) {
        pa_t at = {table.v + 8u * level_index(va, level)};
        if (unlikely(!phys_valid(c->mem, at)))
            return NULL;
        const uint64_t *e = phys_at(c->mem, at);
        if (level == 1) {
            *line = at.v >> LINE_SHIFT;
            return e;
        }
        if (!(*e & PTE_P) || (*e & PTE_PS))
            return NULL;
        table.v = *e & PTE_ADDR;
    }
}

/* A payload slot may be taken for a record: a useless hint. */
static __attribute__((noinline)) void look_ahead(const struct core *c, struct ahead *h, const struct trace_rec *r)
{
    if (c->rec_end - r <= AHEAD_TABLE)
        return;
    uint32_t n = (uint32_t)((uintptr_t)r / sizeof *r), i = (n + AHEAD_TABLE) % AHEAD_RING;
    h->line[i] = ASSOC_EMPTY;
    h->pte[i] = NULL;
    if (r[AHEAD_TABLE].kind > TRACE_FETCH && r[AHEAD_TABLE].kind <= TRACE_MODIFY) {
        h->pte[i] = ahead_pte(c, (va_t){r[AHEAD_TABLE].addr}, &h->table_line[i]);
        if (h->pte[i]) {
            __builtin_prefetch(h->pte[i]);
            hint_line(c, h->table_line[i], 0);
        }
    }
    i = (n + AHEAD_LINE) % AHEAD_RING;
    if (h->pte[i] && (*h->pte[i] & PTE_P)) {
        h->line[i] = ((*h->pte[i] & PTE_ADDR) | (r[AHEAD_LINE].addr & (PAGE_BYTES - 1))) >> LINE_SHIFT;
        hint_line(c, h->line[i], 0);
        hint_line(c, h->table_line[i], 1);
    }
    i = (n + AHEAD_ENTRY) % AHEAD_RING;
    if (h->line[i] != ASSOC_EMPTY)
        hint_line(c, h->line[i], 1);
    i = (n + AHEAD_VICTIM) % AHEAD_RING;
    if (h->line[i] != ASSOC_EMPTY) {
        hint_line(c, h->table_line[i], 2);
        hint_line(c, h->line[i], 2);
    }
}

/* ---- translation ---- */

static uint64_t *entry_at(struct core *c, pa_t pa) { return phys_at(c->mem, pa); }

static void store_lines(struct core *c, const struct os_op *op, uint32_t repeat)
{
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
        *entry_at(c, pa) = op->value;
    }
}

/* The handler; false if the process is gone. */
static bool fault(struct core *c, va_t va, unsigned error)
{
    struct fault_answer a;
    vm_fault(machine_vm(c->machine), c->asid, va, error, &a);
    if (a.result == FAULT_SEGV || a.result == FAULT_OOM) {
        machine_tell(c->machine, a.result == FAULT_OOM ? "oom_kill" : "segfault", c, va.v,
                     vm_rss_pages(machine_vm(c->machine), c->asid));
        c->machine->oom.kills += a.result == FAULT_OOM;
        machine_kill(c->machine, c);
        return false;
    }
    for (uint32_t i = 0; i < a.n; i++)
        store_lines(c, &a.ops[i].op, a.ops[i].repeat);
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
        c->last_fetch_line = UINT64_MAX;
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
        if (l1 == &c->itlb)
            c->last_fetch_line = UINT64_MAX;
    }
    return x;
}

/* Physical address of a byte; false if the process is gone. */
static bool translate_now(struct core *c, struct tlb *l1, va_t va, unsigned class, pa_t *pa)
{
    if (!c->mmu_on) {
        pa->v = va.v;
        return true;
    }
    struct xlat x = tlb_lookup(l1, c->asid, va, &c->check[class]);
    if (unlikely(xlat_is_none(x))) {
        x = translate_miss(c, l1, va, class);
        if (xlat_is_none(x))
            return false;
    }
    *pa = xlat_pa(x, va);
    return true;
}

/* ---- references ---- */

static bool split_ref(struct core *c, uint64_t addr, uint32_t size, unsigned kind)
{
    struct tlb *l1 = kind == TRACE_FETCH ? &c->itlb : &c->dtlb;
    unsigned class = kind == TRACE_FETCH ? CLASS_FETCH : kind == TRACE_LOAD ? CLASS_READ : CLASS_WRITE;
    uint64_t end = addr + (size ? size : 1);
    while (addr < end) {
        pa_t pa;
        if (!translate_now(c, l1, (va_t){addr}, class, &pa))
            return false;
        if (kind == TRACE_FETCH)
            l1i_access(c, pa.v >> LINE_SHIFT);
        else
            l1d_access(c, pa.v >> LINE_SHIFT, class == CLASS_WRITE, ORIGIN_cpu);
        addr = (addr | (LINE_BYTES - 1)) + 1;
    }
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

/* False: not performed, or the process ended in it. */
static __attribute__((noinline)) bool slow_ref(struct core *c, const struct trace_rec *r)
{
    unsigned kind = r->kind;
    va_t va;
    if (!core_linear(c, r, &va))
        return false;
    if (kind == TRACE_MODIFY && c->cfg->cache.modify_counts == MODIFY_COUNTS_READ)
        kind = TRACE_LOAD;
    if (c->cfg->cache.straddle == STRADDLE_CACHEGRIND)
        cachegrind_ref(c, va.v, r->size, kind == TRACE_FETCH, kind == TRACE_STORE);
    else
        return split_ref(c, va.v, r->size, kind);
    return true;
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

/* The most recently used way of the 4 KiB array has it, with the rights. */
static inline bool tlb_mru(const struct tlb *t, uint32_t asid, va_t va, const struct access_check *k, struct xlat *x)
{
    const struct assoc *a = &t->array[PAGE_SIZE_4K].tags;
    uint64_t key = tlb_key(asid, PAGE_SIZE_4K, va);
    uint32_t e = a->mru[assoc_set(a, key)];
    *x = t->array[PAGE_SIZE_4K].xlat[e];
    return a->key[e] == key && access_ok(*x, k) && xlat_origin(*x) == PAGE_SIZE_4K;
}

struct tally { /* hits of the hot path, not yet in the statistics */
    uint64_t itlb, dtlb, l1i, l1d;
    enum page_size itlb_size; /* of the fetches in `itlb` */
};

static void flush_itlb(struct core *c, struct tally *t)
{
    c->itlb.st.accesses += t->itlb;
    c->itlb.st.hits += t->itlb;
    *(t->itlb_size == PAGE_SIZE_4K   ? &c->itlb.st.hits_4k
      : t->itlb_size == PAGE_SIZE_2M ? &c->itlb.st.hits_2m
                                     : &c->itlb.st.hits_1g) += t->itlb;
    t->itlb = 0;
}

/* Fetches from here on are of a page of this size. */
static inline void fetch_size(struct core *c, struct tally *t, enum page_size size)
{
    if (unlikely(t->itlb_size != size)) {
        flush_itlb(c, t);
        t->itlb_size = size;
    }
}

static void flush_tally(struct core *c, struct tally *t)
{
    flush_itlb(c, t);
    c->dtlb.st.accesses += t->dtlb;
    c->dtlb.st.hits += t->dtlb;
    c->dtlb.st.hits_4k += t->dtlb;
    c->l1i.st.accesses += t->l1i;
    c->l1i.st.hits += t->l1i;
    c->l1i.by[ORIGIN_cpu].accesses += t->l1i;
    c->l1d.st.accesses += t->l1d;
    c->l1d.st.hits += t->l1d;
    c->l1d.by[ORIGIN_cpu].accesses += t->l1d;
    *t = (struct tally){.itlb_size = t->itlb_size};
}

/* True if done here. `write` is a constant at each call. */
static inline __attribute__((always_inline)) bool hot_data(struct core *c, const struct trace_rec *r, bool write,
                                                           unsigned class, struct tally *t)
{
    va_t va;
    struct xlat x;
    pa_t pa;
    if (unlikely(!core_segment(c, r, false, write, &va) || (va.v & (LINE_BYTES - 1)) + r->size > LINE_BYTES))
        return false;
    if (unlikely(!tlb_mru(&c->dtlb, c->asid, va, &c->check[class], &x))) {
        x = tlb_lookup(&c->dtlb, c->asid, va, &c->check[class]);
        if (unlikely(xlat_is_none(x))) {
            x = translate_miss(c, &c->dtlb, va, class);
            if (xlat_is_none(x))
                return true; /* the process is gone */
        }
        pa = xlat_pa(x, va);
    } else {
        t->dtlb++;
        pa.v = (x.v & PTE_ADDR) | (va.v & (PAGE_BYTES - 1));
    }
    uint64_t line = pa.v >> LINE_SHIFT;
    struct assoc *a = &c->l1d.tags;
    uint32_t set = assoc_set(a, line), e = a->mru[set];
    if (unlikely(a->key[e] != line)) {
        e = assoc_find_slow(a, set, line);
        if (unlikely(e == ASSOC_NONE)) {
            l1d_miss(c, line, write, false, ORIGIN_cpu);
            return true;
        }
    }
    if (write) {
        if (unlikely(!(c->l1d.flags[e] & L1D_WRITABLE))) {
            l1d_miss(c, line, true, true, ORIGIN_cpu);
            return true;
        }
        c->l1d.flags[e] |= L1D_DIRTY;
    }
    t->l1d++;
    return true;
}

static bool is_hot(const struct core *c)
{
    return c->mmu_on && !c->itlb.array[0].tags.touch_on_mru && !c->dtlb.array[0].tags.touch_on_mru &&
           !c->l1i.tags.touch_on_mru && !c->l1d.tags.touch_on_mru && c->cfg->cache.straddle == STRADDLE_SPLIT &&
           c->cfg->cache.modify_counts == MODIFY_COUNTS_WRITE;
}

static bool fetch_needs_work(struct core *c, const struct trace_rec *r)
{
    va_t va;
    struct xlat x;
    if (!core_segment(c, r, true, false, &va) || (va.v & (LINE_BYTES - 1)) + r->size > LINE_BYTES ||
        !tlb_mru(&c->itlb, c->asid, va, &c->check[CLASS_FETCH], &x))
        return true;
    uint64_t line = ((x.v & PTE_ADDR) | (va.v & (PAGE_BYTES - 1))) >> LINE_SHIFT;
    const struct assoc *a = &c->l1i.tags;
    return a->key[a->mru[assoc_set(a, line)]] != line;
}

/*
 * A fetch from the virtual line of the last fetch hits ITLB and L1I: both have it as most recently used, unless the line
 * left the L1I (priv.c) or a translation changed (translate_miss, shootdowns): these forget the line.
 */
static bool hot_loop(struct core *c, uint64_t refs)
{
    struct tally t = {.itlb_size = (enum page_size)c->last_fetch_size};
    struct ahead ahead = {0};
    bool thrashing = false;
    memset(ahead.line, 0xff, sizeof ahead.line);
    uint64_t last = c->last_fetch_line, done = 0;
    c->last_fetch_line = UINT64_MAX - 1; /* UINT64_MAX: was forgotten meanwhile */
    bool more = true;
    while (done < refs) {
        if (unlikely(c->rec == c->rec_end)) {
            if (!core_refill(c)) {
                more = false;
                break;
            }
            last = UINT64_MAX;
        }
        if (unlikely(c->process_dead)) {
            drop_batch(c);
            continue;
        }
        const struct trace_rec *r = c->rec, *end = c->rec_end;
        uint64_t n_i = 0, n_l = 0, n_s = 0, n_m = 0;
        uint64_t misses = c->l1d.st.misses;
        if (end - r > AHEAD_CHUNK)
            end = r + AHEAD_CHUNK;
        if ((uint64_t)(end - r) > refs - done)
            end = r + (refs - done);
        while (r < end) {
            switch (r->kind) {
            case TRACE_FETCH:
                n_i++;
                if (likely(r->addr >> LINE_SHIFT == last && (r->addr & (LINE_BYTES - 1)) + r->size <= LINE_BYTES)) {
                    t.itlb++;
                    t.l1i++;
                    break;
                }
                last = (r->addr + (r->size ? r->size - 1 : 0)) >> LINE_SHIFT;
                if (fetch_needs_work(c, r)) {
                    c->last_fetch_line = slow_ref(c, r) ? UINT64_MAX - 1 : UINT64_MAX;
                    fetch_size(c, &t, xlat_origin(tlb_peek(&c->itlb, c->asid, (va_t){last << LINE_SHIFT}, &c->check[CLASS_FETCH])));
                } else {
                    fetch_size(c, &t, PAGE_SIZE_4K);
                    t.itlb++;
                    t.l1i++;
                }
                break;
            case TRACE_LOAD:
                n_l++;
                if (unlikely(thrashing))
                    look_ahead(c, &ahead, r);
                if (!hot_data(c, r, false, CLASS_READ, &t))
                    slow_ref(c, r);
                break;
            case TRACE_STORE:
                n_s++;
                if (unlikely(thrashing))
                    look_ahead(c, &ahead, r);
                if (!hot_data(c, r, true, CLASS_WRITE, &t))
                    slow_ref(c, r);
                break;
            case TRACE_MODIFY:
                n_m++;
                if (unlikely(thrashing))
                    look_ahead(c, &ahead, r);
                if (!hot_data(c, r, true, CLASS_WRITE, &t))
                    slow_ref(c, r);
                break;
            default:
                if (is_call(r)) {
                    machine_call(c->machine, c, r);
                    last = UINT64_MAX;
                } else {
                    core_note(c, r);
                }
                r += r->slots;
                break;
            }
            if (unlikely(c->last_fetch_line == UINT64_MAX)) {
                last = UINT64_MAX;
                c->last_fetch_line = UINT64_MAX - 1;
                if (unlikely(c->process_dead)) {
                    r++;
                    break;
                }
            }
            r++;
        }
        c->rec = r > c->rec_end ? c->rec_end : r;
        thrashing = (c->l1d.st.misses - misses) * AHEAD_MISSES > n_l + n_s + n_m;
        done += n_i + n_l + n_s + n_m;
        c->st.fetches += n_i;
        c->st.instructions += n_i;
        c->st.loads += n_l;
        c->st.stores += n_s;
        c->st.modifies += n_m;
        c->st.references += n_i + n_l + n_s + n_m;
    }
    flush_tally(c, &t);
    c->last_fetch_line = last;
    c->last_fetch_size = (uint8_t)t.itlb_size;
    return more;
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
                machine_call(c->machine, c, r);
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
        slow_ref(c, r);
    }
    return true;
}

bool functional_run(struct core *c, uint64_t refs)
{
    return is_hot(c) ? hot_loop(c, refs) : plain_loop(c, refs);
}
