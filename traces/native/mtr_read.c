/* The .mtr reader: finds the blocks (by the index, or one after the other), checks them, decodes them. */
#include "traces/native/mtr.h"
#include "traces/trace.h"

#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

struct mtr_reader {
    struct mtr_file_header header;
    struct mtr_index_header total; /* valid if indexed */
    struct mtr_index_entry *entry;
    bool indexed;
    bool incomplete;

    struct mtr_decoder dec;
    ZSTD_DCtx *zstd;
    unsigned char *raw; /* the three streams of the block, each with its padding */
    size_t raw_cap;
    bool in_block;
    struct mtr_block_header block;
    uint64_t block_pos;   /* bytes */
    uint64_t next_record; /* of the next block */
    uint64_t next_block;
};

static int mtr_probe(const unsigned char *head, size_t n, bool whole)
{
    (void)whole;
    if (n >= 8 && !memcmp(head, MTR_MAGIC, 8))
        return 100;
    return n >= 4 && !memcmp(head, MTR_MAGIC, 4) ? 90 : 0; /* then open says what happened to it */
}

/* --- errors --------------------------------------------------------------------------------------------- */

/* `byte` is where the block or the index that is wrong begins. */
static int broken(const struct trace_input *in, uint64_t byte, struct err *err, const char *what)
{
    trace_input_mark(in, byte);
    err_set(err, ERR_RUN, "%s", what);
    return err_remedy(err, "copy or record the file again");
}

/* The stream ended (status 0) or broke (-1, *err is set) inside a block or before the index. */
static int cut_off(struct mtr_reader *m, const struct trace_input *in, int status, uint64_t byte,
                   struct err *err)
{
    if (status < 0)
        return -1; /* the position is that of the damage */
    m->incomplete = true;
    if (m->header.flags & MTR_F_OPEN)
        return 0; /* being written, or its recorder was killed: what is complete is the trace so far */
    return broken(in, byte, err, "the file is cut off");
}

/* --- the index ------------------------------------------------------------------------------------------ */

static bool index_valid(const struct mtr_reader *m, const struct mtr_index_header *t,
                        const unsigned char *entries, uint64_t index_offset)
{
    uint64_t record = 0, offset = m->header.bytes;

    for (uint64_t i = 0; i < t->blocks; i++) {
        struct mtr_index_entry e;
        memcpy(&e, entries + i * sizeof e, sizeof e);
        if (e.offset != offset || e.first_record != record || !e.records || e.bytes > index_offset - offset)
            return false;
        offset += e.bytes;
        record += e.records;
    }
    return offset == index_offset && record == t->records;
}

/* Takes the index if there is a whole one; without it the file is read from front to back. -1 only for lack
 * of memory. */
static int index_load(struct mtr_reader *m, struct trace_input *in, struct err *err)
{
    uint64_t size = trace_input_size(in);
    const size_t skip = offsetof(struct mtr_index_header, blocks);
    struct mtr_trailer trailer;
    struct mtr_index_header t;
    int r = 0;

    if (size == UINT64_MAX || size < m->header.bytes + sizeof t + sizeof trailer)
        return 0;
    if (trace_input_seek(in, size - sizeof trailer, NULL) < 0 ||
        trace_input_fill(in, sizeof trailer, NULL) <= 0)
        return 0;
    memcpy(&trailer, in->p, sizeof trailer);
    if (memcmp(trailer.magic, MTR_END_MAGIC, 8) || trailer.index_bytes < sizeof t ||
        trailer.index_bytes > TRACE_INPUT_MAX || trailer.index_bytes > size - sizeof trailer ||
        trailer.index_offset != size - sizeof trailer - trailer.index_bytes ||
        trailer.index_offset < m->header.bytes)
        return 0;
    if (trace_input_seek(in, trailer.index_offset, NULL) < 0 ||
        trace_input_fill(in, (size_t)trailer.index_bytes, NULL) <= 0)
        return 0;
    memcpy(&t, in->p, sizeof t);
    if (memcmp(t.magic, MTR_INDEX_MAGIC, 4) || t.bytes != sizeof t || t.entry_bytes != sizeof *m->entry ||
        t.blocks != (trailer.index_bytes - sizeof t) / sizeof *m->entry ||
        t.checksum != XXH3_64bits(in->p + skip, (size_t)trailer.index_bytes - skip) ||
        !index_valid(m, &t, in->p + sizeof t, trailer.index_offset))
        return 0;
    m->entry = malloc(t.blocks * sizeof *m->entry + 1);
    if (!m->entry)
        return err_set(err, ERR_RUN, "out of memory");
    memcpy(m->entry, in->p + sizeof t, t.blocks * sizeof *m->entry);
    m->total = t;
    m->indexed = true;
    return r;
}

