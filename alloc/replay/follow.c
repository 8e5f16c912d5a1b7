#include "replay/follow.h"
#include "replay/follow_fallback.h"

#include "frames/buddy/buddy.h"
#include "frames/frame_alloc.h"
#include "frames/path.h"
#include "replay/before/image.h"

#include <stdlib.h>
#include <string.h>

/* So many pages one refill takes at most (batch 63, doubled up to five times: linux-mm 2.7). More blocks than that do not go unseen at once. */
enum { UNSEEN_MOST = 63 << 5 };

static void old_clear_range(struct follow *f, uint64_t pfn, unsigned order)
{
    if (order < 3)
        for (uint64_t p = pfn; p < pfn + (1ull << order); p++)
            follow_set_old(f, p, false);
    else
        memset(&f->old[pfn >> 3], 0, 1ull << (order - 3));
}

/* The free block that holds pfn. */
static bool find_free(const struct frame_map *map, uint64_t pfn, uint64_t *head, unsigned *order)
{
    for (unsigned o = 0; o <= map->max_order; o++) {
        uint64_t h = pfn & ~((1ull << o) - 1);
        const struct frame *f = &map->frames[h];
        if (f->state == FRAME_FREE && f->order >= o) {
            *head = h;
            *order = f->order;
            return true;
        }
    }
    return false;
}

bool follow_is_free(const struct follow *f, uint64_t pfn)
{
    uint64_t head = 0;
    unsigned order;
    return pfn < f->map->n_frames && find_free(f->map, pfn, &head, &order);
}

enum migratetype follow_type(const struct follow *f, uint64_t pfn)
{
    return pfn < f->map->n_frames ? pageblock_get(f->map, pfn) : MIGRATE_MOVABLE;
}

static enum migratetype list_type(const struct follow *f, enum migratetype mt)
{
    return f->map->mobility ? mt : MIGRATE_UNMOVABLE;
}

/* What our allocator would take; *from is the order of the block it comes from. PFN_NONE.v: the type's lists are empty. */
static uint64_t choice(struct follow *f, struct zone *z, unsigned order, enum migratetype mt, unsigned *from)
{
    uint32_t have = z->nonempty[mt] >> order << order;
    if (!have)
        return PFN_NONE.v;
    *from = (unsigned)__builtin_ctz(have);
    return buddy_first(f->map, z, *from, mt);
}

int follow_new(struct follow **out, struct frame_map *map, const uint8_t *witnessed, struct err *err)
{
    struct follow *f = calloc(1, sizeof *f);
    *out = NULL;
    if (!f || !(f->old = image_sparse(map->n_frames / 8 + 1)) ||
        !(f->shown = image_sparse((map->n_frames >> map->pageblock_order) + 1))) {
        frame_map_free(map);
        if (f)
            f->map = NULL;
        follow_free_all(f);
        return err_set(err, ERR_RUN, "out of memory");
    }
    f->map = map;
    if (witnessed)
        for (uint64_t b = 0; b <= map->n_frames >> map->pageblock_order; b++)
            f->shown[b] = !witnessed[b] ? SHOWN_NOT : witnessed[b] & IMAGE_WEAK ? SHOWN_WEAKLY : SHOWN_SURELY;
    for (unsigned i = 0; i < map->n_zones; i++) {
        struct zone *z = &map->zones[i];
        for (unsigned o = 0; o < FRAME_ORDERS; o++)
            for (unsigned t = 0; t < MIGRATE_TYPES; t++) {
                uint32_t head = free_list_head(z, o, (enum migratetype)t);
                for (uint32_t p = map->frames[head].next; p != head; p = map->frames[p].next)
                    follow_set_old(f, p, true);
            }
        for (unsigned o = 0; o < FRAME_ORDERS; o++)
            for (unsigned t = 0; t < MIGRATE_PCPTYPES; t++) {
                unsigned from;
                f->null_first[i][o][t] = choice(f, z, o, (enum migratetype)t, &from);
            }
    }
    memset(f->next, 0xff, sizeof f->next);
    f->fallback.pfn = PFN_NONE.v;
    if (textbook_new(&f->book, map, err) < 0) {
        follow_free_all(f);
        return -1;
    }
    *out = f;
    return 0;
}

void follow_free_all(struct follow *f)
{
    if (!f)
        return;
    if (f->map) {
        image_sparse_free(f->old, f->map->n_frames / 8 + 1);
        image_sparse_free(f->shown, (f->map->n_frames >> f->map->pageblock_order) + 1);
    }
    frame_map_free(f->map);
    textbook_free(f->book);
    free(f);
}

