#include "mmu/paging.h"

/* Bits 51 .. MAXPHYADDR, and bit 63 while XD is off: must be 0 in every present entry. */
static uint64_t reserved_common(const struct paging_root *r)
{
    uint64_t mask = PTE_ADDR & ~((UINT64_C(1) << r->max_phys_bits) - 1);
    return (r->flags & PAGING_NXE) ? mask : mask | PTE_XD;
}

static uint64_t reserved_bits(const struct paging_root *r, unsigned level, uint64_t entry)
{
    uint64_t mask = reserved_common(r);
    if (level == 1 || !(entry & PTE_PS))
        return mask;
    if (level > 3 || (level == 3 && !(r->flags & PAGING_PAGE1G)))
        return mask | PTE_PS;
    /* Between the PAT bit (12) and the page's first address bit. */
    return mask | (((UINT64_C(1) << level_shift(level)) - 1) & ~((UINT64_C(1) << 13) - 1));
}

/* Keys whose pkru bits forbid this data access; the caller applies it to user pages only. */
static uint16_t denied_keys(const struct paging_root *root, unsigned access)
{
    if (!(root->flags & PAGING_PKE) || (access & ACCESS_FETCH))
        return 0;
    bool user = (access & ACCESS_USER) && !(access & ACCESS_IMPLICIT);
    bool wd = (access & ACCESS_WRITE) && (user || (root->flags & PAGING_WP));
    unsigned deny = 0;
    for (unsigned k = 0; k < 16; k++)
        if ((root->pkru >> (2 * k) & 1) || (wd && (root->pkru >> (2 * k + 1) & 1)))
            deny |= 1u << k;
    return (uint16_t)deny;
}

struct access_check access_check_make(const struct paging_root *root, unsigned access)
{
    struct access_check c = {.deny_keys = denied_keys(root, access)};
    bool user = (access & ACCESS_USER) && !(access & ACCESS_IMPLICIT);
    if (user) {
        c.mask |= PTE_US;
        c.want |= PTE_US;
    } else if (access & ACCESS_FETCH) {
        if (root->flags & PAGING_SMEP)
            c.mask |= PTE_US;
    } else if ((root->flags & PAGING_SMAP) && (!(access & ACCESS_AC) || (access & ACCESS_IMPLICIT))) {
        c.mask |= PTE_US;
    }
    if (access & ACCESS_FETCH)
        c.mask |= PTE_XD;
    if (access & ACCESS_WRITE) {
        uint64_t need = PTE_D | ((user || (root->flags & PAGING_WP)) ? PTE_RW : 0);
        c.mask |= need;
        c.want |= need;
    }
    return c;
}

void walk_begin(struct walk *w, const struct paging_root *root, va_t va, unsigned access)
{
    *w = (struct walk){
        .va = va,
        .table = root->table,
        .rights = PTE_RW | PTE_US,
        .root = *root,
        .access = access,
        .level = root->levels,
    };
}

static enum walk_result fault(struct walk *w, unsigned bits)
{
    unsigned code = w->access & (ACCESS_WRITE | ACCESS_USER);
    if (w->access & ACCESS_IMPLICIT)
        code &= ~(unsigned)ACCESS_USER;
    if ((w->access & ACCESS_FETCH) && (w->root.flags & (PAGING_NXE | PAGING_SMEP)))
        code |= PF_FETCH;
    w->error_code = code | bits;
    return WALK_FAULT;
}

static enum walk_result leaf(struct walk *w, uint64_t entry)
{
    struct access_check c = access_check_make(&w->root, w->access);
    bool key_denied = (w->rights & PTE_US) && (c.deny_keys >> pte_key((pte_t){entry}) & 1);
    if (((w->rights ^ c.want) & c.mask & ~PTE_D) || key_denied)
        return fault(w, PF_PRESENT | (key_denied ? PF_PK : 0));

    w->update = ~entry & (PTE_A | ((w->access & ACCESS_WRITE) ? PTE_D : 0));
    enum page_size size = (enum page_size)(w->level - 1);
    w->result.v = pte_page((pte_t){entry}, size).v | w->rights | PTE_P | PTE_A | ((entry | w->update) & PTE_D) |
                  (entry & (PTE_G | UINT64_C(15) << PTE_PK_SHIFT)) | (uint64_t)size << XLAT_SIZE_SHIFT |
                  (uint64_t)size << XLAT_ORIGIN_SHIFT;
    return WALK_LEAF;
}

static enum walk_result judge(struct walk *w, uint64_t entry)
{
    w->update = 0;
    if (!(entry & PTE_P))
        return fault(w, 0);
    if (entry & reserved_bits(&w->root, w->level, entry))
        return fault(w, PF_PRESENT | PF_RSVD);
    w->rights = (w->rights & entry & (PTE_RW | PTE_US)) | ((w->rights | entry) & PTE_XD);
    if (pte_is_leaf((pte_t){entry}, w->level))
        return leaf(w, entry);
    w->update = ~entry & PTE_A;
    w->table = pte_table((pte_t){entry});
    w->level--;
    return WALK_NEXT;
}

enum walk_result walk_step(struct walk *w, uint64_t entry)
{
    w->entry_pa = walk_entry_pa(w);
    w->prev_rights = w->rights;
    w->prev_level = w->level;
    w->refs++;
    return judge(w, entry);
}

enum walk_result walk_step_again(struct walk *w, uint64_t entry)
{
    w->rights = w->prev_rights;
    w->level = w->prev_level;
    w->table = (pa_t){w->entry_pa.v & ~(uint64_t)(PAGE_BYTES - 1)};
    return judge(w, entry);
}

enum walk_result walk_all(struct walk *w, const struct paging_root *root, va_t va, unsigned access,
                          const struct pt_memory *mem)
{
    enum walk_result r;
    walk_begin(w, root, va, access);
    do {
        r = walk_step(w, mem->read(mem->self, walk_entry_pa(w)));
        if (w->update && mem->set_bits)
            mem->set_bits(mem->self, w->entry_pa, w->update);
    } while (r == WALK_NEXT);
    return r;
}
