/*
 * State changes of a core's private caches, written once for both modes. The L2 includes the L1s and keeps M, E or S;
 * the L1D keeps writable and dirty.
 */
#ifndef CPU_PRIV_H
#define CPU_PRIV_H

#include "cpu/core.h"

/* Puts a granted line into the L2 (or changes its state there). A dirty victim is sent down as PUTM. */
void priv_l2_fill(struct core *c, uint64_t line, enum line_state state);
/* Puts a line into the L1I, or into the L1D with the L2's permission. The L1D's entry. */
void priv_l1i_fill(struct core *c, uint64_t line);
uint32_t priv_l1d_fill(struct core *c, uint64_t line, enum line_state state);
/* INV or DOWN from the directory. Bit 0: was present, bit 1: was dirty. */
unsigned priv_snoop(struct core *c, uint64_t line, bool invalidate);
/* State of a line in the L2 (without an L2: as the L1s have it). */
enum line_state priv_state(const struct core *c, uint64_t line);
/* A dirty line leaves the core. Timed: a PUTM request; functional: the LLC takes it at once. */
void priv_put_modified(struct core *c, uint64_t line);

#endif
