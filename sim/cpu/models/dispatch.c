/*
 * The window core's dispatch (timing.md section 6). Parts that hit everything at once never become objects; instructions
 * whose records hot.h knows to hit cost a few dozen instructions of the host.
 */
#include "cpu/machine/machine_internal.h"
#include "cpu/models/window.h"
#include "cpu/remember.h"
#include "cpu/supply.h"
#include "cpu/timed.h"
#include "engine/grow.h"

#include <stdlib.h>

/* ---- an instruction's records ---- */

/* The producers of an instruction: what is known of them, and links to what is not. True: all its operands are there. */
static bool depend(struct core *c, uint64_t seq, uint64_t regs)
{
    uint32_t ix = index_of(c, seq), unknown = 0;
    cyc_t ready = 0;
    for (unsigned i = 2; i < 6; i++) {
        uint64_t w = c->writer[regs >> (8 * i) & 0xff];
        if (!(regs >> (8 * i) & 0xff) || !w || w - 1 < c->head_seq)
            continue;
        uint32_t producer = index_of(c, w - 1);
        cyc_t known = c->rob[producer].known;
        if (known != CYC_NEVER) {
            if (known > ready)
                ready = known;
            continue;
        }
        struct rob_rest *p = &c->rob_rest[producer];
        uint32_t d = c->dep_free;
        if (d != NIL) {
            c->dep_free = c->dep[d].next;
        } else {
            if (c->dep_n == c->dep_cap)
                c->dep = grow_array(c->dep, &c->dep_cap, 256, sizeof *c->dep);
            d = c->dep_n++;
        }
        c->dep[d] = (struct dep_link){.consumer = ix, .next = p->deps};
        p->deps = d;
        unknown++;
    }
    for (unsigned i = 0; i < 2; i++)
        if (regs >> (8 * i) & 0xff)
            c->writer[regs >> (8 * i) & 0xff] = seq + 1;
    if (!unknown && ready <= c->now)
        return true;
    struct rob_rest *e = rest_of(c, ix);
    e->unknown = unknown;
    e->ready = ready;
    return false;
}

static bool is_data(const struct trace_rec *r)
{
    return r->kind == TRACE_LOAD || r->kind == TRACE_STORE || r->kind == TRACE_MODIFY;
}

/* A load part that hits everything, without an object. False: nothing was done or counted. */
static inline bool load_at_once(struct core *c, struct rob_rest *e, uint64_t va)
{
    pa_t pa = {va};
    uint32_t slot = 0;
    if (likely(c->mmu_on)) {
        const struct assoc *a = &c->dtlb.array[PAGE_SIZE_4K].tags;
        uint64_t key = tlb_key(c->asid, PAGE_SIZE_4K, (va_t){va});
        slot = a->mru[assoc_set(a, key)];
        struct xlat x = c->dtlb.array[PAGE_SIZE_4K].xlat[slot];
        if (a->key[slot] != key || a->touch_on_mru || xlat_origin(x) != PAGE_SIZE_4K || !access_ok(x, &c->check[CLASS_READ]))
            return false;
        pa.v = (x.v & PTE_ADDR) | (va & (PAGE_BYTES - 1));
    }
    uint64_t line = pa.v >> LINE_SHIFT;
    const struct assoc *t = &c->l1d.tags;
    if (t->key[t->mru[assoc_set(t, line)]] != line || t->touch_on_mru)
        return false;
    if (likely(c->mmu_on)) {
        c->dtlb.st.accesses++;
        c->dtlb.st.hits++;
        c->dtlb.st.hits_4k++;
        remember_at_once(c, va, TRACE_LOAD);
    }
    cache_count(&c->l1d, ORIGIN_cpu, true, false);
    if (c->now + c->l1d_lat > e->done)
        e->done = c->now + c->l1d_lat;
    return true;
}

