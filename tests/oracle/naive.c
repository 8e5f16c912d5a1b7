/* Set-associative arrays as a child would write them, and the translation caches made of them. */
#include "oracle_priv.h"

#include <stdio.h>
#include <stdlib.h>

void naive_init(struct naive *s, uint32_t sets, uint32_t ways, int policy, uint64_t seed, const char *name)
{
    *s = (struct naive){.sets = sets, .ways = ways, .policy = policy};
    s->way = calloc((size_t)sets * ways, sizeof *s->way);
    s->order = calloc((size_t)sets * ways, sizeof *s->order);
    s->n_order = calloc(sets, sizeof *s->n_order);
    s->bits = calloc((size_t)sets * ways, 1);
    if (!s->way || !s->order || !s->n_order || !s->bits)
        abort();
    rng_init(&s->rng, seed, name);
}

void naive_fini(struct naive *s)
{
    free(s->way);
    free(s->order);
    free(s->n_order);
    free(s->bits);
    *s = (struct naive){0};
}

static size_t base_of(const struct naive *s, uint64_t key)
{
    return (size_t)(key % s->sets) * s->ways;
}

struct naive_way *naive_find(struct naive *s, uint64_t key)
{
    struct naive_way *w = s->way + base_of(s, key);
    for (uint32_t i = 0; i < s->ways; i++)
        if (w[i].valid && w[i].key == key)
            return &w[i];
    return NULL;
}

/* The order list of lru and fifo. */
static void order_remove(struct naive *s, size_t set, uint32_t way)
{
    uint32_t *o = s->order + set * s->ways, n = s->n_order[set], keep = 0;
    for (uint32_t i = 0; i < n; i++)
        if (o[i] != way)
            o[keep++] = o[i];
    s->n_order[set] = keep;
}

static void order_append(struct naive *s, size_t set, uint32_t way)
{
    s->order[set * s->ways + s->n_order[set]++] = way;
}

/* From the root down to the way: each node points to the half that does not hold it. */
static void tree_point_away(struct naive *s, size_t set, uint32_t way)
{
    uint8_t *bit = s->bits + set * s->ways;
    uint32_t node = 1, low = 0, size = s->ways;
    while (size > 1) {
        size /= 2;
        bool right = way >= low + size;
        bit[node] = !right;
        node = 2 * node + right;
        low += right ? size : 0;
    }
}

static uint32_t tree_pointed(const struct naive *s, size_t set)
{
    const uint8_t *bit = s->bits + set * s->ways;
    uint32_t node = 1, low = 0, size = s->ways;
    while (size > 1) {
        size /= 2;
        low += bit[node] ? size : 0;
        node = 2 * node + bit[node];
    }
    return low;
}

void naive_use(struct naive *s, struct naive_way *w)
{
    size_t at = (size_t)(w - s->way), set = at / s->ways;
    uint32_t way = (uint32_t)(at % s->ways);
    if (s->plant_lru)
        return;
    if (s->policy == REPL_lru) {
        order_remove(s, set, way);
        order_append(s, set, way);
    } else if (s->policy == REPL_tree_plru) {
        tree_point_away(s, set, way);
    } else if (s->policy == REPL_srrip) {
        w->rrpv = 0;
    }
}

struct naive_way *naive_choose(struct naive *s, uint64_t key)
{
    size_t base = base_of(s, key), set = base / s->ways;
    struct naive_way *w = s->way + base;
    for (uint32_t i = 0; i < s->ways; i++)
        if (!w[i].valid)
            return &w[i];
    if (s->policy == REPL_lru || s->policy == REPL_fifo)
        return &w[s->order[base]];
    if (s->policy == REPL_tree_plru)
        return &w[tree_pointed(s, set)];
    if (s->policy == REPL_random)
        return &w[rng_below(&s->rng, s->ways)];
    uint32_t best = 0; /* srrip: the first that would reach 3 if all grew together */
    for (uint32_t i = 1; i < s->ways; i++)
        if (w[i].rrpv > w[best].rrpv)
            best = i;
    return &w[best];
}

