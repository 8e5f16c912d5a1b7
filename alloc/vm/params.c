#include "vm/params.h"

#include <string.h>

static const char *const page_size_names[] = {"4KiB", "2MiB", "1GiB", NULL};

static const struct param vm_params[] = {
    {.key = "page_size", .type = P_ENUM, .offset = offsetof(struct vm_config, page_size), .def = 0,
     .names = page_size_names,
     .help = "Page that a first touch maps; a smaller one where no such block is free or the mapping does not cover it."},
    {.key = "strict", .type = P_BOOL, .offset = offsetof(struct vm_config, strict), .def = 0,
     .help = "Only addresses of known mappings are legal, with the mappings' rights; others end the process."},
    {.key = "huge_defrag", .type = P_BOOL, .offset = offsetof(struct vm_config, huge_defrag), .def = 0,
     .help = "A first touch that wants a huge page may compact memory for it (transparent_hugepage/defrag = always); needs buddy.compaction."},
    {.key = "gigantic_pages", .type = P_U32, .offset = offsetof(struct vm_config, gigantic_pages), .def = 0,
     .max = 1024, .help = "1 GiB pages set aside at start (a 1 GiB page is beyond the buddy allocator's largest block)."},
    {.key = "fault_entry_cycles", .type = P_CYC, .offset = offsetof(struct vm_config, fault_entry_cycles), .def = 450,
     .max = 10000000, .flags = PARAM_NOT_WARM, .help = "Core cycles to enter the page-fault handler (x86-hardware.md 9: 440 measured)."},
    {.key = "fault_cycles", .type = P_CYC, .offset = offsetof(struct vm_config, fault_cycles), .def = 2000,
     .max = 10000000,
     .flags = PARAM_NOT_WARM, .help = "Core cycles of a minor fault's software, without its memory operations (x86-hardware.md 9)."},
    {.key = "fault_exit_cycles", .type = P_CYC, .offset = offsetof(struct vm_config, fault_exit_cycles), .def = 270,
     .max = 10000000, .flags = PARAM_NOT_WARM, .help = "Core cycles of the return from the handler, IRET (x86-hardware.md 9: 270 measured)."},
    {.key = "syscall_cycles", .type = P_CYC, .offset = offsetof(struct vm_config, syscall_cycles), .def = 200,
     .max = 10000000, .flags = PARAM_NOT_WARM, .help = "Core cycles of an address-space call (x86-hardware.md 9: 200 for the crossing)."},
    {.key = "tlb_flush_cycles", .type = P_CYC, .offset = offsetof(struct vm_config, tlb_flush_cycles), .def = 400,
     .max = 10000000, .flags = PARAM_NOT_WARM, .help = "Core cycles of a TLB flush after a round of moved pages (x86-hardware.md 9: 404 of the flush helper)."},
    {.key = "ipi_send_cycles", .type = P_CYC, .offset = offsetof(struct vm_config, ipi_send_cycles), .def = 300,
     .max = 10000000, .flags = PARAM_NOT_WARM, .help = "Core cycles to send an interrupt to one other core that must flush (x86-hardware.md 9)."},
    {.key = "ipi_deliver_cycles", .type = P_CYC, .offset = offsetof(struct vm_config, ipi_deliver_cycles), .def = 1500,
     .max = 10000000, .flags = PARAM_NOT_WARM, .help = "Core cycles until it is taken there; the sender waits (x86-hardware.md 9)."},
    {.key = "ipi_handler_cycles", .type = P_CYC, .offset = offsetof(struct vm_config, ipi_handler_cycles), .def = 800,
     .max = 10000000, .flags = PARAM_NOT_WARM, .help = "Core cycles of its handler beside the flush, lost by the program that runs there (x86-hardware.md 9)."},
    {.key = "max_map_count", .type = P_U32, .offset = offsetof(struct vm_config, max_map_count), .def = 65530,
     .min = 1, .max = 16777216, .help = "Mappings a process may have (vm.max_map_count, linux-mm 8.2)."},
    {.key = "stack_limit", .type = P_SIZE, .offset = offsetof(struct vm_config, stack_limit), .def = 8u << 20,
     .min = 4096, .help = "RLIMIT_STACK: how far a stack mapping may grow (strict only)."},
    {.key = "stack_guard_gap", .type = P_U32, .offset = offsetof(struct vm_config, stack_guard_gap), .def = 256,
     .max = 1u << 20, .help = "4 KiB pages kept free below a growing stack (linux-mm 8.1: 256)."},
};

const struct param_group vm_param_groups[] = {
    {.path = "vm", .table = vm_params, .n = ARRAY_LEN(vm_params), .base = 0, .help = "Address spaces of processes."},
};
const size_t vm_n_param_groups = ARRAY_LEN(vm_param_groups);

void vm_config_defaults(struct vm_config *c)
{
    memset(c, 0, sizeof *c);
    param_group_defaults(vm_param_groups, vm_n_param_groups, c);
}
