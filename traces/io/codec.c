#include "traces/io/codec.h"

#include <bzlib.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

struct codec {
    enum codec_kind kind;
    bool between; /* a frame, member or stream has ended and no other has begun */
    union {
        ZSTD_DCtx *zstd;
        lzma_stream xz;
        z_stream gz;
        bz_stream bz;
    } u;
};

enum codec_kind codec_detect(const unsigned char *head, size_t n)
{
    static const struct {
        unsigned char magic[6];
        unsigned char len;
        enum codec_kind kind;
    } forms[] = {
        {{0x28, 0xb5, 0x2f, 0xfd}, 4, CODEC_ZSTD},
        {{0xfd, '7', 'z', 'X', 'Z', 0}, 6, CODEC_XZ},
        {{0x1f, 0x8b, 8}, 3, CODEC_GZIP},
        {{'P', 'K', 3, 4}, 4, CODEC_ZIP}, /* a first member */
        {{'P', 'K', 5, 6}, 4, CODEC_ZIP}, /* an empty archive */
    };

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (n >= forms[i].len && !memcmp(head, forms[i].magic, forms[i].len))
            return forms[i].kind;
    /* A skippable zstd frame (pzstd writes one first): 0x184D2A50 to 5F. */
    if (n >= 4 && (head[0] & 0xf0) == 0x50 && head[1] == 0x2a && head[2] == 0x4d && head[3] == 0x18)
        return CODEC_ZSTD;
    /* "BZh", the level, and pi in BCD (a block) or its square root (an empty stream). */
    if (n >= 10 && !memcmp(head, "BZh", 3) && head[3] >= '1' && head[3] <= '9' &&
        (!memcmp(head + 4, "\x31\x41\x59\x26\x53\x59", 6) ||
         !memcmp(head + 4, "\x17\x72\x45\x38\x50\x90", 6)))
        return CODEC_BZIP2;
    return CODEC_NONE;
}

const char *codec_name(enum codec_kind kind)
{
    static const char *const names[] = {"none", "zstd", "xz", "gzip", "bzip2", "zip"};
    return names[kind];
}

int codec_new(struct codec **out, enum codec_kind kind, struct err *err)
{
    struct codec *c = calloc(1, sizeof *c);
    bool ok = c != NULL;

    if (!ok)
        return err_set(err, ERR_RUN, "out of memory");
    c->kind = kind;
    c->between = true;
    switch (kind) {
    case CODEC_NONE:
    case CODEC_ZIP:
        break;
    case CODEC_ZSTD:
        c->u.zstd = ZSTD_createDCtx();
        ok = c->u.zstd &&
             !ZSTD_isError(ZSTD_DCtx_setParameter(c->u.zstd, ZSTD_d_windowLogMax, CODEC_ZSTD_WINDOW_LOG));
        break;
    case CODEC_XZ:
        ok = lzma_stream_decoder(&c->u.xz, CODEC_XZ_MEMORY, LZMA_CONCATENATED) == LZMA_OK;
        break;
    case CODEC_GZIP:
        ok = inflateInit2(&c->u.gz, 15 + 16) == Z_OK;
        break;
    case CODEC_BZIP2:
        ok = BZ2_bzDecompressInit(&c->u.bz, 0, 0) == BZ_OK;
        break;
    }
    if (!ok) {
        if (kind == CODEC_ZSTD)
            ZSTD_freeDCtx(c->u.zstd);
        free(c);
        return err_set(err, ERR_RUN, "out of memory for the %s decompressor", codec_name(kind));
    }
    *out = c;
    return 0;
}

void codec_free(struct codec *c)
{
    if (!c)
        return;
    switch (c->kind) {
    case CODEC_NONE:
    case CODEC_ZIP:
        break;
    case CODEC_ZSTD:
        ZSTD_freeDCtx(c->u.zstd);
        break;
    case CODEC_XZ:
        lzma_end(&c->u.xz);
        break;
    case CODEC_GZIP:
        inflateEnd(&c->u.gz);
        break;
    case CODEC_BZIP2:
        BZ2_bzDecompressEnd(&c->u.bz);
        break;
    }
    free(c);
}

static int cut_off(const struct codec *c, struct err *err)
{
    err_set(err, ERR_RUN, "the %s data is cut off: the file ends in the middle of it", codec_name(c->kind));
    return err_remedy(err, "copy or record the file again");
}

static int damaged(const struct codec *c, struct err *err, const char *what)
{
    err_set(err, ERR_RUN, "the %s data is damaged (%s)", codec_name(c->kind), what);
    return err_remedy(err, "copy or record the file again");
}

static int run_zstd(struct codec *c, const unsigned char *in, size_t *in_n, bool last, unsigned char *out,
                    size_t *out_n, struct err *err)
{
    ZSTD_inBuffer ib = {in, *in_n, 0};
    ZSTD_outBuffer ob = {out, *out_n, 0};
    size_t r;

    if (c->between && last && !*in_n) {
        *out_n = 0;
        return 0;
    }
    r = ZSTD_decompressStream(c->u.zstd, &ob, &ib);
    *in_n = ib.pos;
    *out_n = ob.pos;
    if (ZSTD_isError(r))
        return damaged(c, err, ZSTD_getErrorName(r));
    c->between = r == 0;
    if (last && ib.pos == ib.size && ob.pos < ob.size && !c->between)
        return cut_off(c, err);
    return 1;
}

