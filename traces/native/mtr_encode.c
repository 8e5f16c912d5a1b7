/*
 * Encoding one block: records are gathered into nodes (mtr.h), each node is compared with what the predictor
 * expects, and only the difference is written. The decoder never looks anything up by address: this side
 * keeps the hash table and tells node numbers.
 */
#include "traces/native/mtr.h"

#include "engine/types.h"
#include "traces/analysis/pairs.h"

#include <stdlib.h>

#define HASH_SLOTS (1u << 17)                /* twice the nodes of a block */
#define BLOCK_RECORDS_DEFAULT (1u << 20)     /* measured: docs/trace-format.md */
#define BLOCK_STREAM_FULL (4u << 20)         /* a block with a stream this long is full, bytes */
#define BLOCK_NODES_FULL (MTR_NODES_MAX - 8) /* likewise nodes; one record makes at most two */
#define MISC_RUN_MAX 65536u                  /* what a misc event's two bytes can count */

/* The encoder's view of a thread of the block. */
struct lane {
    struct mtr_lane l;
    bool has_pc;      /* a FETCH was seen: followers belong to it */
    uint8_t part;     /* nodes of the current instruction so far */
    uint16_t hist[2]; /* shapes of the last two nodes: the context of references without a FETCH */
};

struct encoder_slot {
    uint32_t generation;
    uint16_t node;
    uint16_t shape;
    uint64_t key;
};

struct mtr_encoder {
    struct mtr_node *node;
    uint16_t *node_shape;
    uint32_t nodes;
    struct encoder_slot *slot;
    uint32_t generation;
    struct mtr_shape shape[MTR_SHAPES_MAX];
    uint32_t shapes, last_shape;
    struct lane lane[MTR_BLOCK_THREADS_MAX];
    uint32_t lanes, cur;
    struct mtr_misc_last last[256];

    /* the node being gathered */
    bool has_head;
    struct trace_rec head;
    unsigned nf;
    uint64_t faddr[2], fmeta[2];

    uint32_t run;   /* predicted nodes since the last event */
    uint32_t miscs; /* misc records since the last event */
    struct mtr_bytes out[MTR_STREAMS], finished[MTR_STREAMS];
    /* Of the whole trace; marked: a FETCH was seen, so references belong to instructions. */
    struct pairs threads;
    uint32_t block_records;
    uint32_t records, refs, runs, flags;
    uint64_t insns;
    uint32_t first_process, first_thread;
    bool failed;   /* out of memory */
    bool too_many; /* threads */
};

static void reset(struct mtr_encoder *e)
{
    memset(&e->node[0], 0, sizeof e->node[0]);
    memset(e->last, 0, sizeof e->last);
    e->nodes = 1;
    e->generation++;
    e->shapes = e->last_shape = e->lanes = e->cur = 0;
    e->has_head = false;
    e->nf = 0;
    e->run = e->miscs = 0;
    e->records = e->refs = e->runs = e->flags = 0;
    e->insns = 0;
    for (int i = 0; i < MTR_STREAMS; i++)
        e->out[i].n = 0;
}

int mtr_encoder_new(struct mtr_encoder **out, struct err *err)
{
    struct mtr_encoder *e = calloc(1, sizeof *e);

    if (!e)
        return err_set(err, ERR_RUN, "out of memory");
    e->node = aligned_alloc(64, (MTR_NODES_MAX + 1) * sizeof *e->node);
    e->node_shape = calloc(MTR_NODES_MAX + 1, sizeof *e->node_shape);
    e->slot = calloc(HASH_SLOTS, sizeof *e->slot);
    if (!e->node || !e->node_shape || !e->slot) {
        mtr_encoder_free(e);
        return err_set(err, ERR_RUN, "out of memory");
    }
    e->block_records = BLOCK_RECORDS_DEFAULT;
    reset(e);
    *out = e;
    return 0;
}

void mtr_encoder_free(struct mtr_encoder *e)
{
    if (!e)
        return;
    for (int i = 0; i < MTR_STREAMS; i++)
        free(e->out[i].p);
    pairs_fini(&e->threads);
    free(e->node);
    free(e->node_shape);
    free(e->slot);
    free(e);
}

void mtr_encoder_set_block(struct mtr_encoder *e, uint32_t records)
{
    e->block_records = records && records <= MTR_BLOCK_RECORDS_MAX ? records : BLOCK_RECORDS_DEFAULT;
}

void mtr_encoder_threads(const struct mtr_encoder *e, uint32_t *processes, uint32_t *threads)
{
    *processes = e->threads.processes;
    *threads = e->threads.threads;
}

uint32_t mtr_encoder_records(const struct mtr_encoder *e)
{
    return e->records;
}

