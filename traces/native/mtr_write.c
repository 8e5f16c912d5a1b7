/* The .mtr file's writing side: blocks as they fill, then the index. */
#include "traces/native/hash.h"
#include "traces/native/mtr.h"
#include "traces/io/writer.h"

#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

#define LEVEL_DEFAULT 9 /* measured: docs/trace-format.md */
#define THREAD_BLOCK_RECORDS                                                                                 \
    65536u /* a thread switch ends a block that has so many records: mostly one thread a block */

struct mtr_writer {
    struct outfile *f;
    struct mtr_encoder *enc;
    struct trace_hasher *hasher;
    ZSTD_CCtx *zstd;
    unsigned char *buf; /* a whole block as stored */
    size_t buf_cap;
    struct mtr_file_header header;
    struct mtr_index_header total;
    struct mtr_index_entry *entry;
    size_t entry_cap;
    uint32_t process, thread;
};

static int header_write(struct mtr_writer *w, struct err *err)
{
    w->header.checksum = XXH3_64bits(&w->header, offsetof(struct mtr_file_header, checksum));
    return outfile_rewrite(w->f, 0, &w->header, sizeof w->header, err);
}

static void mtr_writer_free(void *self)
{
    struct mtr_writer *w = self;

    mtr_encoder_free(w->enc);
    trace_hasher_free(w->hasher);
    ZSTD_freeCCtx(w->zstd);
    free(w->buf);
    free(w->entry);
    free(w);
}

static void *mtr_writer_open(struct outfile *f, const struct trace_writer_options *opt, struct err *err)
{
    struct mtr_writer *w = calloc(1, sizeof *w);
    int level = opt->level ? opt->level : LEVEL_DEFAULT;

    if (!w) {
        err_set(err, ERR_RUN, "out of memory");
        return NULL;
    }
    w->f = f;
    w->hasher = trace_hasher_new();
    w->zstd = ZSTD_createCCtx();
    if (!w->hasher || !w->zstd ||
        ZSTD_isError(ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, level))) {
        err_set(err, ERR_RUN, "out of memory");
        goto fail;
    }
    if (mtr_encoder_new(&w->enc, err) < 0)
        goto fail;
    mtr_encoder_set_block(w->enc, opt->block_records);
    memcpy(w->header.magic, MTR_MAGIC, 8);
    w->header.major = MTR_MAJOR;
    w->header.minor = MTR_MINOR;
    w->header.bytes = sizeof w->header;
    w->header.flags = MTR_F_OPEN;
    w->header.checksum = XXH3_64bits(&w->header, offsetof(struct mtr_file_header, checksum));
    if (outfile_write(f, &w->header, sizeof w->header, err) < 0)
        goto fail;
    return w;
fail:
    mtr_writer_free(w);
    return NULL;
}

/* Compresses one stream to the end of the block in w->buf. A stream that hardly shrinks (random addresses) is
 * stored as it is: entropy decoding of literals would be most of the time it takes to read. */
static int stream_append(struct mtr_writer *w, const struct mtr_bytes *s, size_t *at, uint32_t *stored,
                         struct err *err)
{
    size_t bound = ZSTD_compressBound(s->n), k;

    if (w->buf_cap < *at + bound) {
        unsigned char *p = realloc(w->buf, *at + bound);
        if (!p)
            return err_set(err, ERR_RUN, "out of memory");
        w->buf = p;
        w->buf_cap = *at + bound;
    }
    k = s->n ? ZSTD_compress2(w->zstd, w->buf + *at, bound, s->p, s->n) : 0;
    if (ZSTD_isError(k))
        return err_set(err, ERR_RUN, "cannot compress: %s", ZSTD_getErrorName(k));
    if (k > s->n - s->n / 8) {
        if (s->n)
            memcpy(w->buf + *at, s->p, s->n);
        k = s->n;
    }
    *stored = (uint32_t)k;
    *at += k;
    return 0;
}

