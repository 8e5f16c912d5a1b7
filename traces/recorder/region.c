#include "traces/recorder/region.h"

#include "engine/types.h"
#include "traces/input.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define THREADS_MAX 65536u   /* of a trace */
#define SLOTS_MAX (1u << 20) /* calls of a thread that have not returned */
#define LOADS_MAX 16u        /* segments of the program */

enum { ROI, FROM, TO, NAMES };

struct region_thread {
    struct trace_rec fetch; /* the instruction at hand */
    uint64_t data_addr;     /* its last access */
    uint8_t data_kind;
    bool inside;
    uint64_t inside_slot; /* where the return address of the region's call lies */
    uint64_t *slot;       /* of calls that have not returned, going down in memory */
    size_t n, cap;
};

struct region {
    struct region_names names;
    uint64_t value[NAMES]; /* in the file; addresses when `mapped` */
    bool has[NAMES];
    struct load {
        uint64_t offset, vaddr;
    } load[LOADS_MAX];
    size_t loads;
    dev_t device;
    ino_t inode;
    uint64_t file; /* number of the program's file in the trace */
    bool mapped;
    bool on; /* by FROM and TO */
    unsigned inside;
    struct region_thread *thread;
    size_t nthread;
};

static void look_up(struct region *r, Elf *e, const char *const name[NAMES])
{
    for (Elf_Scn *scn = NULL; (scn = elf_nextscn(e, scn));) {
        GElf_Shdr sh;
        Elf_Data *data;
        if (!gelf_getshdr(scn, &sh) || (sh.sh_type != SHT_SYMTAB && sh.sh_type != SHT_DYNSYM) || sh.sh_entsize == 0 ||
            !(data = elf_getdata(scn, NULL)))
            continue;
        for (size_t i = 0; i < sh.sh_size / sh.sh_entsize; i++) {
            GElf_Sym s;
            if (!gelf_getsym(data, (int)i, &s) || s.st_shndx == SHN_UNDEF || !s.st_value)
                continue;
            const char *text = elf_strptr(e, sh.sh_link, s.st_name);
            for (unsigned k = 0; text && k < NAMES; k++)
                if (name[k] && !r->has[k] && !strcmp(text, name[k])) {
                    r->value[k] = s.st_value;
                    r->has[k] = true;
                }
        }
    }
}

static int read_program(struct region *r, struct err *err)
{
    const char *const name[NAMES] = {r->names.roi, r->names.from, r->names.to};
    struct stat st;
    size_t n = 0;
    int fd = open(r->names.program, O_RDONLY | O_CLOEXEC);
    Elf *e = fd < 0 || elf_version(EV_CURRENT) == EV_NONE ? NULL : elf_begin(fd, ELF_C_READ, NULL);
    if (!e || elf_kind(e) != ELF_K_ELF || fstat(fd, &st) < 0) {
        if (fd >= 0)
            close(fd);
        elf_end(e);
        err_set(err, ERR_USAGE, "cannot read the program's symbols");
        return err_at(err, r->names.program, 0, 0);
    }
    r->device = st.st_dev;
    r->inode = st.st_ino;
    elf_getphdrnum(e, &n);
    for (size_t i = 0; i < n && r->loads < LOADS_MAX; i++) {
        GElf_Phdr p;
        if (gelf_getphdr(e, (int)i, &p) && p.p_type == PT_LOAD)
            r->load[r->loads++] = (struct load){p.p_offset & ~(uint64_t)(PAGE_BYTES - 1), p.p_vaddr & ~(uint64_t)(PAGE_BYTES - 1)};
    }
    look_up(r, e, name);
    elf_end(e);
    close(fd);
    for (unsigned k = 0; k < NAMES; k++)
        if (name[k] && !r->has[k]) {
            err_set(err, ERR_USAGE, "there is no symbol \"%.200s\" in it", name[k]);
            err_at(err, r->names.program, 0, 0);
            return err_remedy(err, "nm lists a program's symbols (nm -D, if it is stripped); C++ names are given as nm shows "
                                   "them");
        }
    return 0;
}

int region_new(struct region **out, const struct region_names *names, struct err *err)
{
    struct region *r = *out = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, ERR_RUN, "out of memory");
    r->names = *names;
    r->on = !names->from;
    if (read_program(r, err) < 0) {
        region_free(r);
        *out = NULL;
        return -1;
    }
    return 0;
}