static int mtr_rewind(void *state, struct trace_input *in, struct err *err)
{
    struct mtr_reader *m = state;

    m->in_block = false;
    m->next_record = m->next_block = 0;
    if (trace_input_fill(in, m->header.bytes, err) <= 0)
        return -1;
    trace_input_consume(in, m->header.bytes);
    return 0;
}

static void mtr_close(void *state)
{
    struct mtr_reader *m = state;

    mtr_decoder_fini(&m->dec);
    ZSTD_freeDCtx(m->zstd);
    free(m->raw);
    free(m->entry);
}

static int mtr_open(void *state, struct trace_input *in, const char *path, const struct trace_options *opt,
                    struct err *err)
{
    struct mtr_reader *m = state;
    struct mtr_file_header *h = &m->header;
    int r;

    (void)path;
    (void)opt;
    r = trace_input_fill(in, sizeof *h, err);
    if (r < 0)
        return -1;
    if (trace_input_avail(in) >= 8 && memcmp(in->p, MTR_MAGIC, 8) && !memcmp(in->p, MTR_MAGIC, 4)) {
        err_set(err, ERR_RUN,
                "the .mtr file was changed on its way (its line ends or 8th bits were converted)");
        return err_remedy(err, "copy it again, as binary");
    }
    if (r == 0)
        return broken(in, 0, err, "the file is cut off in its header");
    memcpy(h, in->p, sizeof *h);
    if (memcmp(h->magic, MTR_MAGIC, 8))
        return err_set(err, ERR_RUN, "this is not a .mtr file");
    if (h->major != MTR_MAJOR) {
        err_set(err, ERR_RUN, "the .mtr file has version %u.%u, this program reads %u.x", h->major, h->minor,
                MTR_MAJOR);
        return err_remedy(err, "use a newer program, or convert the file with the one that wrote it");
    }
    if (h->checksum != XXH3_64bits(h, offsetof(struct mtr_file_header, checksum)))
        return broken(in, 0, err, "the file header's checksum is wrong");
    if (h->bytes < sizeof *h || h->bytes > 1u << 16)
        return broken(in, 0, err, "the file header's length is wrong");
    m->zstd = ZSTD_createDCtx();
    if (!m->zstd || mtr_decoder_init(&m->dec, err) < 0 || index_load(m, in, err) < 0) {
        mtr_close(m);
        return err_set(err, ERR_RUN, "out of memory");
    }
    m->incomplete = !m->indexed && ((h->flags & MTR_F_OPEN) || trace_input_size(in) != UINT64_MAX);
    if (trace_input_seek(in, 0, err) < 0 || mtr_rewind(m, in, err) < 0) {
        mtr_close(m);
        return -1;
    }
    return 0;
}

/* --- blocks --------------------------------------------------------------------------------------------- */

static bool header_valid(const struct mtr_block_header *h)
{
    if (h->bytes != sizeof *h || !h->records || h->records > MTR_BLOCK_RECORDS_MAX)
        return false;
    for (int i = 0; i < MTR_STREAMS; i++)
        if (h->raw[i] > MTR_STREAM_MAX || h->stored[i] > h->raw[i])
            return false;
    return true;
}

/* Decompresses the streams behind the header at `p` and begins the block. */
static int block_unpack(struct mtr_reader *m, const struct trace_input *in, const unsigned char *p, struct err *err)
{
    const struct mtr_block_header *h = &m->block;
    const unsigned char *stream[MTR_STREAMS];
    size_t need = 0;
    unsigned char *dst;

    for (int i = 0; i < MTR_STREAMS; i++)
        need += h->raw[i] + MTR_STREAM_PAD;
    if (m->raw_cap < need) {
        free(m->raw);
        m->raw_cap = 0;
        m->raw = malloc(need);
        if (!m->raw)
            return err_set(err, ERR_RUN, "out of memory for a block of %zu bytes", need);
        m->raw_cap = need;
    }
    dst = m->raw;
    p += h->bytes;
    for (int i = 0; i < MTR_STREAMS; i++) {
        stream[i] = dst;
        if (h->stored[i] == h->raw[i])
            memcpy(dst, p, h->raw[i]);
        else if (ZSTD_decompressDCtx(m->zstd, dst, h->raw[i], p, h->stored[i]) != h->raw[i])
            return broken(in, m->block_pos, err, "the block cannot be decompressed");
        memset(dst + h->raw[i], 0, MTR_STREAM_PAD);
        p += h->stored[i];
        dst += h->raw[i] + MTR_STREAM_PAD;
    }
    mtr_decoder_begin(&m->dec, h, stream);
    m->in_block = true;
    return 1;
}

