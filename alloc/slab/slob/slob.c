/*
 * SLOB (mm/slob.c of 6.1; linux-mm 5.9): pages with free blocks on three lists by the size of requests, first fit by
 * address within a page, next fit over pages. A page is 2,048 units of two bytes; link[] is its contents as far as the
 * allocator uses them:
 *
 *   a free block:  unit 0 its units, unit 1 where the next free block is; a block of one unit has minus that alone
 *   a used block:  unit 0 its units (of kmalloc the kernel keeps the bytes there, in 8 bytes in front of the object)
 *
 * The last free block's next is 2,048. `live` has a bit at the first unit of each used block, `req` the kmalloc sizes.
 */
#include "slab/slab_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { UNIT = 2, UNITS = PAGE_BYTES / UNIT, HEADER = 8, BREAK1 = 256, BREAK2 = 1024, N_LISTS = 3 };

struct slob {
    struct slab_list list[N_LISTS]; /* pages with free blocks: small, medium, large requests */
    struct slab_page *all;
    uint64_t n_all;
};

static struct slob *slob_of(const struct slab_sys *s) { return s->design; }
static unsigned units_of(uint32_t bytes) { return (bytes + UNIT - 1u) / UNIT; }
static unsigned list_for(uint32_t bytes) { return bytes < BREAK1 ? 0 : bytes < BREAK2 ? 1 : 2; }
static int16_t *unit(struct slab_page *p) { return (int16_t *)p->link; }

static void set_block(struct slab_page *p, unsigned at, unsigned units, unsigned next)
{
    if (units > 1) {
        unit(p)[at] = (int16_t)units;
        unit(p)[at + 1] = (int16_t)next;
    } else {
        unit(p)[at] = (int16_t)-(int)next;
    }
}
static unsigned block_units(const struct slab_page *p, unsigned at)
{
    int16_t u = ((const int16_t *)p->link)[at];
    return u > 0 ? (unsigned)u : 1;
}
static unsigned block_next(const struct slab_page *p, unsigned at)
{
    const int16_t *u = (const int16_t *)p->link + at;
    return (unsigned)(u[0] < 0 ? -u[0] : u[1]);
}

/* ---- pages: inuse holds the free units, free_head the first free block, cpu the list ---- */

static struct slab_page *page_new(struct slab_sys *s, gfp_t gfp, unsigned order)
{
    struct slob *b = slob_of(s);
    struct slab_page *p = slab_page_new_block(s, NULL, gfp | (order ? __GFP_COMP : 0), order, PAGE_OF_SLOB, UNITS);
    if (!p)
        return NULL;
    p->shadow = calloc(1, UNITS / 8); /* which used blocks are kmalloc's */
    if (!p->shadow)
        abort();
    p->all_next = b->all;
    if (b->all)
        b->all->all_prev = p;
    b->all = p;
    b->n_all++;
    return p;
}

static void page_delete(struct slab_sys *s, struct slab_page *p)
{
    struct slob *b = slob_of(s);
    *(p->all_prev ? &p->all_prev->all_next : &b->all) = p->all_next;
    if (p->all_next)
        p->all_next->all_prev = p->all_prev;
    b->n_all--;
    took(s, SLAB_PATH_FREE_SLAB);
    slab_page_delete(s, p);
}

/* First fit: the unit where the block begins, or UNITS. `offset` bytes into the block lie at a multiple of `align`. */
static unsigned page_alloc(struct slab_sys *s, struct slab_page *p, unsigned units, uint32_t align, uint32_t offset)
{
    unsigned prev = UNITS, cur = p->free_head;
    for (;;) {
        unsigned avail = block_units(p, cur), next = block_next(p, cur);
        unsigned at = align ? ((cur * UNIT + offset + align - 1) / align * align - offset) / UNIT : cur;
        charge(s, s->cfg.cost.slob_step);
        if (avail >= units + (at - cur)) {
            if (at != cur) {
                set_block(p, at, avail - (at - cur), next);
                set_block(p, cur, at - cur, at);
                prev = cur;
                avail -= at - cur;
            }
            unsigned rest = avail == units ? next : at + units;
            if (avail != units)
                set_block(p, rest, avail - units, next);
            if (prev != UNITS)
                set_block(p, prev, block_units(p, prev), rest);
            else
                p->free_head = (uint16_t)rest;
            p->inuse = (uint16_t)(p->inuse - units);
            return at;
        }
        if (next == UNITS)
            return UNITS;
        prev = cur;
        cur = next;
    }
}

