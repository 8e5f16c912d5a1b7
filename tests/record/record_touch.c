/*
 * usage: record_touch TRACE: for each page of a mapped file, in the order of their first touch in process 0, a line
 * "PATH<tab>PAGE" (page of the file). Two recordings of one program can then be compared, wherever it was loaded.
 */
#include "traces/analysis/space.h"
#include "traces/input.h"
#include "traces/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SHIFT 12
#define FILES_MAX 65536u
#define RECENT 65536u

struct touched { /* pages of the address space that were told already, until they are mapped anew */
    uint64_t page[1u << 22];
};

static bool add(struct touched *t, uint64_t page)
{
    for (size_t i = page * 0x9e3779b97f4a7c15u >> 42;; i = (i + 1) % (1u << 22)) {
        if (t->page[i] == page)
            return false;
        if (!t->page[i]) {
            t->page[i] = page;
            return true;
        }
    }
}

int main(int argc, char **argv)
{
    static char *name[FILES_MAX];
    static uint64_t recent[RECENT];
    struct touched *told = calloc(1, sizeof *told);
    struct spaces spaces = {0};
    struct err err = {0};
    struct trace *t;
    struct trace_batch b;
    int got;
    if (argc != 2 || !told || trace_open(&t, argv[1], NULL, &err) < 0)
        return 2;
    while ((got = trace_next(t, &b, &err)) > 0)
        for (size_t i = 0; b.process == 0 && i < b.n; i += 1u + b.rec[i].slots) {
            const struct trace_rec *r = &b.rec[i];
            uint64_t page = r->addr >> PAGE_SHIFT;
            size_t len;
            if (r->kind == TRACE_FILEID && r->addr < FILES_MAX) {
                const char *s = trace_rec_string(r, &len);
                free(name[r->addr]);
                name[r->addr] = strndup(s, len);
            } else if (r->kind > TRACE_REF_MAX) {
                if (r->kind == TRACE_SEGMENT || r->kind == TRACE_MMAP || r->kind == TRACE_MUNMAP || r->kind == TRACE_MREMAP)
                    memset(recent, 0, sizeof recent);
                spaces_apply(&spaces, 0, r);
            } else if (recent[page % RECENT] != page) {
                const struct space_span *s = space_find(spaces_at(&spaces, 0), r->addr);
                recent[page % RECENT] = page;
                if (!s || !s->file || s->file >= FILES_MAX || !name[s->file])
                    continue;
                uint64_t of = (r->addr - s->start + s->offset) >> PAGE_SHIFT;
                if (add(told, ((uint64_t)s->file << 32 | of) + 1))
                    printf("%s\t%llu\n", name[s->file], (unsigned long long)of);
            }
        }
    trace_close(t);
    spaces_fini(&spaces);
    for (size_t i = 0; i < FILES_MAX; i++)
        free(name[i]);
    free(told);
    return got < 0;
}
