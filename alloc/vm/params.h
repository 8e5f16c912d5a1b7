/*
 * The configuration section `vm`: process address spaces and the cost of the operating system's handlers.
 */
#ifndef VM_PARAMS_H
#define VM_PARAMS_H

#include "engine/params.h"
#include "engine/types.h"

struct vm_config {
    int page_size;               /* enum page_size: what a first touch maps, smaller where it does not fit */
    bool strict;                 /* only known mappings are legal */
    bool huge_defrag;            /* a fault for a huge page may compact */
    uint32_t gigantic_pages;     /* 1 GiB pages set aside at start */
    uint32_t fault_entry_cycles; /* core cycles, as all costs */
    uint32_t fault_cycles;
    uint32_t fault_exit_cycles;
    uint32_t syscall_cycles;
    uint32_t tlb_flush_cycles;   /* a TLB flush of the own core; the next three: one of other cores */
    uint32_t ipi_send_cycles;
    uint32_t ipi_deliver_cycles;
    uint32_t ipi_handler_cycles;
    uint32_t max_map_count;
    uint64_t stack_limit;        /* bytes */
    uint32_t stack_guard_gap;    /* 4 KiB pages */
};

/* Groups under "vm", their bases relative to struct vm_config. */
extern const struct param_group vm_param_groups[];
extern const size_t vm_n_param_groups;

/* The table's defaults, for callers without a configuration file. */
void vm_config_defaults(struct vm_config *c);

#endif