static void data_ref(struct core *c, uint32_t ix, const struct trace_rec *r, bool now)
{
    va_t va;
    if (!supply_count(c, r, &va))
        return;
    uint64_t addr = va.v, end = addr + (r->size ? r->size : 1);
    enum part_kind kind = r->kind == TRACE_LOAD ? PART_LOAD : r->kind == TRACE_STORE ? PART_STORE : PART_MODIFY;
    struct rob_rest *e = rest_of(c, ix);
    for (; addr < end; addr = (addr | (LINE_BYTES - 1)) + 1) {
        if (now && kind == PART_LOAD && load_at_once(c, e, addr))
            continue;
        uint32_t p = part_new(c, kind, ix, c->order++, (va_t){addr});
        if (now)
            window_execute(c, ix, p);
        else
            plist_push(c, &e->wait, p);
    }
}

/* The rest of an instruction of which an entry and some records are taken: the records from c->rec on. `done`: as far as
 * it is known; `regs`: its REGS may come next. */
static void enter_rest(struct core *c, uint64_t seq, cyc_t done, bool now, bool regs, bool alone)
{
    uint32_t ix = index_of(c, seq);
    struct rob_head *e = &c->rob[ix];
    if (regs && supply_record(c) && c->rec->kind == TRACE_REGS) {
        now = depend(c, seq, c->rec->addr);
        c->rec += 1 + c->rec->slots;
    }
    e->issued = now;
    while (supply_record(c) && (is_data(c->rec) || (!alone && c->rec->kind == TRACE_BRANCH))) {
        const struct trace_rec *r = c->rec;
        if (is_data(r))
            data_ref(c, ix, r, now);
        c->rec += 1 + r->slots;
        if (alone)
            break;
    }
    if (!now) {
        if (!c->rob_rest[ix].unknown)
            wheel_add(&c->wheel, c->rob_rest[ix].ready, HOP_WOKEN, woken_arg(c, ix));
        return;
    }
    if (e->rest) {
        if (c->rob_rest[ix].done > done)
            done = c->rob_rest[ix].done;
        c->rob_rest[ix].done = done;
        if (c->rob_rest[ix].pending)
            done = CYC_NEVER;
    }
    e->known = done; /* nobody can have linked to it yet */
}

/* Takes an entry for the instruction whose fetch is done and its records. `alone`: a data record without a fetch. */
static void enter(struct core *c, bool alone)
{
    uint64_t seq = c->tail_seq++;
    c->rob[index_of(c, seq)] = (struct rob_head){.known = CYC_NEVER};
    enter_rest(c, seq, c->now + 1, true, !alone, alone);
}

/* ---- what is hot ---- */

/* A fetch from a hot page that hits, of so many lines; 0: nothing was done. */
static inline unsigned fetch_hot(struct core *c, struct hot *h, const struct trace_rec *r)
{
    uint64_t addr = r->addr, line = addr >> LINE_SHIFT, last = addr + r->size - 1;
    uint64_t *slot = &h->line[line & h->line_mask][TRACE_FETCH];
    if (!hot_has_page(h, addr, TRACE_FETCH))
        return 0;
    if (unlikely(last >> LINE_SHIFT != line))
        return r->size - 1 < LINE_BYTES && *slot == line && hot_has(h, last, TRACE_FETCH) ? 2 : 0;
    if (*slot != line) {
        if (assoc_find(&c->l1i.tags, hot_page_line(&c->itlb, c->asid, addr)) == ASSOC_NONE)
            return 0;
        *slot = line;
    }
    return 1;
}

/* The same for data: the first level has the page and, for a load, the line. */
static inline bool data_hot(struct core *c, struct hot *h, const struct trace_rec *r, unsigned kind)
{
    uint64_t addr = r->addr, line = addr >> LINE_SHIFT;
    if ((addr & (LINE_BYTES - 1)) + r->size - 1 >= LINE_BYTES || !hot_has_page(h, addr, kind))
        return false;
    if (kind != TRACE_LOAD)
        return true;
    uint64_t *slot = &h->line[line & h->line_mask][TRACE_LOAD];
    if (*slot != line) {
        if (assoc_find(&c->l1d.tags, hot_page_line(&c->dtlb, c->asid, addr)) == ASSOC_NONE)
            return false;
        *slot = line;
    }
    return true;
}

