#include "traces/analysis/symbols.h"

#include "engine/types.h"
#include "traces/input.h"
#include "traces/analysis/space.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 65536u           /* file ids that are followed */
#define SYMBOLS_MAX (16u << 20)    /* of one file */
#define NAMES_BYTES_MAX (1u << 30) /* of one file's string table */

struct load { /* PT_LOAD */
    uint64_t offset, bytes, vaddr;
};

struct symbol {
    uint64_t vaddr, bytes;
    uint64_t name; /* offset in names */
};

struct elf_file {
    char *path;
    bool read;
    struct load *load;
    size_t nload;
    struct symbol *symbol; /* by vaddr */
    size_t nsymbol;
    char *names;
    size_t names_bytes;
};

struct trace_symbols {
    struct spaces spaces;
    struct elf_file *file; /* by file id */
    size_t nfile;
};

static void file_clear(struct elf_file *f)
{
    free(f->path);
    free(f->load);
    free(f->symbol);
    free(f->names);
    *f = (struct elf_file){0};
}

int trace_symbols_new(struct trace_symbols **out, struct err *err)
{
    if (elf_version(EV_CURRENT) == EV_NONE) /* must be the first call of libelf */
        return err_set(err, ERR_RUN, "libelf is older than its header");
    *out = calloc(1, sizeof **out);
    return *out ? 0 : err_set(err, ERR_RUN, "out of memory");
}

void trace_symbols_free(struct trace_symbols *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->nfile; i++)
        file_clear(&s->file[i]);
    free(s->file);
    spaces_fini(&s->spaces);
    free(s);
}

void trace_symbols_record(struct trace_symbols *s, uint32_t process, const struct trace_rec *r)
{
    if (r->kind != TRACE_FILEID) {
        spaces_apply(&s->spaces, process, r);
        return;
    }
    if (r->addr == 0 || r->addr >= FILES_MAX)
        return;
    if (r->addr >= s->nfile) {
        size_t n = (size_t)r->addr + 16;
        void *p = realloc(s->file, n * sizeof *s->file);
        if (!p)
            return;
        s->file = p;
        memset(s->file + s->nfile, 0, (n - s->nfile) * sizeof *s->file);
        s->nfile = n;
    }
    size_t len;
    const char *path = trace_rec_string(r, &len);
    file_clear(&s->file[r->addr]);
    s->file[r->addr].path = strndup(path, len);
}

/* --- the ELF file --- */

/* libelf gives what it can of a file that is cut off, without an error: look at the sizes ourselves. */
static bool inside(uint64_t offset, uint64_t bytes, uint64_t file_bytes)
{
    return offset <= file_bytes && bytes <= file_bytes - offset;
}

static void read_loads(struct elf_file *f, Elf *elf, uint64_t file_bytes)
{
    size_t n;
    if (elf_getphdrnum(elf, &n) != 0 || n > 4096 || !(f->load = calloc(n ? n : 1, sizeof *f->load)))
        return;
    for (size_t i = 0; i < n; i++) {
        GElf_Phdr h;
        if (gelf_getphdr(elf, (int)i, &h) && h.p_type == PT_LOAD &&
            inside(h.p_offset, h.p_filesz, file_bytes))
            f->load[f->nload++] = (struct load){h.p_offset, h.p_filesz, h.p_vaddr};
    }
}

static Elf_Scn *find_section(Elf *elf, uint32_t type, uint64_t file_bytes, GElf_Shdr *h)
{
    for (Elf_Scn *s = NULL; (s = elf_nextscn(elf, s));)
        if (gelf_getshdr(s, h) && h->sh_type == type && h->sh_entsize &&
            inside(h->sh_offset, h->sh_size, file_bytes))
            return s;
    return NULL;
}

static int by_vaddr(const void *a, const void *b)
{
    const struct symbol *x = a, *y = b;
    if (x->vaddr != y->vaddr)
        return x->vaddr < y->vaddr ? -1 : 1;
    if (x->bytes != y->bytes) /* of equal ones the last is found: let that be the larger */
        return x->bytes < y->bytes ? -1 : 1;
    return x->name < y->name ? -1 : x->name > y->name; /* the same whatever the sort */
}

