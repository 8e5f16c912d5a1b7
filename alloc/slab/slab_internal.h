/*
 * What the parts of the library share: the records of slabs and caches, and the plug-in point of designs.
 *
 * A slab is one block of frames with a record. Every frame of the block leads to the record (`map`, an array over all
 * frames that costs nothing where untouched). `live` has a bit for each object that a caller holds; a free object's place
 * in lists is the design's matter (`link`).
 */
#ifndef SLAB_SLAB_INTERNAL_H
#define SLAB_SLAB_INTERNAL_H

#include "engine/rng.h"
#include "slab/slab.h"

struct slab_list { struct slab_page *head, *tail; uint64_t n; };

enum slab_page_kind { PAGE_OF_CACHE, PAGE_OF_SLOB, PAGE_LARGE };
enum slab_where { /* on which list a slab is; the designs use what they have */
    AT_NONE, AT_CPU, AT_CPU_PARTIAL, AT_PARTIAL, AT_FULL, AT_FREE
};

struct slab_page {
    struct kmem_cache *cache; /* NULL: large block or SLOB page */
    struct slab_page *next, *prev;         /* the design's lists */
    struct slab_page *all_next, *all_prev; /* all slabs of the cache, or all large blocks, newest first */
    uint64_t pfn;
    uint8_t order, kind, where;
    uint16_t cpu;      /* that holds it */
    uint16_t objects;  /* in the slab */
    uint16_t inuse;    /* not on the slab's own free list */
    uint16_t free_head; /* the design's: head of the list, or number handed out */
    uint16_t live_n;
    uint32_t first;    /* offset of the first slot (colour) */
    uint32_t size;     /* PAGE_LARGE: bytes asked for; up to 4 MiB */
    struct slab_who who; /* PAGE_LARGE: who asked */
    uint16_t *link;    /* [objects] */
    uint64_t *live;    /* bitmap of objects */
    uint16_t *req;     /* kmalloc: bytes asked for, of each object */
    uint8_t *shadow;   /* with red zones or poison: the slab's bytes */
    struct slab_object *user; /* debug: of each object */
    va_t off_slab;     /* classic: where the index lies, SLAB_NONE if in the slab */
};
#define NO_OBJECT UINT16_MAX

/* bad: of the writes outside, or while free, since the last check the one whose first wrong byte is the lowest: bad_end bytes
 * before the slot's end; 0: none. */
struct slab_object { struct slab_who alloc, freed, bad; uint32_t bad_end; };

struct kmem_cache {
    struct slab_sys *sys;
    char name[SLAB_NAME];
    struct kmem_cache *next, *prev; /* newer, older: the list runs from the newest */
    uint32_t object_size, size, align, offset, left_pad, usersize, inuse;
    unsigned flags;
    bool ctor, dead, is_kmalloc;
    int refcount;
    struct slab_who made;
    unsigned order, min_order, objects; /* preferred and least order; objects at the preferred one */
    gfp_t gfp;                          /* added to every page request */
    uint32_t sheaf_capacity;
    struct slab_cache_stats st;
    uint64_t total_objects; /* slots in all slabs */
    void *design;
    struct slab_page *all; /* its slabs, newest first, by all_next */
};

struct slab_alias { char name[SLAB_NAME]; struct kmem_cache *cache; };

enum { KMALLOC_NORMAL, KMALLOC_RCL, KMALLOC_DMA, KMALLOC_CG, KMALLOC_RND, KMALLOC_TYPES = KMALLOC_RND + 15 };
enum { KMALLOC_CLASSES = 13 };

