/*
 * Address mapping: which channel, rank, bank and row a 64-byte line lies in (x86-hardware.md 4.5). A mapping is the
 * order of its fields from the least significant bit; all fields but the channel are powers of two. The column as such
 * has no influence on timing, only its place matters.
 */
#include "memory/dram_priv.h"

enum field { F_CH, F_LO, F_CO, F_BG, F_BA, F_RA, F_RO, FIELDS };

/* F_LO is the low part of the column: 4 lines for MOP, else none. */
static const enum field orders[][FIELDS] = {
    [DRAM_MAP_ROBARACOCH] = { F_CH, F_LO, F_CO, F_RA, F_BG, F_BA, F_RO },
    [DRAM_MAP_RORABACOCH] = { F_CH, F_LO, F_CO, F_BG, F_BA, F_RA, F_RO },
    [DRAM_MAP_MOP4CLXOR] = { F_LO, F_CH, F_RA, F_BG, F_BA, F_CO, F_RO },
    [DRAM_MAP_CHRABAROCO] = { F_LO, F_CO, F_RO, F_BG, F_BA, F_RA, F_CH },
    [DRAM_MAP_ROCORABACH] = { F_CH, F_BG, F_BA, F_RA, F_LO, F_CO, F_RO },
    [DRAM_MAP_ROBARACOBGCH] = { F_CH, F_BG, F_LO, F_CO, F_RA, F_BA, F_RO },
};

static unsigned log2_of(uint64_t v) { return 63u - (unsigned)__builtin_clzll(v); }

int dram_map_init(struct dram_map *m, const struct dram_config *c, const struct dram_std *s, struct err *err)
{
    if (c->mapping < 0 || (size_t)c->mapping >= ARRAY_LEN(orders))
        return err_set(err, ERR_USAGE, "dram.mapping: no mapping number %d", c->mapping);
    const enum field *order = orders[c->mapping];
    bool mop = c->mapping == DRAM_MAP_MOP4CLXOR;
    unsigned bits[FIELDS] = {
        [F_LO] = mop ? 2 : 0, [F_BG] = log2_of(s->bank_groups), [F_BA] = log2_of(s->banks),
        [F_RA] = log2_of(c->ranks), [F_RO] = log2_of(s->rows),
    };
    bits[F_CO] = log2_of(s->row_lines) - bits[F_LO];
    unsigned shift[FIELDS], at = 0;
    for (unsigned i = 0; i < FIELDS; i++) {
        shift[order[i]] = at;
        at += bits[order[i]];
    }
    *m = (struct dram_map){ .ch_shift = shift[F_CH], .channels = c->channels, .xor_col = mop,
                            .xor_row = c->bank_xor, .col_lo_bits = bits[F_LO], .bg_bits = bits[F_BG],
                            .ba_bits = bits[F_BA] };
#define FIELD(name, f) m->name.shift = shift[f], m->name.mask = (1ull << bits[f]) - 1
    FIELD(col_lo, F_LO);
    FIELD(col_hi, F_CO);
    FIELD(bg, F_BG);
    FIELD(ba, F_BA);
    FIELD(ra, F_RA);
    FIELD(row, F_RO);
#undef FIELD
    return 0;
}

uint64_t dram_capacity(const struct dram_config *c)
{
    const struct dram_std *s = dram_std_get((enum dram_standard)c->standard);
    uint64_t ranks = c->ranks ? c->ranks : MAX_RANKS;
    return c->channels * ranks * s->bank_groups * s->banks * s->rows * s->row_lines * LINE_BYTES;
}

uint32_t dram_ranks_for(const struct dram_config *c, uint64_t bytes)
{
    struct dram_config one = *c;
    if (c->ranks)
        return c->ranks;
    for (one.ranks = 1; one.ranks < MAX_RANKS && dram_capacity(&one) < bytes; one.ranks *= 2)
        ;
    return one.ranks;
}

struct dram_place dram_locate(const struct dram *d, pa_t line)
{
    struct map_place p = dram_map(&d->map, line.v >> LINE_SHIFT);
    unsigned flat = p.bank % d->rank_banks;
    return (struct dram_place){ .channel = p.channel, .rank = p.bank / d->rank_banks,
                                .group = flat & (d->std->bank_groups - 1), .bank = flat >> d->map.bg_bits,
                                .row = p.row };
}
