/*
 * Reader of ChampSim traces: input_instr records of 64 bytes, little endian, usually in .xz (ChampSim,
 * inc/trace_instruction.h):
 *
 *     0 u64 ip   8 u8 is_branch   9 u8 taken   10 u8 dest_regs[2]   12 u8 src_regs[4]   16 u64 dest_mem[2] 32
 * u64 src_mem[4]
 *
 * Each becomes FETCH, REGS (if a register is named), BRANCH (if it is one), then its data: what is only in
 * src_mem a LOAD, in both a MODIFY, only in dest_mem a STORE. What the form does not hold is made up as
 * follows: bytes of an instruction   the distance to the next ip where that is 1..15 and the instruction is
 * no taken branch, else what was found for this ip before (direct-mapped memory of 4096), else 4 bytes of a
 * data access    8 target of a taken branch  the next record's ip, 0 for the last one kind of a branch from
 * the register convention (26 IP, 6 SP, 25 FLAGS, any other), inc/instruction.h
 */
#include "engine/types.h"
#include "traces/input.h"
#include "traces/trace.h"

#include <endian.h>

enum {
    CHAMPSIM_BYTES = 64,
    CHAMPSIM_DATA_BYTES = 8,  /* assumed size of a data access: the word of the machine */
    CHAMPSIM_FETCH_BYTES = 4, /* assumed size of an instruction: about the mean of x86-64 code */
    X86_INSN_BYTES_MAX = 15,  /* longest x86 instruction (SDM 2.3.11) */
    SIZES = 4096,
    REG_SP = 6,
    REG_FLAGS = 25,
    REG_IP = 26,
};

struct champsim {
    uint64_t sizes_ip[SIZES];
    uint8_t sizes[SIZES];
};

struct insn {
    uint64_t ip, dest_mem[2], src_mem[4];
    uint8_t is_branch, taken, dest_regs[2], src_regs[4];
};

static uint64_t le64(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return le64toh(v);
}

static struct insn decode(const unsigned char *p)
{
    struct insn i = {.ip = le64(p), .is_branch = p[8], .taken = p[9]};
    memcpy(i.dest_regs, p + 10, 2);
    memcpy(i.src_regs, p + 12, 4);
    for (int k = 0; k < 2; k++)
        i.dest_mem[k] = le64(p + 16 + 8 * k);
    for (int k = 0; k < 4; k++)
        i.src_mem[k] = le64(p + 32 + 8 * k);
    return i;
}

/* Canonical for 57 bits: what an x86-64 program can name (SDM volume 1, 3.3.7.1). */
static bool canonical(uint64_t a)
{
    return a >> 56 == 0 || a >> 56 == 0xff;
}

static bool plausible(const unsigned char *p)
{
    struct insn i = decode(p);
    bool good = i.ip != 0 && canonical(i.ip) && i.is_branch <= 1 && i.taken <= 1;
    for (int k = 0; k < 2; k++)
        good &= canonical(i.dest_mem[k]);
    for (int k = 0; k < 4; k++)
        good &= canonical(i.src_mem[k]);
    return good;
}

static int probe(const unsigned char *head, size_t n, bool whole)
{
    (void)whole; /* a file that is cut off is this reader's to report */
    if (n < CHAMPSIM_BYTES)
        return 0;
    /* Text has no zero bytes; every record here has some (high bytes of addresses, unused slots). */
    if (!memchr(head, 0, CHAMPSIM_BYTES))
        return 0;
    for (size_t i = 0; i + CHAMPSIM_BYTES <= n && i < 64 * CHAMPSIM_BYTES; i += CHAMPSIM_BYTES)
        if (!plausible(head + i))
            return 0;
    return 50; /* no magic number: any form that has one is surer */
}

static int open_state(void *state, struct trace_input *in, const char *path, const struct trace_options *opt,
                      struct err *err)
{
    (void)state, (void)in, (void)path, (void)opt, (void)err;
    return 0;
}

static uint8_t branch_flags(const struct insn *i)
{
    bool reads_sp = false, reads_ip = false, reads_flags = false, reads_other = false, writes_sp = false,
         writes_ip = false;
    for (int k = 0; k < 4; k++) {
        uint8_t r = i->src_regs[k];
        reads_sp |= r == REG_SP;
        reads_ip |= r == REG_IP;
        reads_flags |= r == REG_FLAGS;
        reads_other |= r != 0 && r != REG_SP && r != REG_IP && r != REG_FLAGS;
    }
    for (int k = 0; k < 2; k++) {
        writes_sp |= i->dest_regs[k] == REG_SP;
        writes_ip |= i->dest_regs[k] == REG_IP;
    }
    uint8_t f = i->taken ? TRACE_F_TAKEN : 0;
    if (!writes_ip)
        return f; /* a branch of no known kind */
    if (reads_sp && writes_sp)
        return (uint8_t)(f | (!reads_ip     ? TRACE_F_RETURN
                              : reads_other ? TRACE_F_CALL | TRACE_F_INDIRECT
                                            : TRACE_F_CALL));
    if (reads_ip && (reads_flags || reads_other)) /* later versions let a fused compare read registers */
        return (uint8_t)(f | TRACE_F_COND);
    return (uint8_t)(reads_other ? f | TRACE_F_INDIRECT : f);
}

