/*
 * DDR4, x8 chips of 8 Gb on a 64-bit bus: 4 bank groups of 4 banks, 65536 rows of 8 KiB, burst 8 (4 clocks, 64 bytes).
 * Source: x86-hardware.md 4.1 and 4.2 (JESD79-4; Ramulator 2 and DRAMsim3 agree). tRFC is 350 ns (8 Gb), tREFI 7.8 us.
 * tRTRS/tCS 2 clocks and the read-to-write gap of 2 clocks are 4.3's.
 */
#include "memory/dram_priv.h"

#define DDR4_8GB_X8 .bank_groups = 4, .banks = 4, .rows = 65536, .row_lines = 128, .long_cmd = 1

const struct dram_std dram_std_ddr4_3200aa = {
    .name = "ddr4_3200aa", .mts = 3200, DDR4_8GB_X8,
    .t = { .cl = 22, .cwl = 16, .rcd = 22, .rp = 22, .ras = 52, .rc = 74, .bl2 = 4,
           .ccd_s = 4, .ccd_l = 8, .ccd_l_wr = 8, .rrd_s = 4, .rrd_l = 8, .faw = 34,
           .wr = 24, .rtp = 12, .wtr_s = 4, .wtr_l = 12, .rtw_gap = 2, .cs = 2,
           .rfc = 560, .refi = 12480, .ppd = 1 },
};

const struct dram_std dram_std_ddr4_2400r = {
    .name = "ddr4_2400r", .mts = 2400, DDR4_8GB_X8,
    .t = { .cl = 16, .cwl = 12, .rcd = 16, .rp = 16, .ras = 39, .rc = 55, .bl2 = 4,
           .ccd_s = 4, .ccd_l = 6, .ccd_l_wr = 6, .rrd_s = 4, .rrd_l = 6, .faw = 26,
           .wr = 18, .rtp = 9, .wtr_s = 3, .wtr_l = 9, .rtw_gap = 2, .cs = 2,
           .rfc = 420, .refi = 9360, .ppd = 1 },
};

const struct dram_std dram_std_ddr4_2400u = {
    .name = "ddr4_2400u", .mts = 2400, DDR4_8GB_X8,
    .t = { .cl = 17, .cwl = 12, .rcd = 17, .rp = 17, .ras = 39, .rc = 56, .bl2 = 4,
           .ccd_s = 4, .ccd_l = 6, .ccd_l_wr = 6, .rrd_s = 4, .rrd_l = 6, .faw = 26,
           .wr = 18, .rtp = 9, .wtr_s = 3, .wtr_l = 9, .rtw_gap = 2, .cs = 2,
           .rfc = 420, .refi = 9360, .ppd = 1 },
};
