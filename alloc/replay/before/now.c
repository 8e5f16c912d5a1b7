#include "replay/before/now.h"

static enum survey_class recorded_class(const struct frame_map *map, uint64_t pfn, enum frame_class c)
{
    switch (c) {
    case CLASS_NONE: return SURVEY_HOLE;
    case CLASS_RESERVED: return SURVEY_RESERVED;
    case CLASS_SLAB: return SURVEY_SLAB;
    case CLASS_PGTABLE: return SURVEY_PGTABLE;
    case CLASS_ANON:
    case CLASS_HUGE: return SURVEY_ANON;
    case CLASS_FILE: return SURVEY_FILE;
    case CLASS_FREE: /* taken since */
        return frames_pageblock_type(map, (pfn_t){pfn}) == MIGRATE_MOVABLE ? SURVEY_ANON : SURVEY_KERNEL;
    default: return SURVEY_KERNEL;
    }
}

/* Frames from `p` on that are alike, at most up to `end`; their class. */
static uint64_t stretch(const struct frame_map *map, uint64_t p, uint64_t end, enum frame_class was, enum survey_class *c)
{
    const struct frame *f = &map->frames[p];
    uint64_t n = 1, type_end = (p | ((1ull << map->pageblock_order) - 1)) + 1;
    switch ((enum frame_state)f->state) {
    case FRAME_FREE:
    case FRAME_ALLOCATED:
    case FRAME_PCP:
        *c = f->state == FRAME_FREE ? SURVEY_FREE : f->state == FRAME_PCP ? SURVEY_PCP : survey_class_of_tag((enum frame_tag)f->tag);
        return 1ull << f->order;
    default:
        break;
    }
    *c = recorded_class(map, p, was);
    end = end < type_end ? end : type_end;
    while (p + n < end && map->frames[p + n].state == FRAME_NONE)
        n++;
    return n;
}

void survey_now(struct survey *s, const struct frame_map *map, const struct told_runs *before)
{
    uint64_t p = 0;
    for (size_t i = 0; i < before->n; i++) {
        const struct snap_run *r = &before->run[i];
        uint64_t end = r->pfn + r->pages < map->n_frames ? r->pfn + r->pages : map->n_frames;
        p = p > r->pfn ? p : r->pfn;
        while (p < end) {
            enum survey_class c;
            uint64_t n = stretch(map, p, end, r->class, &c);
            n = n < map->n_frames - p ? n : map->n_frames - p;
            if (c != SURVEY_HOLE)
                survey_add(s, p, n, c);
            p += n;
        }
    }
    survey_finish(s);
}
