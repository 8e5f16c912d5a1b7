#include "mmu/psc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct stat_desc psc_stat_descs[] = {
#define X(name, unit, help) STAT_ENTRY(struct psc_stats, name, unit, help)
    PSC_STATS(X)
#undef X
};
const size_t psc_n_stat_descs = ARRAY_LEN(psc_stat_descs);

/* Key: 63..48 asid, 35..0 the linear-address prefix down to this level's index (57-bit addresses), index bits lowest. */
#define ASID_SHIFT 48

static uint64_t prefix_key(uint32_t asid, unsigned level, va_t va)
{
    return (uint64_t)asid << ASID_SHIFT | ((va.v << 7) >> (7 + level_shift(level)));
}

static va_t key_va(unsigned level, uint64_t key)
{
    uint64_t va57 = (key & ((UINT64_C(1) << ASID_SHIFT) - 1)) << level_shift(level);
    return (va_t){(uint64_t)((int64_t)(va57 << 7) >> 7)};
}

int psc_init(struct psc *p, const struct psc_config *c, uint64_t seed, const char *name, struct err *err)
{
    static const char *const names[] = {"pde", "pdpte", "pml4e", "pml5e"};
    const struct psc_level_config *const configs[] = {&c->pde, &c->pdpte, &c->pml4e, &c->pml5e};
    memset(p, 0, sizeof *p);
    for (unsigned level = PSC_MIN_LEVEL; level <= PSC_MAX_LEVEL; level++) {
        const struct psc_level_config *lc = configs[level - PSC_MIN_LEVEL];
        struct psc_level *l = &p->level[level];
        char full[96];
        if (lc->entries == 0)
            continue;
        snprintf(full, sizeof full, "%s.%s", name, names[level - PSC_MIN_LEVEL]);
        if (lc->ways == 0 || lc->entries % lc->ways != 0) {
            err_set(err, ERR_USAGE, "%s: %u entries cannot be arranged in sets of %u ways", full, lc->entries, lc->ways);
            err_remedy(err, "make entries a multiple of ways");
            goto fail;
        }
        if (assoc_init(&l->tags, lc->entries / lc->ways, lc->ways, (enum repl_policy)lc->replacement, seed, full, err) < 0)
            goto fail;
        l->present = true;
        l->payload = calloc(lc->entries, sizeof *l->payload);
        if (!l->payload) {
            err_set(err, ERR_RUN, "%s: out of host memory", full);
            goto fail;
        }
    }
    return 0;
fail:
    psc_fini(p);
    return -1;
}

void psc_fini(struct psc *p)
{
    for (unsigned level = PSC_MIN_LEVEL; level <= PSC_MAX_LEVEL; level++) {
        struct psc_level *l = &p->level[level];
        if (l->present)
            assoc_fini(&l->tags);
        free(l->payload);
        *l = (struct psc_level){0};
    }
}

static void count_hit(struct psc *p, unsigned level)
{
    uint64_t *const by_level[] = {&p->st.pde_hits, &p->st.pdpte_hits, &p->st.pml4e_hits, &p->st.pml5e_hits};
    (*by_level[level - PSC_MIN_LEVEL])++;
}

unsigned psc_start(struct psc *p, uint32_t asid, struct walk *w)
{
    p->st.accesses++;
    /* An entry of level n points to the table of level n - 1; the root's own level is the highest that can help. */
    for (unsigned level = PSC_MIN_LEVEL; level <= w->root.levels; level++) {
        struct psc_level *l = &p->level[level];
        if (!l->present)
            continue;
        uint32_t e = assoc_find(&l->tags, prefix_key(asid, level, w->va));
        if (e == ASSOC_NONE)
            continue;
        uint64_t x = l->payload[e];
        w->table = (pa_t){x & PTE_ADDR};
        w->rights = x & (PTE_RW | PTE_US | PTE_XD);
        w->level = (uint8_t)(level - 1);
        p->st.hits++;
        count_hit(p, level);
        return level;
    }
    p->st.misses++;
    return 0;
}

void psc_fill(struct psc *p, uint32_t asid, const struct walk *w)
{
    unsigned level = w->level + 1u;
    struct psc_level *l = &p->level[level];
    if (!l->present)
        return;
    uint64_t key = prefix_key(asid, level, w->va), victim = ASSOC_EMPTY;
    /* Present already when two walks of one prefix ran at once: the younger snapshot stays. */
    uint32_t e = assoc_probe(&l->tags, key);
    if (e == ASSOC_NONE) {
        e = assoc_insert(&l->tags, key, &victim);
        uint64_t *const by_level[] = {&p->st.pde_fills, &p->st.pdpte_fills, &p->st.pml4e_fills, &p->st.pml5e_fills};
        (*by_level[level - PSC_MIN_LEVEL])++;
        p->st.evictions += victim != ASSOC_EMPTY;
    } else {
        assoc_touch(&l->tags, e);
    }
    l->payload[e] = w->table.v | w->rights;
}

