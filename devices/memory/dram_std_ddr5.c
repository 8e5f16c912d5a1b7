/*
 * DDR5, x8 chips of 16 Gb: a channel here is one 32-bit sub-channel (a module has two), 8 bank groups of 4 banks,
 * 65536 rows of 4 KiB, burst 16 (8 clocks, 64 bytes). ACT, RD and WR take two clocks of the command bus.
 * Source: x86-hardware.md 4.1 and 4.2, column "DDR5-4800 (40-39-39)" (retail DDR5-4800B modules); read to write wants
 * two clocks more than DDR4 (4.3); tRFC1 295 ns, tREFI 3.9 us, nPPD 2.
 */
#include "memory/dram_priv.h"

const struct dram_std dram_std_ddr5_4800 = {
    .name = "ddr5_4800", .mts = 4800,
    .bank_groups = 8, .banks = 4, .rows = 65536, .row_lines = 64, .long_cmd = 2,
    .t = { .cl = 40, .cwl = 38, .rcd = 39, .rp = 39, .ras = 77, .rc = 116, .bl2 = 8,
           .ccd_s = 8, .ccd_l = 12, .ccd_l_wr = 48, .rrd_s = 8, .rrd_l = 12, .faw = 32,
           .wr = 72, .rtp = 18, .wtr_s = 6, .wtr_l = 24, .rtw_gap = 4, .cs = 2,
           .rfc = 708, .refi = 9360, .ppd = 2 },
};
