#include "traces/recorder/region_symbols.h"

#include "engine/types.h"
#include "traces/input.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROCESSES_MAX 32768u /* Linux: default kernel.pid_max */

/* A file of the trace; read when it is mapped. */
struct file {
    uint64_t id;
    char *path;
    bool read, is_elf, dynamic;  /* dynamic: it names a loader, or is itself loaded by one */
    uint64_t offset, vaddr;      /* of its first segment */
    bool has[REGION_NAMES];
    uint64_t value[REGION_NAMES];
};

struct region_symbols {
    const char *name[REGION_NAMES]; /* NULL: no bound */
    bool found[REGION_NAMES];       /* in a file that was mapped */
    struct file *file;
    size_t nfile, file_cap;
    struct region_addresses *process;
    size_t nprocess;
};

static bool is_function(const GElf_Sym *s)
{
    unsigned type = GELF_ST_TYPE(s->st_info);
    return s->st_shndx != SHN_UNDEF && s->st_value && (type == STT_FUNC || type == STT_NOTYPE);
}

static void look_up(const struct region_symbols *r, struct file *f, Elf *e)
{
    for (Elf_Scn *scn = NULL; (scn = elf_nextscn(e, scn));) {
        GElf_Shdr sh;
        Elf_Data *data;
        if (!gelf_getshdr(scn, &sh) || (sh.sh_type != SHT_SYMTAB && sh.sh_type != SHT_DYNSYM) || sh.sh_entsize == 0 ||
            !(data = elf_getdata(scn, NULL)))
            continue;
        for (size_t i = 0; i < sh.sh_size / sh.sh_entsize; i++) {
            GElf_Sym s;
            if (!gelf_getsym(data, (int)i, &s) || !is_function(&s))
                continue;
            const char *text = elf_strptr(e, sh.sh_link, s.st_name);
            for (unsigned k = 0; text && k < REGION_NAMES; k++)
                if (r->name[k] && !f->has[k] && !strcmp(text, r->name[k])) {
                    f->value[k] = s.st_value;
                    f->has[k] = true;
                }
        }
    }
}

static void read_segments(struct file *f, Elf *e)
{
    size_t n = 0;
    bool first = true;
    elf_getphdrnum(e, &n);
    for (size_t i = 0; i < n; i++) {
        GElf_Phdr p;
        if (!gelf_getphdr(e, (int)i, &p))
            continue;
        f->dynamic |= p.p_type == PT_INTERP;
        if (p.p_type == PT_LOAD && first) {
            f->offset = p.p_offset & ~(uint64_t)(PAGE_BYTES - 1);
            f->vaddr = p.p_vaddr & ~(uint64_t)(PAGE_BYTES - 1);
            first = false;
        }
    }
    f->is_elf = !first;
}

/* What the file is to us; one that cannot be read, or is no program, has no symbols. */
static void read_file(const struct region_symbols *r, struct file *f)
{
    struct stat st;
    f->read = true;
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return;
    Elf *e = fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || elf_version(EV_CURRENT) == EV_NONE
                 ? NULL
                 : elf_begin(fd, ELF_C_READ, NULL);
    if (e && elf_kind(e) == ELF_K_ELF) {
        read_segments(f, e);
        look_up(r, f, e);
    }
    elf_end(e);
    close(fd);
}

/* Mistakes are told before the program runs, where they can be. */
static int check_program(struct region_symbols *r, const char *path, struct err *err)
{
    struct file f = {.path = (char *)(uintptr_t)path};
    read_file(r, &f);
    if (!f.is_elf) {
        err_set(err, ERR_USAGE, "cannot read the program's symbols");
        return err_at(err, path, 0, 0);
    }
    for (unsigned k = 0; k < REGION_NAMES && !f.dynamic; k++)
        if (r->name[k] && !f.has[k]) {
            err_set(err, ERR_USAGE, "there is no function \"%.200s\" in it", r->name[k]);
            err_at(err, path, 0, 0);
            return err_remedy(err, "nm lists a program's symbols; C++ names are given as nm shows them");
        }
    return 0;
}

