/*
 * The contents of simulated physical memory: one mapping of the whole of it, of which only written pages cost host
 * memory. Page tables are real bytes here; user frames are never written, so their contents cost nothing.
 */
#ifndef FRAMES_PHYS_MEM_H
#define FRAMES_PHYS_MEM_H

#include "engine/err.h"
#include "engine/types.h"

#include <assert.h>

struct phys_mem {
    unsigned char *base;
    uint64_t bytes;
};

enum { PHYS_JUNK = 0x6b }; /* what freed frames are filled with (xv6: catch dangling references) */

int phys_mem_init(struct phys_mem *m, uint64_t bytes, struct err *err);
void phys_mem_fini(struct phys_mem *m); /* a zeroed struct is fine */

/* Host address of physical address `pa`, valid to the end of its frame. Asserts that pa is in memory. */
static inline void *phys_at(const struct phys_mem *m, pa_t pa)
{
    assert(pa.v < m->bytes);
    return m->base + pa.v;
}
static inline bool phys_valid(const struct phys_mem *m, pa_t pa) { return pa.v < m->bytes; }

/* Fills the frame with zeros (a fresh page table). */
void phys_zero(struct phys_mem *m, pfn_t pfn);
/* The frame's contents are dead: fills it with PHYS_JUNK. */
void phys_junk(struct phys_mem *m, pfn_t pfn);
/* Gives the host memory of `n` frames back; they read as zeros. */
void phys_release(struct phys_mem *m, pfn_t pfn, uint64_t n);

#endif