bool mtr_encoder_full(const struct mtr_encoder *e)
{
    return e->records >= e->block_records || e->nodes >= BLOCK_NODES_FULL ||
           e->shapes >= MTR_SHAPES_MAX - 4 || e->out[MTR_CTL].n >= BLOCK_STREAM_FULL ||
           e->out[MTR_ADDR].n >= BLOCK_STREAM_FULL || e->out[MTR_MISC].n >= BLOCK_STREAM_FULL || e->failed;
}

/* --- bytes ---------------------------------------------------------------------------------------------- */

/* Room for n more bytes; after a failure the bytes go nowhere and finish tells. */
static unsigned char *grow(struct mtr_encoder *e, int stream, uint32_t n)
{
    struct mtr_bytes *b = &e->out[stream];

    if (unlikely(b->cap - b->n < n)) {
        uint32_t cap = b->cap ? b->cap * 2 : 1u << 16;
        unsigned char *p;
        while (cap - b->n < n)
            cap *= 2;
        p = realloc(b->p, cap);
        if (!p) {
            e->failed = true;
            return NULL;
        }
        b->p = p;
        b->cap = cap;
    }
    return b->p + b->n;
}

static void put_bytes(struct mtr_encoder *e, int stream, const void *data, uint32_t n)
{
    unsigned char *p = n ? grow(e, stream, n) : NULL;

    if (p) {
        memcpy(p, data, n);
        e->out[stream].n += n;
    }
}

static void put_u8(struct mtr_encoder *e, unsigned v)
{
    unsigned char b = (unsigned char)v;
    put_bytes(e, MTR_CTL, &b, 1);
}

static void put_u16(struct mtr_encoder *e, unsigned v)
{
    uint16_t b = (uint16_t)v;
    put_bytes(e, MTR_CTL, &b, 2);
}

static void put_varint(struct mtr_encoder *e, uint64_t v)
{
    unsigned char b[10];
    unsigned n = 0;

    for (; v >= 0x80; v >>= 7)
        b[n++] = (unsigned char)(v | 0x80);
    b[n++] = (unsigned char)v;
    put_bytes(e, MTR_MISC, b, n);
}

static unsigned bytes_of(uint64_t v)
{
    return v ? (71u - (unsigned)__builtin_clzll(v)) / 8 : 0;
}

/* --- events --------------------------------------------------------------------------------------------- */

static void end_run(struct mtr_encoder *e)
{
    if (e->run < 255) {
        put_u8(e, e->run);
    } else {
        put_u8(e, 255);
        put_bytes(e, MTR_CTL, &e->run, 4);
    }
    e->run = 0;
}

/* Misc records are counted until something else comes. */
static void end_miscs(struct mtr_encoder *e)
{
    if (!e->miscs)
        return;
    end_run(e);
    put_u8(e, MTR_SPECIAL_MISC);
    put_u16(e, e->miscs - 1);
    e->miscs = 0;
}

static unsigned find_shape(struct mtr_encoder *e, const struct mtr_shape *s)
{
    if (e->last_shape < e->shapes && !memcmp(&e->shape[e->last_shape], s, sizeof *s))
        return e->last_shape;
    for (uint32_t i = 0; i < e->shapes; i++)
        if (!memcmp(&e->shape[i], s, sizeof *s))
            return e->last_shape = i;
    e->shape[e->shapes] = *s;
    return e->shapes; /* the caller defines it */
}

static bool same_shape(const struct mtr_node *n, uint64_t pc, uint64_t link, const uint64_t *meta)
{
    return n->pc == pc && n->link >> 32 == link >> 32 && n->f[0].meta == meta[0] && n->f[1].meta == meta[1];
}

static struct encoder_slot *find_slot(struct mtr_encoder *e, uint64_t key, unsigned shape)
{
    uint64_t h = (key ^ (uint64_t)shape << 48) * 0x9e3779b97f4a7c15u;

    for (uint32_t i = (uint32_t)(h >> 40);; i++) {
        struct encoder_slot *s = &e->slot[i & (HASH_SLOTS - 1)];
        if (s->generation != e->generation || (s->key == key && s->shape == shape))
            return s;
    }
}

/* Writes the address in the shorter of its two forms; returns the form byte. */
static unsigned put_addr(struct mtr_encoder *e, struct mtr_follower *f, uint64_t addr, uint64_t *given)
{
    uint64_t own = mtr_zigzag(addr - f->addr), near = mtr_zigzag(addr - *given);
    unsigned form = bytes_of(own);

    if (bytes_of(near) < form) {
        form = bytes_of(near) | MTR_FORM_GIVEN;
        own = near;
    }
    put_bytes(e, MTR_ADDR, &own, form & MTR_FORM_BYTES);
    mtr_correct(f, addr);
    if (mtr_is_data(f->meta))
        *given = addr;
    return form;
}