int region_symbols_new(struct region_symbols **out, const struct region_names *names, struct err *err)
{
    struct region_symbols *r = *out = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, ERR_RUN, "out of memory");
    r->name[REGION_ROI] = names->roi;
    r->name[REGION_FROM] = names->from;
    r->name[REGION_TO] = names->to;
    if (check_program(r, names->program, err) < 0) {
        region_symbols_free(r);
        *out = NULL;
        return -1;
    }
    return 0;
}

void region_symbols_free(struct region_symbols *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->nfile; i++)
        free(r->file[i].path);
    free(r->file);
    free(r->process);
    free(r);
}

static void add_file(struct region_symbols *r, const struct trace_rec *rec)
{
    size_t len;
    const char *text = trace_rec_string(rec, &len);
    if (r->nfile == r->file_cap) {
        size_t cap = r->file_cap ? r->file_cap * 2 : 32;
        void *p = realloc(r->file, cap * sizeof *r->file);
        if (!p)
            return;
        r->file = p;
        r->file_cap = cap;
    }
    struct file f = {.id = rec->addr, .path = strndup(text, len)};
    if (f.path)
        r->file[r->nfile++] = f;
}

static struct region_addresses *process_at(struct region_symbols *r, uint64_t process)
{
    if (process >= PROCESSES_MAX)
        return NULL;
    if (process >= r->nprocess) {
        size_t n = ((size_t)process + 4) * 2;
        struct region_addresses *p = realloc(r->process, n * sizeof *p);
        if (!p)
            return NULL;
        memset(p + r->nprocess, 0, (n - r->nprocess) * sizeof *p);
        r->process = p;
        r->nprocess = n;
    }
    return &r->process[process];
}

static void mapped(struct region_symbols *r, uint32_t process, uint64_t id, uint64_t start, uint64_t offset)
{
    struct region_addresses *a = id ? process_at(r, process) : NULL;
    struct file *f = NULL;
    for (size_t i = r->nfile; a && !f && i > 0; i--)
        f = r->file[i - 1].id == id ? &r->file[i - 1] : NULL;
    if (!f)
        return;
    if (!f->read)
        read_file(r, f);
    for (unsigned k = 0; k < REGION_NAMES && f->is_elf && f->offset == offset; k++)
        if (f->has[k] && !a->has[k]) {
            a->at[k] = f->value[k] + (start - f->vaddr);
            a->has[k] = r->found[k] = true;
        }
}

static void unmapped(struct region_symbols *r, uint32_t process, uint64_t start, uint64_t length)
{
    struct region_addresses *a = process_at(r, process);
    for (unsigned k = 0; a && k < REGION_NAMES; k++)
        if (a->has[k] && a->at[k] - start < length)
            a->has[k] = false;
}

void region_symbols_event(struct region_symbols *r, uint32_t process, const struct trace_rec *rec)
{
    uint64_t w[8] = {0};
    struct region_addresses *a;
    memcpy(w, rec + 1, rec->slots < 4 ? rec->slots * 16u : 64u);
    if (rec->flags & TRACE_F_FAILED && rec->kind != TRACE_SEGMENT)
        return;
    switch (rec->kind) {
    case TRACE_FILEID:
        add_file(r, rec);
        return;
    case TRACE_SEGMENT:
        mapped(r, process, w[2], rec->addr, w[1]);
        return;
    case TRACE_MMAP:
        mapped(r, process, w[6], w[5], w[4]);
        return;
    case TRACE_MUNMAP:
        unmapped(r, process, rec->addr, w[0]);
        return;
    case TRACE_FORK:
        if (process_at(r, rec->addr) && (a = process_at(r, process)))
            r->process[rec->addr] = *a;
        return;
    case TRACE_EXEC:
        if ((a = process_at(r, process)))
            *a = (struct region_addresses){0};
        return;
    default:
        return;
    }
}

const struct region_addresses *region_symbols_of(const struct region_symbols *r, uint32_t process)
{
    return process < r->nprocess ? &r->process[process] : NULL;
}

const char *region_symbols_missing(const struct region_symbols *r)
{
    for (unsigned k = 0; k < REGION_NAMES; k++)
        if (r->name[k] && !r->found[k])
            return r->name[k];
    return NULL;
}
