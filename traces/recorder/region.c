#include "traces/recorder/region.h"

#include "traces/recorder/region_symbols.h"

#include <stdlib.h>
#include <string.h>

#define THREADS_MAX 65536u   /* of a trace */
#define SLOTS_MAX (1u << 20) /* calls of a thread that have not returned */

struct region_thread {
    struct trace_rec fetch; /* the instruction at hand */
    uint64_t data_addr;     /* its last access */
    uint8_t data_kind;
    uint32_t process;
    bool ran, inside;
    uint64_t inside_slot; /* where the return address of the region's call lies */
    uint64_t *slot;       /* of calls that have not returned, going down in memory */
    size_t n, cap;
};

struct region {
    struct region_names names;
    struct region_symbols *symbols;
    bool on; /* by FROM and TO */
    unsigned inside;
    struct region_thread *thread;
    size_t nthread;
};

int region_new(struct region **out, const struct region_names *names, struct err *err)
{
    struct region *r = *out = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, ERR_RUN, "out of memory");
    r->names = *names;
    r->on = !names->from;
    if (region_symbols_new(&r->symbols, names, err) < 0) {
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
    region_symbols_free(r->symbols);
    free(r);
}

/* The thread is gone, or its stack is: it is in no function any more. */
static void forget(struct region *r, struct region_thread *t)
{
    r->inside -= t->inside;
    t->inside = false;
    t->n = 0;
}

void region_event(struct region *r, uint32_t process, uint32_t thread, const struct trace_rec *rec)
{
    region_symbols_event(r->symbols, process, rec);
    if (rec->kind != TRACE_EXIT && rec->kind != TRACE_EXEC)
        return;
    bool whole = rec->kind == TRACE_EXEC || rec->size;
    for (size_t i = 0; i < r->nthread; i++)
        if (r->thread[i].ran && r->thread[i].process == process && (whole || i == thread))
            forget(r, &r->thread[i]);
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

static void at_symbols(struct region *r, struct region_thread *t, const struct region_addresses *a, uint64_t addr)
{
    if (a->has[REGION_ROI] && addr == a->at[REGION_ROI] && !t->inside) {
        t->inside = true;
        t->inside_slot = t->n ? t->slot[t->n - 1] : 0;
        r->inside++;
    }
    if (a->has[REGION_TO] && r->on && addr == a->at[REGION_TO])
        r->on = false;
    else if (a->has[REGION_FROM] && !r->on && addr == a->at[REGION_FROM])
        r->on = true;
}

bool region_reference(struct region *r, uint32_t process, uint32_t thread, const struct trace_rec *rec)
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
    t->process = process;
    t->ran = true;
    const struct region_addresses *a = region_symbols_of(r->symbols, process);
    if (a)
        at_symbols(r, t, a, rec->addr);
    return r->on && (!r->names.roi || r->inside);
}

const char *region_missing(const struct region *r)
{
    return region_symbols_missing(r->symbols);
}