/* The list begins at `p` from now on. */
static void rotate_to(struct slab_list *l, struct slab_page *p)
{
    if (l->head == p)
        return;
    l->tail->next = l->head;
    l->head->prev = l->tail;
    l->tail = p->prev;
    l->tail->next = NULL;
    p->prev = NULL;
    l->head = p;
}

/* The address of a block of `bytes`, or SLAB_NONE. */
static va_t block_alloc(struct slab_sys *s, uint32_t bytes, gfp_t gfp, uint32_t align, uint32_t offset, bool kmalloc)
{
    unsigned which = list_for(bytes), units = units_of(bytes), at = UNITS;
    struct slab_list *l = &slob_of(s)->list[which];
    struct slab_page *p;
    charge(s, s->cfg.cost.fast + s->cfg.cost.node_lock);
    took(s, SLAB_PATH_ALLOC_PARTIAL);
    for (p = l->head; p; p = p->next) {
        charge(s, s->cfg.cost.slob_step);
        if (p->inuse >= units && (at = page_alloc(s, p, units, align, offset)) != UNITS)
            break;
    }
    if (p) {
        if (p->inuse)
            rotate_to(l, p);
    } else {
        p = page_new(s, gfp & ~(gfp_t)__GFP_ZERO, 0);
        if (!p)
            return SLAB_NONE;
        took(s, SLAB_PATH_ALLOC_NEW_SLAB);
        p->inuse = UNITS;
        p->free_head = 0;
        p->cpu = (uint16_t)which;
        p->where = AT_PARTIAL;
        set_block(p, 0, UNITS, UNITS);
        list_add(l, p, false);
        at = page_alloc(s, p, units, align, offset);
        assert(at != UNITS);
    }
    if (p->inuse == 0) {
        list_del(l, p);
        p->where = AT_FULL;
    }
    p->live[at / 64] |= 1ull << (at % 64);
    p->live_n++;
    unit(p)[at] = (int16_t)units;
    if (kmalloc)
        p->shadow[at / 8] |= (uint8_t)(1u << (at % 8));
    else
        p->shadow[at / 8] &= (uint8_t)~(1u << (at % 8));
    return (va_t){slab_address(s, p->pfn).v + at * UNIT};
}

static void block_free(struct slab_sys *s, struct slab_page *p, unsigned at, uint32_t bytes)
{
    unsigned units = units_of(bytes);
    charge(s, s->cfg.cost.free_fast + s->cfg.cost.node_lock);
    took(s, SLAB_PATH_FREE_SLOW);
    p->live[at / 64] &= ~(1ull << (at % 64));
    p->live_n--;
    if (p->inuse + units == UNITS) {
        if (p->where == AT_PARTIAL)
            list_del(&slob_of(s)->list[p->cpu], p);
        page_delete(s, p);
        return;
    }
    if (p->where == AT_FULL) { /* goes to the list of what is freed now */
        p->inuse = (uint16_t)units;
        p->free_head = (uint16_t)at;
        set_block(p, at, units, UNITS);
        p->cpu = (uint16_t)list_for(bytes);
        p->where = AT_PARTIAL;
        list_add(&slob_of(s)->list[p->cpu], p, false);
        return;
    }
    p->inuse = (uint16_t)(p->inuse + units);
    if (at < p->free_head) {
        unsigned next = p->free_head;
        if (at + units == next) {
            units += block_units(p, next);
            next = block_next(p, next);
        }
        set_block(p, at, units, next);
        p->free_head = (uint16_t)at;
        return;
    }
    unsigned prev = p->free_head, next = block_next(p, prev);
    for (; at > next; prev = next, next = block_next(p, prev))
        charge(s, s->cfg.cost.slob_step);
    if (next != UNITS && at + units == next) {
        units += block_units(p, next);
        next = block_next(p, next);
    }
    if (prev + block_units(p, prev) == at) {
        set_block(p, prev, block_units(p, prev) + units, next);
    } else {
        set_block(p, at, units, next);
        set_block(p, prev, block_units(p, prev), at);
    }
}

/* ---- the interface ---- */

static bool is_kmalloc(const struct slab_page *p, unsigned at) { return p->shadow[at / 8] >> (at % 8) & 1; }

