#include "cpu/ahead.h"

/* Where the page table has the entry of a 4 KiB page, or NULL. */
static const uint64_t *ahead_pte(const struct core *c, va_t va, uint64_t *line)
{
    pa_t table = c->root.table;
    for (unsigned level = c->root.levels;; level--) {
        pa_t at = {table.v + 8u * level_index(va, level)};
        if (unlikely(!phys_valid(c->mem, at)))
            return NULL;
        const uint64_t *e = phys_at(c->mem, at);
        if (level == 1) {
            *line = at.v >> LINE_SHIFT;
            return e;
        }
        if (!(*e & PTE_P) || (*e & PTE_PS))
            return NULL;
        table.v = *e & PTE_ADDR;
    }
}

void look_ahead(const struct core *c, struct ahead *h, const struct trace_rec *r)
{
    if (c->rec_end - r <= AHEAD_TABLE)
        return;
    uint32_t n = (uint32_t)((uintptr_t)r / sizeof *r), i = (n + AHEAD_TABLE) % AHEAD_RING;
    h->line[i] = ASSOC_EMPTY;
    h->pte[i] = NULL;
    if (r[AHEAD_TABLE].kind > TRACE_FETCH && r[AHEAD_TABLE].kind <= TRACE_MODIFY) {
        h->pte[i] = ahead_pte(c, (va_t){r[AHEAD_TABLE].addr}, &h->table_line[i]);
        if (h->pte[i]) {
            __builtin_prefetch(h->pte[i]);
            hint_line(c, h->table_line[i], 0);
        }
    }
    i = (n + AHEAD_LINE) % AHEAD_RING;
    if (h->pte[i] && (*h->pte[i] & PTE_P)) {
        h->line[i] = ((*h->pte[i] & PTE_ADDR) | (r[AHEAD_LINE].addr & (PAGE_BYTES - 1))) >> LINE_SHIFT;
        hint_line(c, h->line[i], 0);
        hint_line(c, h->table_line[i], 1);
    }
    i = (n + AHEAD_ENTRY) % AHEAD_RING;
    if (h->line[i] != ASSOC_EMPTY)
        hint_line(c, h->line[i], 1);
    i = (n + AHEAD_VICTIM) % AHEAD_RING;
    if (h->line[i] != ASSOC_EMPTY) {
        hint_line(c, h->table_line[i], 2);
        hint_line(c, h->line[i], 2);
    }
}
