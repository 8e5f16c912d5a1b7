/*
 * Writes ChampSim's input_instr records (64 bytes; readers/champsim.c shows them). An instruction is a FETCH with what
 * follows it; it is written when the next one is known.
 *
 * Registers are those of the REGS record. Without one a branch gets the registers by which ChampSim knows its kind
 * (inc/instruction.h: 26 the instruction pointer, 6 the stack pointer, 25 the flags, any other: 3).
 *
 * Without BRANCH records (lackey) branches are inferred: an instruction that is followed by another address than the one
 * behind it is a taken branch, and from then on a branch that may be not taken; one that repeats itself (a string
 * instruction) is none. A taken one is a call if it stores a word, a return if it loads a word and goes behind a call
 * that was made, an indirect jump if it loads one otherwise, conditional if it fell through before or goes back, else a
 * direct jump.
 */
#include "traces/exporters/lost.h"
#include "traces/io/outbuf.h"
#include "traces/io/writer.h"

#include <endian.h>
#include <stdlib.h>

enum {
    RECORD_BYTES = 64,
    LOADS = 4,
    STORES = 2,
    WORD_BYTES = 8,      /* what the reader gives a data access */
    SEEN = 65536,        /* addresses remembered as branches, or as falling through */
    RETURNS = 64,        /* calls remembered */
    RETURNS_SEARCHED = 8,
    MADE_UP_IP = 0x400000, /* of references without an instruction; 0 means none there */
    REG_SP = 6,
    REG_OTHER = 3,
    REG_FLAGS = 25,
    REG_IP = 26,
};

struct insn {
    uint64_t ip, regs, store[STORES], load[LOADS];
    uint32_t size;
    unsigned stores, loads;
    uint8_t modify_store[STORES], modify_load[LOADS]; /* of which MODIFY of the instruction, from 1 on; 0: of a LOAD or STORE */
    uint8_t modifies;
    bool begun, has_regs, branch, taken, plain_store, word_stored, word_loaded;
    uint8_t flags; /* of the branch */
};

struct champsim_writer {
    struct lost lost;
    uint64_t switches, kernel, sizes, untold, loads, stores, null, merged, order, made_up, inferred;
    uint32_t process, thread;
    bool begun, tells_branches;
    struct insn cur;
    uint64_t branch_ip[SEEN], plain_ip[SEEN];
    uint64_t returns[RETURNS];
    unsigned nreturns; /* all pushed; the last RETURNS are there */
    struct outbuf out;
};

static void *champsim_open(struct outfile *f, const struct trace_writer_options *opt, struct err *err)
{
    struct champsim_writer *w = malloc(sizeof *w);
    (void)opt;
    if (!w) {
        err_set(err, ERR_RUN, "out of memory");
        return NULL;
    }
    memset(w, 0, offsetof(struct champsim_writer, out));
    w->out.f = f;
    w->out.n = 0;
    return w;
}

/* The registers of a branch: bytes 0-1 written, 2-5 read. */
static uint64_t convention(uint8_t flags)
{
#define REGS(d0, d1, s0, s1, s2)                                                                             \
    ((uint64_t)(d0) | (uint64_t)(d1) << 8 | (uint64_t)(s0) << 16 | (uint64_t)(s1) << 24 | (uint64_t)(s2) << 32)
    if (flags & TRACE_F_RETURN)
        return REGS(REG_IP, REG_SP, REG_SP, 0, 0);
    if (flags & TRACE_F_CALL)
        return REGS(REG_IP, REG_SP, REG_IP, REG_SP, flags & TRACE_F_INDIRECT ? REG_OTHER : 0);
    if (flags & TRACE_F_COND)
        return REGS(REG_IP, 0, REG_IP, REG_FLAGS, 0);
    return REGS(REG_IP, 0, flags & TRACE_F_INDIRECT ? REG_OTHER : REG_IP, 0, 0);
#undef REGS
}

static bool returns_to(struct champsim_writer *w, uint64_t ip)
{
    for (unsigned k = 1; k <= RETURNS_SEARCHED && k <= w->nreturns; k++)
        if (w->returns[(w->nreturns - k) % RETURNS] == ip) {
            w->nreturns -= k;
            return true;
        }
    return false;
}

static void infer(struct champsim_writer *w, struct insn *i, uint64_t next)
{
    size_t slot = (size_t)(i->ip ^ i->ip >> 16) % SEEN;
    bool seen = w->branch_ip[slot] == i->ip, fell = w->plain_ip[slot] == i->ip;
    if (next == i->ip)
        return;
    if (next == i->ip + i->size) {
        w->plain_ip[slot] = i->ip;
        if (!seen)
            return;
        i->flags = TRACE_F_COND;
    } else {
        w->branch_ip[slot] = i->ip;
        i->taken = true;
        if (i->word_stored) {
            i->flags = i->word_loaded ? TRACE_F_CALL | TRACE_F_INDIRECT : TRACE_F_CALL;
            w->returns[w->nreturns++ % RETURNS] = i->ip + i->size;
        } else if (i->word_loaded) {
            i->flags = returns_to(w, next) ? TRACE_F_RETURN : TRACE_F_INDIRECT;
        } else {
            i->flags = fell || next < i->ip ? TRACE_F_COND : 0;
        }
    }
    i->branch = true;
    w->inferred++;
}

static void le64(unsigned char *p, uint64_t v)
{
    v = htole64(v);
    memcpy(p, &v, 8);
}

/* The form has no load-and-store: one address among the loads and among the stores is one (readers/champsim.c). */
static unsigned merged(const struct insn *i)
{
    bool taken[STORES] = {false};
    unsigned n = 0;
    for (unsigned l = 0; l < i->loads; l++)
        for (unsigned s = 0; s < i->stores; s++)
            if (!taken[s] && i->store[s] == i->load[l]) {
                taken[s] = true;
                n += !i->modify_load[l] || i->modify_load[l] != i->modify_store[s];
                break;
            }
    return n;
}