/* The unit of a used block that begins `header` bytes before `a`; UNITS if there is none. */
static unsigned used_at(const struct slab_sys *s, const struct slab_page *p, va_t a, uint32_t header, bool kmalloc)
{
    uint64_t off = a.v - slab_address(s, p->pfn).v;
    if (p->where == AT_NONE || off < header || off % UNIT)
        return UNITS;
    unsigned at = (unsigned)((off - header) / UNIT);
    return is_live(p, at) && is_kmalloc(p, at) == kmalloc ? at : UNITS;
}

/* A wrong free: of something that is free, or of no object. */
static bool refuse(struct slab_sys *s, struct slab_page *p, va_t a)
{
    unsigned at = (unsigned)((a.v - slab_address(s, p->pfn).v) / UNIT);
    bool is_free = false;
    for (unsigned b = p->free_head; p->where == AT_PARTIAL && b < UNITS && !is_free; b = block_next(p, b))
        is_free = at >= b && at < b + block_units(p, b);
    find(s, is_free ? SLAB_DOUBLE_FREE : SLAB_INVALID_FREE, p, NO_OBJECT, a, 0, (struct slab_who){0});
    return false;
}

static uint16_t *request_of(struct slab_page *p, unsigned at) { return &p->link[at + 1]; } /* in the 8-byte header */

static va_t slob_kmalloc(struct slab_sys *s, uint32_t size, gfp_t gfp, unsigned cpu)
{
    (void)cpu;
    uint32_t align = size > HEADER && (size & (size - 1)) == 0 ? size : (uint32_t)HEADER;
    va_t a = block_alloc(s, size + HEADER, gfp, align, HEADER, true);
    if (a.v == 0)
        return SLAB_NONE;
    struct slab_page *p = slab_page_of(s, a);
    *request_of(p, (unsigned)(a.v % PAGE_BYTES / UNIT)) = (uint16_t)size;
    return (va_t){a.v + HEADER};
}

static uint64_t slob_ksize(const struct slab_sys *s, const struct slab_page *p, va_t a)
{
    unsigned at = used_at(s, p, a, HEADER, true);
    return at == UNITS ? 0 : (uint64_t)units_of(p->link[at + 1]) * UNIT;
}

static bool slob_kfree(struct slab_sys *s, struct slab_page *p, va_t a, unsigned cpu)
{
    (void)cpu;
    unsigned at = used_at(s, p, a, HEADER, true);
    if (at == UNITS)
        return refuse(s, p, a);
    uint32_t size = *request_of(p, at);
    count_free(s, NULL, size, (uint64_t)units_of(size) * UNIT);
    block_free(s, p, at, size + HEADER);
    return true;
}

static int slob_create(struct kmem_cache *c, uint32_t slot)
{
    (void)slot;
    c->size = c->object_size + (c->flags & SLAB_TYPESAFE_BY_RCU ? 16u : 0); /* struct slob_rcu */
    c->flags &= ~(unsigned)SLAB_DEBUG_FLAGS;
    c->sheaf_capacity = 0;
    c->order = c->min_order = order_of(c->size);
    c->objects = 1;
    return 0;
}

static va_t slob_alloc(struct kmem_cache *c, gfp_t gfp, unsigned cpu)
{
    struct slab_sys *s = c->sys;
    (void)cpu;
    if (c->size < PAGE_BYTES)
        return block_alloc(s, c->size, gfp, c->align, 0, false);
    struct slab_page *p = page_new(s, gfp & ~(gfp_t)__GFP_ZERO, c->order);
    took(s, SLAB_PATH_ALLOC_NEW_SLAB);
    if (!p)
        return SLAB_NONE;
    p->where = AT_NONE; /* pages of one object: no blocks */
    p->live[0] = 1;
    return slab_address(s, p->pfn);
}

static bool slob_cache_free(struct kmem_cache *c, struct slab_page *p, va_t a)
{
    struct slab_sys *s = c->sys;
    if (p->where == AT_NONE) {
        if (a.v != slab_address(s, p->pfn).v || order_of(c->size) != p->order)
            return refuse(s, p, a);
        count_free(s, c, c->object_size, c->size);
        page_delete(s, p);
        return true;
    }
    unsigned at = used_at(s, p, a, 0, false);
    if (at == UNITS)
        return refuse(s, p, a);
    if (p->link[at] != units_of(c->size)) { /* the kernel would free as many bytes as this cache's objects have */
        find(s, SLAB_WRONG_CACHE, p, NO_OBJECT, a, 0, (struct slab_who){0});
        return false;
    }
    count_free(s, c, c->object_size, c->size);
    block_free(s, p, at, c->size);
    return true;
}

