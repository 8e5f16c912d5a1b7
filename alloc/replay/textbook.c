#include "replay/follow.h"

#include "frames/buddy/free_list.h"
#include "replay/before/image.h"

#include <stdlib.h>

/* Blocks and lists of its own: the head of a free block has its order + 1, lists are doubly linked by frame number. */
struct textbook {
    const struct frame_map *like;
    uint8_t *order;            /* of the free block that begins here, + 1 */
    uint32_t *next, *prev;     /* UINT32_MAX: none */
    uint32_t first[FRAME_ZONES][FRAME_ORDERS];
    size_t n;
};

/* Its number in the map. */
static unsigned number_of(const struct textbook *t, const struct zone *z) { return (unsigned)(z - t->like->zones); }

static void add(struct textbook *t, unsigned zone, uint64_t pfn, unsigned order)
{
    uint32_t *first = &t->first[zone][order], p = (uint32_t)pfn;
    t->order[p] = (uint8_t)(order + 1);
    t->next[p] = *first;
    t->prev[p] = UINT32_MAX;
    if (*first != UINT32_MAX)
        t->prev[*first] = p;
    *first = p;
}

static void del(struct textbook *t, unsigned zone, uint64_t pfn)
{
    uint32_t p = (uint32_t)pfn;
    unsigned order = t->order[p] - 1u;
    t->order[p] = 0;
    if (t->prev[p] == UINT32_MAX)
        t->first[zone][order] = t->next[p];
    else
        t->next[t->prev[p]] = t->next[p];
    if (t->next[p] != UINT32_MAX)
        t->prev[t->next[p]] = t->prev[p];
}

int textbook_new(struct textbook **out, const struct frame_map *like, struct err *err)
{
    struct textbook *t = calloc(1, sizeof *t);
    *out = NULL;
    if (t) {
        t->like = like;
        t->n = like->n_frames;
        t->order = image_sparse(t->n);
        t->next = image_sparse(t->n * sizeof *t->next);
        t->prev = image_sparse(t->n * sizeof *t->prev);
    }
    if (!t || !t->order || !t->next || !t->prev) {
        textbook_free(t);
        return err_set(err, ERR_RUN, "out of memory");
    }
    for (unsigned i = 0; i < FRAME_ZONES; i++)
        for (unsigned o = 0; o < FRAME_ORDERS; o++)
            t->first[i][o] = UINT32_MAX;
    for (unsigned i = 0; i < like->n_zones; i++)
        for (unsigned o = 0; o < FRAME_ORDERS; o++)
            for (unsigned mt = 0; mt < MIGRATE_TYPES; mt++) {
                uint32_t head = free_list_head(&like->zones[i], o, (enum migratetype)mt);
                for (uint32_t p = like->frames[head].prev; p != head; p = like->frames[p].prev)
                    add(t, i, p, o);
            }
    *out = t;
    return 0;
}

void textbook_free(struct textbook *t)
{
    if (!t)
        return;
    image_sparse_free(t->order, t->n);
    image_sparse_free(t->next, t->n * sizeof *t->next);
    image_sparse_free(t->prev, t->n * sizeof *t->prev);
    free(t);
}

uint64_t textbook_first(const struct textbook *t, const struct zone *z, unsigned order)
{
    for (unsigned o = order; o < FRAME_ORDERS; o++)
        if (t->first[number_of(t, z)][o] != UINT32_MAX)
            return t->first[number_of(t, z)][o];
    return PFN_NONE.v;
}

void textbook_taken(struct textbook *t, uint64_t pfn, unsigned order)
{
    const struct zone *z = image_zone((struct frame_map *)t->like, pfn);
    for (unsigned o = 0; z && o < FRAME_ORDERS; o++) {
        uint64_t head = pfn & ~((1ull << o) - 1);
        if (t->order[head] < o + 1u)
            continue;
        unsigned have = t->order[head] - 1u;
        if (have < order)
            return;
        del(t, number_of(t, z), head);
        while (have > order) {
            have--;
            uint64_t half = head + (1ull << have);
            add(t, number_of(t, z), pfn >= half ? head : half, have);
            head = pfn >= half ? half : head;
        }
        return;
    }
}

void textbook_back(struct textbook *t, uint64_t pfn, unsigned order)
{
    const struct zone *z = image_zone((struct frame_map *)t->like, pfn);
    if (!z)
        return;
    for (; order < t->like->max_order; order++) {
        uint64_t buddy = pfn ^ (1ull << order);
        if (buddy < z->start || buddy + (1ull << order) > z->end || t->order[buddy] != order + 1)
            break;
        del(t, number_of(t, z), buddy);
        pfn &= buddy;
    }
    add(t, number_of(t, z), pfn, order);
}