void naive_put(struct naive *s, struct naive_way *w, uint64_t key)
{
    size_t at = (size_t)(w - s->way), set = at / s->ways;
    uint32_t way = (uint32_t)(at % s->ways);
    if (s->policy == REPL_srrip && w->valid)
        while (w->rrpv < 3)
            for (uint32_t i = 0; i < s->ways; i++)
                s->way[set * s->ways + i].rrpv++;
    *w = (struct naive_way){.valid = true, .key = key, .rrpv = 2, .owner = -1};
    if (s->policy == REPL_lru || s->policy == REPL_fifo) {
        order_remove(s, set, way);
        order_append(s, set, way);
    } else if (s->policy == REPL_tree_plru) {
        tree_point_away(s, set, way);
    }
}

void naive_drop(struct naive *s, struct naive_way *w)
{
    size_t at = (size_t)(w - s->way);
    w->valid = false;
    order_remove(s, at / s->ways, (uint32_t)(at % s->ways));
}

/* --- TLB -------------------------------------------------------------------------------------------------------------- */

static uint64_t low57(uint64_t va)
{
    return va & ((UINT64_C(1) << 57) - 1);
}

/* mmu/tlb.h describes the key; with a number of sets that is no power of two all of it chooses the set. */
static uint64_t key_of(uint32_t asid, unsigned size, uint64_t va)
{
    return (uint64_t)asid << TLB_ASID_SHIFT | (uint64_t)size << TLB_SIZE_SHIFT |
           low57(va) >> page_size_shift((enum page_size)size);
}

void otlb_init(struct otlb *t, const struct tlb_config *c, uint64_t seed, const char *name)
{
    char full[80];
    *t = (struct otlb){0};
    naive_init(&t->array[0], c->entries / c->ways, c->ways, c->replacement, seed, name);
    const struct tlb_large_config *large[] = {NULL, &c->huge_2m, &c->huge_1g};
    const char *suffix[] = {"", ".huge_2m", ".huge_1g"};
    for (unsigned s = 1; s < PAGE_SIZE_COUNT; s++) {
        t->home[s] = large[s]->shared ? 0 : large[s]->entries ? (int)s : -1;
        snprintf(full, sizeof full, "%s%s", name, suffix[s]);
        if (t->home[s] == (int)s)
            naive_init(&t->array[s], large[s]->entries / large[s]->ways, large[s]->ways, c->replacement, seed, full);
    }
}

void otlb_fini(struct otlb *t)
{
    for (unsigned s = 0; s < PAGE_SIZE_COUNT; s++)
        naive_fini(&t->array[s]);
}

struct xlat otlb_lookup(struct otlb *t, uint32_t asid, uint64_t va, const struct access_check *c)
{
    t->st.accesses++;
    for (unsigned s = 0; s < PAGE_SIZE_COUNT; s++) {
        if (t->home[s] < 0)
            continue;
        struct naive *a = &t->array[t->home[s]];
        struct naive_way *w = naive_find(a, key_of(asid, s, va));
        if (!w)
            continue;
        naive_use(a, w); /* found, even if not sufficient: a use */
        if (access_ok(w->xlat, c)) {
            t->st.hits++;
            t->st.by_size[xlat_origin(w->xlat)]++;
            return w->xlat;
        }
    }
    t->st.misses++;
    return XLAT_NONE;
}

bool otlb_has(struct otlb *t, uint32_t asid, uint64_t va, const struct access_check *c)
{
    for (unsigned s = 0; s < PAGE_SIZE_COUNT; s++) {
        struct naive_way *w = t->home[s] < 0 ? NULL : naive_find(&t->array[t->home[s]], key_of(asid, s, va));
        if (w && access_ok(w->xlat, c))
            return true;
    }
    return false;
}

void otlb_insert(struct otlb *t, uint32_t asid, uint64_t va, struct xlat x)
{
    unsigned size = xlat_size(x);
    while (t->home[size] < 0)
        size--;
    if (size != xlat_size(x)) { /* the smaller page that holds va, kept with its origin */
        uint64_t pa = xlat_pa(x, (va_t){va}).v & ~(page_size_bytes((enum page_size)size) - 1);
        x.v = (x.v & ~PTE_ADDR & ~(UINT64_C(3) << XLAT_SIZE_SHIFT)) | pa | (uint64_t)size << XLAT_SIZE_SHIFT;
    }
    struct naive *a = &t->array[t->home[size]];
    uint64_t key = key_of(asid, size, va);
    struct naive_way *w = naive_find(a, key);
    if (w) {
        naive_use(a, w);
    } else {
        w = naive_choose(a, key);
        naive_put(a, w, key);
    }
    w->xlat = x;
}

