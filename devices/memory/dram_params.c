/* The parameter table of group "dram". */
#include "memory/dram.h"

#include <string.h>

static const char *const mapping_names[] = {
    "RoBaRaCoCh", "RoRaBaCoCh", "MOP4CLXOR", "ChRaBaRoCo", "RoCoRaBaCh", "RoBaRaCoBgCh", NULL,
};
static const char *const scheduler_names[] = { "fr_fcfs", "fcfs", "fcfs_bank", NULL };
static const char *const page_names[] = { "open", "closed", "timeout", NULL };

#define AT(field) offsetof(struct dram_config, field)
#define NS 1000u /* ps */

const struct param dram_params[] = {
    { .key = "standard", .type = P_ENUM, .offset = AT(standard), .def = DRAM_STD_ddr4_3200aa, .names = dram_std_names,
      .flags = PARAM_NOT_WARM, .help = "speed bin: geometry and timings (JESD79-4, JESD79-5; x86-hardware.md 4.2)" },
    { .key = "channels", .type = P_U32, .offset = AT(channels), .def = 1, .min = 1, .max = 64,
      .flags = PARAM_NOT_WARM, .help = "independent channels; a DDR5 module has two" },
    { .key = "ranks", .type = P_U32, .offset = AT(ranks), .def = 0, .min = 1, .max = 8,
      .flags = PARAM_NOT_WARM | PARAM_POW2 | PARAM_OR_ZERO, .help = "ranks per channel; 0: as many as memory.size needs" },
    { .key = "mapping", .type = P_ENUM, .offset = AT(mapping), .def = DRAM_MAP_ROBARACOCH, .names = mapping_names,
      .flags = PARAM_NOT_WARM, .help = "address fields from the most significant down: Ro row, Ba bank, Ra rank, Co column, Bg bank group, "
              "Ch channel" },
    { .key = "bank_xor", .type = P_BOOL, .offset = AT(bank_xor), .def = 0,
      .flags = PARAM_NOT_WARM, .help = "XOR the bank number with the low row bits, which breaks row-conflict strides" },
    { .key = "scheduler", .type = P_ENUM, .offset = AT(scheduler), .def = DRAM_FR_FCFS, .names = scheduler_names,
      .flags = PARAM_NOT_WARM, .help = "fr_fcfs: row hits first, then oldest; fcfs: strictly the oldest; fcfs_bank: in order within a bank" },
    { .key = "page_policy", .type = P_ENUM, .offset = AT(page_policy), .def = DRAM_PAGE_OPEN, .names = page_names,
      .flags = PARAM_NOT_WARM, .help = "when rows close: on a conflict; with the last queued access; after page_timeout" },
    { .key = "page_timeout", .type = P_TIME, .offset = AT(page_timeout), .def = 200 * NS, .max = 1000000u * NS,
      .flags = PARAM_NOT_WARM, .help = "page_policy timeout: an idle bank closes this long after its last access" },
    { .key = "read_queue", .type = P_U32, .offset = AT(read_queue), .def = 32, .min = 1, .max = 1024,
      .flags = PARAM_NOT_WARM, .help = "read requests a channel can hold (Ramulator 2, DRAMsim3: 32)" },
    { .key = "write_queue", .type = P_U32, .offset = AT(write_queue), .def = 32, .min = 1, .max = 1024,
      .flags = PARAM_NOT_WARM, .help = "write requests a channel can hold (Ramulator 2, DRAMsim3: 32)" },
    { .key = "drain_high", .type = P_U32, .offset = AT(drain_high), .def = 26, .min = 1, .max = 1024,
      .flags = PARAM_NOT_WARM, .help = "queued writes at which writes take the bus from reads (Ramulator 2: 0.8 of the queue)" },
    { .key = "drain_low", .type = P_U32, .offset = AT(drain_low), .def = 6, .max = 1023,
      .flags = PARAM_NOT_WARM, .help = "queued writes at which they give it back (Ramulator 2: 0.2 of the queue)" },
    { .key = "write_idle", .type = P_U32, .offset = AT(write_idle), .def = 8, .max = 1024,
      .flags = PARAM_NOT_WARM, .help = "writes that stay queued, to be merged or forwarded, while there is nothing to read (DRAMsim3: 8); "
              "0: none" },
    { .key = "hit_cap", .type = P_U32, .offset = AT(hit_cap), .def = 16, .max = 65535,
      .flags = PARAM_NOT_WARM, .help = "accesses to an open row while an older request wants another row of its bank (4-16); 0: no cap" },
    { .key = "age_cap", .type = P_TIME, .offset = AT(age_cap), .def = 2000 * NS, .max = 1000000u * NS,
      .flags = PARAM_NOT_WARM, .help = "age of the oldest request beyond which other ranks may not keep the data bus from it" },
    { .key = "controller_latency", .type = P_TIME, .offset = AT(controller_latency), .def = 10 * NS,
      .max = 1000000u * NS, .flags = PARAM_NOT_WARM, .help = "static latency of controller and PHY added to every read (10-20 ns)" },
    { .key = "refresh", .type = P_BOOL, .offset = AT(refresh), .def = 1,
      .flags = PARAM_NOT_WARM, .help = "all-bank refresh of every rank each tREFI, staggered over the ranks" },
#define TIMING_PARAM(field, name, text) \
    { .key = name, .type = P_U32, .offset = AT(override.field), .def = 0, .max = 65535, \
      .flags = PARAM_NOT_WARM, .help = text ", in memory clocks; 0: as the standard says" },
    DRAM_TIMINGS(TIMING_PARAM)
#undef TIMING_PARAM
};
const size_t dram_params_count = ARRAY_LEN(dram_params);

void dram_config_default(struct dram_config *c)
{
    memset(c, 0, sizeof *c);
    param_defaults(dram_params, dram_params_count, c);
}