struct slab_design_ops {
    const char *name;
    /* Once, when the system is built or goes. */
    int (*sys_init)(struct slab_sys *s, struct err *err);
    void (*sys_fini)(struct slab_sys *s);
    /* A new cache whose object_size, align, flags, ctor are set: fills size, offset, order, objects; 0 or -1 (cannot be). */
    int (*create)(struct kmem_cache *c, uint32_t slot);
    /* An object's address; SLAB_NONE if there is no page. Called with the system's operation open. */
    va_t (*alloc)(struct kmem_cache *c, gfp_t gfp, unsigned cpu);
    /* `i` of `p` (its live bit is already clear) comes back. */
    void (*free)(struct kmem_cache *c, struct slab_page *p, unsigned i, unsigned cpu);
    /* All that caches of this cache's CPUs hold goes back to its slabs, empty slabs to the page allocator. */
    void (*shrink)(struct kmem_cache *c);
    /* The cache goes (its slabs went before it, objects or not): frees its own state. */
    void (*destroy)(struct kmem_cache *c);
    struct slab_row (*row)(const struct kmem_cache *c);
    void (*info)(const struct kmem_cache *c, struct slab_cache_info *out);
    /* In slab_check, after the general books were found right. */
    int (*check)(const struct kmem_cache *c, struct err *err);
    /* Time went on; may be NULL. */
    void (*tick)(struct slab_sys *s, tick_t now);
    /* A design without kmalloc caches answers kmalloc itself (else NULL). `free` gives the bytes asked for. */
    va_t (*kmalloc)(struct slab_sys *s, uint32_t size, gfp_t gfp, unsigned cpu);
    bool (*kfree)(struct slab_sys *s, struct slab_page *p, va_t object, unsigned cpu);
    uint64_t (*ksize)(const struct slab_sys *s, const struct slab_page *p, va_t object);
    bool (*cache_free)(struct kmem_cache *c, struct slab_page *p, va_t object);
    int (*sys_check)(const struct slab_sys *s, struct err *err);
    uint32_t kmalloc_min, kmalloc_max; /* classes; above max: pages */
};
#define SLAB_DESIGN_DECL(name) extern const struct slab_design_ops name##_design_ops;
SLAB_DESIGNS(SLAB_DESIGN_DECL)
#undef SLAB_DESIGN_DECL

struct slab_sys {
    struct slab_page *large; /* all large blocks, newest first */
    struct slab_config cfg;
    const struct slab_design_ops *ops;
    struct frame_map *frames;
    unsigned cpus;
    uint64_t seed;
    struct slab_page **map; /* by frame */
    size_t map_bytes;
    struct kmem_cache *newest, *oldest;
    struct slab_alias *alias;
    uint32_t n_alias, cap_alias;
    struct kmem_cache *kmalloc[KMALLOC_TYPES][KMALLOC_CLASSES];
    struct slab_stats st;
    struct rng rng;
    struct slab_who who;
    void (*found)(void *self, const struct slab_finding *f);
    void *found_self;
    uint64_t (*stall)(void *self); /* slab_on_slow_path */
    void *stall_self;
    void *design; /* SLOB's lists */
    tick_t now;
    /* the operation under way */
    unsigned depth;
    bool wrapped; /* it is part of a call that counts as one (call_begin) */
    enum slab_path path;
    uint64_t cycles;
    struct slab_op last;
    struct slab_latency latency[N_SLAB_PATHS];
    uint64_t alloc_bins[LAT_BINS];
    struct slab_path_stats path_st[N_SLAB_PATHS]; /* of them, for the statistics */
    /* pages and records, for the verifier */
    uint64_t records, record_pages;
};

/* ---- operations: cost and path ---- */

static inline void charge(struct slab_sys *s, uint64_t cycles) { s->cycles += cycles; }
static inline void took(struct slab_sys *s, enum slab_path p)
{
    if (s->depth == 1 && p > s->path)
        s->path = p;
}
/* Pages come from this CPU's lists and go there. */
static inline void run_on(struct slab_sys *s, unsigned cpu) { frames_on_cpu(s->frames, cpu < s->frames->cpus ? cpu : 0); }
void op_begin(struct slab_sys *s, enum slab_path cheapest);
void op_end(struct slab_sys *s);
/* A call that may try one operation after the other (kvmalloc, mempool): their cycles add up, and the whole counts under the
 * path of the end. Not nested. */
void call_begin(struct slab_sys *s, enum slab_path cheapest);
void call_end(struct slab_sys *s, enum slab_path p);

/* Frames for whatever the operation needs, at what the page allocator's path costs. */
pfn_t get_frames_at(struct slab_sys *s, gfp_t gfp, unsigned order, enum frame_tag tag, uint64_t cycles);
static inline pfn_t get_block(struct slab_sys *s, gfp_t gfp, unsigned order, enum frame_tag tag)
{
    return get_frames_at(s, gfp, order, tag, s->cfg.cost.page_alloc + (uint64_t)order * s->cfg.cost.page_order);
}

/* ---- slabs ---- */

