#include "slab/pages/get_pages.h"

#include "slab/slab_internal.h"

pfn_t slab_get_pages(struct slab_sys *s, uint64_t size, gfp_t gfp, unsigned cpu, unsigned *order)
{
    uint64_t hits = s->frames->pcp_st.hits, slow = s->frames->st.slow_paths;
    pfn_t pfn = PFN_NONE;
    run_on(s, cpu);
    op_begin(s, SLAB_PATH_ALLOC_PAGES);
    *order = size && size <= (uint64_t)PAGE_BYTES << s->frames->max_order ? order_of(size) : 0;
    if (size && *order <= s->frames->max_order && size <= (uint64_t)PAGE_BYTES << *order)
        pfn = get_block(s, gfp | __GFP_COMP, *order, FRAME_TAG_KERNEL);
    if (pfn_is_none(pfn))
        took(s, SLAB_PATH_ALLOC_FAILED);
    else if (s->frames->st.slow_paths != slow)
        took(s, SLAB_PATH_ALLOC_SLOW);
    else if (s->frames->pcp_st.hits == hits)
        took(s, SLAB_PATH_ALLOC_BUDDY);
    op_end(s);
    return pfn;
}

void slab_put_pages(struct slab_sys *s, pfn_t pfn, unsigned order, unsigned cpu)
{
    run_on(s, cpu);
    op_begin(s, SLAB_PATH_FREE_PAGES);
    frames_free(s->frames, pfn, order);
    charge(s, s->cfg.cost.page_free);
    op_end(s);
}
