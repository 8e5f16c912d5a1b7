/* Areas: vmalloc, vmap, kvmalloc. */
#include "slab/vmalloc/vmalloc_internal.h"

#include <assert.h>
#include <stdlib.h>

enum { HUGE_ORDER = 9, HUGE_PAGES = 1 << HUGE_ORDER, POINTER_BYTES = 8 };

int vmalloc_new(struct vmalloc **out, struct slab_sys *s, struct err *err)
{
    struct vmalloc *v = calloc(1, sizeof *v);
    *out = v;
    if (!v)
        return err_set(err, ERR_RUN, "out of host memory for vmalloc");
    v->s = s;
    v->cfg = &s->cfg.vmalloc;
    v->first = v->cfg->start / PAGE_BYTES;
    v->pages = v->cfg->bytes / PAGE_BYTES;
    range_init(&v->free);
    range_init(&v->busy);
    range_init(&v->pte);
    range_init(&v->pmd);
    range_insert(&v->free, v->first, v->pages, 0);
    v->pool = calloc((size_t)s->cpus * (v->cfg->pool_pages + 1), sizeof *v->pool);
    v->blocks = calloc(s->cpus, sizeof(struct area *));
    if (!v->pool || !v->blocks) {
        vmalloc_delete(v);
        *out = NULL;
        return err_set(err, ERR_RUN, "out of host memory for vmalloc");
    }
    return 0;
}

/* Frames and arrays of an area, and its record; the address range is the caller's matter. */
static void area_release(struct vmalloc *v, struct area *a, unsigned cpu)
{
    if (a->kind == AREA_VMALLOC) {
        for (uint64_t i = 0; i < a->pages; i++) {
            frames_free(v->s->frames, (pfn_t){a->pfn[i]}, 0);
            charge(v->s, v->s->cfg.cost.page_free / 2 + v->s->cfg.cost.pte);
        }
        v->st.pages -= a->pages;
    }
    if (a->array.v && a->array_is_vmalloc)
        slab_vfree(v, a->array, cpu);
    else if (a->array.v)
        slab_kfree(v->s, a->array, cpu);
    free(a->pfn);
    free(a);
}

void vmalloc_delete(struct vmalloc *v)
{
    struct range_node n;
    if (!v)
        return;
    while (range_at_or_below(&v->busy, UINT64_MAX, &n)) {
        range_remove(&v->busy, n.start);
        area_release(v, area_of(&n), 0);
    }
    struct range_tree *const tables[2] = {&v->pte, &v->pmd};
    for (unsigned i = 0; i < 2; i++)
        while (range_at_or_below(tables[i], UINT64_MAX, &n)) {
            frames_free(v->s->frames, (pfn_t){n.value}, 0);
            range_remove(tables[i], n.start);
        }
    range_fini(&v->free);
    range_fini(&v->busy);
    range_fini(&v->pte);
    range_fini(&v->pmd);
    for (uint64_t i = 0; v->pool && i < (uint64_t)v->s->cpus * (v->cfg->pool_pages + 1); i++)
        free(v->pool[i].start);
    free(v->pool);
    free(v->blocks);
    free(v->lazy);
    free(v);
}

/* An address range with its record on the books, nothing mapped; NULL if there is none. */
static struct area *area_new(struct vmalloc *v, uint64_t pages, enum area_kind kind, bool guard, bool huge, unsigned cpu)
{
    struct area *a = calloc(1, sizeof *a);
    if (!a)
        abort();
    a->kind = (uint8_t)kind;
    a->pages = pages;
    a->span = pages + (guard && v->cfg->guard);
    a->cpu = (uint16_t)cpu;
    a->huge = huge;
    a->call_site = v->s->who.call_site;
    a->pfn = malloc(pages * sizeof *a->pfn);
    if (!a->pfn) { /* host memory for a request that the machine may well refuse */
        free(a);
        return NULL;
    }
    if (!va_take(v, a->span, huge ? HUGE_PAGES : kind == AREA_BLOCK ? pages : 1, cpu, &a->start)) {
        free(a->pfn);
        free(a);
        return NULL;
    }
    range_insert(&v->busy, a->start, a->span, (uint64_t)(uintptr_t)a);
    v->st.areas++;
    return a;
}