static void read_symbols(struct elf_file *f, Elf *elf, uint64_t file_bytes)
{
    GElf_Shdr h, names_h;
    Elf_Scn *s = find_section(elf, SHT_SYMTAB, file_bytes, &h);
    if (!s)
        s = find_section(elf, SHT_DYNSYM, file_bytes, &h); /* stripped */
    Elf_Data *data = s ? elf_getdata(s, NULL) : NULL;
    Elf_Scn *names_s = data ? elf_getscn(elf, h.sh_link) : NULL;
    if (!names_s || !gelf_getshdr(names_s, &names_h) ||
        !inside(names_h.sh_offset, names_h.sh_size, file_bytes))
        return;
    Elf_Data *names = elf_getdata(names_s, NULL);
    uint64_t n = h.sh_size / h.sh_entsize;
    if (!names || !names->d_buf || names->d_size == 0 || names->d_size > NAMES_BYTES_MAX || n > SYMBOLS_MAX)
        return;
    f->symbol = calloc((size_t)n + 1, sizeof *f->symbol);
    f->names = malloc(names->d_size + 1);
    if (!f->symbol || !f->names)
        return;
    memcpy(f->names, names->d_buf, names->d_size);
    f->names[names->d_size] = '\0';
    f->names_bytes = names->d_size;
    for (uint64_t i = 0; i < n; i++) {
        GElf_Sym y;
        if (!gelf_getsym(data, (int)i, &y) || y.st_shndx == SHN_UNDEF || y.st_shndx == SHN_ABS ||
            y.st_name >= f->names_bytes || !f->names[y.st_name])
            continue;
        unsigned type = GELF_ST_TYPE(y.st_info);
        if (type == STT_FUNC || type == STT_OBJECT || type == STT_GNU_IFUNC || type == STT_NOTYPE)
            f->symbol[f->nsymbol++] = (struct symbol){y.st_value, y.st_size, y.st_name};
    }
    qsort(f->symbol, f->nsymbol, sizeof *f->symbol, by_vaddr);
}

static void read_elf(struct elf_file *f)
{
    struct stat st;
    f->read = true;
    if (!f->path || f->path[0] != '/') /* the traced program's folder is not known */
        return;
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
        if (elf && elf_kind(elf) == ELF_K_ELF) {
            read_loads(f, elf, (uint64_t)st.st_size);
            read_symbols(f, elf, (uint64_t)st.st_size);
        }
        elf_end(elf);
    }
    close(fd);
}

/* --- the name --- */

/* The symbol that covers vaddr; one without a size reaches to the next symbol. */
static const struct symbol *find_symbol(const struct elf_file *f, uint64_t vaddr)
{
    size_t lo = 0, hi = f->nsymbol;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (f->symbol[mid].vaddr <= vaddr)
            lo = mid + 1;
        else
            hi = mid;
    }
    enum { LOOK_BACK = 64 }; /* a small symbol inside or before may hide the one that covers */
    for (size_t i = lo, k = 0; i > 0 && k < LOOK_BACK; i--, k++) {
        const struct symbol *s = &f->symbol[i - 1];
        if (s->bytes ? vaddr - s->vaddr < s->bytes : k == 0)
            return s;
    }
    return NULL;
}

const char *trace_symbols_name(struct trace_symbols *s, uint32_t process, uint64_t addr, char *buf,
                               size_t size)
{
    struct space *space = spaces_at(&s->spaces, process);
    const struct space_span *span = space ? space_find(space, addr) : NULL;
    buf[0] = '\0';
    if (!span)
        return buf;
    struct elf_file *f = span->file && span->file < s->nfile ? &s->file[span->file] : NULL;
    if (!f || !f->path) {
        snprintf(buf, size, "%s",
                 span->flags & TRACE_F_STACK  ? "[stack]"
                 : span->flags & TRACE_F_HEAP ? "[heap]"
                 : span->file                 ? ""
                                              : "[anon]");
        return buf;
    }
    if (!f->read)
        read_elf(f);
    const char *slash = strrchr(f->path, '/'), *base = slash ? slash + 1 : f->path;
    uint64_t offset = addr - span->start + span->offset;
    for (size_t i = 0; i < f->nload; i++) {
        const struct load *l = &f->load[i];
        /* A mapping holds whole pages: what a page has before and behind the segment's bytes belongs to
         * others. */
        if (offset < l->offset || offset - l->offset >= l->bytes)
            continue;
        const struct symbol *y = find_symbol(f, offset - l->offset + l->vaddr);
        if (!y)
            break;
        uint64_t into = offset - l->offset + l->vaddr - y->vaddr;
        if (into)
            snprintf(buf, size, "%s+0x%llx (%s)", f->names + y->name, (unsigned long long)into, base);
        else
            snprintf(buf, size, "%s (%s)", f->names + y->name, base);
        return buf;
    }
    snprintf(buf, size, "+0x%llx (%s)", (unsigned long long)offset, base);
    return buf;
}
