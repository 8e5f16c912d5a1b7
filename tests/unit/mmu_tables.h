/* A small physical memory with page tables for the mmu's tests: a plain builder that shares no code with the library. */
#ifndef TESTS_MMU_TABLES_H
#define TESTS_MMU_TABLES_H

#include "mmu/paging.h"

#include <check.h>
#include <stdlib.h>

enum { TABLES_MAX = 4096 };
struct tables {
    uint64_t (*page)[512];
    unsigned used;
    unsigned levels;
};

static inline void tables_init(struct tables *t, unsigned levels)
{
    t->page = calloc(TABLES_MAX, sizeof *t->page);
    t->used = 1; /* frame 0 is the root */
    t->levels = levels;
}
static inline void tables_fini(struct tables *t) { free(t->page); }

static inline uint64_t *tables_entry(struct tables *t, uint64_t pa)
{
    ck_assert_uint_lt(pa >> 12, t->used);
    return &t->page[pa >> 12][(pa & 4095) / 8];
}

/* Maps va with a leaf of `leaf_level` to pa; pointers get `pointer_flags`, the leaf `leaf_flags`. Returns the leaf. */
static inline uint64_t *tables_map(struct tables *t, uint64_t va, uint64_t pa, unsigned leaf_level,
                                   uint64_t pointer_flags, uint64_t leaf_flags)
{
    unsigned frame = 0;
    for (unsigned level = t->levels; level > leaf_level; level--) {
        uint64_t *e = &t->page[frame][va >> (12 + 9 * (level - 1)) & 511];
        if (!(*e & 1)) {
            ck_assert_uint_lt(t->used, TABLES_MAX);
            *e = (uint64_t)t->used++ << 12 | pointer_flags | 1;
        }
        frame = (unsigned)((*e & 0x000ffffffffff000) >> 12);
    }
    uint64_t *e = &t->page[frame][va >> (12 + 9 * (leaf_level - 1)) & 511];
    *e = pa | leaf_flags | 1 | (leaf_level > 1 ? 0x80 : 0);
    return e;
}

static inline uint64_t tables_read(void *self, pa_t pa) { return *tables_entry(self, pa.v); }
static inline void tables_set_bits(void *self, pa_t pa, uint64_t bits) { *tables_entry(self, pa.v) |= bits; }
static inline struct pt_memory tables_memory(struct tables *t)
{
    return (struct pt_memory){.self = t, .read = tables_read, .set_bits = tables_set_bits};
}
static inline struct paging_root tables_root(const struct tables *t)
{
    return (struct paging_root){.levels = (uint8_t)t->levels, .max_phys_bits = 46, .flags = PAGING_DEFAULT};
}

static inline int run_suite(Suite *s)
{
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}

#endif
