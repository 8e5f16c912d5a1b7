#include "replay/pages/kmem_pages.h"

#include "engine/types.h"
#include "frames/frames.h"
#include "frames/zones/gfp_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { PAGE_KB = PAGE_BYTES / 1024, OTHER = MIGRATE_TYPES }; /* OTHER: a migratetype that this model does not have */

struct kind {
    uint64_t key; /* of the three */
    uint64_t gfp, hits;
    unsigned order, type;
    UT_hash_handle hh;
};
struct live { uint64_t pfn; UT_hash_handle hh; };

struct kmem_pages {
    struct kind *kinds;
    struct live *live;
    uint64_t allocs, alloc_kb, frees, free_kb, unknown, unknown_kb, failed, failed_kb; /* unknown: frees of what was there before */
    uint64_t of[FRAME_ORDERS][MIGRATE_TYPES + 1];
};

int kmem_pages_new(struct kmem_pages **out, struct err *err)
{
    *out = calloc(1, sizeof **out);
    return *out ? 0 : err_set(err, ERR_RUN, "out of memory");
}

void kmem_pages_free(struct kmem_pages *p)
{
    if (!p)
        return;
    struct kind *k = p->kinds, *k_next;
    struct live *l = p->live, *l_next;
    HASH_CLEAR(hh, p->kinds); /* the tables go, their elements stay chained */
    HASH_CLEAR(hh, p->live);
    for (; k; k = k_next) {
        k_next = k->hh.next;
        free(k);
    }
    for (; l; l = l_next) {
        l_next = l->hh.next;
        free(l);
    }
    free(p);
}

static uint64_t kb_of(unsigned order) { return order < 48 ? (uint64_t)PAGE_KB << order : 0; }

void kmem_pages_event_alloc(struct kmem_pages *p, uint64_t pfn, unsigned order, unsigned migratetype, uint64_t gfp)
{
    uint64_t key = gfp << 16 | (uint64_t)(order & 0xff) << 8 | (migratetype & 0xff); /* gfp masks have 30 bits */
    struct kind *k;
    struct live *l;
    p->allocs++;
    p->alloc_kb += kb_of(order);
    if (!pfn) {
        p->failed++;
        p->failed_kb += kb_of(order);
        return;
    }
    HASH_FIND(hh, p->live, &pfn, sizeof pfn, l);
    if (!l) {
        l = calloc(1, sizeof *l);
        if (!l)
            abort(); /* the recorded machine's pages do not fit into the host */
        l->pfn = pfn;
        HASH_ADD(hh, p->live, pfn, sizeof l->pfn, l);
    }
    HASH_FIND(hh, p->kinds, &key, sizeof key, k);
    if (!k) {
        k = calloc(1, sizeof *k);
        if (!k)
            abort();
        *k = (struct kind){.key = key, .gfp = gfp, .order = order, .type = migratetype};
        HASH_ADD(hh, p->kinds, key, sizeof k->key, k);
    }
    k->hits++;
    p->of[order < FRAME_MAX_ORDER ? order : FRAME_MAX_ORDER][migratetype < MIGRATE_TYPES ? migratetype : OTHER]++;
}

void kmem_pages_event_free(struct kmem_pages *p, uint64_t pfn, unsigned order)
{
    struct live *l;
    p->frees++;
    p->free_kb += kb_of(order);
    HASH_FIND(hh, p->live, &pfn, sizeof pfn, l);
    if (l) {
        HASH_DEL(p->live, l);
        free(l);
    } else {
        p->unknown++;
        p->unknown_kb += kb_of(order);
    }
}

uint64_t kmem_pages_events(const struct kmem_pages *p) { return p->allocs + p->frees; }

/* Most memory first, as perf; what is equal there by order, type and flags. */
static int more_first(const struct kind *a, const struct kind *b)
{
    uint64_t ka = a->hits * kb_of(a->order), kb = b->hits * kb_of(b->order);
    if (ka != kb)
        return ka < kb ? 1 : -1;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    return a->gfp < b->gfp ? -1 : a->gfp > b->gfp;
}

static void total(FILE *f, const char *what, uint64_t n, uint64_t kb)
{
    fprintf(f, "%-30s: %16" PRIu64 "   [ %16" PRIu64 " KB ]\n", what, n, kb);
}

static const char *type_name(unsigned t) { return t < MIGRATE_TYPES ? migratetype_name((enum migratetype)t) : "other"; }

void kmem_pages_print(struct kmem_pages *p, FILE *f)
{
    const char *rule = "---------------------------------------------------------------------------------------------------------";
    char text[GFP_TEXT], cell[24];
    uint64_t both = p->frees - p->unknown;
    fprintf(f, "SUMMARY (page allocator)\n========================\n");
    total(f, "Total allocation requests", p->allocs, p->alloc_kb);
    total(f, "Total free requests", p->frees, p->free_kb);
    fputc('\n', f);
    total(f, "Total alloc+freed requests", both, p->free_kb - p->unknown_kb);
    total(f, "Total alloc-only requests", p->allocs - both, p->alloc_kb - (p->free_kb - p->unknown_kb));
    total(f, "Total free-only requests", p->unknown, p->unknown_kb);
    fputc('\n', f);
    total(f, "Total allocation failures", p->failed, p->failed_kb);
    fprintf(f, "\n%5s", "Order");
    for (unsigned t = 0; t <= MIGRATE_TYPES; t++)
        fprintf(f, "  %12s", type_name(t));
    fprintf(f, "\n%.5s", rule);
    for (unsigned t = 0; t <= MIGRATE_TYPES; t++)
        fprintf(f, "  %.12s", rule);
    for (unsigned o = 0; o < FRAME_ORDERS; o++) {
        fprintf(f, "\n%5u", o);
        for (unsigned t = 0; t <= MIGRATE_TYPES; t++) {
            snprintf(cell, sizeof cell, "%" PRIu64, p->of[o][t]);
            fprintf(f, "  %12s", p->of[o][t] ? cell : ".");
        }
    }
    HASH_SRT(hh, p->kinds, more_first);
    fprintf(f, "\n\n%s\n %-16s | %-9s | Order | %-11s | GFP flags\n%s\n", rule, "Total alloc (KB)", "Hits", "Mig.type", rule);
    for (const struct kind *k = p->kinds; k; k = k->hh.next)
        fprintf(f, " %16" PRIu64 " | %9" PRIu64 " | %5u | %11s | %s\n", k->hits * kb_of(k->order), k->hits, k->order,
                type_name(k->type), gfp_text(k->gfp, text));
    fprintf(f, "%s\n", rule);
}