/* Writes the instruction that waited; has: `next` is the one behind it. */
static void finish(struct champsim_writer *w, bool has, uint64_t next)
{
    struct insn *i = &w->cur;
    unsigned char rec[RECORD_BYTES] = {0};
    if (!i->begun)
        return;
    w->untold += i->size && !(has && next == i->ip + i->size);
    if (has && !i->branch && !w->tells_branches && i->size)
        infer(w, i, next);
    uint64_t regs = i->has_regs ? i->regs : i->branch ? convention(i->flags) : 0;
    le64(rec, i->ip);
    rec[8] = i->branch;
    rec[9] = i->taken;
    for (unsigned k = 0; k < 6; k++)
        rec[10 + k] = (unsigned char)(regs >> (8 * k));
    for (unsigned k = 0; k < STORES; k++)
        le64(rec + 16 + 8 * k, i->store[k]);
    for (unsigned k = 0; k < LOADS; k++)
        le64(rec + 32 + 8 * k, i->load[k]);
    outbuf_bytes(&w->out, rec, sizeof rec);
    w->merged += merged(i);
    *i = (struct insn){0};
}

static void data(struct champsim_writer *w, const struct trace_rec *r)
{
    struct insn *i = &w->cur;
    bool reads = r->kind != TRACE_STORE, writes = r->kind != TRACE_LOAD;
    if (!i->begun) {
        *i = (struct insn){.begun = true, .ip = MADE_UP_IP};
        w->made_up++;
    }
    if (!r->addr) {
        w->null++;
        return;
    }
    w->sizes += r->size != WORD_BYTES;
    w->order += reads && i->plain_store; /* the form has all loads before all stores */
    i->plain_store |= !reads;
    uint8_t modify = reads && writes && i->modifies < UINT8_MAX ? ++i->modifies : 0;
    if (reads && i->loads < LOADS) {
        i->modify_load[i->loads] = modify;
        i->load[i->loads++] = r->addr;
    } else {
        w->loads += reads;
    }
    if (writes && i->stores < STORES) {
        i->modify_store[i->stores] = modify;
        i->store[i->stores++] = r->addr;
    } else {
        w->stores += writes;
    }
    i->word_loaded |= r->kind == TRACE_LOAD && (r->size == 8 || r->size == 4);
    i->word_stored |= r->kind == TRACE_STORE && (r->size == 8 || r->size == 4);
}

static void record(struct champsim_writer *w, const struct trace_rec *r)
{
    struct insn *i = &w->cur;
    switch (r->kind) {
    case TRACE_FETCH:
        finish(w, true, r->addr);
        *i = (struct insn){.begun = true, .ip = r->addr, .size = r->size};
        return;
    case TRACE_LOAD:
    case TRACE_STORE:
    case TRACE_MODIFY:
        if (i->begun && !i->size) /* references without instructions: one each */
            finish(w, false, 0);
        data(w, r);
        return;
    case TRACE_REGS:
        i->regs = r->addr;
        i->has_regs = true;
        return;
    case TRACE_BRANCH:
        w->tells_branches = i->branch = true;
        i->taken = (r->flags & TRACE_F_TAKEN) != 0;
        i->flags = r->flags;
        return;
    default:
        w->lost.kind[r->kind]++;
        return;
    }
}

static int champsim_put(void *self, uint32_t process, uint32_t thread, const struct trace_rec *rec, size_t n,
                        struct err *err)
{
    struct champsim_writer *w = self;
    if (w->begun && (process != w->process || thread != w->thread)) {
        finish(w, false, 0);
        w->switches++;
    }
    w->begun = true;
    w->process = process;
    w->thread = thread;
    for (size_t i = 0; i < n; i += 1u + rec[i].slots) {
        w->kernel += rec[i].kind <= TRACE_REF_MAX && (rec[i].flags & TRACE_F_KERNEL);
        record(w, &rec[i]);
        if (outbuf_full(&w->out) && outbuf_flush(&w->out, err) < 0)
            return -1;
    }
    return 0;
}

static int champsim_flush(void *self, struct err *err)
{
    struct champsim_writer *w = self;
    return outbuf_flush(&w->out, err);
}

static int champsim_finish(void *self, struct err *err)
{
    struct champsim_writer *w = self;
    finish(w, false, 0);
    return outbuf_flush(&w->out, err);
}

static void champsim_lost(const void *self, struct trace_left *list, unsigned *n)
{
    const struct champsim_writer *w = self;
    trace_left_add(list, n, "sizes of data references that are not 8 bytes", w->sizes);
    trace_left_add(list, n, "sizes of instructions that the next address does not tell", w->untold);
    trace_left_add(list, n, "loads beyond four of an instruction", w->loads);
    trace_left_add(list, n, "stores beyond two of an instruction", w->stores);
    trace_left_add(list, n, "pairs of a load and a store at one address of an instruction, which are read as one load-and-store", w->merged);
    trace_left_add(list, n, "loads behind a store of their instruction, which are read before it", w->order);
    trace_left_add(list, n, "references to address 0", w->null);
    trace_left_add(list, n, "changes of thread", w->switches);
    trace_left_add(list, n, "marks of kernel mode", w->kernel);
    lost_list(&w->lost, list, n);
    trace_made_up_add(list, n, "branches, inferred from the order of the instructions", w->inferred);
    trace_made_up_add(list, n, "instructions, one for each reference without one", w->made_up);
}

const struct writer_ops writer_champsim = {champsim_open,   champsim_put, champsim_flush,
                                           champsim_finish, free,         champsim_lost};
