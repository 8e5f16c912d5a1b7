#include "replay/before/lists.h"

#include "replay/before/image.h"

#include <stdlib.h>

enum { COSTLY_ORDER = 3, HUGE_ORDER = 9 }; /* PAGE_ALLOC_COSTLY_ORDER, PMD order of x86-64 */
enum { KINDS = (COSTLY_ORDER + 2) * MIGRATE_PCPTYPES, CPUS_MOST = 4096, NONE = 0 };

struct list {
    uint32_t head, tail; /* frame + 1; NONE */
    uint32_t n;
    bool refilling;
    bool whole;          /* it was refilled once: nothing from before the snapshot is left */
    bool covered;        /* pages came onto it without an event: below the `above` first ones is something unknown */
    uint32_t above;
    uint64_t next;       /* behind the page that was taken last */
};

struct lists {
    struct follow *f;
    struct list (*cpu)[FRAME_ZONES][KINDS];
    uint32_t cpus;
    uint32_t *next, *prev, *on; /* by frame: frame + 1; number of its list + 1 */
    uint64_t n;
    struct lists_stats st;
};

bool lists_has_order(unsigned order) { return order <= COSTLY_ORDER || order == HUGE_ORDER; }
const struct lists_stats *lists_stats(const struct lists *l) { return &l->st; }

int lists_new(struct lists **out, struct follow *f, struct err *err)
{
    struct lists *l = calloc(1, sizeof *l);
    *out = NULL;
    if (l) {
        l->f = f;
        l->n = f->map->n_frames;
        l->next = image_sparse(l->n * sizeof *l->next);
        l->prev = image_sparse(l->n * sizeof *l->prev);
        l->on = image_sparse(l->n * sizeof *l->on);
    }
    if (!l || !l->next || !l->prev || !l->on) {
        lists_free(l);
        return err_set(err, ERR_RUN, "out of memory");
    }
    *out = l;
    return 0;
}

void lists_free(struct lists *l)
{
    if (!l)
        return;
    image_sparse_free(l->next, l->n * sizeof *l->next);
    image_sparse_free(l->prev, l->n * sizeof *l->prev);
    image_sparse_free(l->on, l->n * sizeof *l->on);
    free(l->cpu);
    free(l);
}

/* HighAtomic and CMA pages go to the Movable list; order 9 has two lists, movable and not. */
static unsigned kind_of(unsigned order, unsigned mt)
{
    unsigned type = mt < MIGRATE_PCPTYPES ? mt : MIGRATE_MOVABLE;
    if (order == HUGE_ORDER)
        return (COSTLY_ORDER + 1) * MIGRATE_PCPTYPES + (type == MIGRATE_MOVABLE);
    return order * MIGRATE_PCPTYPES + type;
}

/* NULL: no such CPU, zone or order. */
static struct list *list_of(struct lists *l, uint64_t cpu, uint64_t pfn, unsigned order, unsigned mt)
{
    const struct zone *z = pfn < l->n ? image_zone(l->f->map, pfn) : NULL;
    if (!z || cpu >= CPUS_MOST || !lists_has_order(order))
        return NULL;
    if (cpu >= l->cpus) {
        uint32_t room = (uint32_t)cpu + 1, had = l->cpus;
        void *p = realloc(l->cpu, room * sizeof *l->cpu);
        if (!p)
            return NULL;
        l->cpu = p;
        for (; had < room; had++)
            for (unsigned z2 = 0; z2 < FRAME_ZONES; z2++)
                for (unsigned k = 0; k < KINDS; k++)
                    l->cpu[had][z2][k] = (struct list){.next = UINT64_MAX};
        l->cpus = room;
    }
    return &l->cpu[cpu][z - l->f->map->zones][kind_of(order, mt)];
}

static uint32_t number_of(const struct lists *l, const struct list *x)
{
    return (uint32_t)(x - &l->cpu[0][0][0]) + 1;
}
static struct list *list_on(const struct lists *l, uint64_t pfn)
{
    return l->on[pfn] ? &l->cpu[0][0][0] + (l->on[pfn] - 1) : NULL;
}

static void take_off(struct lists *l, uint64_t pfn)
{
    struct list *x = list_on(l, pfn);
    uint32_t next = l->next[pfn], prev = l->prev[pfn];
    if (prev)
        l->next[prev - 1] = next;
    else
        x->head = next;
    if (next)
        l->prev[next - 1] = prev;
    else
        x->tail = prev;
    l->on[pfn] = 0;
    x->n--;
    x->above = x->above < x->n ? x->above : x->n;
}