static void drop_tagged(struct naive *s, uint32_t asid)
{
    for (size_t i = 0; i < (size_t)s->sets * s->ways; i++)
        if (s->way[i].valid && s->way[i].key >> TLB_ASID_SHIFT == asid)
            naive_drop(s, &s->way[i]);
}

void otlb_drop(struct otlb *t, uint32_t asid)
{
    for (unsigned s = 0; s < PAGE_SIZE_COUNT; s++)
        drop_tagged(&t->array[s], asid);
}

void otlb_drop_range(struct otlb *t, uint32_t asid, uint64_t va, uint64_t bytes)
{
    for (unsigned s = 0; s < PAGE_SIZE_COUNT; s++)
        for (size_t i = 0; i < (size_t)t->array[s].sets * t->array[s].ways; i++) {
            struct naive_way *w = &t->array[s].way[i];
            if (!w->valid || w->key >> TLB_ASID_SHIFT != asid)
                continue;
            unsigned shift = page_size_shift((enum page_size)(w->key >> TLB_SIZE_SHIFT & 3));
            uint64_t page = page_size_bytes(xlat_origin(w->xlat));
            uint64_t first = ((w->key & TLB_VPN_MASK) << shift) & ~(page - 1);
            if (first < low57(va) + bytes && low57(va) < first + page)
                naive_drop(&t->array[s], w);
        }
}

/* --- paging-structure caches ------------------------------------------------------------------------------------------- */

static uint64_t prefix(uint32_t asid, unsigned level, uint64_t va)
{
    return (uint64_t)asid << TLB_ASID_SHIFT | low57(va) >> level_shift(level);
}

void opsc_init(struct opsc *p, const struct psc_config *c, uint64_t seed, const char *name)
{
    const struct psc_level_config *lc[] = {&c->pde, &c->pdpte, &c->pml4e, &c->pml5e};
    const char *suffix[] = {"pde", "pdpte", "pml4e", "pml5e"};
    char full[80];
    *p = (struct opsc){0};
    for (unsigned l = PSC_MIN_LEVEL; l <= PSC_MAX_LEVEL; l++) {
        const struct psc_level_config *x = lc[l - PSC_MIN_LEVEL];
        snprintf(full, sizeof full, "%s.%s", name, suffix[l - PSC_MIN_LEVEL]);
        p->there[l] = x->entries != 0;
        if (p->there[l])
            naive_init(&p->level[l], x->entries / x->ways, x->ways, x->replacement, seed, full);
    }
}

void opsc_fini(struct opsc *p)
{
    for (unsigned l = PSC_MIN_LEVEL; l <= PSC_MAX_LEVEL; l++)
        naive_fini(&p->level[l]);
}

void opsc_start(struct opsc *p, uint32_t asid, struct walk *w)
{
    p->accesses++;
    for (unsigned l = PSC_MIN_LEVEL; l <= w->root.levels; l++) {
        struct naive_way *x = p->there[l] ? naive_find(&p->level[l], prefix(asid, l, w->va.v)) : NULL;
        if (!x)
            continue;
        naive_use(&p->level[l], x);
        w->table.v = x->table & PTE_ADDR;
        w->rights = x->table & (PTE_RW | PTE_US | PTE_XD);
        w->level = (uint8_t)(l - 1);
        p->hits++;
        p->by_level[l]++;
        return;
    }
    p->misses++;
}

void opsc_fill(struct opsc *p, uint32_t asid, const struct walk *w)
{
    unsigned l = w->level + 1u;
    if (!p->there[l])
        return;
    uint64_t key = prefix(asid, l, w->va.v);
    struct naive_way *x = naive_find(&p->level[l], key);
    if (x) {
        naive_use(&p->level[l], x);
    } else {
        x = naive_choose(&p->level[l], key);
        naive_put(&p->level[l], x, key);
    }
    x->table = w->table.v | w->rights;
}

void opsc_drop(struct opsc *p, uint32_t asid)
{
    for (unsigned l = PSC_MIN_LEVEL; l <= PSC_MAX_LEVEL; l++)
        if (p->there[l])
            drop_tagged(&p->level[l], asid);
}

void opsc_drop_va(struct opsc *p, uint32_t asid, uint64_t va)
{
    for (unsigned l = PSC_MIN_LEVEL; l <= PSC_MAX_LEVEL; l++) {
        struct naive_way *x = p->there[l] ? naive_find(&p->level[l], prefix(asid, l, va)) : NULL;
        if (x)
            naive_drop(&p->level[l], x);
    }
}
