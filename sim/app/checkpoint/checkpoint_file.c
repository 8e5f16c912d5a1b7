#include "app/checkpoint/checkpoint_file.h"

#include "traces/io/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

enum { LEVEL = 1 }; /* zstd: the state is written once and read a few times; higher levels cost more than reading saves */

struct head {
    char magic[8];
    uint32_t format, warm;
    uint64_t checksum;
};
_Static_assert(sizeof(struct head) == CHECKPOINT_HEAD, "as in the file");

/* ---- writing ---- */

struct packer {
    ZSTD_CCtx *z;
    unsigned char *out;
    size_t n, cap;
};

static int pack(struct packer *p, const void *data, size_t n, bool last, struct err *err)
{
    ZSTD_inBuffer in = {.src = data, .size = n};
    size_t left;
    do {
        if (p->cap - p->n < ZSTD_CStreamOutSize()) {
            size_t cap = 2 * p->cap + 2 * ZSTD_CStreamOutSize();
            unsigned char *out = realloc(p->out, cap);
            if (!out)
                return err_set(err, ERR_RUN, "out of host memory for a checkpoint");
            p->out = out;
            p->cap = cap;
        }
        ZSTD_outBuffer out = {.dst = p->out + p->n, .size = p->cap - p->n};
        left = ZSTD_compressStream2(p->z, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        p->n += out.pos;
        if (ZSTD_isError(left))
            return err_set(err, ERR_RUN, "compressing a checkpoint: %s", ZSTD_getErrorName(left));
    } while (last ? left != 0 : in.pos < in.size);
    return 0;
}

static int64_t put(void *self, void *data, size_t n, struct err *err)
{
    return pack(self, data, n, false, err) < 0 ? -1 : (int64_t)n;
}

/* Folders of `path` that are not there. Whether that worked, opening the file tells. */
static void make_folders(const char *path)
{
    char *p = strdup(path);
    for (char *slash = p ? strchr(p + 1, '/') : NULL; slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(p, 0777);
        *slash = '/';
    }
    free(p);
}

static int write_file(const char *path, const char *warm, const struct packer *p, struct err *err)
{
    struct head h = {.magic = CHECKPOINT_MAGIC, .format = CHECKPOINT_FORMAT, .warm = (uint32_t)strlen(warm)};
    struct outfile f;
    XXH3_state_t *x = XXH3_createState();
    if (!x)
        return err_set(err, ERR_RUN, "out of host memory for a checkpoint");
    XXH3_64bits_reset(x);
    XXH3_64bits_update(x, warm, h.warm);
    XXH3_64bits_update(x, p->out, p->n);
    h.checksum = XXH3_64bits_digest(x);
    XXH3_freeState(x);
    make_folders(path);
    if (outfile_open(&f, path, false, err) < 0)
        return -1;
    if (outfile_write(&f, &h, sizeof h, err) < 0 || outfile_write(&f, warm, h.warm, err) < 0 ||
        outfile_write(&f, p->out, p->n, err) < 0) {
        outfile_abort(&f, true);
        return -1;
    }
    return outfile_commit(&f, err);
}

int checkpoint_write(const char *path, const char *warm, checkpoint_state_fn *state, void *self, struct err *err)
{
    struct packer p = {.z = ZSTD_createCCtx()};
    struct state_io *io = malloc(sizeof *io);
    int r = -1;
    if (!p.z || !io) {
        err_set(err, ERR_RUN, "out of host memory for a checkpoint");
    } else {
        ZSTD_CCtx_setParameter(p.z, ZSTD_c_compressionLevel, LEVEL);
        state_open(io, false, put, &p);
        state(self, io);
        if (state_close(io, err) == 0 && pack(&p, NULL, 0, true, err) == 0)
            r = write_file(path, warm, &p, err);
    }
    ZSTD_freeCCtx(p.z);
    free(p.out);
    free(io);
    return r;
}

/* ---- reading ---- */

struct line { const char *key, *value; size_t key_len, value_len; };

static bool next_line(const char **at, struct line *l)
{
    if (!**at)
        return false;
    const char *end = strchrnul(*at, '\n'), *space = memchr(*at, ' ', (size_t)(end - *at));
    l->key = *at;
    l->key_len = (size_t)((space ? space : end) - *at);
    l->value = space ? space + 1 : end;
    l->value_len = (size_t)(end - l->value);
    *at = *end ? end + 1 : end;
    return true;
}

static bool find(const char *text, const struct line *want, struct line *l)
{
    while (next_line(&text, l))
        if (l->key_len == want->key_len && memcmp(l->key, want->key, l->key_len) == 0)
            return true;
    *l = (struct line){.value = "absent", .value_len = 6};
    return false;
}

char *checkpoint_difference(const char *there, const char *here, char *buf, size_t size)
{
    enum { SHOWN = 3 };
    unsigned n = 0;
    size_t at = 0;
    struct line a, b;
    buf[0] = '\0';
    for (unsigned pass = 0; pass < 2; pass++) { /* lines of the file, then those that only this run has */
        const char *text = pass ? here : there;
        while (next_line(&text, &a)) {
            bool both = find(pass ? there : here, &a, &b);
            if (pass ? both : both && a.value_len == b.value_len && memcmp(a.value, b.value, a.value_len) == 0)
                continue;
            const struct line *of = pass ? &b : &a, *is = pass ? &a : &b;
            if (n++ < SHOWN) {
                int k = snprintf(buf + at, size - at, "%s%.*s is %.*s there and %.*s here", n > 1 ? ", " : "",
                                 (int)a.key_len, a.key, (int)of->value_len, of->value, (int)is->value_len, is->value);
                at = k > 0 && (size_t)k < size - at ? at + (size_t)k : size - 1;
            }
        }
    }
    if (n > SHOWN)
        snprintf(buf + at, size - at, ", and %u more", n - SHOWN);
    return buf;
}

static enum checkpoint_found damaged(const struct checkpoint_file *f, const char *what, struct err *err)
{
    err_set(err, ERR_RUN, "%s", what);
    err_at(err, f->path, 0, 0);
    err_remedy(err, "if it was one, delete it: the next run makes it again; else name another file in sim.checkpoint");
    return CHECKPOINT_DAMAGED;
}

static enum checkpoint_found other(const struct checkpoint_file *f, struct err *err)
{
    err->kind = ERR_USAGE;
    err_at(err, f->path, 0, 0);
    err_remedy(err, "name another file, or a folder, in sim.checkpoint");
    return CHECKPOINT_OTHER;
}

static enum checkpoint_found verify(struct checkpoint_file *f, const char *warm, struct err *err)
{
    struct head h;
    if (f->n < sizeof h || memcmp(f->bytes, CHECKPOINT_MAGIC, sizeof h.magic) != 0)
        return damaged(f, f->n < sizeof h ? "the checkpoint is cut off" : "this is no checkpoint of mmulab", err);
    memcpy(&h, f->bytes, sizeof h);
    if (h.format != CHECKPOINT_FORMAT) {
        err_set(err, ERR_USAGE, "the checkpoint is of format %u, this program reads %d", h.format, CHECKPOINT_FORMAT);
        return other(f, err);
    }
    if (h.warm > CHECKPOINT_WARM_MAX || h.warm > f->n - sizeof h)
        return damaged(f, "the checkpoint is cut off", err);
    if (XXH3_64bits(f->bytes + sizeof h, f->n - sizeof h) != h.checksum)
        return damaged(f, "the checkpoint is cut off or altered: its checksum is wrong", err);
    f->state = sizeof h + h.warm;
    if (h.warm == strlen(warm) && memcmp(f->bytes + sizeof h, warm, h.warm) == 0)
        return CHECKPOINT_FITS;
    char text[700], *there = strndup((const char *)f->bytes + sizeof h, h.warm);
    if (!there)
        return damaged(f, "out of host memory", err);
    err_set(err, ERR_USAGE, "the checkpoint was made by another warm-up: %s", checkpoint_difference(there, warm, text, sizeof text));
    free(there);
    return other(f, err);
}

enum checkpoint_found checkpoint_open_memory(struct checkpoint_file *f, const char *path, unsigned char *bytes, size_t n,
                                             const char *warm, struct err *err)
{
    *f = (struct checkpoint_file){.path = strdup(path), .bytes = bytes, .n = n};
    return f->path ? verify(f, warm, err) : damaged(f, "out of host memory", err);
}

enum checkpoint_found checkpoint_open(struct checkpoint_file *f, const char *path, const char *warm, struct err *err)
{
    struct stat st;
    *f = (struct checkpoint_file){.path = strdup(path)};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return CHECKPOINT_ABSENT;
    bool ok = f->path && fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (f->bytes = malloc((size_t)st.st_size + 1));
    while (ok && f->n < (size_t)st.st_size) {
        ssize_t got = read(fd, f->bytes + f->n, (size_t)st.st_size - f->n);
        if (got <= 0)
            break;
        f->n += (size_t)got;
    }
    if (fd >= 0)
        close(fd);
    return ok ? verify(f, warm, err) : damaged(f, "the checkpoint cannot be read", err);
}

void checkpoint_close(struct checkpoint_file *f)
{
    free(f->path);
    free(f->bytes);
    *f = (struct checkpoint_file){0};
}

struct unpacker {
    ZSTD_DCtx *z;
    ZSTD_inBuffer in;
};

static int64_t get(void *self, void *data, size_t n, struct err *err)
{
    struct unpacker *u = self;
    ZSTD_outBuffer out = {.dst = data, .size = n};
    while (out.pos < out.size) {
        size_t before = out.pos, from = u->in.pos, left = ZSTD_decompressStream(u->z, &out, &u->in);
        if (ZSTD_isError(left))
            return err_set(err, ERR_RUN, "the state cannot be decompressed: %s", ZSTD_getErrorName(left));
        if (left == 0 || (out.pos == before && u->in.pos == from))
            break; /* the frame has ended, or the file has */
    }
    return (int64_t)out.pos;
}

int checkpoint_read(const struct checkpoint_file *f, checkpoint_state_fn *state, void *self, struct err *err)
{
    struct unpacker u = {.z = ZSTD_createDCtx(), .in = {.src = f->bytes + f->state, .size = f->n - f->state}};
    struct state_io *io = malloc(sizeof *io);
    int r = -1;
    if (u.z && io) {
        state_open(io, true, get, &u);
        state(self, io);
        r = state_close(io, err);
        if (r < 0 && !err->file[0])
            err_at(err, f->path, 0, 0);
        if (r < 0 && !err->remedy[0])
            err_remedy(err, "delete the file: the next run makes it again");
    } else {
        err_set(err, ERR_RUN, "out of host memory for a checkpoint");
    }
    ZSTD_freeDCtx(u.z);
    free(io);
    return r;
}
