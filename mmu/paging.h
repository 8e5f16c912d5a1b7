/*
 * 4- and 5-level paging as pure steps: nothing here reads memory. The timed core calls a step each time a cache has
 * delivered an entry; functional mode and tests call them in a loop.
 *
 *   walk_begin(&w, &root, va, access);
 *   psc_start(psc, asid, &w);                           longest cached prefix, or the root
 *   do {
 *       entry = read8(walk_entry_pa(&w));
 *       step = walk_step(&w, entry);
 *       if (w.update) locked OR of w.update into w.entry_pa;     A, and D at the leaf
 *       if (step == WALK_NEXT) psc_fill(psc, asid, &w);          the pointer just passed
 *   } while (step == WALK_NEXT);
 *   WALK_LEAF: tlb_insert(..., w.result); WALK_FAULT: #PF with w.error_code, CR2 = va
 *
 * Order of checks (x86-hardware.md 2.6): at each level P, then reserved bits; rights once, at the leaf, on the combined
 * rights (2.5). A is asked for in every entry used as the walk passes it, D only at a leaf whose checks passed.
 * The address must be canonical: mmu/segment.h has judged that. Model: docs/model/paging.md.
 */
#ifndef MMU_PAGING_H
#define MMU_PAGING_H

#include "mmu/fault.h"
#include "mmu/pte.h"

/* What an access is. The low bits are those of the #PF error code. */
enum {
    ACCESS_READ = 0,
    ACCESS_WRITE = PF_WRITE,
    ACCESS_USER = PF_USER,
    ACCESS_FETCH = PF_FETCH,
    ACCESS_AC = 0x100,       /* supervisor access with EFLAGS.AC = 1: SMAP does not apply */
    ACCESS_IMPLICIT = 0x200, /* descriptor table or TSS: supervisor at any CPL, AC does not help */
};
enum { PF_PK = 32 }; /* protection key violation; with those of mmu/fault.h */

/* Control register state that decides translations. */
enum {
    PAGING_WP = 1,     /* CR0.WP: supervisor writes obey R/W */
    PAGING_NXE = 2,    /* EFER.NXE: bit 63 is XD, else reserved */
    PAGING_SMEP = 4,   /* CR4.SMEP */
    PAGING_SMAP = 8,   /* CR4.SMAP */
    PAGING_PKE = 16,   /* CR4.PKE: pkru applies to user pages */
    PAGING_PAGE1G = 32, /* CPUID: 1 GiB pages; without it PS in a PDPTE is reserved */
    PAGING_DEFAULT = PAGING_WP | PAGING_NXE | PAGING_SMEP | PAGING_SMAP | PAGING_PAGE1G, /* as Linux runs */
};

struct paging_root {
    pa_t table;            /* CR3: the root table */
    uint32_t pkru;         /* bit 2i: no access, bit 2i+1: no write, for key i */
    uint8_t levels;        /* 4 or 5 */
    uint8_t max_phys_bits; /* MAXPHYADDR, 32..52 */
    uint16_t flags;        /* PAGING_* */
};

/* Bits of the entry index: level 1 indexes the page table, 5 the PML5. */
static inline unsigned level_shift(unsigned level) { return 12u + 9u * (level - 1); }
static inline unsigned level_index(va_t va, unsigned level) { return (unsigned)(va.v >> level_shift(level)) & 511u; }
static inline unsigned levels_va_bits(unsigned levels) { return 12u + 9u * levels; }

/*
 * A finished translation, one word, as the TLBs keep it. All zero: none.
 *
 *   63  62..59  58..52  51 .. 12  11  10..9  8  7  6  5  4..3      2    1    0
 *   XD   key      0     base      0   size   G  0  D  1  origin   U/S  R/W   1
 *
 * size: enum page_size of this entry. origin: enum page_size of the page in the tables; larger than size when a TLB
 * without an array for large pages keeps a fragment.
 */
struct xlat { uint64_t v; };
#define XLAT_NONE ((struct xlat){0})
#define XLAT_SIZE_SHIFT 9
#define XLAT_ORIGIN_SHIFT 3
static inline bool xlat_is_none(struct xlat x) { return x.v == 0; }
static inline enum page_size xlat_size(struct xlat x) { return (enum page_size)(x.v >> XLAT_SIZE_SHIFT & 3); }
static inline enum page_size xlat_origin(struct xlat x) { return (enum page_size)(x.v >> XLAT_ORIGIN_SHIFT & 3); }
static inline bool xlat_dirty(struct xlat x) { return (x.v & PTE_D) != 0; }
static inline bool xlat_global(struct xlat x) { return (x.v & PTE_G) != 0; }
static inline pa_t xlat_pa(struct xlat x, va_t va)
{
    uint64_t mask = page_size_bytes(xlat_size(x)) - 1;
    return (pa_t){(x.v & PTE_ADDR) | (va.v & mask)};
}

/*
 * What a translation must have for an access to use it: (x ^ want) & mask == 0, and its key not denied.
 * A core computes it when its mode changes, one for each kind of access it makes.
 */
struct access_check {
    uint64_t mask, want;
    uint16_t deny_keys; /* bit k: key k denies this access (user pages) */
};
struct access_check access_check_make(const struct paging_root *root, unsigned access);
static inline bool access_ok(struct xlat x, const struct access_check *c)
{
    if (unlikely((x.v ^ c->want) & c->mask))
        return false;
    return likely(!c->deny_keys) || !(x.v & PTE_US) || !(c->deny_keys >> (x.v >> PTE_PK_SHIFT & 15) & 1);
}

enum walk_result { WALK_NEXT, WALK_LEAF, WALK_FAULT };

struct walk {
    va_t va;
    pa_t table;          /* the table the next entry is read from */
    pa_t entry_pa;       /* the entry last given to walk_step */
    uint64_t update;     /* bits to set in that entry: PTE_A, PTE_D, or 0 (needs a locked read-modify-write) */
    uint64_t rights;     /* accumulated: PTE_RW and PTE_US by AND, PTE_XD by OR */
    struct xlat result;  /* after WALK_LEAF */
    struct paging_root root;
    uint32_t access;     /* ACCESS_* */
    uint32_t error_code; /* after WALK_FAULT: PF_* */
    uint64_t prev_rights; /* before the entry last given to walk_step */
    uint8_t level;        /* of the entry to read next: 5..1; after the end the level that ended it */
    uint8_t prev_level;   /* of the entry last given to walk_step */
    uint8_t refs;         /* entries given to walk_step so far */
};

void walk_begin(struct walk *w, const struct paging_root *root, va_t va, unsigned access);
/* Physical address of the 8-byte entry to read next. */
static inline pa_t walk_entry_pa(const struct walk *w)
{
    return (pa_t){w->table.v + PTE_BYTES * level_index(w->va, w->level)};
}
enum walk_result walk_step(struct walk *w, uint64_t entry);
/* Judges the entry of the last step anew with another value: what the locked read-modify-write of A or D found. Not a
 * further reference. */
enum walk_result walk_step_again(struct walk *w, uint64_t entry);

/* A way to read page tables without timing, for checks, functional mode and tests. */
struct pt_memory {
    void *self;
    uint64_t (*read)(void *self, pa_t pa);                 /* 8 bytes, aligned */
    void (*set_bits)(void *self, pa_t pa, uint64_t bits);  /* NULL: A and D are left alone */
};
/* A whole walk from the root. WALK_LEAF or WALK_FAULT; *w says the rest. */
enum walk_result walk_all(struct walk *w, const struct paging_root *root, va_t va, unsigned access,
                          const struct pt_memory *mem);

#endif
