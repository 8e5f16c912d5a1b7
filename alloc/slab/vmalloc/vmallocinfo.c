/* /proc/vmallocinfo as Linux writes it, statistics, and the verifier of vmalloc. */
#include "slab/vmalloc/vmalloc_internal.h"

#include <inttypes.h>
#include <stdio.h>

const struct vmalloc_stats *slab_vmalloc_stats(const struct vmalloc *v) { return &v->st; }

#define VMALLOC_COUNT_DESC(name, unit, help) STAT_ENTRY(struct vmalloc_stats, name, unit, help)
#define VMALLOC_GAUGE_DESC(name, unit, help) STAT_ENTRY_GAUGE(struct vmalloc_stats, name, unit, help)
static const struct stat_desc descs[] = {VMALLOC_STATS(VMALLOC_COUNT_DESC, VMALLOC_GAUGE_DESC)};

void slab_vmalloc_add_stats(const struct vmalloc *v, struct stats *tree,
                            void (*add)(struct stats *s, const char *path, const void *base, const struct stat_desc *d, size_t n))
{
    add(tree, "vmalloc", &v->st, descs, ARRAY_LEN(descs));
}

static void head(FILE *f, uint64_t start, uint64_t span)
{
    fprintf(f, "0x%016" PRIx64 "-0x%016" PRIx64 " %7" PRIu64, start * PAGE_BYTES, (start + span) * PAGE_BYTES,
            span * PAGE_BYTES);
}

void slab_print_vmallocinfo(const struct vmalloc *v, FILE *f)
{
    struct range_node n;
    bool more = range_at_or_below(&v->busy, 0, &n) || range_above(&v->busy, 0, &n);
    for (; more; more = range_above(&v->busy, n.start, &n)) {
        const struct area *a = area_of(&n);
        head(f, a->start, a->span);
        if (a->kind == AREA_BLOCK) {
            fputs(" vm_map_ram\n", f);
            continue;
        }
        if (a->call_site)
            fprintf(f, " 0x%" PRIx64, a->call_site);
        if (a->kind == AREA_VMALLOC)
            fprintf(f, " pages=%" PRIu64 " vmalloc%s N0=%" PRIu64, a->pages, a->array_is_vmalloc ? " vpages" : "", a->pages);
        else
            fputs(" vmap", f);
        fputc('\n', f);
    }
    for (uint32_t i = 0; i < v->n_lazy; i++) {
        head(f, v->lazy[i].start, v->lazy[i].span);
        fputs(" unpurged vm_area\n", f);
    }
}

/* Busy, free, lazy and pooled ranges fill the space and do not overlap; frames are there and tagged; counts agree. */
int slab_vmalloc_check(const struct vmalloc *v, struct err *err)
{
    struct range_tree all;
    struct range_node n;
    uint64_t pages = 0, space = 0, areas = 0, lazy = 0, end = v->first;
    int rc = 0;
    range_init(&all);
    const struct range_tree *const trees[2] = {&v->busy, &v->free};
    for (unsigned t = 0; t < 2; t++)
        for (bool more = range_at_or_below(trees[t], 0, &n) || range_above(trees[t], 0, &n); more;
             more = range_above(trees[t], n.start, &n)) {
            range_insert(&all, n.start, n.size, 0);
            if (t)
                continue;
            const struct area *a = area_of(&n);
            areas++;
            if (a->kind != AREA_VMALLOC)
                continue;
            pages += a->pages;
            for (uint64_t i = 0; i < a->pages && !rc; i++) {
                const struct frame *f = frame_at(v->s->frames, (pfn_t){a->pfn[i]});
                if (f->state != FRAME_ALLOCATED || f->order != 0 || f->tag != FRAME_TAG_VMALLOC)
                    rc = err_set(err, ERR_RUN, "check: vmalloc: pfn 0x%" PRIx64 " of the area at page 0x%" PRIx64
                                               " is not an allocated frame of vmalloc", a->pfn[i], a->start);
            }
        }
    for (uint32_t i = 0; i < v->n_lazy; i++) {
        range_insert(&all, v->lazy[i].start, v->lazy[i].span, 0);
        lazy += v->lazy[i].span;
    }
    for (uint64_t i = 0; i < (uint64_t)v->s->cpus * (v->cfg->pool_pages + 1); i++)
        for (uint32_t k = 0; k < v->pool[i].n; k++)
            range_insert(&all, v->pool[i].start[k], i % (v->cfg->pool_pages + 1), 0);
    for (bool more = range_at_or_below(&all, 0, &n) || range_above(&all, 0, &n); more && !rc; more = range_above(&all, n.start, &n)) {
        if (n.start != end)
            rc = err_set(err, ERR_RUN, "check: vmalloc: a range ends at page 0x%" PRIx64 ", the next begins at 0x%" PRIx64, end,
                         n.start);
        end = n.start + n.size;
        space += n.size;
    }
    range_fini(&all);
    if (!rc && (space != v->pages || pages != v->st.pages || areas != v->st.areas || lazy != v->st.lazy_pages ||
                v->pte.count + v->pmd.count != v->st.table_pages ||
                v->s->frames->tag_pages[FRAME_TAG_VMALLOC] < v->st.pages))
        rc = err_set(err, ERR_RUN, "check: vmalloc: %" PRIu64 " pages of addresses, %" PRIu64 " frames, %" PRIu64
                                   " areas do not agree with the books", space, pages, areas);
    return rc;
}