/*
 * Dispatches up to `most` instructions as long as hot.h says that their fetch hits; how many. All their records that are hot
 * too are done with here, an instruction that has others goes on in enter_rest. The end of the batch, or of what may be
 * simulated of it, is seen there and in dispatch_one.
 */
static uint32_t dispatch_hot(struct core *c, uint32_t most)
{
    struct hot *const h = c->hot;
    const struct trace_rec *r = c->rec, *end = c->rec_end;
    const cyc_t soon = c->now + 1, hit = c->l1d_lat ? c->now + c->l1d_lat : soon;
    uint64_t seq = c->tail_seq, left = c->stop_at - c->st.references;
    uint32_t fetches = 0, lines = 0, loads = 0, stores = 0;
    bool now = true, regs = false, whole = true;
    cyc_t done = soon;
    if ((uint64_t)(end - r) > left)
        end = r + left;
    while (fetches < most && r < end && r->kind == TRACE_FETCH) {
        unsigned l = fetch_hot(c, h, r);
        if (!l)
            break;
        lines += l;
        fetches++;
        r++;
        struct rob_head *e = &c->rob[seq & c->rob_mask];
        *e = (struct rob_head){.known = CYC_NEVER, .issued = true};
        done = soon;
        regs = true;
        for (;; r++) {
            if (unlikely(r >= end)) {
                whole = false;
                break;
            }
            unsigned kind = r->kind;
            if (kind == TRACE_FETCH)
                break;
            if (kind == TRACE_LOAD && data_hot(c, h, r, kind)) {
                done = hit;
                loads++;
            } else if (kind == TRACE_STORE && e->n_lines < ROB_LINES && data_hot(c, h, r, kind)) {
                c->rob_rest[seq & c->rob_mask].line[e->n_lines++] = hot_page_line(&c->dtlb, c->asid, r->addr);
                e->n_stores++;
                stores++;
            } else if (kind == TRACE_REGS && regs) {
                now = depend(c, seq, r->addr);
                r += r->slots;
                if (!now) {
                    r++;
                    whole = false;
                    break;
                }
            } else if (kind == TRACE_BRANCH) {
                r += r->slots;
            } else {
                whole = kind > TRACE_REF_MAX;
                break;
            }
            regs = false;
        }
        seq++;
        if (unlikely(!whole))
            break;
        e->known = done;
    }
    c->rec = r;
    c->tail_seq = seq;
    c->tally.fetches += fetches;
    c->tally.fetch_lines += lines;
    c->tally.loads += loads;
    c->tally.stores += stores;
    c->st.references += fetches + loads + stores;
    if (unlikely(!whole))
        enter_rest(c, seq - 1, done, now, regs && now, false);
    return fetches;
}

void window_count_hot(struct core *c)
{
    struct hot_tally t = c->tally;
    c->tally = (struct hot_tally){0};
    c->st.instructions += t.fetches;
    c->st.fetches += t.fetches;
    c->st.loads += t.loads;
    c->st.stores += t.stores;
    c->itlb.st.accesses += t.fetch_lines;
    c->itlb.st.hits += t.fetch_lines;
    c->itlb.st.hits_4k += t.fetch_lines;
    c->l1i.st.accesses += t.fetch_lines;
    c->l1i.st.hits += t.fetch_lines;
    c->l1i.by[ORIGIN_cpu].accesses += t.fetch_lines;
    c->dtlb.st.accesses += t.loads + t.stores;
    c->dtlb.st.hits += t.loads + t.stores;
    c->dtlb.st.hits_4k += t.loads + t.stores;
    c->l1d.st.accesses += t.loads;
    c->l1d.st.hits += t.loads;
    c->l1d.by[ORIGIN_cpu].accesses += t.loads;
}

/* ---- one after the other ---- */

