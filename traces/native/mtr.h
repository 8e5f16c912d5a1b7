/*
 * The native binary format: layout of the file, and the block codec. docs/trace-format.md describes both for
 * readers written elsewhere; all numbers are little-endian. Private to traces/mtr_*.c and their tests.
 *
 *   file header | block | block | ... | index | trailer
 *
 * A block decodes by itself: its predictor starts empty. A file that is being written, or was cut off, has no
 * index; its blocks are found one after the other.
 */
#ifndef TRACES_MTR_H
#define TRACES_MTR_H

#include "engine/err.h"
#include "traces/input.h"
#include "traces/record.h"

#include <endian.h>
#include <string.h>

#if __BYTE_ORDER != __LITTLE_ENDIAN
#error "records are stored and hashed as they lie in memory: little-endian only"
#endif

#define MTR_MAGIC "\x89MTR\r\n\x1a\n" /* 8 bytes; notices 7-bit and newline conversions like PNG's */
#define MTR_BLOCK_MAGIC "MTRB"
#define MTR_INDEX_MAGIC "MTRI"
#define MTR_END_MAGIC "MTREND\r\n"
#define MTR_MAJOR 1 /* a reader refuses others */
#define MTR_MINOR 0 /* greater ones only add what a reader may ignore */

enum {
    MTR_F_OPEN = 1,  /* file header: not closed (yet) */
    MTR_F_FETCH = 2, /* file header, block, index: there are FETCH records */
    MTR_F_REGS = 4,  /* there are REGS records */
};

struct mtr_file_header {
    char magic[8];
    uint16_t major, minor;
    uint32_t bytes; /* of this header; blocks start there */
    uint32_t flags;
    uint32_t reserved[9];
    uint64_t checksum; /* XXH3-64 of all before it */
};
_Static_assert(sizeof(struct mtr_file_header) == 64, "");

enum { MTR_CTL, MTR_ADDR, MTR_MISC, MTR_STREAMS };

struct mtr_block_header {
    char magic[4];
    uint32_t bytes;    /* of this header; the streams follow */
    uint64_t checksum; /* XXH3-64 of the header from here on and of the stored streams */
    uint64_t sequence; /* number of the block, from 0 */
    uint64_t first_record;
    uint64_t insns;
    uint32_t records, refs;
    uint32_t process, thread; /* of its first record */
    uint32_t runs;            /* 1: all records are of that thread */
    uint32_t flags;
    uint32_t stored[MTR_STREAMS]; /* bytes in the file; == raw: not compressed, else one zstd frame */
    uint32_t raw[MTR_STREAMS];
};
_Static_assert(sizeof(struct mtr_block_header) == 88, "");

struct mtr_index_entry {
    uint64_t offset; /* of the block in the file */
    uint64_t first_record;
    uint64_t insns;
    uint32_t records, refs;
    uint32_t process, thread;
    uint32_t runs;
    uint32_t bytes; /* of the block, header included */
};
_Static_assert(sizeof(struct mtr_index_entry) == 48, "");

struct mtr_index_header {
    char magic[4];
    uint32_t bytes;    /* of this header; the entries follow */
    uint64_t checksum; /* XXH3-64 of the header from here on and of the entries */
    uint64_t blocks, records, refs, insns;
    uint64_t hash; /* trace_hash */
    uint32_t processes, threads;
    uint32_t flags;
    uint32_t entry_bytes;
};
_Static_assert(sizeof(struct mtr_index_header) == 72, "");

struct mtr_trailer {
    uint64_t index_offset, index_bytes;
    char magic[8];
};
_Static_assert(sizeof(struct mtr_trailer) == 24, "");

/* --- limits of a block (format constants: a reader may refuse what exceeds them) ------------------------ */

