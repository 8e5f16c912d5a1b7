#include "mmu/segment.h"

#include <string.h>

enum {
    ATTR_FLAT_CODE32 = SEG_ATTR_G | SEG_ATTR_DB | SEG_ATTR_P | SEG_ATTR_S | 0xb,
    ATTR_FLAT_CODE64 = SEG_ATTR_G | SEG_ATTR_L | SEG_ATTR_P | SEG_ATTR_S | 0xb,
    ATTR_FLAT_DATA = SEG_ATTR_G | SEG_ATTR_DB | SEG_ATTR_P | SEG_ATTR_S | 0x3,
    ATTR_REAL = SEG_ATTR_P | SEG_ATTR_S | 0x3,
    REAL_LIMIT = 0xffff,
};

static void set_all(struct seg_state *s, uint32_t limit, unsigned code, unsigned data, unsigned cpl)
{
    unsigned dpl = cpl << SEG_ATTR_DPL_SHIFT;
    for (unsigned i = SEG_ES; i <= SEG_GS; i++)
        s->reg[i] = (struct seg_reg){.limit = limit,
                                     .attributes = (uint16_t)((i == SEG_CS ? code : data) | dpl),
                                     .valid = true};
}

void seg_state_init_long(struct seg_state *s, unsigned va_bits)
{
    memset(s, 0, sizeof *s);
    s->mode = SEG_MODE_LONG;
    s->va_bits = (uint8_t)va_bits;
    set_all(s, UINT32_MAX, ATTR_FLAT_CODE64, ATTR_FLAT_DATA, 3);
}

void seg_state_init_flat32(struct seg_state *s, unsigned cpl)
{
    memset(s, 0, sizeof *s);
    s->mode = SEG_MODE_PROTECTED;
    s->va_bits = 48;
    set_all(s, UINT32_MAX, ATTR_FLAT_CODE32, ATTR_FLAT_DATA, cpl);
}

void seg_state_init_real(struct seg_state *s)
{
    memset(s, 0, sizeof *s);
    s->mode = SEG_MODE_REAL;
    s->va_bits = 48;
    /* In real mode CS may be written too: all registers carry read/write data attributes (as Bochs resets them). */
    set_all(s, REAL_LIMIT, ATTR_REAL, ATTR_REAL, 0);
}

void seg_reg_from_descriptor(struct seg_reg *r, uint16_t selector, uint64_t d)
{
    uint32_t limit20 = (uint32_t)((d & 0xffff) | (d >> 32 & 0xf0000));
    r->selector = selector;
    r->base = (d >> 16 & 0xffffff) | (d >> 56 & 0xff) << 24;
    r->attributes = (uint16_t)(d >> 40 & 0xf0ff);
    r->limit = (r->attributes & SEG_ATTR_G) ? (limit20 << 12 | 0xfff) : limit20;
    r->valid = (selector & 0xfffc) != 0;
}

void seg_reg_load_real(struct seg_reg *r, uint16_t selector)
{
    r->selector = selector;
    r->base = (uint64_t)selector << 4;
    r->valid = true;
}

enum seg_fault segment_check(const struct seg_reg *r, unsigned seg, la_t off, uint32_t size, unsigned access)
{
    enum seg_fault fault = seg == SEG_SS ? SEG_FAULT_SS : SEG_FAULT_GP;
    if (!r->valid)
        return SEG_FAULT_GP; /* a null SS cannot be loaded in protected mode, so this is #GP for all */
    unsigned a = r->attributes;
    bool code = (a & SEG_ATTR_CODE) != 0;
    if (access & SEG_ACCESS_WRITE) {
        if (code || !(a & SEG_ATTR_WRITABLE))
            return SEG_FAULT_GP;
    } else if (!(access & SEG_ACCESS_FETCH) && code && !(a & SEG_ATTR_READABLE)) {
        return SEG_FAULT_GP;
    }
    uint64_t last = off.v + (size - 1);
    if (last < off.v)
        return fault;
    if (!code && (a & SEG_ATTR_EXPAND_DOWN)) {
        uint64_t upper = (a & SEG_ATTR_DB) ? UINT32_MAX : 0xffff;
        if (off.v <= r->limit || last > upper)
            return fault;
    } else if (last > r->limit) {
        return fault;
    }
    return SEG_FAULT_NONE;
}

enum seg_fault segment_translate_slow(const struct seg_state *s, unsigned seg, la_t off, uint32_t size, unsigned access,
                                      va_t *va)
{
    const struct seg_reg *r = &s->reg[seg];
    if (s->mode == SEG_MODE_LONG) {
        va->v = r->base + off.v;
        if (va_range_canonical(va->v, size, s->va_bits))
            return SEG_FAULT_NONE;
        return seg == SEG_SS ? SEG_FAULT_SS : SEG_FAULT_GP;
    }
    va->v = (uint32_t)(r->base + off.v); /* modulo 2^32 outside long mode */
    if (s->mode == SEG_MODE_REAL) {
        if (s->a20_masked)
            va->v &= ~(UINT64_C(1) << 20);
        if (off.v + (size - 1) < off.v || off.v + (size - 1) > r->limit)
            return seg == SEG_SS ? SEG_FAULT_SS : SEG_FAULT_GP;
        return SEG_FAULT_NONE;
    }
    return segment_check(r, seg, off, size, access);
}