/* ---- what events show of types --------------------------------------------------------------------------------------- */

/* Puts a free block behind those whose place at the front is known and before all old ones. */
static void insert_among_old(struct follow *f, struct zone *z, uint64_t pfn, unsigned order, enum migratetype mt)
{
    struct frame_map *map = f->map;
    uint32_t head = free_list_head(z, order, mt), at = map->frames[head].next;
    while (at != head && !follow_is_old(f, at))
        at = map->frames[at].next;
    free_list_add(map, z, pfn, order, mt, true);
    link_out(map->frames, (uint32_t)pfn);
    link_between(map->frames, (uint32_t)pfn, map->frames[at].prev, at);
}

/* A claimed pageblock's free blocks go to the tails of the new type's lists, ascending (move_freepages_block); those of one
 * whose type was inferred wrongly go where the unknown ones are. A zone may end inside of it: each block stays on its own zone's lists. */
static void retype(struct follow *f, uint64_t pfn, enum migratetype to, bool claimed)
{
    struct frame_map *map = f->map;
    uint64_t pages = 1ull << map->pageblock_order, start = pfn & ~(pages - 1);
    enum migratetype from = pageblock_get(map, pfn);
    uint64_t head = 0;
    unsigned order;
    if (find_free(map, start, &head, &order) && order > map->pageblock_order) { /* one list, so one type for all of it */
        start = head;
        pages = 1ull << order;
        from = pageblock_get(map, head);
    }
    for (uint64_t p = start; p < start + pages && p < map->n_frames;) {
        const struct frame *b = &map->frames[p];
        order = b->order;
        if (b->state != FRAME_FREE) {
            p++;
            continue;
        }
        struct zone *z = image_zone(map, p);
        free_list_del(map, z, p, order, from);
        if (claimed) {
            free_list_add(map, z, p, order, to, true);
            follow_set_old(f, p, false);
        } else {
            insert_among_old(f, z, p, order, to);
        }
        p += 1ull << order;
    }
    for (uint64_t p = start; p < start + pages && p < map->n_frames; p += 1ull << map->pageblock_order)
        pageblock_set(map, p, to);
}

/* An event contradicts that this pageblock is reserved: it was given back, or which ones are was inferred wrongly. */
static void not_reserved(struct follow *f, uint64_t pfn)
{
    struct zone *z = image_zone(f->map, pfn);
    uint64_t pages = 1ull << f->map->pageblock_order;
    if (!f->map->mobility || pageblock_get(f->map, pfn) != MIGRATE_HIGHATOMIC ||
        (f->shown[pfn >> f->map->pageblock_order] & SHOWN_LEVEL) != SHOWN_SURELY)
        return;
    f->st.given_back += f->counting;
    z->reserved_highatomic -= pages < z->reserved_highatomic ? pages : z->reserved_highatomic;
}

static void show(struct follow *f, uint64_t pfn, enum migratetype mt, enum shown how)
{
    uint8_t *shown = pfn < f->map->n_frames ? &f->shown[pfn >> f->map->pageblock_order] : NULL;
    if (!shown || how < (*shown & SHOWN_LEVEL) || mt >= MIGRATE_TYPES || !f->map->mobility || !image_zone(f->map, pfn))
        return;
    if (pageblock_get(f->map, pfn) != mt) {
        f->st.retyped++;
        not_reserved(f, pfn);
        retype(f, pfn, mt, false);
    }
    *shown = (uint8_t)(how | (how == SHOWN_SURELY ? 0 : *shown & SHOWN_MAYBE_RESERVED));
}

void follow_shown(struct follow *f, uint64_t pfn, enum migratetype mt) { show(f, pfn, mt, SHOWN_SURELY); }

void follow_hinted(struct follow *f, uint64_t pfn, enum migratetype mt)
{
    if (pfn < f->map->n_frames && (f->shown[pfn >> f->map->pageblock_order] & SHOWN_LEVEL) == SHOWN_NOT)
        show(f, pfn, mt, SHOWN_WEAKLY);
}

/* Whole pageblocks change their type as they are; free blocks among them would stand on the wrong lists. */
static bool holds_whole(const struct follow *f, const struct zone *z, uint64_t pfn, unsigned order)
{
    uint64_t pages = 1ull << order;
    if (pfn & (pages - 1) || pfn < z->start || pages > z->end - pfn || follow_is_free(f, pfn))
        return false;
    for (uint64_t p = pfn; p < pfn + pages; p++)
        if (f->map->frames[p].state == FRAME_FREE)
            return false;
    return true;
}

