/*
 * Decoding one block. The loop over predicted nodes is what the whole format is made for: one cache line
 * read, two to three records written without a branch on their number, then the next node by its number (no
 * hash, no address look-up). Events (mispredictions) are kept branch-poor too: address bytes have a length
 * from a table and are masked, not looped.
 *
 * The streams are checksummed, but a checksum can be forged: every number read is bounded before it is used.
 */
#include "traces/native/mtr.h"

#include "engine/types.h"

#include <stdlib.h>

static const uint64_t form_mask[16] = {
    0,          0xff,         0xffff,         0xffffff,
    0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff,
    UINT64_MAX, UINT64_MAX,   UINT64_MAX,     UINT64_MAX,
    UINT64_MAX, UINT64_MAX,   UINT64_MAX,     UINT64_MAX,
};
static const uint8_t form_bytes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 8, 8, 8, 8, 8};

int mtr_decoder_init(struct mtr_decoder *d, struct err *err)
{
    memset(d, 0, sizeof *d);
    d->node = aligned_alloc(64, (MTR_NODES_MAX + 1) * sizeof *d->node);
    d->shape = malloc(MTR_SHAPES_MAX * sizeof *d->shape);
    d->lane = malloc(MTR_BLOCK_THREADS_MAX * sizeof *d->lane);
    d->last = malloc(256 * sizeof *d->last);
    if (!d->node || !d->shape || !d->lane || !d->last)
        return err_set(err, ERR_RUN, "out of memory");
    return 0;
}

void mtr_decoder_fini(struct mtr_decoder *d)
{
    free(d->node);
    free(d->shape);
    free(d->lane);
    free(d->last);
}

void mtr_decoder_begin(struct mtr_decoder *d, const struct mtr_block_header *h,
                       const unsigned char *const stream[3])
{
    for (int i = 0; i < MTR_STREAMS; i++) {
        d->at[i] = stream[i];
        d->end[i] = stream[i] + h->raw[i];
    }
    memset(&d->node[0], 0, sizeof d->node[0]);
    memset(&d->lane[0], 0, sizeof d->lane[0]);
    memset(d->last, 0, 256 * sizeof *d->last);
    d->nodes = 1;
    d->shapes = d->lanes = d->cur = 0;
    d->run = d->misc = 0;
    d->left = h->records;
    d->done = false;
    /* The first run length stands at the start of the control stream. */
    d->run = UINT32_MAX;
}