static void area_drop(struct vmalloc *v, struct area *a, unsigned cpu)
{
    uint64_t start = a->start, span = a->span;
    unsigned of = a->cpu;
    range_remove(&v->busy, start);
    v->st.areas--;
    area_release(v, a, cpu);
    va_put_lazy(v, start, span, of);
}

static bool get_frames(struct vmalloc *v, struct area *a, gfp_t gfp)
{
    struct slab_sys *s = v->s;
    uint64_t n = 0;
    while (a->huge && a->pages - n >= HUGE_PAGES) {
        pfn_t f = get_block(s, gfp | __GFP_HIGHMEM | __GFP_NOWARN | __GFP_COMP, HUGE_ORDER, FRAME_TAG_VMALLOC);
        if (pfn_is_none(f))
            break;
        frames_split(s->frames, f, HUGE_ORDER, 0); /* accounted page by page */
        for (uint64_t i = 0; i < HUGE_PAGES; i++)
            a->pfn[n++] = f.v + i;
        a->huge_pages++;
        v->st.huge_pages++;
    }
    for (uint64_t in_bulk = 0; n < a->pages; in_bulk++) {
        bool bulk = !(gfp & __GFP_ACCOUNT) && in_bulk % v->cfg->bulk_pages; /* the first of a call costs a whole request */
        uint64_t cycles = (bulk ? s->cfg.cost.vmalloc_page : s->cfg.cost.page_alloc) + s->cfg.cost.pte;
        pfn_t f = get_frames_at(s, gfp | __GFP_HIGHMEM, 0, FRAME_TAG_VMALLOC, cycles);
        if (pfn_is_none(f))
            break;
        a->pfn[n++] = f.v;
    }
    bool all = n == a->pages;
    a->pages = n; /* what is to be freed if it was not enough */
    v->st.pages += n;
    return all;
}

static bool map_frames(struct vmalloc *v, const struct area *a)
{
    uint64_t huge = (uint64_t)a->huge_pages * HUGE_PAGES;
    return (huge == 0 || tables_for(v, a->start, huge, true)) &&
           (huge == a->pages || tables_for(v, a->start + huge, a->pages - huge, false));
}

static bool get_array(struct vmalloc *v, struct area *a, gfp_t gfp, unsigned cpu)
{
    uint64_t bytes = a->pages * POINTER_BYTES;
    a->array_is_vmalloc = bytes > PAGE_BYTES;
    gfp &= ~(gfp_t)(__GFP_DMA | __GFP_DMA32 | __GFP_HIGHMEM);
    a->array = a->array_is_vmalloc ? slab_vmalloc(v, bytes, gfp, 0, cpu) : slab_kmalloc(v->s, bytes, gfp, cpu);
    return a->array.v != 0;
}

va_t slab_vmalloc(struct vmalloc *v, uint64_t size, gfp_t gfp, unsigned flags, unsigned cpu)
{
    struct slab_sys *s = v->s;
    uint64_t pages = size / PAGE_BYTES + (size % PAGE_BYTES != 0);
    va_t at = SLAB_NONE;
    run_on(s, cpu);
    op_begin(s, SLAB_PATH_ALLOC_VMALLOC);
    if (pages && pages <= s->frames->managed) { /* "exceeds total pages" */
        bool huge = (flags & VM_ALLOW_HUGE) && pages >= HUGE_PAGES;
        struct area *a = area_new(v, pages, AREA_VMALLOC, !(flags & VM_NO_GUARD), huge, cpu);
        if (a) {
            bool ok = get_array(v, a, gfp, cpu);
            if (!ok)
                a->pages = 0;
            ok = ok && get_frames(v, a, gfp) && map_frames(v, a);
            if (ok)
                at.v = a->start * PAGE_BYTES;
            else
                area_drop(v, a, cpu);
        }
    }
    if (at.v) {
        v->st.allocs++;
    } else {
        v->st.failures++;
        took(s, SLAB_PATH_ALLOC_FAILED);
    }
    op_end(s);
    return at;
}