void psc_invalidate_va(struct psc *p, uint32_t asid, va_t va)
{
    for (unsigned level = PSC_MIN_LEVEL; level <= PSC_MAX_LEVEL; level++) {
        struct psc_level *l = &p->level[level];
        uint32_t e = l->present ? assoc_probe(&l->tags, prefix_key(asid, level, va)) : ASSOC_NONE;
        if (e != ASSOC_NONE) {
            assoc_remove(&l->tags, e);
            p->st.invalidations++;
        }
    }
}

void psc_flush_asid(struct psc *p, uint32_t asid)
{
    for (unsigned level = PSC_MIN_LEVEL; level <= PSC_MAX_LEVEL; level++) {
        struct psc_level *l = &p->level[level];
        if (!l->present || l->tags.used == 0)
            continue;
        for (uint32_t e = 0, n = l->tags.sets * l->tags.ways; e < n; e++)
            if (l->tags.key[e] != ASSOC_EMPTY && l->tags.key[e] >> ASID_SHIFT == asid) {
                assoc_remove(&l->tags, e);
                p->st.invalidations++;
            }
    }
}

void psc_flush_all(struct psc *p)
{
    for (unsigned level = PSC_MIN_LEVEL; level <= PSC_MAX_LEVEL; level++)
        if (p->level[level].present) {
            p->st.invalidations += p->level[level].tags.used;
            assoc_clear(&p->level[level].tags);
        }
}

static int check_entry(unsigned level, uint64_t key, uint64_t payload, const struct paging_root *root,
                       const struct pt_memory *mem, struct err *err)
{
    struct walk w;
    va_t va = key_va(level, key);
    enum walk_result r = WALK_NEXT;
    walk_begin(&w, root, va, ACCESS_READ | ACCESS_AC);
    while (r == WALK_NEXT && w.level >= level)
        r = walk_step(&w, mem->read(mem->self, walk_entry_pa(&w)));
    if (r != WALK_NEXT)
        return err_set(err, ERR_RUN, "level-%u walk cache entry of 0x%" PRIx64 ": the tables have no pointer there", level,
                       va.v);
    if ((payload & PTE_ADDR) != w.table.v)
        return err_set(err, ERR_RUN,
                       "level-%u walk cache entry of 0x%" PRIx64 " points to 0x%" PRIx64 ", the tables to 0x%" PRIx64,
                       level, va.v, payload & PTE_ADDR, w.table.v);
    if ((payload & ~w.rights & (PTE_RW | PTE_US)) || (~payload & w.rights & PTE_XD))
        return err_set(err, ERR_RUN, "level-%u walk cache entry of 0x%" PRIx64 " grants more than the tables", level, va.v);
    return 0;
}

int psc_check(const struct psc *p, uint32_t asid, const struct paging_root *root, const struct pt_memory *mem,
              struct err *err)
{
    for (unsigned level = PSC_MIN_LEVEL; level <= PSC_MAX_LEVEL; level++) {
        const struct psc_level *l = &p->level[level];
        for (uint32_t e = 0, n = l->present ? l->tags.sets * l->tags.ways : 0; e < n; e++) {
            uint64_t key = l->tags.key[e];
            if (key != ASSOC_EMPTY && key >> ASID_SHIFT == asid &&
                check_entry(level, key, l->payload[e], root, mem, err) < 0)
                return -1;
        }
    }
    return 0;
}

void psc_state(struct psc *p, uint64_t memory, struct state_io *io)
{
    for (unsigned level = PSC_MIN_LEVEL; level <= PSC_MAX_LEVEL; level++) {
        struct psc_level *l = &p->level[level];
        if (!l->present)
            continue;
        size_t n = (size_t)l->tags.sets * l->tags.ways;
        assoc_state(&l->tags, io);
        state_bytes(io, l->payload, n * sizeof *l->payload);
        for (size_t e = 0; io->loading && e < n; e++)
            if (l->tags.key[e] != ASSOC_EMPTY &&
                !state_check(io, (l->payload[e] & PTE_ADDR) < memory, "a page table lies outside memory"))
                return;
    }
    state_bytes(io, &p->st, sizeof p->st);
}
