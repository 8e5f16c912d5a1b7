/* How a core's translations and accesses fill struct hot (hot.h). */
#ifndef CPU_REMEMBER_H
#define CPU_REMEMBER_H

#include "cpu/core.h"

/* A small page that is hot has its translation in the way that its set used last. */
static inline uint64_t hot_page_line(const struct tlb *t, uint32_t asid, uint64_t addr)
{
    const struct tlb_array *a = &t->array[PAGE_SIZE_4K];
    uint64_t key = tlb_key(asid, PAGE_SIZE_4K, (va_t){addr});
    struct xlat x = a->xlat[a->tags.mru[assoc_set(&a->tags, key)]];
    return ((x.v & PTE_ADDR) | (addr & (PAGE_BYTES - 1))) >> LINE_SHIFT;
}

/* After a translation of a data reference: what its TLB set used last. */
static inline void remember_data_page(struct core *c, va_t va, struct xlat x, bool write)
{
    struct hot *h = c->hot;
    uint64_t page = va.v >> PAGE_SHIFT, *p = h->page[page & h->page_mask[TRACE_LOAD]];
    bool small = likely(xlat_origin(x) == PAGE_SIZE_4K); /* large pages are not remembered for data */
    if (unlikely(!small && h->dtlb_shared)) /* a set of another page used it */
        hot_forget(h);
    p[TRACE_LOAD] = small ? page : HOT_NONE; /* what may be written may be read */
    p[TRACE_STORE] = p[TRACE_MODIFY] = small && (write || access_ok(x, &c->check[CLASS_WRITE])) ? page : HOT_NONE;
}

/* The set of a first-level TLB that `va` belongs to has used something else: a fill, a look-up that did not suffice. */
static inline void forget_page(struct core *c, bool fetch, va_t va)
{
    struct hot *h = c->hot;
    if (!h)
        return;
    const struct tlb *t = fetch ? &c->itlb : &c->dtlb;
    for (unsigned s = PAGE_SIZE_2M; s < PAGE_SIZE_COUNT; s++)
        if (unlikely(t->home[s] == PAGE_SIZE_4K && t->count[s])) { /* it may have been a set of another page */
            hot_forget(h);
            return;
        }
    uint64_t page = va.v >> PAGE_SHIFT;
    if (fetch) {
        h->page[page & h->page_mask[TRACE_FETCH]][TRACE_FETCH] = HOT_NONE;
    } else {
        uint64_t *p = h->page[page & h->page_mask[TRACE_LOAD]];
        p[TRACE_LOAD] = p[TRACE_STORE] = p[TRACE_MODIFY] = HOT_NONE;
    }
}

/* In time: a first-level TLB has been asked and has answered with `x`. */
static inline void remember_translated(struct core *c, bool fetch, va_t va, struct xlat x, bool write)
{
    struct hot *h = c->hot;
    if (!h)
        return;
    if (xlat_origin(x) != PAGE_SIZE_4K) {
        forget_page(c, fetch, va);
    } else if (fetch) {
        uint64_t page = va.v >> PAGE_SHIFT;
        h->page[page & h->page_mask[TRACE_FETCH]][TRACE_FETCH] = page;
    } else {
        remember_data_page(c, va, x, write);
    }
}

/* In time: a fetch or load has hit in the L1 with its translation of this instant. */
static inline void remember_line(struct core *c, uint64_t va, unsigned kind)
{
    if (c->hot)
        c->hot->line[va >> LINE_SHIFT & c->hot->line_mask][kind] = va >> LINE_SHIFT;
}

/* ... at once, its page of 4 KiB being the last one used. */
static inline void remember_at_once(struct core *c, uint64_t va, unsigned kind)
{
    if (c->hot) {
        c->hot->page[va >> PAGE_SHIFT & c->hot->page_mask[kind]][kind] = va >> PAGE_SHIFT;
        remember_line(c, va, kind);
    }
}

#endif
