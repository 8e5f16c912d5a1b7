/*
 * What a reference hits without changing any state, by logical address: the hot loop of functional mode and the dispatch of
 * the window core test two words for a reference and count it, everything else is out of line. Derived from the TLBs and
 * first-level caches; forgetting any of it is always right.
 *
 *   page[p][k] == page: its set of the first-level TLB used this page's entry last, with rights that suffice for kind k
 *   line[l][k] == line: its set of the first-level cache used this line last (stores: writable and dirty already), as
 *                       long as the page's translation stays
 *
 * k is the record's kind. A slot is shared by all sets that the low bits of the number do not tell apart, so whoever
 * changes what a set used last forgets or fills the slot: lines in priv.c, functional.c and l1l2.c, translations in functional.c,
 * walker.c and machine.c (remember.h). In time only fetches, loads and the pages of stores are remembered. Model:
 * docs/model/functional.md.
 */
#ifndef CPU_HOT_H
#define CPU_HOT_H

#include "engine/err.h"
#include "mmu/paging.h"
#include "traces/record.h"

enum { HOT_SLOTS = 64, HOT_KINDS = 8 }; /* lines: the sets that a page's offset tells apart */
#define HOT_NONE UINT64_MAX

struct hot {
    uint64_t line[HOT_SLOTS][HOT_KINDS], page[HOT_SLOTS][HOT_KINDS];
    uint64_t line_mask, page_mask[HOT_KINDS]; /* slots in use, less one */
    bool dtlb_shared; /* its base array keeps large pages too */
    uint8_t fetch_size, next_size; /* enum page_size: of the pages for fetches, now and from the next chunk on */
};

struct core;
/* For a core whose hits on most recently used ways change nothing and whose segments are flat; else *out is NULL. */
int hot_new(struct hot **out, const struct core *c, struct err *err);
void hot_forget(struct hot *h); /* NULL is fine: a core without it */
/* For --check: all that is remembered is so. */
int hot_check(const struct core *c, struct err *err);

static inline void hot_forget_data_line(struct hot *h, uint64_t line)
{
    if (h) {
        uint64_t *s = h->line[line & h->line_mask];
        s[TRACE_LOAD] = s[TRACE_STORE] = s[TRACE_MODIFY] = HOT_NONE;
    }
}

static inline void hot_forget_fetch_line(struct hot *h, uint64_t line)
{
    if (h)
        h->line[line & h->line_mask][TRACE_FETCH] = HOT_NONE;
}

/* Functional mode, between chunks, when all hits are counted: fetches of pages of another size may be remembered. */
static inline void hot_next_size(struct hot *h)
{
    if (unlikely(h->next_size != h->fetch_size)) {
        hot_forget(h);
        h->fetch_size = h->next_size;
    }
}

static inline bool hot_has_page(const struct hot *h, uint64_t addr, unsigned k)
{
    uint64_t page = addr >> PAGE_SHIFT;
    return h->page[page & h->page_mask[k]][k] == page;
}

static inline bool hot_has(const struct hot *h, uint64_t addr, unsigned k)
{
    uint64_t line = addr >> LINE_SHIFT;
    return h->line[line & h->line_mask][k] == line && hot_has_page(h, addr, k);
}

#endif