void region_free(struct region *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->nthread; i++)
        free(r->thread[i].slot);
    free(r->thread);
    free(r);
}

/* The program's file is mapped at `start` from `offset` on: now the symbols have addresses. */
static void map(struct region *r, uint64_t start, uint64_t offset)
{
    for (size_t i = 0; i < r->loads && !r->mapped; i++)
        if (r->load[i].offset == offset) {
            for (unsigned k = 0; k < NAMES; k++)
                r->value[k] += start - r->load[i].vaddr;
            r->mapped = true;
        }
}

void region_event(struct region *r, const struct trace_rec *rec)
{
    uint64_t w[8] = {0};
    struct stat st;
    char path[TRACE_STRING_MAX + 1];
    size_t len;
    const char *text;
    if (r->mapped)
        return;
    memcpy(w, rec + 1, rec->slots < 4 ? rec->slots * 16u : 64u);
    switch (rec->kind) {
    case TRACE_FILEID:
        text = trace_rec_string(rec, &len);
        memcpy(path, text, len);
        path[len] = '\0';
        if (stat(path, &st) == 0 && st.st_dev == r->device && st.st_ino == r->inode)
            r->file = rec->addr;
        return;
    case TRACE_SEGMENT:
        if (r->file && w[2] == r->file)
            map(r, rec->addr, w[1]);
        return;
    case TRACE_MMAP:
        if (r->file && w[6] == r->file && !(rec->flags & TRACE_F_FAILED))
            map(r, w[5], w[4]);
        return;
    default:
        return;
    }
}

static struct region_thread *thread_at(struct region *r, uint32_t thread)
{
    if (thread >= THREADS_MAX)
        return NULL;
    if (thread >= r->nthread) {
        size_t n = (size_t)thread + 16;
        void *p = realloc(r->thread, n * sizeof *r->thread);
        if (!p)
            return NULL;
        r->thread = p;
        memset(r->thread + r->nthread, 0, (n - r->nthread) * sizeof *r->thread);
        r->nthread = n;
    }
    return &r->thread[thread];
}

static void call(struct region_thread *t, uint64_t slot)
{
    while (t->n && t->slot[t->n - 1] <= slot) /* the stack has been unwound another way */
        t->n--;
    if (t->n == SLOTS_MAX)
        return;
    if (t->n == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 64;
        void *p = realloc(t->slot, cap * sizeof *t->slot);
        if (!p)
            return;
        t->slot = p;
        t->cap = cap;
    }
    t->slot[t->n++] = slot;
}

static void leave(struct region *r, struct region_thread *t, uint64_t slot)
{
    while (t->n && t->slot[t->n - 1] <= slot)
        t->n--;
    if (t->inside && t->inside_slot && slot >= t->inside_slot) {
        t->inside = false;
        r->inside--;
    }
}

static bool is_slot(const struct region_thread *t, uint64_t addr)
{
    for (size_t i = t->n; i > 0 && t->slot[i - 1] <= addr; i--)
        if (t->slot[i - 1] == addr)
            return true;
    return false;
}

bool region_reference(struct region *r, uint32_t thread, const struct trace_rec *rec)
{
    struct region_thread *t = thread_at(r, thread);
    if (!t)
        return false;
    if (rec->kind != TRACE_FETCH) {
        t->data_addr = rec->addr;
        t->data_kind = rec->kind;
        return false;
    }
    if (rec->addr != t->fetch.addr + t->fetch.size && rec->addr != t->fetch.addr) {
        if (t->data_kind == TRACE_STORE)
            call(t, t->data_addr);
        else if (t->data_kind == TRACE_LOAD && is_slot(t, t->data_addr))
            leave(r, t, t->data_addr);
    }
    t->fetch = *rec;
    t->data_kind = 0;
    if (r->mapped) {
        if (r->has[ROI] && rec->addr == r->value[ROI] && !t->inside) {
            t->inside = true;
            t->inside_slot = t->n ? t->slot[t->n - 1] : 0;
            r->inside++;
        }
        if (r->has[TO] && r->on && rec->addr == r->value[TO])
            r->on = false;
        else if (r->has[FROM] && !r->on && rec->addr == r->value[FROM])
            r->on = true;
    }
    return r->on && (!r->has[ROI] || r->inside);
}

bool region_found(const struct region *r)
{
    return r->mapped;
}