static inline va_t slab_address(const struct slab_sys *s, uint64_t pfn)
{
    return (va_t){s->cfg.direct_map + (pfn << PAGE_SHIFT)};
}
/* The slab that holds an address, or NULL. */
static inline struct slab_page *slab_page_of(const struct slab_sys *s, va_t a)
{
    uint64_t pfn = (a.v - s->cfg.direct_map) >> PAGE_SHIFT;
    return a.v >= s->cfg.direct_map && pfn < s->frames->n_frames ? s->map[pfn] : NULL;
}
static inline uint64_t slab_bytes(const struct slab_page *p) { return (uint64_t)PAGE_BYTES << p->order; }
static inline va_t object_at(const struct slab_page *p, unsigned i)
{
    const struct kmem_cache *c = p->cache;
    return (va_t){slab_address(c->sys, p->pfn).v + p->first + (uint64_t)i * c->size + c->left_pad};
}
/* Index of the object that begins at `a`; NO_OBJECT if none does. */
unsigned object_index(const struct slab_page *p, va_t a);
static inline bool is_live(const struct slab_page *p, unsigned i) { return p->live[i / 64] >> (i % 64) & 1; }

/* Frames and a record; NULL without memory. Objects: as many as fit (`count`; 0: slab bytes / slot size). */
struct slab_page *slab_page_new(struct kmem_cache *c, gfp_t gfp);
struct slab_page *slab_page_new_block(struct slab_sys *s, struct kmem_cache *c, gfp_t gfp, unsigned order,
                                      enum slab_page_kind kind, unsigned objects);
void slab_page_delete(struct slab_sys *s, struct slab_page *p);
/* The free list of a new slab: its objects in ascending or random order into order[0 .. objects). */
void slab_fill_order(struct slab_sys *s, uint16_t *order, unsigned objects);

/* A finding about a cache as such. */
void find_cache(struct slab_sys *s, enum slab_finding_kind kind, const char *name, uint64_t objects, struct slab_who made,
                struct slab_who destroyed);

static inline void list_add(struct slab_list *l, struct slab_page *p, bool tail)
{
    p->next = tail ? NULL : l->head;
    p->prev = tail ? l->tail : NULL;
    *(p->prev ? &p->prev->next : &l->head) = p;
    *(p->next ? &p->next->prev : &l->tail) = p;
    l->n++;
}
static inline void list_del(struct slab_list *l, struct slab_page *p)
{
    *(p->prev ? &p->prev->next : &l->head) = p->next;
    *(p->next ? &p->next->prev : &l->tail) = p->prev;
    p->next = p->prev = NULL;
    l->n--;
}

/* ---- parts ---- */

void find(struct slab_sys *s, enum slab_finding_kind kind, const struct slab_page *p, unsigned i, va_t object, int64_t offset,
          struct slab_who cause);
int kmalloc_init(struct slab_sys *s, struct err *err);
void cache_free(struct kmem_cache *c); /* with all its slabs */
/* The bytes a live object asked for. */
uint32_t object_request(const struct slab_page *p, unsigned i);
/* Books of one object. `large`: of a block without cache. */
void count_alloc(struct slab_sys *s, struct kmem_cache *c, uint64_t requested, uint64_t slot);
void count_free(struct slab_sys *s, struct kmem_cache *c, uint64_t requested, uint64_t slot);

/* slab_check.c: for the designs' own verifiers. -1 and a message that names design, cache and slab (NULL: no slab in particular). */
int slab_wrong(const struct kmem_cache *c, const struct slab_page *p, const char *what, struct err *err);
/* The list is whole, as long as its books say, and holds just the slabs that are marked as on it. */
int slab_check_list(const struct kmem_cache *c, const struct slab_list *l, enum slab_where where, struct err *err);
/* All are free objects of the cache; else the message is `what`. */
int slab_check_held(const struct kmem_cache *c, const va_t *object, unsigned n, const char *what, struct err *err);

/* debug.c: shadow bytes. */
int debug_slab_new(struct slab_page *p);
void debug_alloc(struct slab_page *p, unsigned i);
void debug_free(struct slab_page *p, unsigned i); /* before the live bit is cleared */
void debug_check_object(struct slab_page *p, unsigned i);
static inline bool has_shadow(const struct kmem_cache *c) { return c->flags & (SLAB_RED_ZONE | SLAB_POISON); }

/* geometry.c: pure functions of the reference. */
unsigned order_of(uint64_t bytes); /* least order whose block holds them */
uint32_t slab_alignment(uint32_t align, uint32_t size, unsigned flags);
unsigned slub_min_objects(unsigned cpus);
/* -1 if no order up to 10 holds an object. */
int slub_calculate_order(uint64_t size, unsigned min_objects, unsigned min_order, unsigned max_order);
/* Slot size with SLUB's layout; sets offset, left_pad and inuse. */
uint32_t slub_layout(struct kmem_cache *c);
unsigned slub_min_partial(uint32_t size);
unsigned slub_cpu_partial(uint32_t size);

#endif
