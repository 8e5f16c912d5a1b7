/*
 * Page-table entry layout of 4- and 5-level paging (Intel SDM vol. 3A ch. 4; x86-hardware.md 2.4).
 *
 *    63  62..59  58..52  51 .. M  M-1 .... 12  11..9  8  7   6  5  4    3    2    1    0
 *    XD   key     ign    reserved   address     ign   G  PS  D  A  PCD  PWT  U/S  R/W  P
 *                                                        PAT
 *
 * 4 KiB leaf: bit 7 is PAT. 2 MiB and 1 GiB leaf: bit 7 (PS) is 1, bit 12 is PAT, the address starts at bit 21 or 30 and
 * the bits between are reserved. Table pointer: bits 6 and 8 are ignored. P = 0: all other bits are software's.
 */
#ifndef MMU_PTE_H
#define MMU_PTE_H

#include "engine/types.h"

typedef struct { uint64_t v; } pte_t;

#define PTE_P (UINT64_C(1) << 0)
#define PTE_RW (UINT64_C(1) << 1)
#define PTE_US (UINT64_C(1) << 2)
#define PTE_PWT (UINT64_C(1) << 3)
#define PTE_PCD (UINT64_C(1) << 4)
#define PTE_A (UINT64_C(1) << 5)
#define PTE_D (UINT64_C(1) << 6)
#define PTE_PS (UINT64_C(1) << 7)
#define PTE_PAT_4K (UINT64_C(1) << 7)
#define PTE_G (UINT64_C(1) << 8)
#define PTE_PAT_LARGE (UINT64_C(1) << 12)
#define PTE_PK_SHIFT 59
#define PTE_XD (UINT64_C(1) << 63)
#define PTE_ADDR UINT64_C(0x000ffffffffff000) /* bits 51:12; those from MAXPHYADDR up must be 0 */

#define PTE_BYTES 8u
#define PT_ENTRIES 512u

/* Pages of 2^12, 2^21, 2^30 bytes: a leaf at level 1, 2, 3. */
enum page_size { PAGE_SIZE_4K, PAGE_SIZE_2M, PAGE_SIZE_1G, PAGE_SIZE_COUNT };
static inline unsigned page_size_shift(enum page_size s) { return 12u + 9u * (unsigned)s; }
static inline uint64_t page_size_bytes(enum page_size s) { return UINT64_C(1) << page_size_shift(s); }

static inline bool pte_present(pte_t e) { return (e.v & PTE_P) != 0; }
/* True of an entry of `level` that maps a page instead of pointing to a table. */
static inline bool pte_is_leaf(pte_t e, unsigned level) { return level == 1 || (e.v & PTE_PS) != 0; }
static inline pa_t pte_table(pte_t e) { return (pa_t){e.v & PTE_ADDR}; }
/* Base of the page a leaf of `size` maps: without the PAT bit and the reserved bits. */
static inline pa_t pte_page(pte_t e, enum page_size size)
{
    return (pa_t){e.v & PTE_ADDR & ~(page_size_bytes(size) - 1)};
}
static inline unsigned pte_key(pte_t e) { return (unsigned)(e.v >> PTE_PK_SHIFT) & 15u; }

/* `flags`: PTE_RW, PTE_US, PTE_XD, ...; P is added, PS too for the large sizes. */
static inline pte_t pte_make_table(pa_t table, uint64_t flags) { return (pte_t){(table.v & PTE_ADDR) | flags | PTE_P}; }
static inline pte_t pte_make_page(pa_t page, enum page_size size, uint64_t flags)
{
    return (pte_t){(page.v & PTE_ADDR & ~(page_size_bytes(size) - 1)) | flags | PTE_P |
                   (size == PAGE_SIZE_4K ? 0 : PTE_PS)};
}

#endif
