#include "traces/recorder/expand.h"

#include "engine/types.h"
#include "traces/input.h"
#include "traces/trace.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BLOCKS (WIRE_CODE_BYTES / 16)

int expand_init(struct expand *x, const uint8_t *code, uint64_t code_bytes, struct record_sink sink, struct err *err)
{
    x->code = code;
    x->code_bytes = code_bytes;
    x->sink = sink;
    x->block = mmap(NULL, BLOCKS * sizeof(struct expand_block *), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (x->block == MAP_FAILED) {
        x->block = NULL;
        return err_set(err, ERR_RUN, "out of memory");
    }
    return 0;
}

void expand_fini(struct expand *x)
{
    if (!x->block)
        return;
    /* Blocks are numbered as they lie: walking through the code meets every one. */
    for (uint64_t at = 16; at < x->code_bytes;) {
        const struct wire_block *w = (const void *)(x->code + at);
        if (!w->insns)
            break;
        struct expand_block *b = x->block[at / 16];
        if (b)
            free(b->fetch);
        free(b);
        at += (offsetof(struct wire_block, size) + w->insns + 15u) & ~(uint64_t)15;
    }
    munmap(x->block, BLOCKS * sizeof(struct expand_block *));
    x->block = NULL;
}

static struct expand_block *block_new(struct expand *x, uint64_t number)
{
    const struct wire_block *w = (const void *)(x->code + number * 16);
    struct expand_block *b = NULL;
    if (number == 0 || number >= BLOCKS || w->insns == 0 || w->insns > WIRE_BLOCK_INSNS || !(b = calloc(1, sizeof *b)) ||
        !(b->fetch = calloc(w->insns, sizeof *b->fetch))) {
        free(b);
        return NULL;
    }
    b->pc = w->pc;
    b->target = w->target;
    b->flow = w->flow;
    b->insns = w->insns;
    for (unsigned i = 0; i < w->insns; i++) {
        b->fetch[i] = (struct trace_rec){.addr = w->pc + b->bytes, .size = w->size[i], .kind = TRACE_FETCH};
        b->bytes += w->size[i];
    }
    return x->block[number] = b;
}

int expand_flush(struct expand *x, struct err *err)
{
    size_t n = x->n;
    x->n = x->access = 0;
    return n ? x->sink.put(x->sink.self, x->process, x->thread, x->rec, n, err) : 0;
}

int expand_thread(struct expand *x, uint32_t process, uint32_t thread, struct err *err)
{
    if (x->process == process && x->thread == thread)
        return 0;
    if (expand_flush(x, err) < 0)
        return -1;
    x->process = process;
    x->thread = thread;
    return 0;
}

/*
 * The block that a thread leaves for one at `to`: how many of its instructions were executed. All of them, unless QEMU
 * left it in its middle to begin again at one of them (an access that it must make alone, code that changes itself).
 */
static unsigned executed(const struct expand_lane *l, uint64_t to)
{
    const struct expand_block *b = l->block;
    if (likely(to - b->pc >= b->bytes) || b->flow == WIRE_FLOW_INDIRECT ||
        (b->flow == WIRE_FLOW_DIRECT && b->target == to))
        return b->insns;
    for (unsigned i = l->next; i < b->insns; i++)
        if (b->fetch[i].addr == to)
            return i;
    return b->insns;
}

static inline void put_fetches(struct expand *x, struct expand_lane *l, unsigned end)
{
    for (unsigned i = l->next; i < end; i++)
        x->rec[x->n++] = l->block->fetch[i];
    l->next = end;
}

/* One access of the instruction whose accesses began at x->access. */
static inline void put_access(struct expand *x, uint64_t addr, uint32_t size, unsigned rw)
{
    uint8_t kind = rw == 1 ? TRACE_LOAD : rw == 2 ? TRACE_STORE : TRACE_MODIFY;
    struct trace_rec *r = &x->rec[x->n];
    if (x->n > x->access) {
        if (r[-1].kind == kind && r[-1].addr + r[-1].size == addr && r[-1].size + size <= EXPAND_JOIN_BYTES) {
            r[-1].size += size;
        } else {
            *r = (struct trace_rec){.addr = addr, .size = size, .kind = kind};
            x->n++;
        }
        r = &x->rec[x->n - 1];
        if (kind == TRACE_STORE && x->n - x->access >= 2 && r[-1].kind == TRACE_LOAD && r[-1].addr == r->addr &&
            r[-1].size == r->size) {
            r[-1].kind = TRACE_MODIFY;
            x->n--;
        }
        return;
    }
    *r = (struct trace_rec){.addr = addr, .size = size, .kind = kind};
    x->n++;
}

int expand_words(struct expand *x, uint32_t lane, const uint64_t *w, size_t n, size_t *used, struct err *err)
{
    struct expand_lane *l = &x->lane[lane];
    size_t i;
    for (i = 0; i < n; i++) {
        uint64_t word = w[i];
        if (word >> WIRE_TAG_SHIFT == WIRE_BLOCK) {
            struct expand_block *b = word < BLOCKS ? x->block[word] : NULL;
            if (unlikely(!b) && !(b = block_new(x, word)))
                return err_set(err, ERR_RUN, "out of memory, or the plugin names a block that is none");
            if (likely(l->block))
                put_fetches(x, l, executed(l, b->pc));
            l->block = b;
            l->next = 0;
            if (unlikely(x->n >= EXPAND_RECS) && expand_flush(x, err) < 0)
                return -1;
        } else if (word >> WIRE_TAG_SHIFT == WIRE_ACCESS) {
            unsigned insn = (unsigned)(word >> WIRE_INSN_SHIFT) % WIRE_BLOCK_INSNS;
            if (unlikely(!l->block || insn >= l->block->insns))
                continue;
            if (insn >= l->next) {
                put_fetches(x, l, insn + 1);
                x->access = x->n;
            }
            if (unlikely(x->n >= EXPAND_RECS + WIRE_BLOCK_INSNS) && expand_flush(x, err) < 0)
                return -1;
            put_access(x, word & WIRE_ADDR_MASK, 1u << (word >> WIRE_SIZE_SHIFT & 7), word >> WIRE_RW_SHIFT & 3);
        } else {
            break;
        }
    }
    *used = i;
    return 0;
}

int expand_rest(struct expand *x, uint32_t lane, struct err *err)
{
    struct expand_lane *l = &x->lane[lane];
    if (l->block)
        put_fetches(x, l, l->block->insns);
    l->block = NULL;
    x->access = x->n;
    return x->n >= EXPAND_RECS ? expand_flush(x, err) : 0;
}

int expand_put(struct expand *x, struct trace_rec r, const uint64_t *words, unsigned n, const char *string, struct err *err)
{
    size_t len = string ? strnlen(string, TRACE_STRING_MAX) : 0, bytes = n * 8u + len;
    r.slots = trace_slots_bytes(bytes);
    if (x->n + 1 + r.slots > ARRAY_LEN(x->rec) && expand_flush(x, err) < 0)
        return -1;
    x->rec[x->n++] = r;
    unsigned char *p = (unsigned char *)&x->rec[x->n];
    memset(p, 0, r.slots * 16u);
    if (n)
        memcpy(p, words, n * 8u);
    if (len)
        memcpy(p + n * 8u, string, len);
    x->n += r.slots;
    x->access = x->n;
    return 0;
}