static int run_xz(struct codec *c, const unsigned char *in, size_t *in_n, bool last, unsigned char *out,
                  size_t *out_n, struct err *err)
{
    lzma_stream *s = &c->u.xz;
    lzma_ret r;

    s->next_in = in;
    s->avail_in = *in_n;
    s->next_out = out;
    s->avail_out = *out_n;
    r = lzma_code(s, last ? LZMA_FINISH : LZMA_RUN);
    *in_n -= s->avail_in;
    *out_n -= s->avail_out;
    switch (r) {
    case LZMA_OK:
        return 1;
    case LZMA_STREAM_END:
        return 0;
    case LZMA_BUF_ERROR:
        return last && s->avail_out ? cut_off(c, err) : 1;
    case LZMA_MEMLIMIT_ERROR:
        err_set(err, ERR_RUN, "the xz stream needs %llu MiB of memory to decompress, the limit is %llu MiB",
                (unsigned long long)(lzma_memusage(s) >> 20), CODEC_XZ_MEMORY >> 20);
        return err_remedy(err, "compress it again with a smaller dictionary: xz -9");
    case LZMA_MEM_ERROR:
        return err_set(err, ERR_RUN, "out of memory for the xz decompressor");
    case LZMA_FORMAT_ERROR:
        return damaged(c, err, "something that is not xz follows the stream");
    default:
        return damaged(c, err, "checksum or structure wrong");
    }
}

static int run_gzip(struct codec *c, const unsigned char *in, size_t *in_n, bool last, unsigned char *out,
                    size_t *out_n, struct err *err)
{
    z_stream *s = &c->u.gz;
    unsigned ni = (unsigned)(*in_n < (1u << 30) ? *in_n : 1u << 30);
    unsigned no = (unsigned)(*out_n < (1u << 30) ? *out_n : 1u << 30);
    unsigned skip = 0;
    int r;

    *out_n = 0;
    if (c->between) { /* zero bytes after a member are padding (tapes), as gzip takes them */
        while (skip < ni && in[skip] == 0)
            skip++;
        if (skip == ni) {
            *in_n = skip;
            return last ? 0 : 1;
        }
        if (in[skip] != 0x1f)
            return damaged(c, err, "something that is not gzip follows the last member");
        inflateReset(s);
    }
    s->next_in = (Bytef *)(uintptr_t)(in + skip);
    s->avail_in = ni - skip;
    s->next_out = out;
    s->avail_out = no;
    r = inflate(s, Z_NO_FLUSH);
    *in_n = ni - s->avail_in;
    *out_n = no - s->avail_out;
    c->between = r == Z_STREAM_END;
    if (r == Z_STREAM_END)
        return 1;
    if (r != Z_OK && r != Z_BUF_ERROR)
        return r == Z_MEM_ERROR ? err_set(err, ERR_RUN, "out of memory for the gzip decompressor")
                                : damaged(c, err, s->msg ? s->msg : "inflate failed");
    if (last && !s->avail_in && s->avail_out && ni <= (1u << 30) && r == Z_BUF_ERROR)
        return cut_off(c, err);
    return 1;
}

static int run_bzip2(struct codec *c, const unsigned char *in, size_t *in_n, bool last, unsigned char *out,
                     size_t *out_n, struct err *err)
{
    bz_stream *s = &c->u.bz;
    unsigned ni = (unsigned)(*in_n < (1u << 30) ? *in_n : 1u << 30);
    unsigned no = (unsigned)(*out_n < (1u << 30) ? *out_n : 1u << 30);
    int r;

    if (c->between && last && !ni) {
        *out_n = 0;
        return 0;
    }
    s->next_in = (char *)(uintptr_t)in;
    s->avail_in = ni;
    s->next_out = (char *)out;
    s->avail_out = no;
    r = BZ2_bzDecompress(s);
    *in_n = ni - s->avail_in;
    *out_n = no - s->avail_out;
    c->between = false;
    if (r == BZ_STREAM_END) {
        c->between = true;
        BZ2_bzDecompressEnd(s);
        memset(s, 0, sizeof *s);
        if (BZ2_bzDecompressInit(s, 0, 0) != BZ_OK)
            return err_set(err, ERR_RUN, "out of memory for the bzip2 decompressor");
        return 1;
    }
    if (r != BZ_OK)
        return r == BZ_MEM_ERROR ? err_set(err, ERR_RUN, "out of memory for the bzip2 decompressor")
                                 : damaged(c, err, "checksum or structure wrong");
    if (last && !*in_n && !*out_n && no)
        return cut_off(c, err);
    return 1;
}

int codec_run(struct codec *c, const unsigned char *in, size_t *in_n, bool last, unsigned char *out,
              size_t *out_n, struct err *err)
{
    size_t n;

    switch (c->kind) {
    case CODEC_NONE:
        n = *in_n < *out_n ? *in_n : *out_n;
        if (n)
            memcpy(out, in, n);
        *in_n = *out_n = n;
        return n || !last ? 1 : 0;
    case CODEC_ZSTD:
        return run_zstd(c, in, in_n, last, out, out_n, err);
    case CODEC_XZ:
        return run_xz(c, in, in_n, last, out, out_n, err);
    case CODEC_GZIP:
        return run_gzip(c, in, in_n, last, out, out_n, err);
    case CODEC_BZIP2:
        return run_bzip2(c, in, in_n, last, out, out_n, err);
    case CODEC_ZIP:
        break;
    }
    return -1;
}