static void define_shape(struct mtr_encoder *e, const struct mtr_shape *s)
{
    put_varint(e, s->head | (uint64_t)s->nf << 1);
    if (s->head) {
        put_varint(e, s->size);
        put_varint(e, s->flags);
    }
    for (unsigned i = 0; i < s->nf; i++) {
        put_varint(e, s->meta[i] >> 32 & 0xff);
        put_varint(e, s->meta[i] >> 40 & 0xff);
        put_varint(e, s->meta[i] & 0xffffffff);
    }
    e->shapes++;
}

/* The gathered node is complete: writes what is not predicted of it. */
static void end_node(struct mtr_encoder *e)
{
    struct lane *lane = &e->lane[e->cur];
    struct mtr_node *prev = &e->node[lane->l.prev], *n;
    struct mtr_shape s = {.head = e->has_head, .nf = (uint8_t)e->nf};
    uint64_t next_pc = prev->pc + mtr_size(prev->link), pc, link, meta[2] = {0, 0};
    unsigned succ = MTR_SUCC_PREDICTED, id, shape = 0, flag;
    bool follows[2];

    if (!e->has_head && !e->nf)
        return;
    pc = e->has_head ? e->head.addr : next_pc;
    if (e->has_head) {
        s.size = (uint8_t)e->head.size;
        s.flags = e->head.flags;
    }
    for (unsigned i = 0; i < e->nf; i++)
        s.meta[i] = meta[i] = e->fmeta[i];
    link = (uint64_t)s.size << 32 | (uint64_t)s.flags << 40 | (uint64_t)(s.head + s.nf) << 48 |
           (uint64_t)s.head << 56;

    if (mtr_succ(prev->link) && same_shape(&e->node[mtr_succ(prev->link)], pc, link, meta)) {
        id = mtr_succ(prev->link);
    } else if (mtr_alt(prev->link) && same_shape(&e->node[mtr_alt(prev->link)], pc, link, meta)) {
        id = mtr_alt(prev->link);
        succ = MTR_SUCC_ALT;
    } else {
        uint64_t key = lane->has_pc ? pc ^ (uint64_t)lane->part << 56
                                    : 1u | (uint64_t)lane->hist[0] << 8 | (uint64_t)lane->hist[1] << 24;
        struct encoder_slot *slot;

        shape = find_shape(e, &s);
        slot = find_slot(e, key, shape);
        if (slot->generation == e->generation) {
            id = slot->node;
            succ = MTR_SUCC_ID;
        } else {
            id = e->nodes++;
            succ = MTR_SUCC_NEW;
            *slot = (struct encoder_slot){e->generation, (uint16_t)id, (uint16_t)shape, key};
            e->node[id] =
                (struct mtr_node){.pc = pc, .link = link, .f = {{.meta = meta[0]}, {.meta = meta[1]}}};
            e->node_shape[id] = (uint16_t)shape;
        }
    }
    n = &e->node[id];
    flag = succ;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t want = i < e->nf ? e->faddr[i] : n->f[i].addr;
        follows[i] = n->f[i].addr + (uint64_t)(int64_t)n->f[i].stride == want;
        if (!follows[i])
            flag |= i ? MTR_GIVEN1 : MTR_GIVEN0;
    }
    if (flag == MTR_SUCC_PREDICTED) {
        e->run++;
    } else {
        end_run(e);
        put_u8(e, flag);
    }
    if (succ == MTR_SUCC_ID) {
        put_u16(e, id);
    } else if (succ == MTR_SUCC_NEW) {
        uint64_t z = mtr_zigzag(pc - next_pc);
        put_u16(e, shape);
        put_u8(e, bytes_of(z));
        put_bytes(e, MTR_ADDR, &z, bytes_of(z));
        if (shape == e->shapes)
            define_shape(e, &s);
    }
    if (succ != MTR_SUCC_PREDICTED)
        prev->link = mtr_link_succ(prev->link, id);
    for (unsigned i = 0; i < 2; i++) {
        struct mtr_follower *f = &n->f[i];
        if (follows[i]) {
            f->addr += (uint64_t)(int64_t)f->stride;
            f->delta = f->stride;
        } else {
            put_u8(e, put_addr(e, f, e->faddr[i], &lane->l.given));
        }
    }
    lane->l.prev = id;
    lane->part = (uint8_t)(lane->part + 1);
    lane->hist[1] = lane->hist[0];
    lane->hist[0] = (uint16_t)(e->node_shape[id] + 1);
    e->has_head = false;
    e->nf = 0;
}