static inline bool fetch_at_once(struct core *c, uint64_t va)
{
    pa_t pa = {va};
    if (likely(c->mmu_on)) {
        const struct assoc *a = &c->itlb.array[PAGE_SIZE_4K].tags;
        uint64_t key = tlb_key(c->asid, PAGE_SIZE_4K, (va_t){va});
        uint32_t slot = a->mru[assoc_set(a, key)];
        struct xlat x = c->itlb.array[PAGE_SIZE_4K].xlat[slot];
        if (a->key[slot] != key || a->touch_on_mru || xlat_origin(x) != PAGE_SIZE_4K || !access_ok(x, &c->check[CLASS_FETCH]))
            return false;
        pa.v = (x.v & PTE_ADDR) | (va & (PAGE_BYTES - 1));
    }
    uint64_t line = pa.v >> LINE_SHIFT;
    const struct assoc *t = &c->l1i.tags;
    if (t->key[t->mru[assoc_set(t, line)]] != line || t->touch_on_mru)
        return false;
    if (likely(c->mmu_on)) {
        c->itlb.st.accesses++;
        c->itlb.st.hits++;
        c->itlb.st.hits_4k++;
        remember_at_once(c, va, TRACE_FETCH);
    }
    cache_count(&c->l1i, ORIGIN_cpu, true, false);
    return true;
}

/* Fetch parts of the present instruction; false: one is under way. */
static bool fetch(struct core *c)
{
    while (c->fe_addr < c->fe_end) {
        uint64_t va = c->fe_addr;
        c->fe_addr = (va | (LINE_BYTES - 1)) + 1;
        if (fetch_at_once(c, va))
            continue;
        uint32_t p = part_new(c, PART_FETCH, 0, c->order++, (va_t){va});
        c->fe_waiting = true;
        if (!translate(c, p) || !l1_access(c, p, true)) {
            return false;
        }
        remember_line(c, va, TRACE_FETCH);
        c->fe_waiting = false;
        part_free(c, p);
    }
    return true;
}

/* What dispatch can do next: begin an instruction if it may, or see the end or a call. False: nothing more now. */
static bool dispatch_one(struct core *c, bool may_begin)
{
    if (likely(!c->fe_busy)) {
        for (;;) {
            if (unlikely(c->process_dead))
                supply_drop(c);
            enum supply s = supply_peek(c);
            if (s == SUPPLY_END)
                return false;
            if (s == SUPPLY_DRAIN) {
                c->draining = true;
                return false;
            }
            if (c->rec->kind <= TRACE_REF_MAX)
                break;
            if (!supply_other(c)) {
                c->draining = true;
                return false;
            }
        }
        if (!may_begin)
            return false;
        const struct trace_rec *r = c->rec;
        if (r->kind != TRACE_FETCH) {
            enter(c, true);
            return true;
        }
        c->rec++;
        c->fe_addr = c->fe_end = 0;
        va_t va;
        if (supply_count(c, r, &va)) {
            c->fe_addr = va.v;
            c->fe_end = va.v + (r->size ? r->size : 1);
        }
        c->fe_busy = true;
    }
    if (!fetch(c))
        return false;
    c->fe_busy = false;
    enter(c, false);
    return true;
}

static inline bool reference_next(const struct core *c)
{
    return c->rec != c->rec_end && c->rec->kind <= TRACE_REF_MAX && c->st.references < c->stop_at && !c->process_dead;
}

void window_dispatch(struct core *c)
{
    const uint32_t width = c->cfg->cpu.width, window = c->cfg->cpu.window;
    uint32_t n = 0;
    for (uint64_t room; (room = window - (c->tail_seq - c->head_seq)) && may_dispatch(c);) {
        if (n < width && c->hot && !c->fe_busy) {
            n += dispatch_hot(c, width - n < room ? width - n : (uint32_t)room);
            if (n == width && reference_next(c)) /* nothing else to be seen before the next cycle */
                break;
            if (c->tail_seq - c->head_seq == window || !may_dispatch(c))
                break;
        }
        if (!dispatch_one(c, n < width))
            break;
        n++;
    }
}