enum follow_reserve follow_reserve(struct follow *f, uint64_t pfn, unsigned order)
{
    struct frame_map *map = f->map;
    struct zone *z = pfn < map->n_frames ? image_zone(map, pfn) : NULL;
    uint64_t pages = 1ull << map->pageblock_order, start = pfn & ~(pages - 1);
    if (!z || order > map->max_order || pageblock_get(map, pfn) == MIGRATE_HIGHATOMIC)
        return FOLLOW_RESERVED_BEFORE;
    if (order >= map->pageblock_order && !holds_whole(f, z, pfn, order))
        return FOLLOW_RESERVE_NOT_HELD;
    highatomic_reserve(map, z, pfn, order);
    if (pageblock_get(map, pfn) != MIGRATE_HIGHATOMIC)
        return FOLLOW_RESERVE_FULL;
    for (uint64_t p = start; p < pfn + (1ull << order); p += pages)
        f->shown[p >> map->pageblock_order] = SHOWN_SURELY;
    old_clear_range(f, start, map->pageblock_order); /* its free blocks stand at the tails now */
    return FOLLOW_RESERVED;
}

unsigned follow_unreserve(struct follow *f, const struct frame_request *r)
{
    struct frame_map *map = f->map;
    const struct frame_zonelist *l = frames_zonelist(map, r->node, r->highest);
    unsigned n = 0;
    for (unsigned i = 0; i < l->n; i++) {
        struct zone *z = &map->zones[l->zone[i]];
        while (z->nonempty[MIGRATE_HIGHATOMIC]) {
            uint64_t pages = 1ull << map->pageblock_order;
            uint64_t pfn = buddy_first(map, z, (unsigned)__builtin_ctz(z->nonempty[MIGRATE_HIGHATOMIC]), MIGRATE_HIGHATOMIC);
            if (!highatomic_unreserve(map, r, true))
                return n;
            old_clear_range(f, pfn & ~(pages - 1), map->pageblock_order);
            n++;
        }
    }
    return n;
}

void follow_maybe_reserved(struct follow *f, uint64_t pfn)
{
    if (pfn < f->map->n_frames && f->map->mobility)
        f->shown[pfn >> f->map->pageblock_order] |= SHOWN_MAYBE_RESERVED;
}

/* A record a page: they may come back singly. On a per-CPU list a page is nobody's yet. */
static void mark_pages(struct follow *f, uint64_t pfn, unsigned order, enum frame_tag tag)
{
    for (uint64_t p = pfn; p < pfn + (1ull << order); p++)
        f->map->frames[p] = (struct frame){.state = FRAME_ALLOCATED, .tag = (uint8_t)tag};
}

static void mark_taken(struct follow *f, uint64_t pfn, unsigned order)
{
    mark_pages(f, pfn, order, FRAME_TAG_KERNEL);
    textbook_taken(f->book, pfn, order);
}

void follow_used(struct follow *f, uint64_t pfn, unsigned order, bool movable)
{
    const struct frame *frames = f->map->frames;
    if (pfn >= f->map->n_frames || order > f->map->max_order || (1ull << order) > f->map->n_frames - pfn || follow_is_free(f, pfn))
        return;
    for (uint64_t p = pfn; p < pfn + (1ull << order); p++)
        if (frames[p].state == FRAME_FREE)
            return;
    mark_pages(f, pfn, order, movable ? FRAME_TAG_ANON : FRAME_TAG_KERNEL);
}

/* The kernel does not have this block on the list where it stands here: it was taken without an event, or the event was lost. */
static void not_free(struct follow *f, struct zone *z, uint64_t pfn, enum migratetype list)
{
    unsigned order = f->map->frames[pfn].order;
    f->st.passed_over += f->counting;
    free_list_del(f->map, z, pfn, order, list);
    follow_set_old(f, pfn, false);
    mark_taken(f, pfn, order);
}

/*
 * The kernel passed over this free block, so it is not on the list of type `not`: its pageblock has another type, the likelier
 * of the others. Where events showed the type the block is not free.
 */
