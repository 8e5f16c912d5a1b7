/*
 * Segmentation: logical address (segment register + offset) to linear address.
 *
 * Every segment register holds a descriptor cache ("hidden part"); ordinary accesses look at nothing else, a change of
 * the GDT or LDT has no effect until the register is loaded again (Intel SDM vol. 3A ch. 3, x86-hardware.md 1.3).
 * Driven today: 64-bit mode (bases 0 except FS and GS, canonical check). The checks of protected mode (1.5), of
 * compatibility mode and of real mode are here too, for cores that run in those modes.
 *
 * A fault is a simulated outcome, not an error. Model: docs/model/segment.md.
 */
#ifndef MMU_SEGMENT_H
#define MMU_SEGMENT_H

#include "engine/types.h"

/* Numbers of the trace record SEGLOAD. */
enum seg_name { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEG_COUNT };

/*
 * Attributes: bits 55:40 of the descriptor, as in VMX access rights; limit bits 19:16 (bits 11:8 here) are 0.
 *
 *   15  14  13   12  11..8   7  6..5  4  3..0
 *   G   D/B  L  AVL    0     P  DPL   S  type
 */
enum {
    SEG_ATTR_TYPE = 0xf,
    SEG_ATTR_ACCESSED = 0x1,
    SEG_ATTR_WRITABLE = 0x2,    /* data */
    SEG_ATTR_READABLE = 0x2,    /* code */
    SEG_ATTR_EXPAND_DOWN = 0x4, /* data */
    SEG_ATTR_CONFORMING = 0x4,  /* code */
    SEG_ATTR_CODE = 0x8,
    SEG_ATTR_S = 0x10, /* 1: code or data, 0: system */
    SEG_ATTR_DPL_SHIFT = 5,
    SEG_ATTR_P = 0x80,
    SEG_ATTR_AVL = 0x1000,
    SEG_ATTR_L = 0x2000,
    SEG_ATTR_DB = 0x4000,
    SEG_ATTR_G = 0x8000,
};

struct seg_reg {
    uint64_t base;
    uint32_t limit; /* effective: G is applied, the offset of the last byte (expand-up) */
    uint16_t selector;
    uint16_t attributes; /* SEG_ATTR_* */
    bool valid;          /* false: null selector loaded, any use faults in protected mode */
};

enum seg_mode { SEG_MODE_LONG, SEG_MODE_PROTECTED, SEG_MODE_REAL }; /* PROTECTED includes compatibility mode */

struct seg_state {
    struct seg_reg reg[SEG_COUNT];
    uint8_t mode;    /* enum seg_mode */
    uint8_t va_bits; /* 48 or 57: width of a canonical address */
    bool a20_masked; /* real mode: bit 20 of the linear address is forced to 0 */
};

enum seg_fault {
    SEG_FAULT_NONE,
    SEG_FAULT_GP, /* #GP(0) */
    SEG_FAULT_SS, /* #SS(0): the same check failed in the stack segment */
};

/* Which use of the segment; the same bits as mmu/paging.h so that a core has one access word. */
enum { SEG_ACCESS_WRITE = 2, SEG_ACCESS_FETCH = 16 };

/* 64-bit mode as after SYSCALL set-up: flat, FS and GS base 0. `va_bits` is 48 or 57. */
void seg_state_init_long(struct seg_state *s, unsigned va_bits);
/* 32-bit protected mode, every data register flat 4 GiB, at privilege level `cpl`. */
void seg_state_init_flat32(struct seg_state *s, unsigned cpl);
/* Real mode with every base 0 and limit 0xFFFF. */
void seg_state_init_real(struct seg_state *s);

/* Fills the hidden part from an 8-byte code or data descriptor (x86-hardware.md 1.2); no check is made here. */
void seg_reg_from_descriptor(struct seg_reg *r, uint16_t selector, uint64_t descriptor);
/* Real mode load: base = selector * 16; limit and attributes stay ("unreal" mode keeps its limit). */
void seg_reg_load_real(struct seg_reg *r, uint16_t selector);

/* True if addr .. addr + size - 1 are all canonical; size >= 1. */
static inline bool va_range_canonical(uint64_t addr, uint32_t size, unsigned va_bits)
{
    uint64_t half = 1ull << (va_bits - 1);
    return (((addr + half) | (addr + size - 1 + half)) >> va_bits) == 0;
}
static inline bool va_canonical(va_t va, unsigned va_bits) { return va_range_canonical(va.v, 1, va_bits); }

/* The checks of 1.5 alone: limit, expand-down, type. `size` >= 1 bytes; an access never wraps at 4 GiB. */
enum seg_fault segment_check(const struct seg_reg *r, unsigned seg, la_t off, uint32_t size, unsigned access);

enum seg_fault segment_translate_slow(const struct seg_state *s, unsigned seg, la_t off, uint32_t size,
                                      unsigned access, va_t *va);

/*
 * Linear address of `size` bytes at `off` in segment register `seg`. On a fault *va is what the address would have
 * been. Flat 64-bit mode is inline; `access` is SEG_ACCESS_*.
 */
static inline enum seg_fault segment_translate(const struct seg_state *s, unsigned seg, la_t off, uint32_t size,
                                               unsigned access, va_t *va)
{
    if (likely(s->mode == SEG_MODE_LONG)) {
        /* Bases other than FS and GS are ignored; they are stored as 0, so that no test is needed here. */
        va->v = s->reg[seg].base + off.v;
        if (likely(va_range_canonical(va->v, size, s->va_bits)))
            return SEG_FAULT_NONE;
    }
    return segment_translate_slow(s, seg, off, size, access, va);
}

#endif
