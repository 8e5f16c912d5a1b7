/*
 * usage: record_maps TRACE MAPS: compares the mappings that process 0 of the trace has at its end, computed from its
 * address-space events page by page, with the kernel's list: addresses, rights to read and write, file and offset. Prints
 * the pages that differ.
 *
 * Kept apart: QEMU never asks the kernel for the right to execute; and pages without any right may be QEMU's reserve, so
 * those of the trace need not be the kernel's; and QEMU keeps what a program gives back by lowering its break.
 */
#include "traces/input.h"
#include "traces/readers/maps.h"
#include "traces/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u
#define PAGES_MAX (1u << 20)
#define FILES_MAX 65536u

struct page {
    uint64_t at, offset;
    uint32_t prot, file;
    bool live, given_back;
};

static struct page *table;
static size_t used;
static char *name[FILES_MAX];
static uint64_t brk_at;

static struct page *find(uint64_t at)
{
    for (size_t i = (at / PAGE * 0x9e3779b97f4a7c15u >> 40) % PAGES_MAX;; i = (i + 1) % PAGES_MAX)
        if (!table[i].at || table[i].at == at)
            return &table[i];
}

static void set(uint64_t at, uint32_t prot, uint32_t file, uint64_t offset)
{
    struct page *p = find(at);
    if (!p->at && ++used > PAGES_MAX / 2) {
        printf("too many pages\n");
        exit(2);
    }
    *p = (struct page){at, file ? offset : 0, prot, file, true, false};
}

static uint64_t up(uint64_t v)
{
    return (v + PAGE - 1) / PAGE * PAGE;
}

static void map(uint64_t at, uint64_t length, uint32_t prot, uint32_t file, uint64_t offset)
{
    for (uint64_t i = 0; i < up(length); i += PAGE)
        set(at + i, prot, file, offset + i);
}

static void unmap(uint64_t at, uint64_t length)
{
    for (uint64_t i = 0; i < up(length); i += PAGE)
        find(at + i)->live = false;
}

static void move(uint64_t from, uint64_t was, uint64_t to, uint64_t now)
{
    struct page first = *find(from);
    uint64_t n = up(now) / PAGE, keep = up(was) / PAGE;
    uint32_t *prot = calloc(n, sizeof *prot);
    for (uint64_t i = 0; i < n; i++)
        prot[i] = i < keep ? find(from + i * PAGE)->prot : first.prot;
    unmap(from, was);
    for (uint64_t i = 0; i < n; i++)
        set(to + i * PAGE, prot[i], first.file, first.offset + i * PAGE);
    free(prot);
}

static void apply(const struct trace_rec *r)
{
    uint64_t w[8] = {0};
    size_t len;
    memcpy(w, r + 1, r->slots < 4 ? r->slots * 16u : 64u);
    if (r->flags & TRACE_F_FAILED && r->kind != TRACE_SEGMENT)
        return;
    switch (r->kind) {
    case TRACE_FILEID:
        if (r->addr < FILES_MAX) {
            const char *s = trace_rec_string(r, &len);
            free(name[r->addr]);
            name[r->addr] = strndup(s, len);
        }
        break;
    case TRACE_SEGMENT:
        map(r->addr, w[0], r->size, (uint32_t)w[2], w[1]);
        break;
    case TRACE_MMAP:
        map(w[5], w[0], (uint32_t)w[1], (uint32_t)w[6], w[4]);
        break;
    case TRACE_MUNMAP:
        unmap(r->addr, w[0]);
        break;
    case TRACE_MREMAP:
        move(r->addr, w[0], w[4], w[1]);
        break;
    case TRACE_MPROTECT:
        for (uint64_t i = 0; i < up(w[0]); i += PAGE)
            find(r->addr + i)->prot = (uint32_t)w[1];
        break;
    case TRACE_BRK:
        if (brk_at && w[0] > brk_at)
            map(up(brk_at), up(w[0]) - up(brk_at), TRACE_PROT_READ | TRACE_PROT_WRITE, 0, 0);
        else if (brk_at)
            for (uint64_t i = up(w[0]); i < up(brk_at); i += PAGE)
                find(i)->live = false, find(i)->given_back = true;
        brk_at = w[0];
        break;
    default:
        break;
    }
}

static unsigned compare(const struct trace_maps *m, size_t *pages)
{
    const uint32_t rw = TRACE_PROT_READ | TRACE_PROT_WRITE;
    unsigned bad = 0;
    for (size_t i = 0; i < m->n; i++) {
        const struct trace_map *k = &m->map[i];
        for (uint64_t at = 0; at < k->length; at += PAGE, ++*pages) {
            struct page *p = find(k->start + at);
            const char *ours = p->file && p->file < FILES_MAX && name[p->file] ? name[p->file] : "";
            if (p->given_back && !p->live && !k->path)
                continue;
            bool same = p->live && (p->prot & rw) == (k->prot & rw) && !strcmp(ours, k->path ? k->path : "") &&
                        (!k->path || p->offset == k->offset + at);
            if (!same && bad++ < 10)
                printf("%llx: kernel prot %u %s+0x%llx; trace %s prot %u %s+0x%llx\n", (unsigned long long)(k->start + at),
                       k->prot, k->path ? k->path : "-", (unsigned long long)(k->offset + at), p->live ? "" : "unmapped",
                       p->prot, ours, (unsigned long long)p->offset);
            p->live = false;
        }
    }
    for (size_t i = 0; i < PAGES_MAX; i++)
        if (table[i].live && table[i].prot && bad++ < 10)
            printf("%llx: in the trace (prot %u), not in the kernel's list\n", (unsigned long long)table[i].at, table[i].prot);
    return bad;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct trace *t;
    struct trace_batch b;
    struct trace_input *in;
    struct trace_maps m;
    char text[2400];
    size_t pages = 0;
    int got = -1;
    table = calloc(PAGES_MAX, sizeof *table);
    if (argc != 3 || !table || trace_open(&t, argv[1], NULL, &err) < 0)
        goto fail;
    while ((got = trace_next(t, &b, &err)) > 0)
        for (size_t i = 0; b.process == 0 && i < b.n; i += 1u + b.rec[i].slots)
            if (b.rec[i].kind > TRACE_REF_MAX)
                apply(&b.rec[i]);
    trace_close(t);
    if (got < 0 || trace_input_open(&in, argv[2], &err) < 0 || trace_maps_read(&m, in, &err) < 0)
        goto fail;
    trace_input_close(in);
    unsigned bad = compare(&m, &pages);
    printf("record_maps: %s: %zu pages in %zu mappings of the kernel, %u differ\n", bad ? "FAIL" : "PASS", pages, m.n, bad);
    trace_maps_free(&m);
    for (size_t i = 0; i < FILES_MAX; i++)
        free(name[i]);
    free(table);
    return bad != 0;
fail:
    printf("%s\n", err_format(&err, text, sizeof text));
    return 2;
}