static void evict_to(struct follow *f, struct zone *z, uint64_t pfn, enum migratetype not, enum migratetype to)
{
    uint8_t shown = f->shown[pfn >> f->map->pageblock_order];
    if (shown & SHOWN_MAYBE_RESERVED && z->reserved_highatomic < highatomic_most(f->map, z)) {
        f->st.reserved_unseen += f->counting;
        f->shown[pfn >> f->map->pageblock_order] = SHOWN_SURELY;
        z->reserved_highatomic += 1ull << f->map->pageblock_order;
        retype(f, pfn, MIGRATE_HIGHATOMIC, true);
        return;
    }
    if ((shown & SHOWN_LEVEL) == SHOWN_SURELY) {
        not_free(f, z, pfn, not);
        return;
    }
    f->st.evicted++;
    retype(f, pfn, to, false);
}

static void evict(struct follow *f, struct zone *z, uint64_t pfn, enum migratetype not)
{
    evict_to(f, z, pfn, not, not == MIGRATE_MOVABLE ? MIGRATE_RECLAIMABLE : MIGRATE_MOVABLE);
}

/*
 * The kernel took the block at `head` of order `have` for type mt, so it had nothing smaller of that type, and nothing
 * before it whose place is known.
 */
static void learn(struct follow *f, struct zone *z, uint64_t head, unsigned have, unsigned order, enum migratetype mt)
{
    struct frame_map *map = f->map;
    uint32_t list, p;
    for (unsigned o = order; o < have; o++) /* each goes to another list or away */
        for (list = free_list_head(z, o, mt); (p = map->frames[list].next) != list;)
            evict(f, z, p, mt);
    bool was_old = follow_is_old(f, head);
    list = free_list_head(z, have, mt);
    while ((p = map->frames[list].next) != list && p != head && !(was_old && follow_is_old(f, p))) /* old blocks have no known order among themselves */
        evict(f, z, p, mt);
}

/* Blocks that the kernel must have lacked if it took one of order `have`: what learn() takes off. */
static uint64_t lacking(const struct follow *f, struct zone *z, uint64_t head, unsigned have, unsigned order, enum migratetype mt)
{
    const struct frame *frames = f->map->frames;
    uint64_t n = 0;
    uint32_t list = free_list_head(z, have, mt);
    for (unsigned o = order; o < have; o++)
        n += z->nr_free_mt[o][mt];
    bool was_old = follow_is_old(f, head);
    for (uint32_t p = frames[list].next; n <= UNSEEN_MOST && p != list && p != head && !(was_old && follow_is_old(f, p)); p = frames[p].next)
        n++;
    return n;
}

/* The kernel had more of what lies behind this block than it took: its buddy is not free, so it had not merged with it. */
static void not_merged(struct follow *f, struct zone *z, uint64_t pfn, unsigned order)
{
    uint64_t buddy = pfn ^ (1ull << order);
    const struct frame *b = &f->map->frames[buddy];
    if (buddy < z->start || buddy >= z->end || b->state != FRAME_FREE || b->order != order)
        return;
    not_free(f, z, buddy, list_type(f, pageblock_get(f->map, buddy)));
}

/* The kernel found nothing of this order or above on the lists of type mt. */
static void learn_empty(struct follow *f, struct zone *z, unsigned order, enum migratetype mt)
{
    struct frame_map *map = f->map;
    uint64_t n = 0;
    for (unsigned o = order; o <= map->max_order; o++)
        n += z->nr_free_mt[o][mt];
    for (unsigned o = order; o <= map->max_order && n <= UNSEEN_MOST; o++)
        for (uint32_t list = free_list_head(z, o, mt), p; (p = map->frames[list].next) != list;)
            evict(f, z, p, mt);
}

/*
 * Where a type's own lists were empty the kernel looked through the others' by its table: at the order of the block that it took, those
 * before that block's have nothing. A steal begins with the smallest order: below the block's nobody has anything.
 */
static void learn_passed(struct follow *f, struct zone *z, const struct follow_foreign *e)
{
    struct frame_map *map = f->map;
    uint64_t n = 0;
    uint32_t list, p;
    unsigned least = e->owner ? e->block_order : e->order;
    for (unsigned t = 0; t < MIGRATE_PCPTYPES; t++)
        for (unsigned o = least; o <= e->block_order; o++)
            n += o < e->block_order || buddy_fallback_before(e->wanted, t, e->from) ? z->nr_free_mt[o][t] : 0;
    for (unsigned t = 0; n <= UNSEEN_MOST && t < MIGRATE_PCPTYPES; t++) {
        for (unsigned o = least; o < e->block_order; o++)
            for (list = free_list_head(z, o, t); (p = map->frames[list].next) != list;)
                not_free(f, z, p, t);
        if (buddy_fallback_before(e->wanted, t, e->from))
            for (list = free_list_head(z, e->block_order, t); (p = map->frames[list].next) != list;)
                evict_to(f, z, p, t, e->from);
    }
}