static uint32_t fetch_bytes(struct champsim *c, const struct insn *i, bool has_next, uint64_t next)
{
    size_t slot = (size_t)(i->ip ^ i->ip >> 12) % SIZES;
    uint64_t step = next - i->ip;
    if (has_next && !i->taken && step >= 1 && step <= X86_INSN_BYTES_MAX) {
        c->sizes_ip[slot] = i->ip;
        c->sizes[slot] = (uint8_t)step;
        return (uint32_t)step;
    }
    return c->sizes[slot] && c->sizes_ip[slot] == i->ip ? c->sizes[slot] : (uint32_t)CHAMPSIM_FETCH_BYTES;
}

static void put_insn(struct champsim *c, struct trace_sink *sink, const struct insn *i, bool has_next,
                     uint64_t next)
{
    trace_sink_ref(sink, TRACE_FETCH, i->ip, fetch_bytes(c, i, has_next, next));
    uint64_t regs = 0;
    for (int k = 0; k < 2; k++)
        regs |= (uint64_t)i->dest_regs[k] << (8 * k);
    for (int k = 0; k < 4; k++)
        regs |= (uint64_t)i->src_regs[k] << (16 + 8 * k);
    if (regs)
        trace_sink_put(sink, (struct trace_rec){.addr = regs, .kind = TRACE_REGS});
    if (i->is_branch)
        trace_sink_put(sink, (struct trace_rec){.addr = i->taken && has_next ? next : 0,
                                                .kind = TRACE_BRANCH,
                                                .flags = branch_flags(i)});
    bool both[2] = {false, false};
    for (int k = 0; k < 4; k++) {
        if (!i->src_mem[k])
            continue;
        enum trace_kind kind = TRACE_LOAD;
        for (int d = 0; d < 2; d++)
            if (!both[d] && i->dest_mem[d] == i->src_mem[k]) {
                both[d] = true;
                kind = TRACE_MODIFY;
                break;
            }
        trace_sink_ref(sink, kind, i->src_mem[k], CHAMPSIM_DATA_BYTES);
    }
    for (int d = 0; d < 2; d++)
        if (i->dest_mem[d] && !both[d])
            trace_sink_ref(sink, TRACE_STORE, i->dest_mem[d], CHAMPSIM_DATA_BYTES);
}

static int read_batch(void *state, struct trace_input *in, struct trace_sink *sink, struct err *err)
{
    struct champsim *c = state;
    while (!trace_sink_full(sink)) {
        int status = 1;
        if (trace_input_avail(in) < 2 * CHAMPSIM_BYTES)
            status = trace_input_fill(in, 2 * CHAMPSIM_BYTES, err);
        size_t avail = trace_input_avail(in);
        uint64_t number = trace_input_pos(in) / CHAMPSIM_BYTES;
        char digits[32];
        if (avail < CHAMPSIM_BYTES) {
            if (status < 0)
                return -1;
            if (avail == 0)
                return sink->n > 0;
            err_set(err, ERR_RUN, "instruction %s is cut off: %zu of %d bytes are there",
                    trace_commas(digits, number), avail, CHAMPSIM_BYTES);
            err_remedy(err, "fetch or record the file again");
            return err_at(err, trace_input_name(in), 0, 0);
        }
        struct insn i = decode(in->p);
        if (i.is_branch > 1 || i.taken > 1) {
            err_set(err, ERR_RUN, "instruction %s: is_branch %u, taken %u are not 0 or 1",
                    trace_commas(digits, number), i.is_branch, i.taken);
            err_remedy(err,
                       "only ChampSim's 64-byte input_instr records are read; cloudsuite traces have others");
            return err_at(err, trace_input_name(in), 0, 0);
        }
        bool has_next = avail >= 2 * CHAMPSIM_BYTES;
        put_insn(c, sink, &i, has_next, has_next ? le64(in->p + CHAMPSIM_BYTES) : 0);
        trace_input_consume(in, CHAMPSIM_BYTES);
    }
    return 1;
}

static void info(const void *state, struct trace_info *out)
{
    (void)state;
    out->has_fetch = out->has_regs = true;
    out->threads = out->processes = 1;
}

static void close_state(void *state)
{
    (void)state;
}

const struct trace_reader_ops trace_reader_champsim = {
    .name = "champsim",
    .probe = probe,
    .state_bytes = sizeof(struct champsim),
    .open = open_state,
    .read_batch = read_batch,
    .info = info,
    .close = close_state,
};
