#include "traces/recorder/initial.h"

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

/* Whether a segment of the ELF file that covers `offset` is executable. */
static bool executable(const char *path, uint64_t offset, uint64_t length)
{
    bool found = false;
    size_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    Elf *e = elf_version(EV_CURRENT) == EV_NONE ? NULL : elf_begin(fd, ELF_C_READ, NULL);
    if (e && elf_kind(e) == ELF_K_ELF && elf_getphdrnum(e, &n) == 0)
        for (size_t i = 0; i < n && !found; i++) {
            GElf_Phdr p;
            found = gelf_getphdr(e, (int)i, &p) && p.p_type == PT_LOAD && (p.p_flags & PF_X) &&
                    p.p_offset < offset + length && offset < p.p_offset + p.p_filesz;
        }
    elf_end(e);
    close(fd);
    return found;
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
            continue;
        }
        if (m.path && m.path[0] != '/') { /* the kernel's name for a piece of QEMU's memory */
            free(m.path);
            m.path = NULL;
        }
        m.flags = m.path ? 0 : TRACE_F_ANON;
        out->map[kept++] = m;
    }
    out->n = kept;
    if (initial)
        mark_stack(out);
    kept = 0;
    for (size_t i = 0; i < out->n; i++) {
        struct trace_map m = out->map[i];
        if (!m.path && m.prot == 0) /* kept free by QEMU, for the break or (i386) everything that is not mapped */
            continue;
        if (initial && m.path && executable(m.path, m.offset, m.length))
            m.prot |= TRACE_PROT_EXEC;
        out->map[kept++] = m;
    }
    out->n = kept;
    return 0;
}
