#include "cpu/priv.h"

#include "cpu/timed.h"

#include <assert.h>

void priv_put_modified(struct core *c, uint64_t line)
{
    if (c->timed)
        timed_put_modified(c, line);
    else
        memsys_access(machine_memsys(c->machine), c->id, line, REQ_PUTM, ORIGIN_writeback);
}

/* Takes a line out of both L1s; true if the L1D had it dirty. */
static bool drop_l1(struct core *c, uint64_t line)
{
    uint32_t e = c->l1i.tags.used ? assoc_probe(&c->l1i.tags, line) : ASSOC_NONE;
    bool dirty = false;
    if (e != ASSOC_NONE) {
        assoc_remove(&c->l1i.tags, e);
        hot_forget_fetch_line(c->hot, line);
    }
    e = assoc_probe(&c->l1d.tags, line);
    if (e != ASSOC_NONE) {
        dirty = c->l1d.flags[e] & L1D_DIRTY;
        assoc_remove(&c->l1d.tags, e);
        hot_forget_data_line(c->hot, line);
    }
    return dirty;
}

void priv_l2_fill(struct core *c, uint64_t line, enum line_state state)
{
    uint32_t e = assoc_find_big(&c->l2.tags, line);
    if (e == ASSOC_NONE) {
        uint64_t victim;
        uint32_t v = assoc_pick(&c->l2.tags, line);
        victim = c->l2.tags.key[v];
        if (victim != ASSOC_EMPTY) {
            bool dirty = drop_l1(c, victim) || c->l2.flags[v] == LINE_M;
            if (dirty && c->cfg->cache.write_back) {
                c->l2.st.writebacks++;
                priv_put_modified(c, victim);
            }
        }
        assoc_place(&c->l2.tags, v, line);
        e = v;
    }
    c->l2.flags[e] = (uint8_t)state;
}

void priv_l1i_fill(struct core *c, uint64_t line)
{
    if (assoc_probe(&c->l1i.tags, line) == ASSOC_NONE) {
        uint64_t victim;
        assoc_insert(&c->l1i.tags, line, &victim);
    }
}

uint32_t priv_l1d_fill(struct core *c, uint64_t line, enum line_state state)
{
    uint32_t e = assoc_probe(&c->l1d.tags, line);
    uint8_t writable = state >= LINE_E ? L1D_WRITABLE : 0;
    if (e != ASSOC_NONE) {
        c->l1d.flags[e] = (uint8_t)((c->l1d.flags[e] & L1D_DIRTY) | writable);
        return e;
    }
    e = assoc_pick(&c->l1d.tags, line);
    uint64_t victim = c->l1d.tags.key[e];
    if (victim != ASSOC_EMPTY && (c->l1d.flags[e] & L1D_DIRTY) && c->cfg->cache.write_back) {
        c->l1d.st.writebacks++;
        if (c->has_l2) {
            uint32_t up = assoc_probe(&c->l2.tags, victim);
            assert(up != ASSOC_NONE); /* the L2 includes the L1D */
            c->l2.flags[up] = LINE_M;
            c->l2.st.writebacks_in++;
        } else {
            priv_put_modified(c, victim);
        }
    }
    assoc_place(&c->l1d.tags, e, line);
    c->l1d.flags[e] = writable;
    return e;
}

unsigned priv_snoop(struct core *c, uint64_t line, bool invalidate)
{
    bool present = false, dirty = false;
    uint32_t e;
    c->l2.st.snoops++;
    if (invalidate) {
        present = assoc_probe(&c->l1d.tags, line) != ASSOC_NONE || assoc_probe(&c->l1i.tags, line) != ASSOC_NONE;
        dirty = drop_l1(c, line);
    } else if ((e = assoc_probe(&c->l1d.tags, line)) != ASSOC_NONE) {
        present = true;
        dirty = c->l1d.flags[e] & L1D_DIRTY;
        c->l1d.flags[e] = 0;
        hot_forget_data_line(c->hot, line);
    } else {
        present = assoc_probe(&c->l1i.tags, line) != ASSOC_NONE;
    }
    if (c->has_l2 && (e = assoc_probe(&c->l2.tags, line)) != ASSOC_NONE) {
        present = true;
        dirty |= c->l2.flags[e] == LINE_M;
        if (invalidate)
            assoc_remove(&c->l2.tags, e);
        else
            c->l2.flags[e] = LINE_S;
    }
    return (unsigned)present | (unsigned)dirty << 1;
}

enum line_state priv_state(const struct core *c, uint64_t line)
{
    uint32_t e;
    if (c->has_l2) {
        e = assoc_probe(&c->l2.tags, line);
        return e == ASSOC_NONE ? LINE_I : (enum line_state)c->l2.flags[e];
    }
    e = assoc_probe(&c->l1d.tags, line);
    if (e != ASSOC_NONE)
        return c->l1d.flags[e] & L1D_WRITABLE ? LINE_M : LINE_S;
    return assoc_probe(&c->l1i.tags, line) != ASSOC_NONE ? LINE_S : LINE_I;
}