static int block_write(struct mtr_writer *w, struct err *err)
{
    struct mtr_block_header h = {.magic = MTR_BLOCK_MAGIC, .bytes = sizeof h};
    const struct mtr_bytes *streams;
    size_t at = sizeof h;

    if (!mtr_encoder_records(w->enc) && !mtr_encoder_full(w->enc)) /* full and empty: out of memory */
        return 0;
    if (mtr_encoder_finish(w->enc, &h, &streams, err) < 0)
        return -1;
    h.sequence = w->total.blocks;
    h.first_record = w->total.records;
    for (int i = 0; i < MTR_STREAMS; i++)
        if (stream_append(w, &streams[i], &at, &h.stored[i], err) < 0)
            return -1;
    memcpy(w->buf, &h, sizeof h);
    h.checksum = XXH3_64bits(w->buf + offsetof(struct mtr_block_header, sequence),
                             at - offsetof(struct mtr_block_header, sequence));
    memcpy(w->buf, &h, sizeof h);

    if (w->total.blocks == w->entry_cap) {
        size_t cap = w->entry_cap ? w->entry_cap * 2 : 64;
        struct mtr_index_entry *e = realloc(w->entry, cap * sizeof *e);
        if (!e)
            return err_set(err, ERR_RUN, "out of memory");
        w->entry = e;
        w->entry_cap = cap;
    }
    w->entry[w->total.blocks++] = (struct mtr_index_entry){
        .offset = w->f->pos,
        .first_record = h.first_record,
        .insns = h.insns,
        .records = h.records,
        .refs = h.refs,
        .process = h.process,
        .thread = h.thread,
        .runs = h.runs,
        .bytes = (uint32_t)at,
    };
    w->total.records += h.records;
    w->total.refs += h.refs;
    w->total.insns += h.insns;
    w->total.flags |= h.flags;
    return outfile_write(w->f, w->buf, at, err);
}

static int mtr_writer_put(void *self, uint32_t process, uint32_t thread, const struct trace_rec *rec,
                          size_t n, struct err *err)
{
    struct mtr_writer *w = self;

    if (process > INT32_MAX)
        return err_set(err, ERR_RUN, "process number %u is too large: number processes densely from 0",
                       process);
    if ((w->process != process || w->thread != thread) &&
        mtr_encoder_records(w->enc) >= THREAD_BLOCK_RECORDS && block_write(w, err) < 0)
        return -1;
    w->process = process;
    w->thread = thread;
    trace_hasher_put(w->hasher, process, thread, rec, n);
    while (n) {
        size_t k = mtr_encode(w->enc, process, thread, rec, n);
        rec += k;
        n -= k;
        if ((n || mtr_encoder_full(w->enc)) && block_write(w, err) < 0)
            return -1;
    }
    return 0;
}

static int mtr_writer_flush(void *self, struct err *err)
{
    return block_write(self, err);
}

static int mtr_writer_finish(void *self, struct err *err)
{
    struct mtr_writer *w = self;
    struct mtr_index_header *t = &w->total;
    struct mtr_trailer trailer = {.magic = MTR_END_MAGIC};
    const size_t skip = offsetof(struct mtr_index_header, blocks);
    XXH3_state_t xxh;

    if (block_write(w, err) < 0)
        return -1;
    memcpy(t->magic, MTR_INDEX_MAGIC, 4);
    t->bytes = sizeof *t;
    t->hash = trace_hasher_value(w->hasher);
    t->entry_bytes = sizeof *w->entry;
    mtr_encoder_threads(w->enc, &t->processes, &t->threads);
    XXH3_INITSTATE(&xxh);
    XXH3_64bits_reset(&xxh);
    XXH3_64bits_update(&xxh, (char *)t + skip, sizeof *t - skip);
    if (t->blocks)
        XXH3_64bits_update(&xxh, w->entry, t->blocks * sizeof *w->entry);
    t->checksum = XXH3_64bits_digest(&xxh);
    trailer.index_offset = w->f->pos;
    trailer.index_bytes = sizeof *t + t->blocks * sizeof *w->entry;
    if (outfile_write(w->f, t, sizeof *t, err) < 0 ||
        (t->blocks && outfile_write(w->f, w->entry, t->blocks * sizeof *w->entry, err) < 0) ||
        outfile_write(w->f, &trailer, sizeof trailer, err) < 0)
        return -1;
    w->header.flags = t->flags;
    return header_write(w, err);
}

const struct writer_ops writer_mtr = {mtr_writer_open, mtr_writer_put, mtr_writer_flush, mtr_writer_finish,
                                      mtr_writer_free, NULL};