/* ---- the system ---- */

static int slob_init(struct slab_sys *s, struct err *err)
{
    s->design = calloc(1, sizeof(struct slob));
    return s->design ? 0 : err_set(err, ERR_RUN, "out of host memory for the slab allocator");
}

static void slob_fini(struct slab_sys *s)
{
    while (s->design && slob_of(s)->all)
        page_delete(s, slob_of(s)->all);
    free(s->design);
}

static int wrong(const struct slab_page *p, const char *what, struct err *err)
{
    return err_set(err, ERR_RUN, "check: slob: page at pfn 0x%llx: %s", p ? (unsigned long long)p->pfn : 0ull, what);
}

/* Free and used blocks lie side by side and fill the page; no two free ones touch. */
static int check_page(const struct slab_page *p, struct err *err)
{
    unsigned at = 0, next = p->where == AT_FULL ? UNITS : p->free_head, n_free = 0, live = 0;
    bool last_free = false;
    while (at < UNITS) {
        unsigned n;
        if (at == next) {
            if (last_free && block_units(p, at) == 0)
                return wrong(p, "an empty block", err);
            n = block_units(p, at);
            next = block_next(p, at);
            n_free += n;
            if (next <= at || (next < UNITS && next == at + n))
                return wrong(p, "free blocks out of order, or two that should be one", err);
            last_free = true;
        } else {
            if (!is_live(p, at))
                return wrong(p, "a place that is neither free nor used", err);
            n = p->link[at];
            live++;
            last_free = false;
        }
        at += n;
        if (n == 0 || at > UNITS || (next < at && next != UNITS))
            return wrong(p, "blocks overlap", err);
    }
    return n_free != (p->where == AT_FULL ? 0u : p->inuse) || live != p->live_n ? wrong(p, "its books do not add up", err) : 0;
}

static int slob_check(const struct slab_sys *s, struct err *err)
{
    uint64_t listed = 0, partial = 0, n = 0, pages = 0;
    const struct slob *b = slob_of(s);
    for (const struct slab_page *p = b->all; p; p = p->all_next, n++) {
        if (p->where != AT_NONE && check_page(p, err) < 0)
            return -1;
        partial += p->where == AT_PARTIAL;
        pages += 1ull << p->order;
    }
    for (unsigned l = 0; l < N_LISTS; l++) {
        uint64_t here = 0;
        for (const struct slab_page *p = b->list[l].head; p; p = p->next, here++)
            if (p->cpu != l || p->where != AT_PARTIAL || (p->next ? p->next->prev : b->list[l].tail) != p || here > n)
                return wrong(p, "it is on a wrong list, or the list is broken", err);
        if (here != b->list[l].n)
            return wrong(NULL, "a list is not as long as its books say", err);
        listed += here;
    }
    return listed != partial || n != b->n_all || pages + s->st.large_pages != s->st.pages ? wrong(NULL, "pages do not add up", err)
                                                                                         : 0;
}

static void no_free(struct kmem_cache *c, struct slab_page *p, unsigned i, unsigned cpu)
{
    (void)c, (void)p, (void)i, (void)cpu;
    assert(0 && "no slab belongs to a cache here");
}
static void nothing(struct kmem_cache *c) { (void)c; }
static struct slab_row no_row(const struct kmem_cache *c)
{
    (void)c;
    return (struct slab_row){0};
}
static int no_check(const struct kmem_cache *c, struct err *err)
{
    (void)c, (void)err;
    return 0;
}

const struct slab_design_ops slob_design_ops = {
    .name = "slob", .sys_init = slob_init, .sys_fini = slob_fini, .create = slob_create, .alloc = slob_alloc, .free = no_free,
    .shrink = nothing, .destroy = nothing, .row = no_row, .check = no_check, .kmalloc = slob_kmalloc, .kfree = slob_kfree,
    .ksize = slob_ksize, .cache_free = slob_cache_free, .sys_check = slob_check, .kmalloc_min = 1,
    .kmalloc_max = PAGE_BYTES - HEADER - 1,
};
