#include "traces/recorder/initial.h"

#include "engine/types.h"
#include "traces/input.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Where QEMU's own mappings begin when the program's addresses are the host's (x86-64 on x86-64): the kernel places a
 * position-independent program at 0x55.. and up, libraries at 0x7f.. (fs/binfmt_elf.c, ELF_ET_DYN_BASE); QEMU places the
 * program's from 0x40_0000_0000 upwards (linux-user/mmap.c, TASK_UNMAPPED_BASE).
 */
#define QEMU_BEGIN 0x500000000000u

#define LOADS_MAX 64u /* segments of a file that are looked at */

struct load {
    uint64_t begin, end; /* in the file, whole pages */
    uint32_t prot;
};

static size_t read_loads(struct load load[LOADS_MAX], const char *path)
{
    size_t n = 0, found = 0;
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return 0;
    Elf *e = elf_version(EV_CURRENT) == EV_NONE ? NULL : elf_begin(fd, ELF_C_READ, NULL);
    if (e && elf_kind(e) == ELF_K_ELF && elf_getphdrnum(e, &n) == 0)
        for (size_t i = 0; i < n && found < LOADS_MAX; i++) {
            const uint64_t mask = PAGE_BYTES - 1;
            GElf_Phdr p;
            if (gelf_getphdr(e, (int)i, &p) && p.p_type == PT_LOAD)
                load[found++] = (struct load){p.p_offset & ~mask, (p.p_offset + p.p_filesz + mask) & ~mask,
                                              (p.p_flags & PF_R ? TRACE_PROT_READ : 0u) |
                                                  (p.p_flags & PF_W ? TRACE_PROT_WRITE : 0u) |
                                                  (p.p_flags & PF_X ? TRACE_PROT_EXEC : 0u)};
        }
    elf_end(e);
    close(fd);
    return found;
}

/* The rights of a page of a mapped ELF file. QEMU's own mapping knows all but the right to execute. */
static uint32_t page_prot(const struct load *load, size_t n, uint64_t offset, uint32_t host)
{
    for (size_t i = 0; i < n; i++)
        if (offset >= load[i].begin && offset < load[i].end && !((load[i].prot ^ host) & TRACE_PROT_WRITE))
            return load[i].prot;
    return host;
}

static bool add(struct trace_maps *out, size_t *cap, struct trace_map m)
{
    if (out->n == *cap) {
        size_t more = *cap ? *cap * 2 : 32;
        void *p = realloc(out->map, more * sizeof m);
        if (!p)
            return false;
        out->map = p;
        *cap = more;
    }
    /* The analyzer mixes up the places of a list that is written while it is read: what was freed is not in it. */
    if (m.path && !(m.path = strdup(m.path))) /* NOLINT(clang-analyzer-unix.Malloc) */
        return false;
    out->map[out->n++] = m;
    return true;
}

/* The kernel shows neighbours that differ only in the right to execute as one: cuts them where the file's segments do. */
static bool add_loads(struct trace_maps *out, size_t *cap, struct trace_map m)
{
    struct load load[LOADS_MAX];
    size_t n = read_loads(load, m.path);
    for (uint64_t at = 0; at < m.length;) {
        struct trace_map piece = m;
        piece.start += at;
        piece.offset += at;
        piece.prot = page_prot(load, n, piece.offset, m.prot);
        for (piece.length = 0; at < m.length && page_prot(load, n, m.offset + at, m.prot) == piece.prot; at += PAGE_BYTES)
            piece.length += PAGE_BYTES;
        if (!add(out, cap, piece))
            return false;
    }
    return true;
}

/* QEMU puts a page without rights below the stack (linux-user/elfload.c, setup_arg_pages). */
static void mark_stack(struct trace_maps *m)
{
    struct trace_map *stack = NULL;
    for (size_t i = 1; i < m->n; i++) {
        const struct trace_map *below = &m->map[i - 1];
        struct trace_map *at = &m->map[i];
        if (!at->path && at->prot == (TRACE_PROT_READ | TRACE_PROT_WRITE) && below->start + below->length == at->start &&
            below->prot == 0 && !below->path && (!stack || at->length > stack->length))
            stack = at;
    }
    if (stack)
        stack->flags |= TRACE_F_STACK;
}

/* What QEMU keeps free: for the break, or (i386) everything that is not mapped. */
static void drop_reserved(struct trace_maps *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->n; i++)
        if (m->map[i].path || m->map[i].prot)
            m->map[kept++] = m->map[i];
    m->n = kept; /* what was dropped has no path to free */
}

int initial_maps(struct trace_maps *out, const char *text, size_t n, uint64_t base, bool wide, bool initial,
                 struct err *err)
{
    struct trace_input *in;
    size_t kept = 0;
    uint64_t end = wide && base == 0 ? QEMU_BEGIN : wide ? 1ull << 47 : 1ull << 32;
    *out = (struct trace_maps){0};
    if (trace_input_open_memory(&in, text, n, "/proc/self/maps", err) < 0)
        return -1;
    int rc = trace_maps_read(out, in, err);
    trace_input_close(in);
    if (rc < 0)
        return -1;
    for (size_t i = 0; i < out->n; i++) {
        struct trace_map m = out->map[i];
        m.start -= base;
        if (out->map[i].start < base || m.start >= end || m.length > end - m.start) {
            free(m.path);
            out->map[i].path = NULL;
            continue;
        }
        if (m.path && m.path[0] != '/') { /* the kernel's name for a piece of QEMU's memory */
            free(m.path);
            m.path = out->map[i].path = NULL;
        }
        m.flags = m.path ? 0 : TRACE_F_ANON;
        out->map[kept++] = m;
    }
    out->n = kept;
    if (!initial)
        return drop_reserved(out), 0;
    mark_stack(out);
    drop_reserved(out);
    struct trace_maps cut = {0};
    size_t cap = 0;
    bool good = true;
    for (size_t i = 0; i < out->n && good; i++)
        good = out->map[i].path ? add_loads(&cut, &cap, out->map[i]) : add(&cut, &cap, out->map[i]);
    trace_maps_free(out);
    *out = cut;
    if (good)
        return 0;
    trace_maps_free(out);
    return err_set(err, ERR_RUN, "out of memory");
}
