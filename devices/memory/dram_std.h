/*
 * DRAM standards as data: one table per speed bin. Adding one touches the file of its family and the list below.
 * Timings are in clocks (nCK) of the memory clock, which is half the transfer rate; the clock is kept as an exact
 * fraction of picoseconds, 2e6 / (MT/s), so that DDR4-2400's 833 1/3 ps does not drift.
 * Values: x86-hardware.md 4.1, 4.2 (JEDEC JESD79-4, JESD79-5, and the tables of Ramulator 2 and DRAMsim3).
 */
#ifndef MEMORY_DRAM_STD_H
#define MEMORY_DRAM_STD_H

#include <stdint.h>

/* X(field, key, what it separates). The configuration key `key` overrides the table's value; 0 keeps it. */
#define DRAM_TIMINGS(X) \
    X(cl, "tcl", "RD to its first beat of data (CL)") \
    X(cwl, "tcwl", "WR to its first beat of data (CWL)") \
    X(rcd, "trcd", "ACT to RD or WR, same bank") \
    X(rp, "trp", "PRE to ACT, same bank") \
    X(ras, "tras", "ACT to PRE, same bank") \
    X(rc, "trc", "ACT to ACT, same bank") \
    X(bl2, "tbl", "clocks of data bus a burst takes (burst length / 2)") \
    X(ccd_s, "tccd_s", "RD to RD or WR to WR, other bank group") \
    X(ccd_l, "tccd_l", "RD to RD, same bank group") \
    X(ccd_l_wr, "tccd_l_wr", "WR to WR, same bank group") \
    X(rrd_s, "trrd_s", "ACT to ACT, other bank group of the rank") \
    X(rrd_l, "trrd_l", "ACT to ACT, same bank group") \
    X(faw, "tfaw", "first to fifth ACT of a rank") \
    X(wr, "twr", "last beat of a write to PRE, same bank") \
    X(rtp, "trtp", "RD to PRE, same bank") \
    X(wtr_s, "twtr_s", "last beat of a write to RD, other bank group") \
    X(wtr_l, "twtr_l", "last beat of a write to RD, same bank group") \
    X(rtw_gap, "trtw_gap", "data bus clocks between a read and a later write of the same rank") \
    X(cs, "tcs", "data bus clocks between bursts of different ranks") \
    X(rfc, "trfc", "REF to the next command of the rank") \
    X(refi, "trefi", "mean distance of two REF of a rank") \
    X(ppd, "tppd", "PRE to PRE, same rank")

struct dram_timing {
#define DRAM_TIMING_FIELD(field, key, help) uint32_t field;
    DRAM_TIMINGS(DRAM_TIMING_FIELD)
#undef DRAM_TIMING_FIELD
};

struct dram_std {
    const char *name;       /* as in the configuration: "ddr4_3200aa" */
    uint32_t mts;           /* mega-transfers a second */
    uint32_t bank_groups;   /* per rank, power of two */
    uint32_t banks;         /* per bank group, power of two */
    uint32_t rows;          /* per bank, power of two */
    uint32_t row_lines;     /* 64-byte lines of one row of a rank, power of two */
    uint32_t long_cmd;      /* command-bus clocks of ACT, RD, WR; all others take 1 */
    struct dram_timing t;
};

#define DRAM_STANDARDS(X) X(ddr4_3200aa) X(ddr4_2400r) X(ddr4_2400u) X(ddr5_4800)

enum dram_standard {
#define DRAM_STD_ENUM(name) DRAM_STD_##name,
    DRAM_STANDARDS(DRAM_STD_ENUM)
#undef DRAM_STD_ENUM
    DRAM_STD_COUNT
};

extern const char *const dram_std_names[DRAM_STD_COUNT + 1]; /* NULL-terminated, in the order of the enum */
const struct dram_std *dram_std_get(enum dram_standard s);

#endif