/* ---- blocks go and come ------------------------------------------------------------------------------------------------ */

/* Takes [pfn, pfn + 2^order) out of the middle of free block `head`: what is left of it stays free. */
static void carve(struct follow *f, struct zone *z, uint64_t head, unsigned have, uint64_t pfn, unsigned order)
{
    struct frame_map *map = f->map;
    enum migratetype mt = pageblock_get(map, head);
    free_list_del(map, z, head, have, mt);
    follow_set_old(f, head, false);
    while (have > order) {
        have--;
        uint64_t half = head + (1ull << have);
        if (pfn >= half) {
            free_list_add(map, z, head, have, pageblock_get(map, head), true);
            follow_set_old(f, head, true);
            head = half;
        } else {
            free_list_add(map, z, half, have, pageblock_get(map, half), true);
            follow_set_old(f, half, true);
        }
    }
}

struct guesses { uint64_t ours, next, book, null; bool fallback; };

static void judge(struct follow *f, const struct guesses *g, uint64_t pfn, bool old)
{
    struct follow_stats *st = &f->st;
    if (!f->counting)
        return;
    st->allocs++;
    st->all_next += g->next == pfn;
    st->all_textbook += g->book == pfn;
    st->all_null += g->null == pfn;
    st->fallbacks += g->fallback;
    if (old) {
        st->old_blocks++;
        st->old_right += g->ours == pfn;
        return;
    }
    st->new_blocks++;
    st->new_right += g->ours == pfn;
    st->new_next += g->next == pfn;
    st->new_next_right += g->next == pfn && g->ours == pfn;
    st->new_textbook += g->book == pfn;
    st->new_null += g->null == pfn;
    st->hard_textbook += g->next != pfn && g->book == pfn;
    st->hard_null += g->next != pfn && g->null == pfn;
}

void follow_taken(struct follow *f, uint64_t cpu, uint64_t pfn, unsigned order, enum migratetype mt, bool sure)
{
    struct frame_map *map = f->map;
    struct zone *z = pfn < map->n_frames ? image_zone(map, pfn) : NULL;
    uint64_t head = 0;
    unsigned have = 0;
    if (!z || order > map->max_order || mt >= MIGRATE_TYPES || (pfn & ((1ull << order) - 1))) {
        f->st.outside += f->counting;
        return;
    }
    enum migratetype list = list_type(f, mt);
    bool free = find_free(map, pfn, &head, &have), few = true;
    if (!free && !sure)
        return;
    unsigned from = 0;
    uint64_t ours = choice(f, z, order, list, &from);
    struct guesses g = {.ours = ours, .next = f->next[order][mt], .book = textbook_first(f->book, z, order),
                        .null = mt < MIGRATE_PCPTYPES ? f->null_first[z - map->zones][order][mt] : PFN_NONE.v,
                        .fallback = ours == PFN_NONE.v};
    f->next[order][mt] = pfn + (1ull << order);
    if (f->fallback.cpu == cpu)
        follow_close_fallback(f);
    if (ours == PFN_NONE.v && map->mobility && mt < MIGRATE_PCPTYPES) {
        follow_foretell(f, z, cpu, pfn, order, mt);
        g.ours = f->fallback.kind == FALLBACK_CLAIM_PART ? f->fallback.frame : PFN_NONE.v; /* others have no such event */
    }
    if (!free || have < order) {
        f->st.not_free += f->counting;
        judge(f, &g, pfn, true);
        return;
    }
    judge(f, &g, pfn, follow_is_old(f, head) || (g.fallback && !f->fallback.known));
    if (ours == pfn) {
        follow_set_old(f, pfn, false);
        buddy_take(map, z, pfn, order, from, list, list);
    } else if (head != pfn) {
        f->st.inside += f->counting;
        carve(f, z, head, have, pfn, order);
    } else {
        if (map->mobility && pageblock_get(map, pfn) != mt) {
            if (ours == PFN_NONE.v && have < map->pageblock_order) { /* __rmqueue_claim: then the smallest of its own type */
                f->st.claims += f->counting;
                not_reserved(f, pfn);
                retype(f, pfn, mt, true);
            } else {
                follow_shown(f, pfn, mt);
            }
        }
        if (map->mobility && pageblock_get(map, pfn) == mt) {
            f->shown[pfn >> map->pageblock_order] = SHOWN_SURELY; /* so what stands before it in the same pageblock is not free */
            few = lacking(f, z, head, have, order, list) <= UNSEEN_MOST;
            if (sure && few) /* before that the map has blocks that came later */
                learn(f, z, head, have, order, list);
        }
        follow_set_old(f, head, false);
        buddy_take(map, z, head, order, have, list_type(f, pageblock_get(map, head)), list);
        if (sure && !few)
            not_merged(f, z, pfn, order);
    }
    if (map->mobility)
        f->shown[pfn >> map->pageblock_order] = SHOWN_SURELY;
    mark_taken(f, pfn, order);
}