static uint64_t load64(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static uint32_t load32(const unsigned char *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

static uint32_t load16(const unsigned char *p)
{
    uint16_t v;
    memcpy(&v, p, 2);
    return v;
}

/* --- the misc stream: everything rare, bounds checked byte by byte -------------------------------------- */

static bool varint(struct mtr_decoder *d, uint64_t *v)
{
    const unsigned char *p = d->at[MTR_MISC], *end = d->end[MTR_MISC];
    uint64_t x = 0;

    for (unsigned shift = 0; shift < 64 && p < end; shift += 7) {
        x |= (uint64_t)(*p & 0x7f) << shift;
        if (*p++ < 0x80) {
            d->at[MTR_MISC] = p;
            *v = x;
            return true;
        }
    }
    return false;
}

static bool small(struct mtr_decoder *d, uint64_t max, uint32_t *v)
{
    uint64_t x;

    if (!varint(d, &x) || x > max)
        return false;
    *v = (uint32_t)x;
    return true;
}

static bool decode_misc(struct mtr_decoder *d, struct trace_sink *s)
{
    const struct trace_shape *shape;
    struct trace_rec r = {0};
    struct mtr_misc_last *last;
    uint32_t kind, flags, len;
    uint64_t x;

    if (!small(d, 255, &kind) || !small(d, 255, &flags) || !small(d, UINT32_MAX, &r.size) || !varint(d, &x))
        return false;
    shape = trace_kind_shape((uint8_t)kind);
    if (!shape)
        return false;
    r.kind = (uint8_t)kind;
    r.flags = (uint8_t)flags;
    last = &d->last[kind];
    r.addr = last->addr += mtr_unzigzag(x);
    for (unsigned i = 0; i < shape->words; i++) {
        if (!varint(d, &x))
            return false;
        last->word[i] += mtr_unzigzag(x);
    }
    if (!shape->string) {
        trace_sink_put_words(s, r, last->word, shape->words);
        return true;
    }
    if (!small(d, TRACE_STRING_MAX, &len) || (size_t)(d->end[MTR_MISC] - d->at[MTR_MISC]) < len ||
        memchr(d->at[MTR_MISC], 0, len))
        return false;
    trace_sink_put_string(s, r, last->word, shape->words, (const char *)d->at[MTR_MISC], len);
    d->at[MTR_MISC] += len;
    return true;
}

static bool define_shape(struct mtr_decoder *d)
{
    struct mtr_shape *s;
    uint32_t v;

    if (d->shapes == MTR_SHAPES_MAX || !small(d, 7, &v))
        return false;
    s = &d->shape[d->shapes];
    *s = (struct mtr_shape){.head = v & 1, .nf = (uint8_t)(v >> 1)};
    if (s->nf > 2 || s->head + s->nf == 0)
        return false;
    if (s->head) {
        if (!small(d, 255, &v))
            return false;
        s->size = (uint8_t)v;
        if (!small(d, 255, &v))
            return false;
        s->flags = (uint8_t)v;
    }
    for (unsigned i = 0; i < s->nf; i++) {
        uint32_t kind, flags, size;
        if (!small(d, 255, &kind) || !small(d, 255, &flags) || !small(d, UINT32_MAX, &size) ||
            !mtr_follower_kind((uint8_t)kind))
            return false;
        s->meta[i] = mtr_make_meta(size, (uint8_t)kind, (uint8_t)flags);
    }
    d->shapes++;
    return true;
}

static bool define_lane(struct mtr_decoder *d)
{
    struct mtr_lane *l = &d->lane[d->lanes];

    if (d->lanes == MTR_BLOCK_THREADS_MAX)
        return false;
    *l = (struct mtr_lane){0};
    if (!small(d, INT32_MAX, &l->process) || !small(d, UINT32_MAX, &l->thread))
        return false;
    d->lanes++;
    return true;
}

/* --- the hot part --------------------------------------------------------------------------------------- */

static inline void put(struct trace_rec *out, uint64_t addr, uint64_t meta)
{
    memcpy(out, &addr, 8);
    memcpy((char *)out + 8, &meta, 8);
}

/* `k` predicted nodes after `prev`, all their records; returns the last node's number. */
static inline __attribute__((always_inline)) uint32_t run_nodes(struct mtr_node *node, uint32_t prev,
                                                                uint32_t k, struct trace_rec **out_io)
{
    struct trace_rec *out = *out_io;
    struct mtr_node *e = node + prev;
    uint32_t id = prev;

    for (; k; k--) {
        uint64_t link, a0, a1;
        struct trace_rec *o = out;

        id = mtr_succ(e->link);
        e = node + id;
        link = e->link;
        put(o, e->pc, mtr_head_meta(link));
        o += mtr_head(link);
        a0 = e->f[0].addr + (uint64_t)(int64_t)e->f[0].stride;
        a1 = e->f[1].addr + (uint64_t)(int64_t)e->f[1].stride;
        e->f[0].delta = e->f[0].stride;
        e->f[1].delta = e->f[1].stride;
        e->f[0].addr = a0;
        e->f[1].addr = a1;
        put(o, a0, e->f[0].meta);
        put(o + 1, a1, e->f[1].meta);
        out += mtr_records(link);
    }
    *out_io = out;
    return id;
}

/* The address of follower f: given with this form, or predicted. */
static inline uint64_t given_addr(struct mtr_follower *f, unsigned form, const unsigned char **a,
                                  uint64_t *given)
{
    uint64_t d = mtr_unzigzag(load64(*a) & form_mask[form & MTR_FORM_BYTES]);
    uint64_t addr = (form & MTR_FORM_GIVEN ? *given : f->addr) + d;

    *a += form_bytes[form & MTR_FORM_BYTES];
    mtr_correct(f, addr);
    if (mtr_is_data(f->meta))
        *given = addr;
    return addr;
}

static inline uint64_t predicted_addr(struct mtr_follower *f)
{
    f->delta = f->stride;
    return f->addr += (uint64_t)(int64_t)f->stride;
}

static inline const unsigned char *read_run(const unsigned char *c, uint32_t *run)
{
    uint32_t r = *c++;

    if (unlikely(r == 255)) {
        r = load32(c);
        c += 4;
    }
    *run = r;
    return c;
}

int mtr_decode(struct mtr_decoder *d, struct trace_sink *s, const char **why)
{
    struct mtr_node *const node = d->node;
    const unsigned char *c = d->at[MTR_CTL], *a = d->at[MTR_ADDR];
    const unsigned char *const c_end = d->end[MTR_CTL], *const a_end = d->end[MTR_ADDR];
    struct trace_rec *out = s->rec + s->n, *const full = s->rec + TRACE_SINK_RECS;
    struct mtr_lane *lane = &d->lane[d->cur];
    uint32_t prev = lane->prev, run = d->run, left = d->left;
    uint64_t given = lane->given;
    int status = 1;

    *why = NULL;
    if (d->lanes)
        trace_sink_thread(s, lane->process, lane->thread);
    if (run == UINT32_MAX)
        c = read_run(c, &run);

    while (out < full && s->nruns < TRACE_SINK_RUNS) {
        struct mtr_node *e;
        struct trace_rec *o;
        unsigned flag, id;
        uint64_t link;

        if (unlikely(d->misc)) {
            s->n = (uint32_t)(out - s->rec);
            while (d->misc && !trace_sink_full(s)) {
                if (!left || !decode_misc(d, s)) {
                    *why = "a record of the misc stream is malformed";
                    goto bad;
                }
                d->misc--;
                left--;
            }
            out = s->rec + s->n;
            continue;
        }
        if (run) {
            uint32_t room = (uint32_t)(full - out) / 3 + 1, k = run < room ? run : room;
            struct trace_rec *from = out;

            if (unlikely(run > left)) {
                *why = "a run is longer than the block";
                goto bad;
            }
            prev = run_nodes(node, prev, k, &out);
            run -= k;
            if (unlikely((uint32_t)(out - from) > left)) {
                out = from;
                *why = "there are more records than the block should have";
                goto bad;
            }
            left -= (uint32_t)(out - from);
            if (run)
                continue;
        }

        /* An event: at most 11 control and 24 address bytes, which the padding covers. */
        if (unlikely(c >= c_end || a > a_end)) {
            *why = "a stream ends too early";
            goto bad;
        }
        flag = *c++;
        if (unlikely(flag >= MTR_SPECIAL)) {
            lane->prev = prev;
            lane->given = given;
            if (flag == MTR_SPECIAL_END) {
                if (left || c != c_end || a != a_end || d->at[MTR_MISC] != d->end[MTR_MISC]) {
                    *why = "the block ends early or late";
                    goto bad;
                }
                d->done = true;
                status = 0;
                break;
            } else if (flag == MTR_SPECIAL_MISC) {
                d->misc = load16(c) + 1;
                c += 2;
            } else if (flag == MTR_SPECIAL_THREAD) {
                unsigned n = *c++;
                if (n > d->lanes || (n == d->lanes && !define_lane(d))) {
                    *why = "a thread is not defined";
                    goto bad;
                }
                d->cur = n;
                lane = &d->lane[n];
                prev = lane->prev;
                given = lane->given;
                s->n = (uint32_t)(out - s->rec);
                trace_sink_thread(s, lane->process, lane->thread);
            } else {
                *why = "unknown control code";
                goto bad;
            }
            c = read_run(c, &run);
            continue;
        }

        link = node[prev].link;
        switch (flag & MTR_SUCC_MASK) {
        case MTR_SUCC_PREDICTED:
            id = mtr_succ(link);
            break;
        case MTR_SUCC_ALT:
            id = mtr_alt(link);
            node[prev].link = mtr_link_succ(link, id);
            break;
        case MTR_SUCC_ID:
            id = load16(c);
            c += 2;
            if (unlikely(id >= d->nodes)) {
                *why = "a node is not defined";
                goto bad;
            }
            node[prev].link = mtr_link_succ(link, id);
            break;
        default: {
            const struct mtr_shape *sh;
            unsigned k = load16(c), form = c[2];
            uint64_t pc;

            c += 3;
            if (unlikely(k > d->shapes || (k == d->shapes && !define_shape(d)) || d->nodes > MTR_NODES_MAX)) {
                *why = "a node's shape is not defined";
                goto bad;
            }
            sh = &d->shape[k];
            pc = node[prev].pc + mtr_size(link) + mtr_unzigzag(load64(a) & form_mask[form & MTR_FORM_BYTES]);
            a += form_bytes[form & MTR_FORM_BYTES];
            id = d->nodes++;
            node[prev].link = mtr_link_succ(link, id);
            node[id] = (struct mtr_node){
                .pc = pc,
                .link = (uint64_t)sh->size << 32 | (uint64_t)sh->flags << 40 |
                        (uint64_t)(sh->head + sh->nf) << 48 | (uint64_t)sh->head << 56,
                .f = {{.meta = sh->meta[0]}, {.meta = sh->meta[1]}},
            };
            break;
        }
        }
        e = node + id;
        link = e->link;
        o = out;
        put(o, e->pc, mtr_head_meta(link));
        o += mtr_head(link);
        put(o, flag & MTR_GIVEN0 ? given_addr(&e->f[0], *c++, &a, &given) : predicted_addr(&e->f[0]),
            e->f[0].meta);
        put(o + 1, flag & MTR_GIVEN1 ? given_addr(&e->f[1], *c++, &a, &given) : predicted_addr(&e->f[1]),
            e->f[1].meta);
        if (unlikely(mtr_records(link) > left)) {
            *why = "there are more records than the block should have";
            goto bad;
        }
        out += mtr_records(link);
        left -= mtr_records(link);
        prev = id;
        c = read_run(c, &run);
    }
    s->n = (uint32_t)(out - s->rec);
    lane->prev = prev;
    lane->given = given;
    d->at[MTR_CTL] = c;
    d->at[MTR_ADDR] = a;
    d->run = run;
    d->left = left;
    return status;
bad:
    s->n = (uint32_t)(out - s->rec);
    d->done = true;
    return -1;
}