static struct area *area_at(const struct vmalloc *v, va_t at)
{
    struct range_node n;
    if (!range_at_or_below(&v->busy, at.v / PAGE_BYTES, &n) || at.v / PAGE_BYTES >= n.start + n.size)
        return NULL;
    return area_of(&n);
}

bool slab_vfree(struct vmalloc *v, va_t at, unsigned cpu)
{
    if (at.v == 0)
        return true;
    struct area *a = area_at(v, at);
    if (!a || a->kind == AREA_BLOCK || at.v != a->start * PAGE_BYTES) {
        find(v->s, SLAB_INVALID_FREE, NULL, NO_OBJECT, at, 0, (struct slab_who){0});
        return false;
    }
    run_on(v->s, cpu);
    op_begin(v->s, SLAB_PATH_FREE_VFREE);
    charge(v->s, v->s->cfg.cost.vmalloc);
    if (a->kind == AREA_VMAP)
        charge(v->s, a->pages * v->s->cfg.cost.pte);
    v->st.frees++;
    area_drop(v, a, cpu);
    op_end(v->s);
    return true;
}

va_t slab_vmap(struct vmalloc *v, const pfn_t *frame, uint32_t n, unsigned cpu)
{
    va_t at = SLAB_NONE;
    run_on(v->s, cpu);
    op_begin(v->s, SLAB_PATH_ALLOC_VMALLOC);
    struct area *a = n ? area_new(v, n, AREA_VMAP, true, false, cpu) : NULL;
    if (a && tables_for(v, a->start, n, false)) {
        for (uint32_t i = 0; i < n; i++)
            a->pfn[i] = frame[i].v;
        charge(v->s, (uint64_t)n * v->s->cfg.cost.pte);
        at.v = a->start * PAGE_BYTES;
        v->st.allocs++;
    } else {
        if (a)
            area_drop(v, a, cpu);
        v->st.failures++;
    }
    op_end(v->s);
    return at;
}

/* ---- vmap blocks: a CPU cuts small maps from a block in powers of two, never reusing a place before the block goes ---- */

enum { RAM_MAX = 64 }; /* VMAP_MAX_ALLOC */

static uint32_t rounded(uint32_t n)
{
    uint32_t p = 1;
    while (p < n)
        p *= 2;
    return p;
}

static void leave_block(struct vmalloc *v, struct area *b)
{
    struct area **at = &v->blocks[b->cpu];
    while (*at && *at != b)
        at = &(*at)->next_block;
    if (*at)
        *at = b->next_block;
}

va_t slab_vm_map_ram(struct vmalloc *v, const pfn_t *frame, uint32_t n, unsigned cpu)
{
    if (n == 0 || n > RAM_MAX)
        return slab_vmap(v, frame, n, cpu);
    uint32_t take = rounded(n), size = v->cfg->block_pages;
    struct area *b = v->blocks[cpu];
    run_on(v->s, cpu);
    op_begin(v->s, SLAB_PATH_ALLOC_FAST);
    charge(v->s, v->s->cfg.cost.fast + (uint64_t)n * v->s->cfg.cost.pte);
    while (b && b->used + take > size)
        b = b->next_block;
    if (!b) {
        took(v->s, SLAB_PATH_ALLOC_VMALLOC);
        b = area_new(v, size, AREA_BLOCK, false, false, cpu);
        if (!b) {
            v->st.failures++;
            op_end(v->s);
            return SLAB_NONE;
        }
        for (uint32_t i = 0; i < size; i++)
            b->pfn[i] = UINT64_MAX;
        b->next_block = v->blocks[cpu];
        v->blocks[cpu] = b;
        v->st.blocks++;
    }
    va_t at = {(b->start + b->used) * PAGE_BYTES};
    if (!tables_for(v, b->start + b->used, n, false)) {
        v->st.failures++;
        op_end(v->s);
        return SLAB_NONE;
    }
    for (uint32_t i = 0; i < n; i++)
        b->pfn[b->used + i] = frame[i].v;
    b->used += take;
    if (b->used == size)
        leave_block(v, b);
    v->st.ram_maps++;
    op_end(v->s);
    return at;
}

