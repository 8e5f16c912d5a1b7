/* Logical to linear: where a reference of the trace enters the machine. */
#ifndef CPU_LINEAR_H
#define CPU_LINEAR_H

#include "cpu/machine/machine.h"

/* Traces do not say which segment register an access used: code goes through CS, data through DS. */
static inline __attribute__((always_inline)) bool core_segment(struct core *c, const struct trace_rec *r, bool fetch,
                                                               bool write, va_t *va)
{
    return segment_translate(&c->seg, fetch ? SEG_CS : SEG_DS, (la_t){r->addr}, r->size,
                             fetch ? SEG_ACCESS_FETCH : write ? SEG_ACCESS_WRITE : 0, va) == SEG_FAULT_NONE;
}

/* No instruction reads or writes more at once (XSAVE of all state: under 12 KiB); a larger one is a damaged trace. */
enum { CORE_REF_BYTES_MAX = 65536 };

/* The linear address of a reference; false: a segmentation fault (#GP, #SS), counted, the access is not made. */
static inline bool core_linear(struct core *c, const struct trace_rec *r, va_t *va)
{
    va->v = r->addr;
    if (unlikely(r->size > CORE_REF_BYTES_MAX)) {
        core_refuse(c, r);
        return false;
    }
    if (!c->mmu_on || core_segment(c, r, r->kind == TRACE_FETCH, r->kind == TRACE_STORE || r->kind == TRACE_MODIFY, va))
        return true;
    c->st.segment_faults++;
    return false;
}

#endif