/* At the index: everything was read. */
static int at_index(struct mtr_reader *m, struct trace_input *in, struct err *err)
{
    const size_t skip = offsetof(struct mtr_index_header, blocks);
    uint64_t pos = trace_input_pos(in), length;
    struct mtr_index_header t;
    int r = trace_input_fill(in, sizeof t, err);

    if (r <= 0)
        return cut_off(m, in, r, pos, err);
    if (m->indexed)
        return 0; /* it was checked when the file was opened */
    memcpy(&t, in->p, sizeof t);
    length = sizeof t + t.blocks * sizeof *m->entry;
    if (t.blocks != m->next_block || t.records != m->next_record || t.entry_bytes != sizeof *m->entry)
        return broken(in, pos, err, "the index does not fit the blocks before it");
    if (length + sizeof(struct mtr_trailer) <= TRACE_INPUT_MAX) {
        r = trace_input_fill(in, (size_t)length + sizeof(struct mtr_trailer), err);
        if (r <= 0)
            return cut_off(m, in, r, pos, err);
        if (t.checksum != XXH3_64bits(in->p + skip, (size_t)length - skip) ||
            memcmp(in->p + length + offsetof(struct mtr_trailer, magic), MTR_END_MAGIC, 8))
            return broken(in, pos, err, "the index is damaged");
    }
    m->incomplete = false;
    return 0;
}

static int block_begin(struct mtr_reader *m, struct trace_input *in, struct err *err)
{
    struct mtr_block_header *h = &m->block;
    size_t length = sizeof *h;
    int r;

    m->block_pos = trace_input_pos(in);
    r = trace_input_fill(in, 4, err);
    if (r <= 0)
        return cut_off(m, in, r, m->block_pos, err);
    if (!memcmp(in->p, MTR_INDEX_MAGIC, 4))
        return at_index(m, in, err);
    if (memcmp(in->p, MTR_BLOCK_MAGIC, 4))
        return broken(in, m->block_pos, err, "neither a block nor the index begins here");
    r = trace_input_fill(in, length, err);
    if (r <= 0)
        return cut_off(m, in, r, m->block_pos, err);
    memcpy(h, in->p, sizeof *h);
    if (!header_valid(h))
        return broken(in, m->block_pos, err, "the block's header is damaged");
    for (int i = 0; i < MTR_STREAMS; i++)
        length += h->stored[i];
    r = trace_input_fill(in, length, err);
    if (r <= 0)
        return cut_off(m, in, r, m->block_pos, err);
    if (h->checksum != XXH3_64bits(in->p + offsetof(struct mtr_block_header, sequence),
                                   length - offsetof(struct mtr_block_header, sequence)))
        return broken(in, m->block_pos, err, "the block's checksum is wrong");
    if (h->sequence != m->next_block || h->first_record != m->next_record)
        return broken(in, m->block_pos, err, "a block is missing or out of order");
    r = block_unpack(m, in, in->p, err);
    trace_input_consume(in, length);
    return r;
}

static int mtr_read_batch(void *state, struct trace_input *in, struct trace_sink *sink, struct err *err)
{
    struct mtr_reader *m = state;
    const char *why;
    int r;

    if (!m->in_block && (r = block_begin(m, in, err)) <= 0)
        return r;
    r = mtr_decode(&m->dec, sink, &why);
    if (r < 0) {
        m->in_block = false;
        return broken(in, m->block_pos, err, why);
    }
    if (r == 0) {
        m->in_block = false;
        m->next_record += m->block.records;
        m->next_block++;
    }
    return 1;
}

static int mtr_seek(void *state, struct trace_input *in, uint64_t record, uint64_t *first, struct err *err)
{
    struct mtr_reader *m = state;
    uint64_t lo = 0, hi = m->total.blocks;

    if (!m->indexed || !hi)
        return 0;
    while (hi - lo > 1) { /* the last block that begins at or before the record */
        uint64_t mid = lo + (hi - lo) / 2;
        if (m->entry[mid].first_record <= record)
            lo = mid;
        else
            hi = mid;
    }
    if (trace_input_seek(in, m->entry[lo].offset, err) < 0)
        return -1;
    m->in_block = false;
    m->next_block = lo;
    m->next_record = *first = m->entry[lo].first_record;
    return 1;
}

static void mtr_info(const void *state, struct trace_info *out)
{
    const struct mtr_reader *m = state;

    out->incomplete = m->incomplete;
    out->why = m->incomplete ? "not closed, so still being written or its recorder was killed" : NULL;
    out->has_fetch = m->header.flags & MTR_F_FETCH;
    out->has_regs = m->header.flags & MTR_F_REGS;
    if (m->indexed) {
        out->records = m->total.records;
        out->refs = m->total.refs;
        out->insns = m->total.insns;
        out->hash = m->total.hash;
        out->processes = m->total.processes;
        out->threads = m->total.threads;
    }
}

const struct trace_reader_ops trace_reader_mtr = {
    .name = "mtr",
    .probe = mtr_probe,
    .state_bytes = sizeof(struct mtr_reader),
    .open = mtr_open,
    .read_batch = mtr_read_batch,
    .info = mtr_info,
    .close = mtr_close,
    .seek = mtr_seek,
    .rewind = mtr_rewind,
};