static void put(struct lists *l, struct list *x, uint64_t pfn, bool tail)
{
    uint32_t me = (uint32_t)pfn + 1;
    l->on[pfn] = number_of(l, x);
    l->next[pfn] = tail ? NONE : x->head;
    l->prev[pfn] = tail ? x->tail : NONE;
    uint32_t *before = l->prev[pfn] ? &l->next[l->prev[pfn] - 1] : &x->head;
    uint32_t *behind = l->next[pfn] ? &l->prev[l->next[pfn] - 1] : &x->tail;
    *before = *behind = me;
    x->n++;
    x->above += !tail;
}

enum lists_fill lists_has(const struct lists *l, uint64_t cpu, unsigned zone, unsigned order, unsigned mt)
{
    if (!lists_has_order(order))
        return LISTS_EMPTY;
    if (cpu >= l->cpus)
        return LISTS_UNKNOWN;
    const struct list *x = &l->cpu[cpu][zone][kind_of(order, mt)];
    if (x->covered ? x->above > 0 : x->n > 0)
        return LISTS_SOME;
    return x->covered || !x->whole ? LISTS_UNKNOWN : LISTS_EMPTY;
}

void lists_alloc(struct lists *l, uint64_t cpu, uint64_t pfn, unsigned order, unsigned mt, bool counting)
{
    struct list *x = list_of(l, cpu, pfn, order, mt);
    if (!x)
        return;
    const struct list *on = list_on(l, pfn); /* after list_of: making room for a CPU moves them */
    x->refilling = false;
    bool known = x->covered ? x->above > 0 : x->n > 0;
    if (counting) {
        l->st.allocs++;
        l->st.known += known;
        l->st.right += known && x->head == pfn + 1;
        l->st.known_next += known && x->next == pfn;
        l->st.elsewhere += known && on && x->head != pfn + 1;
    }
    /* A list is taken from its head only. What stood before this page is gone: alloc_pages_bulk (vmalloc, kernel stacks, ...)
     * takes pages without an event. */
    while (on == x && x->head != pfn + 1) {
        l->st.passed_over += counting;
        take_off(l, x->head - 1);
    }
    /* It was on this type's list. One that was freed says that its pageblock has this type; one that came there unseen most likely. */
    if (mt < MIGRATE_PCPTYPES && on && on != x)
        follow_shown(l->f, pfn, (enum migratetype)mt);
    else if (mt < MIGRATE_PCPTYPES && !on)
        follow_hinted(l->f, pfn, (enum migratetype)mt);
    if (on == x && x->above)
        x->above--;
    else if (on == x)
        x->covered = false;
    if (known && on != x) { /* not from here, so from above all that is here */
        l->st.untraced += counting;
        x->covered = true;
        x->above = 0;
    }
    if (on)
        take_off(l, pfn);
    x->next = pfn + (1ull << order);
}

void lists_freed(struct lists *l, uint64_t cpu, uint64_t pfn, unsigned order, bool counting)
{
    struct list *x = list_of(l, cpu, pfn, order, pfn < l->n ? follow_type(l->f, pfn) : 0);
    if (!x)
        return;
    if (list_on(l, pfn)) {
        l->st.free_again += counting;
        take_off(l, pfn);
    }
    l->st.frees += counting;
    put(l, x, pfn, false);
}

void lists_refill(struct lists *l, uint64_t cpu, uint64_t pfn, unsigned order, unsigned mt, bool counting)
{
    struct list *x = list_of(l, cpu, pfn, order, mt);
    if (!x)
        return;
    if (list_on(l, pfn))
        take_off(l, pfn);
    if (!x->refilling) { /* the first of a run: only an empty list is refilled */
        if (x->n) {
            l->st.strange += counting;
            while (x->head)
                take_off(l, x->head - 1);
        }
        x->refilling = x->whole = true;
        x->covered = false;
        x->above = 0;
    }
    l->st.refills += counting;
    put(l, x, pfn, true);
}

void lists_drained(struct lists *l, uint64_t cpu, uint64_t pfn, unsigned order, bool counting)
{
    (void)cpu;
    (void)order;
    if (pfn >= l->n)
        return;
    l->st.drained += counting;
    l->st.drained_unknown += counting && !list_on(l, pfn);
    if (list_on(l, pfn))
        take_off(l, pfn);
}

void lists_forget(struct lists *l, uint64_t pfn)
{
    if (pfn < l->n && list_on(l, pfn))
        take_off(l, pfn);
}
