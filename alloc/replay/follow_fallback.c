#include "replay/follow_fallback.h"

#include "frames/buddy/buddy.h"
#include "frames/frame_alloc.h"

/* Of a pageblock that is claimed, the first block of the smallest order that fits: all its free blocks come to empty lists, ascending. */
static uint64_t smallest_within(const struct frame_map *map, uint64_t pfn, unsigned order)
{
    uint64_t pages = 1ull << map->pageblock_order, start = pfn & ~(pages - 1), best = PFN_NONE.v;
    unsigned least = map->max_order + 1u;
    for (uint64_t p = start; p < start + pages && p < map->n_frames; p++) {
        const struct frame *b = &map->frames[p];
        if (b->state == FRAME_FREE && b->order >= order && b->order < least) {
            least = b->order;
            best = p;
        }
    }
    return best;
}

void follow_close_fallback(struct follow *f)
{
    f->st.foretold += f->counting && f->fallback.pfn != PFN_NONE.v;
    f->fallback.pfn = PFN_NONE.v;
}

/* Our rule's answer, before the kernel's block is taken. Which block stands first is a guess where its list position is not known: then the
 * rule is asked whether it would claim the kernel's. */
void follow_foretell(struct follow *f, struct zone *z, uint64_t cpu, uint64_t pfn, unsigned order, enum migratetype mt)
{
    enum rmqueue_mode mode = cpu < FOLLOW_CPUS ? (enum rmqueue_mode)f->mode[cpu] : RMQUEUE_NORMAL;
    struct fallback_choice c = buddy_fallback_choice(f->map, z, order, mt, 0, mode);
    follow_close_fallback(f);
    f->fallback = (struct follow_fallback){.cpu = cpu, .pfn = pfn, .frame = c.pfn, .kind = c.kind, .order = c.order, .from = c.from,
                                           .known = c.kind != FALLBACK_NONE && !follow_is_old(f, c.pfn)};
    if (c.kind == FALLBACK_CLAIM_PART)
        f->fallback.frame = smallest_within(f->map, c.pfn, order);
    if (!f->fallback.known && mode != RMQUEUE_STEAL && (c.kind == FALLBACK_CLAIM_PART || c.kind == FALLBACK_STEAL))
        f->fallback.kind = buddy_worth_claiming(f->map, z, pfn, pageblock_get(f->map, pfn), mt) ? FALLBACK_CLAIM_PART : FALLBACK_STEAL;
}

void follow_other(struct follow *f, uint64_t cpu)
{
    if (cpu < FOLLOW_CPUS)
        f->mode[cpu] = RMQUEUE_NORMAL;
    if (f->fallback.cpu == cpu)
        follow_close_fallback(f);
}

/* The kernel says what it did. */
void follow_compare_fallback(struct follow *f, const struct follow_foreign *e)
{
    const struct follow_fallback ours = f->fallback;
    struct follow_stats *st = &f->st;
    unsigned kind = !e->owner ? FALLBACK_STEAL : e->block_order >= f->map->pageblock_order ? FALLBACK_CLAIM_WHOLE : FALLBACK_CLAIM_PART;
    f->fallback.pfn = PFN_NONE.v;
    if (e->cpu < FOLLOW_CPUS)
        f->mode[e->cpu] = kind == FALLBACK_STEAL ? RMQUEUE_STEAL : RMQUEUE_NORMAL;
    if (!f->counting)
        return;
    st->whole_claims += kind == FALLBACK_CLAIM_WHOLE;
    st->part_claims += kind == FALLBACK_CLAIM_PART;
    st->steals += kind == FALLBACK_STEAL;
    if (ours.pfn != e->pfn || ours.pfn == PFN_NONE.v)
        return;
    bool alike = ours.kind == kind, block = alike && ours.order == e->block_order && ours.from == (unsigned)e->from;
    st->foreseen++;
    st->foreseen_kind += alike;
    st->foreseen_block += block;
    st->foreseen_known += ours.known;
    st->foreseen_frame += ours.known && ours.frame == e->pfn;
}