bool slab_vm_unmap_ram(struct vmalloc *v, va_t at, uint32_t n, unsigned cpu)
{
    struct area *b = area_at(v, at);
    if (b && b->kind != AREA_BLOCK)
        return slab_vfree(v, at, cpu);
    uint64_t i = b ? at.v / PAGE_BYTES - b->start : 0;
    if (!b || n == 0 || n > RAM_MAX || i + n > b->pages || b->pfn[i] == UINT64_MAX) {
        find(v->s, SLAB_INVALID_FREE, NULL, NO_OBJECT, at, 0, (struct slab_who){0});
        return false;
    }
    run_on(v->s, cpu);
    op_begin(v->s, SLAB_PATH_FREE_VFREE);
    charge(v->s, v->s->cfg.cost.free_fast + (uint64_t)n * v->s->cfg.cost.pte);
    for (uint32_t k = 0; k < n; k++)
        b->pfn[i + k] = UINT64_MAX;
    b->dirty += rounded(n);
    if (b->dirty == b->pages) { /* all of it was used and given back */
        leave_block(v, b);
        area_drop(v, b, cpu);
    }
    op_end(v->s);
    return true;
}

/* ---- kvmalloc ---- */

bool is_vmalloc_address(const struct vmalloc *v, va_t at)
{
    return at.v / PAGE_BYTES >= v->first && at.v / PAGE_BYTES < v->first + v->pages;
}

va_t slab_kvmalloc(struct vmalloc *v, uint64_t size, gfp_t gfp, unsigned cpu)
{
    gfp_t first = gfp;
    if (size > PAGE_BYTES) {
        first = (first | __GFP_NOWARN) & ~(gfp_t)__GFP_NOFAIL;
        if (!(first & __GFP_RETRY_MAYFAIL))
            first &= ~(gfp_t)__GFP_DIRECT_RECLAIM;
    }
    if (size == 0)
        return slab_kmalloc(v->s, 0, first, cpu);
    call_begin(v->s, SLAB_PATH_ALLOC_FAST);
    va_t at = slab_kmalloc(v->s, size, first, cpu);
    enum slab_path path = v->s->path;
    if (at.v == 0 && size > PAGE_BYTES && gfp & __GFP_DIRECT_RECLAIM && size <= INT32_MAX) {
        v->st.kvmalloc_fallbacks++;
        at = slab_vmalloc(v, size, gfp, VM_ALLOW_HUGE, cpu);
        path = at.v ? SLAB_PATH_ALLOC_VMALLOC : SLAB_PATH_ALLOC_FAILED;
    }
    call_end(v->s, path);
    return at;
}

bool slab_kvfree(struct vmalloc *v, va_t at, unsigned cpu)
{
    return is_vmalloc_address(v, at) ? slab_vfree(v, at, cpu) : slab_kfree(v->s, at, cpu);
}

pfn_t slab_vmalloc_to_pfn(const struct vmalloc *v, va_t at)
{
    const struct area *a = area_at(v, at);
    uint64_t i = a ? at.v / PAGE_BYTES - a->start : 0;
    if (!a || i >= a->pages || a->pfn[i] == UINT64_MAX)
        return PFN_NONE;
    return (pfn_t){a->pfn[i]};
}

void slab_vm_unmap_aliases(struct vmalloc *v) { va_purge(v, false); }