#define MTR_NODES_MAX 65535u
#define MTR_BLOCK_RECORDS_MAX (1u << 22)
#define MTR_STREAM_MAX (16u << 20) /* bytes of one stream, raw */
#define MTR_BLOCK_THREADS_MAX 256u
#define MTR_SHAPES_MAX 1024u
#define MTR_STREAM_PAD 64u /* zero bytes that a decoder keeps behind each stream */

/* --- the predictor, the same in both directions --------------------------------------------------------- */

/*
 * A node is up to three records that come together: a FETCH (if head) and up to two followers. An instruction
 * with more followers is several nodes, all but the first without a head. Nodes are numbered from 1 as they
 * first occur in the block.
 */
struct mtr_follower {
    uint64_t addr;  /* last */
    int32_t stride; /* predicted next: addr + stride */
    int32_t delta;  /* between the last two; becomes the stride when it occurs twice in a row */
    uint64_t meta;  /* the second half of the record: size, kind, flags, slots */
};

struct mtr_node {
    uint64_t pc;   /* of the head; without one the end of the previous node's instruction */
    uint64_t link; /* bytes: 0-1 succ, 2-3 alt (the last two different successors, newest first; 0 none),
                    * 4 size and 5 flags of the head, 6 number of records, 7 head (0 or 1). One word, so that
                    * the decoder loads it once and never meets a partial store. */
    struct mtr_follower f[2];
};
_Static_assert(sizeof(struct mtr_node) == 64, "a node is a cache line");

static inline unsigned mtr_succ(uint64_t link)
{
    return link & 0xffff;
}
static inline unsigned mtr_alt(uint64_t link)
{
    return (link >> 16) & 0xffff;
}
static inline unsigned mtr_size(uint64_t link)
{
    return (link >> 32) & 0xff;
}
static inline unsigned mtr_records(uint64_t link)
{
    return (link >> 48) & 0xff;
}
static inline unsigned mtr_head(uint64_t link)
{
    return (unsigned)(link >> 56);
}
/* The second half of the head's record. */
static inline uint64_t mtr_head_meta(uint64_t link)
{
    return ((link >> 32) & 0xff) | (uint64_t)TRACE_FETCH << 32 | (link & 0xff0000000000);
}
/* `succ` becomes the newest successor, the one before the alternative. */
static inline uint64_t mtr_link_succ(uint64_t link, unsigned succ)
{
    return (link & ~(uint64_t)0xffffffff) | mtr_succ(link) << 16 | succ;
}

struct mtr_shape {
    uint8_t head, size, flags, nf;
    uint32_t zero; /* in the place of padding: shapes are compared as bytes */
    uint64_t meta[2];
};

/* What each thread of a block keeps apart. */
struct mtr_lane {
    uint32_t process, thread;
    uint32_t prev;  /* node */
    uint64_t given; /* last data address that was given, not predicted */
};

/* Control codes. A node event's low bits: */
enum {
    MTR_SUCC_PREDICTED = 0,
    MTR_SUCC_ALT = 1,
    MTR_SUCC_ID = 2,  /* two bytes follow */
    MTR_SUCC_NEW = 3, /* shape number and pc form follow */
    MTR_SUCC_MASK = 3,
    MTR_GIVEN0 = 4, /* an address form follows for follower 0 */
    MTR_GIVEN1 = 8,
    MTR_SPECIAL = 0x80,
    MTR_SPECIAL_END = 0x80,
    MTR_SPECIAL_MISC = 0x81,   /* two bytes: how many records of the misc stream follow, less one */
    MTR_SPECIAL_THREAD = 0x82, /* one byte: lane; a new one is defined in the misc stream */
};
#define MTR_FORM_BYTES 15u /* form byte: number of address bytes, 0..8 */
#define MTR_FORM_GIVEN 16u /* relative to the lane's last given data address, else to the follower's last */

static inline uint64_t mtr_meta(const struct trace_rec *r)
{
    uint64_t m;
    memcpy(&m, (const char *)r + 8, 8);
    return m;
}

