#include "vm/gigantic.h"

#include <stdlib.h>

#define BLOCK_FRAMES (1u << GIGANTIC_BLOCK_ORDER)

/* Adjacent blocks cannot be asked for: take blocks until enough aligned runs of 512 are complete, give the rest back.
 * Memory that was never used is handed out in address order, so little is taken in vain. */
static uint32_t collect(struct frame_map *frames, uint32_t count, uint16_t *blocks_of, pfn_t *taken, uint64_t max,
                        uint64_t *n_taken)
{
    uint32_t full = 0;
    uint64_t n = 0;
    while (full < count && n < max) {
        pfn_t p = frames_alloc(frames, GFP_TRANSHUGE_LIGHT, GIGANTIC_BLOCK_ORDER, FRAME_TAG_OTHER);
        if (pfn_is_none(p))
            break;
        taken[n++] = p;
        full += ++blocks_of[p.v / GIGANTIC_FRAMES] == GIGANTIC_BLOCKS;
    }
    *n_taken = n;
    return full;
}

int gigantic_new(struct gigantic_pool **out, struct frame_map *frames, uint32_t count, struct err *err)
{
    uint64_t gib = frames->n_frames / GIGANTIC_FRAMES + 1, max = frames->n_frames / BLOCK_FRAMES + 1, n = 0;
    *out = NULL;
    if (count && frames->max_order < GIGANTIC_BLOCK_ORDER) {
        err_set(err, ERR_USAGE, "vm.gigantic_pages needs blocks of 2 MiB, buddy.max_order is %u", frames->max_order);
        return err_remedy(err, "set buddy.max_order to %d or more", GIGANTIC_BLOCK_ORDER);
    }
    struct gigantic_pool *p = calloc(1, sizeof *p + count * sizeof *p->free);
    uint16_t *blocks_of = calloc(gib, sizeof *blocks_of);
    pfn_t *taken = count ? malloc(max * sizeof *taken) : NULL;
    if (!p || !blocks_of || (count && !taken)) {
        free(p);
        free(blocks_of);
        free(taken);
        return err_set(err, ERR_RUN, "out of host memory for the pool of 1 GiB pages");
    }
    uint32_t full = count ? collect(frames, count, blocks_of, taken, max, &n) : 0;
    bool enough = full >= count;
    for (uint64_t g = gib; enough && g-- > 0;)
        if (blocks_of[g] == GIGANTIC_BLOCKS)
            p->free[p->n++] = (pfn_t){g * GIGANTIC_FRAMES};
    p->total = p->n;
    for (uint64_t i = 0; i < n; i++)
        if (!enough || blocks_of[taken[i].v / GIGANTIC_FRAMES] != GIGANTIC_BLOCKS)
            frames_free(frames, taken[i], GIGANTIC_BLOCK_ORDER);
    free(blocks_of);
    free(taken);
    if (!enough) {
        free(p);
        err_set(err, ERR_USAGE, "vm.gigantic_pages is %u, memory holds only %u free aligned GiB", count, full);
        return err_remedy(err, "lower vm.gigantic_pages or raise memory.size");
    }
    *out = p;
    return 0;
}

static void release_blocks(struct frame_map *frames, pfn_t pfn)
{
    for (uint64_t i = 0; i < GIGANTIC_BLOCKS; i++)
        frames_free(frames, (pfn_t){pfn.v + i * BLOCK_FRAMES}, GIGANTIC_BLOCK_ORDER);
}

void gigantic_free(struct gigantic_pool *p, struct frame_map *frames)
{
    if (!p)
        return;
    while (p->n)
        release_blocks(frames, p->free[--p->n]);
    free(p);
}

pfn_t gigantic_get(struct gigantic_pool *p) { return p->n ? p->free[--p->n] : PFN_NONE; }

void gigantic_put(struct gigantic_pool *p, struct frame_map *frames, pfn_t pfn)
{
    for (uint64_t i = 0; i < GIGANTIC_BLOCKS; i++) {
        pfn_t b = {pfn.v + i * BLOCK_FRAMES};
        frames_retag(frames, b, FRAME_TAG_OTHER);
        struct frame *f = frame_at(frames, b);
        f->asid = 0;
        f->vpn = 0;
        f->mapcount = 0;
    }
    p->free[p->n++] = pfn;
}
