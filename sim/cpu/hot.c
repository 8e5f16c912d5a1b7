#include "cpu/hot.h"

#include "cpu/core.h"

#include <stdlib.h>
#include <string.h>

/* The low bits that number of a page or line and number of its set have in common, as a mask. */
static uint64_t common_mask(const struct assoc *a)
{
    uint32_t power = a->sets & -a->sets;
    return (power < HOT_SLOTS ? power : HOT_SLOTS) - 1;
}

int hot_new(struct hot **out, const struct core *c, struct err *err)
{
    const struct assoc *itlb = &c->itlb.array[PAGE_SIZE_4K].tags, *dtlb = &c->dtlb.array[PAGE_SIZE_4K].tags;
    *out = NULL;
    if (!c->mmu_on || c->seg.mode != SEG_MODE_LONG || itlb->touch_on_mru || dtlb->touch_on_mru ||
        c->l1i.tags.touch_on_mru || c->l1d.tags.touch_on_mru || c->cfg->cache.straddle != STRADDLE_SPLIT ||
        c->cfg->cache.modify_counts != MODIFY_COUNTS_WRITE)
        return 0;
    struct hot *h = aligned_alloc(64, (sizeof *h + 63) / 64 * 64);
    if (!h)
        return err_set(err, ERR_RUN, "out of host memory for core %u", c->id);
    uint64_t i = common_mask(&c->l1i.tags), d = common_mask(&c->l1d.tags);
    h->line_mask = i < d ? i : d;
    h->page_mask[TRACE_FETCH] = common_mask(itlb);
    h->page_mask[TRACE_LOAD] = h->page_mask[TRACE_STORE] = h->page_mask[TRACE_MODIFY] = common_mask(dtlb);
    h->dtlb_shared = c->dtlb.home[PAGE_SIZE_2M] == PAGE_SIZE_4K || c->dtlb.home[PAGE_SIZE_1G] == PAGE_SIZE_4K;
    h->fetch_size = h->next_size = PAGE_SIZE_4K;
    *out = h;
    return 0;
}

void hot_forget(struct hot *h)
{
    if (!h)
        return;
    memset(h->line, 0xff, sizeof h->line);
    memset(h->page, 0xff, sizeof h->page);
}

static int check_slot(const struct core *c, uint64_t addr, unsigned k, bool is_line, struct err *err)
{
    bool fetch = k == TRACE_FETCH, write = k == TRACE_STORE || k == TRACE_MODIFY;
    const struct tlb *t = fetch ? &c->itlb : &c->dtlb;
    const struct cache *l1 = fetch ? &c->l1i : &c->l1d;
    struct xlat x = tlb_peek(t, c->asid, (va_t){addr}, &c->check[fetch ? CLASS_FETCH : write ? CLASS_WRITE : CLASS_READ]);
    if (xlat_is_none(x) && !is_line)
        return err_set(err, ERR_RUN, "check: cpu%u takes page 0x%llx for hot, its TLB does not have it", c->id, (unsigned long long)addr);
    if (!is_line) {
        const struct assoc *a = &t->array[PAGE_SIZE_4K].tags;
        uint64_t key = tlb_key(c->asid, PAGE_SIZE_4K, (va_t){addr});
        if (xlat_origin(x) == PAGE_SIZE_4K && a->key[a->mru[assoc_set(a, key)]] != key)
            return err_set(err, ERR_RUN, "check: cpu%u takes page 0x%llx for hot, its TLB used another one last", c->id, (unsigned long long)addr);
        return 0;
    }
    if (xlat_is_none(x)) /* a line waits for its page */
        return 0;
    uint64_t line = xlat_pa(x, (va_t){addr}).v >> LINE_SHIFT;
    uint32_t e = l1->tags.mru[assoc_set(&l1->tags, line)];
    if (l1->tags.key[e] != line || (write && l1->flags[e] != (L1D_WRITABLE | L1D_DIRTY)))
        return err_set(err, ERR_RUN, "check: cpu%u takes line 0x%llx for hot, its first-level cache does not", c->id, (unsigned long long)addr);
    return 0;
}

int hot_check(const struct core *c, struct err *err)
{
    if (!c->hot || c->process_dead)
        return 0;
    for (unsigned i = 0; i < HOT_SLOTS; i++)
        for (unsigned k = 0; k < HOT_KINDS; k++) {
            uint64_t line = c->hot->line[i][k], page = c->hot->page[i][k];
            if ((page != HOT_NONE && check_slot(c, page << PAGE_SHIFT, k, false, err) < 0) ||
                (line != HOT_NONE && check_slot(c, line << LINE_SHIFT, k, true, err) < 0))
                return -1;
        }
    return 0;
}