void follow_back(struct follow *f, uint64_t pfn, unsigned order, enum migratetype mt, bool sure)
{
    struct frame_map *map = f->map;
    struct zone *z = pfn < map->n_frames ? image_zone(map, pfn) : NULL;
    uint64_t head = 0;
    unsigned have = 0;
    if (!z || order > map->max_order || (pfn & ((1ull << order) - 1)) || pfn + (1ull << order) > z->end) {
        f->st.outside += f->counting;
        return;
    }
    bool overlap = find_free(map, pfn, &head, &have);
    for (uint64_t p = pfn; p < pfn + (1ull << order) && !overlap; p++)
        overlap = map->frames[p].state == FRAME_FREE;
    if (overlap) {
        f->st.free_again += f->counting && sure;
        return;
    }
    f->st.frees += f->counting;
    if (mt < MIGRATE_TYPES)
        follow_shown(f, pfn, mt);
    for (uint64_t p = pfn; p < pfn + (1ull << order); p++)
        map->frames[p].state = FRAME_NONE;
    map->ops->free(map, z, pfn, order);
    for (uint64_t p = pfn; p < pfn + (1ull << order); p += 1ull << have) { /* an order 10 comes back by pageblocks */
        if (!find_free(map, p, &head, &have))
            break;
        old_clear_range(f, head, have);
    }
    textbook_back(f->book, pfn, order);
}

void follow_extfrag(struct follow *f, const struct follow_foreign *e)
{
    struct frame_map *map = f->map;
    bool told = f->fallback.pfn == e->pfn && e->pfn != PFN_NONE.v, free = e->wanted < MIGRATE_PCPTYPES && follow_is_free(f, e->pfn);
    struct zone *z = free ? image_zone(map, e->pfn) : NULL;
    unsigned from;
    f->st.extfrags += f->counting;
    if (!told && z && map->mobility && e->order <= map->max_order) {
        follow_close_fallback(f);
        if (choice(f, z, e->order, e->wanted, &from) == PFN_NONE.v)
            follow_foretell(f, z, e->cpu, e->pfn, e->order, e->wanted);
    }
    follow_compare_fallback(f, e);
    struct zone *in = e->pfn < map->n_frames ? image_zone(map, e->pfn) : NULL;
    if (in && e->sure && map->mobility && e->order <= e->block_order && e->block_order <= map->max_order && e->wanted < MIGRATE_PCPTYPES)
        learn_passed(f, in, e);
    if (!z)
        return;
    f->st.extfrag_taken += f->counting;
    if (!e->owner) /* stolen: it stood on the list of its pageblock's type, and the type stays */
        follow_shown(f, e->pfn, e->from);
    if (e->sure && map->mobility && e->order <= map->max_order)
        learn_empty(f, z, e->order, e->wanted);
    if (e->owner && pageblock_get(map, e->pfn) != e->wanted && map->mobility) {
        f->st.claims += f->counting;
        retype(f, e->pfn, e->wanted, true);
    }
    uint64_t head = 0;
    unsigned have = 0;
    if (!find_free(map, e->pfn, &head, &have) || have < e->order || (e->pfn & ((1ull << e->order) - 1)))
        return;
    if (head != e->pfn) {
        f->st.inside += f->counting;
        carve(f, z, head, have, e->pfn, e->order);
    } else {
        enum migratetype list = list_type(f, pageblock_get(map, e->pfn));
        follow_set_old(f, head, false);
        buddy_take(map, z, head, e->order, have, list, list);
    }
    mark_taken(f, e->pfn, e->order);
}