static inline uint64_t mtr_make_meta(uint32_t size, uint8_t kind, uint8_t flags)
{
    return (uint64_t)size | (uint64_t)kind << 32 | (uint64_t)flags << 40;
}

static inline bool mtr_follower_kind(uint8_t kind)
{
    return (kind >= TRACE_LOAD && kind <= TRACE_MODIFY) || (kind >= TRACE_REGS && kind <= TRACE_INSNS);
}

static inline bool mtr_is_data(uint64_t meta)
{
    return ((meta >> 32) & 0xff) <= TRACE_REF_MAX;
}

static inline uint64_t mtr_zigzag(uint64_t d)
{
    return (d << 1) ^ (uint64_t)((int64_t)d >> 63);
}
static inline uint64_t mtr_unzigzag(uint64_t z)
{
    return (z >> 1) ^ (0 - (z & 1));
}

/* The address was not the predicted one. */
static inline void mtr_correct(struct mtr_follower *f, uint64_t addr)
{
    int64_t d = (int64_t)(addr - f->addr);

    if (d == (int64_t)f->delta)
        f->stride = (int32_t)d;
    f->delta = d == (int64_t)(int32_t)d ? (int32_t)d : 0;
    f->addr = addr;
}

/* The last record of each kind: what misc records are relative to. */
struct mtr_misc_last {
    uint64_t addr;
    uint64_t word[7];
};

/* --- encoder (mtr_encode.c) ----------------------------------------------------------------------------- */

struct mtr_bytes {
    unsigned char *p;
    uint32_t n, cap;
};

struct mtr_encoder;
int mtr_encoder_new(struct mtr_encoder **out, struct err *err);
void mtr_encoder_free(struct mtr_encoder *e);
/* Takes up to n elements of one thread, fewer if the block is full; returns how many. The records are
 * well-formed. */
size_t mtr_encode(struct mtr_encoder *e, uint32_t process, uint32_t thread, const struct trace_rec *rec,
                  size_t n);
bool mtr_encoder_full(const struct mtr_encoder *e);
uint32_t mtr_encoder_records(const struct mtr_encoder *e);
/* Distinct ones so far, over all blocks. */
void mtr_encoder_threads(const struct mtr_encoder *e, uint32_t *processes, uint32_t *threads);
/* Ends the block: fills the counts of *h and gives the three streams, valid until the next mtr_encode. */
int mtr_encoder_finish(struct mtr_encoder *e, struct mtr_block_header *h, const struct mtr_bytes **streams,
                       struct err *err);
/* Records after which a block is full (for measurements); 0: the default. */
void mtr_encoder_set_block(struct mtr_encoder *e, uint32_t records);

/* --- decoder (mtr_decode.c) ----------------------------------------------------------------------------- */

struct mtr_decoder {
    struct mtr_node *node; /* MTR_NODES_MAX + 1; 0 is where each lane starts */
    struct mtr_shape *shape;
    struct mtr_lane *lane;
    struct mtr_misc_last *last; /* 256 */
    const unsigned char *at[MTR_STREAMS], *end[MTR_STREAMS];
    uint32_t nodes, shapes, lanes, cur; /* in use (node 0 included); the current lane */
    uint32_t run;                       /* predicted nodes before the next event */
    uint32_t misc;                      /* misc records before the next run */
    uint32_t left;                      /* records of the block not decoded */
    bool done;
};

int mtr_decoder_init(struct mtr_decoder *d, struct err *err);
void mtr_decoder_fini(struct mtr_decoder *d);
/* Starts a block. Each stream is followed by MTR_STREAM_PAD readable zero bytes. */
void mtr_decoder_begin(struct mtr_decoder *d, const struct mtr_block_header *h,
                       const unsigned char *const stream[3]);
/* Decodes until the sink is full or the block ends. 1: more, 0: the block ended well, -1: the block
 * contradicts itself (what the sink holds may be wrong from there on); *why then says what. */
int mtr_decode(struct mtr_decoder *d, struct trace_sink *s, const char **why);

#endif