static void put_misc(struct mtr_encoder *e, const struct trace_rec *r)
{
    const struct trace_shape *shape = trace_kind_shape(r->kind);
    struct mtr_misc_last *last = &e->last[r->kind];

    put_varint(e, r->kind);
    put_varint(e, r->flags);
    put_varint(e, r->size);
    put_varint(e, mtr_zigzag(r->addr - last->addr));
    last->addr = r->addr;
    for (unsigned i = 0; i < shape->words; i++) {
        uint64_t w;
        memcpy(&w, (const char *)(r + 1) + 8 * i, 8);
        put_varint(e, mtr_zigzag(w - last->word[i]));
        last->word[i] = w;
    }
    if (shape->string) {
        size_t len;
        const char *text = trace_rec_string(r, &len);
        put_varint(e, len);
        put_bytes(e, MTR_MISC, text, (uint32_t)len);
    }
    if (++e->miscs == MISC_RUN_MAX)
        end_miscs(e);
}

/* False if the block has no room for another thread. */
static bool use_lane(struct mtr_encoder *e, uint32_t process, uint32_t thread)
{
    struct lane *l = &e->lane[e->cur];
    uint32_t i;
    bool *mark;

    if (e->lanes && l->l.process == process && l->l.thread == thread)
        return true;
    for (i = 0; i < e->lanes; i++)
        if (e->lane[i].l.process == process && e->lane[i].l.thread == thread)
            break;
    if (i == MTR_BLOCK_THREADS_MAX)
        return false;
    if (e->lanes)
        end_node(e);
    end_miscs(e);
    end_run(e);
    put_u8(e, MTR_SPECIAL_THREAD);
    put_u8(e, i);
    if (i == e->lanes) {
        if (!i) {
            e->first_process = process;
            e->first_thread = thread;
        }
        mark = pairs_add(&e->threads, process, thread);
        e->too_many = e->too_many || !mark;
        e->lane[e->lanes++] =
            (struct lane){.l = {.process = process, .thread = thread}, .has_pc = mark && *mark};
        put_varint(e, process);
        put_varint(e, thread);
    }
    e->cur = i;
    e->runs++;
    return true;
}

static void saw_fetch(struct mtr_encoder *e, struct lane *lane)
{
    bool *mark;

    if (lane->has_pc)
        return;
    lane->has_pc = true;
    mark = pairs_add(&e->threads, lane->l.process, lane->l.thread);
    if (mark)
        *mark = true;
}

size_t mtr_encode(struct mtr_encoder *e, uint32_t process, uint32_t thread, const struct trace_rec *rec,
                  size_t n)
{
    struct lane *lane;
    size_t i = 0;

    if (mtr_encoder_full(e) || !use_lane(e, process, thread))
        return 0;
    lane = &e->lane[e->cur];
    while (i < n && !mtr_encoder_full(e)) {
        const struct trace_rec *r = &rec[i];

        if (r->kind == TRACE_FETCH && r->size <= 255) {
            end_node(e);
            end_miscs(e);
            e->has_head = true;
            e->head = *r;
            saw_fetch(e, lane);
            lane->part = 0;
            e->refs++;
            e->insns++;
            e->flags |= MTR_F_FETCH;
        } else if (mtr_follower_kind(r->kind)) {
            if (e->nf == 2 || (!lane->has_pc && e->nf))
                end_node(e);
            end_miscs(e);
            e->faddr[e->nf] = r->addr;
            e->fmeta[e->nf++] = mtr_meta(r);
            if (r->kind <= TRACE_REF_MAX) {
                e->refs++;
            } else if (r->kind == TRACE_INSNS) {
                e->insns += r->addr;
            } else if (r->kind == TRACE_REGS) {
                e->flags |= MTR_F_REGS;
            }
        } else {
            end_node(e);
            put_misc(e, r);
            if (r->kind == TRACE_FETCH) { /* of more than 255 bytes */
                e->refs++;
                e->insns++;
                e->flags |= MTR_F_FETCH;
                saw_fetch(e, lane);
            }
        }
        e->records++;
        i += 1u + r->slots;
    }
    return i;
}

int mtr_encoder_finish(struct mtr_encoder *e, struct mtr_block_header *h, const struct mtr_bytes **streams,
                       struct err *err)
{
    end_node(e);
    end_miscs(e);
    end_run(e);
    put_u8(e, MTR_SPECIAL_END);
    h->insns = e->insns;
    h->records = e->records;
    h->refs = e->refs;
    h->process = e->first_process;
    h->thread = e->first_thread;
    h->runs = e->runs;
    h->flags = e->flags;
    for (int i = 0; i < MTR_STREAMS; i++)
        h->raw[i] = e->out[i].n;
    *streams = e->finished;
    if (e->too_many) {
        err_set(err, ERR_RUN, "a trace can have at most %u threads, with process numbers below 2^31",
                PAIRS_MAX);
        return err_remedy(err, "number processes and threads densely from 0");
    }
    if (e->failed)
        return err_set(err, ERR_RUN, "out of memory while encoding the trace");
    memcpy(e->finished, e->out, sizeof e->out);
    reset(e);
    return 0;
}
