#include "traces/analysis/check.h"

#include "engine/types.h"
#include "traces/analysis/addrset.h"
#include "traces/input.h"
#include "traces/analysis/space.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS_MAX 1048576u /* threads that are followed */
#define USER_TOP                                                                                             \
    0x7ffffffff000 /* above lie the vsyscall page and the kernel (Documentation/arch/x86/x86_64/mm.rst) */

enum { THREAD_EXITED = 1, THREAD_FETCHED = 2, THREAD_RAN = 4 };

static const struct {
    const char *name, *help;
    bool is_error;
} checks[] = {
#define X(name, is_error, text, help) {text, help, is_error},
    TRACE_CHECKS(X)
#undef X
};

struct trace_check {
    trace_check_report *report;
    void *ctx;
    uint64_t count[TRACE_CHECK_KINDS];
    uint64_t records, time;
    struct spaces spaces;
    struct addrset *heap; /* of each process: live pointers */
    size_t nheaps;
    struct addrset files;
    struct addrset pages;           /* live page frames */
    struct addrset objects;         /* live kernel objects */
    uint8_t *thread;                /* THREAD_* */
    size_t nthreads;
    /* of the record at hand */
    uint64_t number;
    uint32_t process, cur_thread;
};

int trace_check_new(struct trace_check **out, trace_check_report *report, void *ctx, struct err *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return err_set(err, ERR_RUN, "out of memory");
    (*out)->report = report;
    (*out)->ctx = ctx;
    return 0;
}

void trace_check_free(struct trace_check *c)
{
    if (!c)
        return;
    spaces_fini(&c->spaces);
    for (size_t i = 0; i < c->nheaps; i++)
        addrset_fini(&c->heap[i]);
    free(c->heap);
    addrset_fini(&c->files);
    addrset_fini(&c->pages);
    addrset_fini(&c->objects);
    free(c->thread);
    free(c);
}

static __attribute__((format(printf, 3, 4))) void problem(struct trace_check *c, enum trace_check_kind kind,
                                                          const char *fmt, ...)
{
    char text[256];
    va_list ap;
    c->count[kind]++;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (c->report)
        c->report(c->ctx, &(struct trace_problem){kind, c->number, c->process, c->cur_thread, text});
}

static void limit(struct trace_check *c, const char *what)
{
    if (!c->count[TRACE_CHECK_LIMIT])
        problem(c, TRACE_CHECK_LIMIT, "more %s than are followed", what);
}

static uint8_t *thread_state(struct trace_check *c, uint32_t thread)
{
    if (thread >= THREADS_MAX)
        return NULL;
    if (thread >= c->nthreads) {
        size_t n = ((size_t)thread + 64) * 2;
        uint8_t *p = realloc(c->thread, n);
        if (!p)
            return NULL;
        memset(p + c->nthreads, 0, n - c->nthreads);
        c->thread = p;
        c->nthreads = n;
    }
    return &c->thread[thread];
}

/* On x86 what may be executed or written may be read. */
static void check_rights(struct trace_check *c, const struct space *s, const struct space_span *span,
                         const struct trace_rec *r)
{
    unsigned wants = r->kind == TRACE_FETCH ? TRACE_PROT_EXEC : r->kind == TRACE_LOAD ? 0u : TRACE_PROT_WRITE;
    if (s->prot_unknown || ((span->prot & wants) == wants && span->prot))
        return;
    problem(c, TRACE_CHECK_RIGHTS, "%s 0x%llx,%u: the mapping at 0x%llx allows %s%s%s%s", trace_kind_name(r->kind),
            (unsigned long long)r->addr, r->size, (unsigned long long)span->start,
            span->prot & TRACE_PROT_READ ? "r" : "", span->prot & TRACE_PROT_WRITE ? "w" : "",
            span->prot & TRACE_PROT_EXEC ? "x" : "", span->prot ? "" : "nothing");
}

static void check_address(struct trace_check *c, struct space *s, const struct trace_rec *r, uint64_t addr)
{
    const char *name = trace_kind_name(r->kind);
    const struct space_span *span = space_find(s, addr);
    if (span) {
        check_rights(c, s, span, r);
        return;
    }
    if (space_is_gone(s, addr))
        problem(c, TRACE_CHECK_AFTER_UNMAP, "%s 0x%llx,%u: unmapped before", name,
                (unsigned long long)r->addr, r->size);
    else if (s->whole)
        problem(c, TRACE_CHECK_OUTSIDE, "%s 0x%llx,%u: not mapped", name, (unsigned long long)r->addr,
                r->size);
}

static void check_ref(struct trace_check *c, const struct trace_rec *r)
{
    uint64_t last;
    if (r->size == 0 || __builtin_add_overflow(r->addr, (uint64_t)r->size - 1, &last)) {
        problem(c, TRACE_CHECK_SIZE, "%s 0x%llx,%u", trace_kind_name(r->kind), (unsigned long long)r->addr,
                r->size);
        return;
    }
    if (r->addr >> 56 != 0 && r->addr >> 56 != 0xff)
        problem(c, TRACE_CHECK_NONCANONICAL, "%s 0x%llx,%u", trace_kind_name(r->kind),
                (unsigned long long)r->addr, r->size);
    if ((r->flags & TRACE_F_KERNEL) || r->addr >= USER_TOP)
        return;
    struct space *s = c->process < c->spaces.n ? &c->spaces.space[c->process] : NULL;
    if (!s || !s->used || s->lost || (!s->whole && s->gone.n == 0 && s->mapped.n == 0))
        return;
    check_address(c, s, r, r->addr);
    if (last / PAGE_BYTES != r->addr / PAGE_BYTES)
        check_address(c, s, r, last);
}

/* --- objects --- */

/* Live objects of a process; NULL if there are more processes than are followed, or no memory. */
static struct addrset *heap_of(struct trace_check *c, uint64_t process)
{
    if (process >= SPACE_PROCESSES_MAX)
        return NULL;
    if (process >= c->nheaps) {
        size_t n = ((size_t)process + 8) * 2;
        struct addrset *p = realloc(c->heap, n * sizeof *p);
        if (!p)
            return NULL;
        memset(p + c->nheaps, 0, (n - c->nheaps) * sizeof *p);
        c->heap = p;
        c->nheaps = n;
    }
    return &c->heap[process];
}

static int user_alloc(struct trace_check *c, uint64_t pointer)
{
    struct addrset *heap = heap_of(c, c->process);
    int r = pointer && heap ? addrset_add(heap, pointer) : 1; /* NULL: the allocation failed */
    if (r == 0)
        problem(c, TRACE_CHECK_MALLOC, "0x%llx is allocated already", (unsigned long long)pointer);
    return r;
}

static void user_free(struct trace_check *c, uint64_t pointer)
{
    struct addrset *heap = heap_of(c, c->process);
    if (pointer && heap && !addrset_remove(heap, pointer))
        problem(c, TRACE_CHECK_FREE, "0x%llx is not allocated", (unsigned long long)pointer);
}

/* A child has copies of all objects; a new program, and a process that is gone, have none. */
static int heap_event(struct trace_check *c, const struct trace_rec *r)
{
    if (r->kind == TRACE_FORK && !(r->flags & TRACE_F_FAILED) && r->addr != c->process) {
        if (heap_of(c, r->addr) && heap_of(c, c->process)) {
            addrset_fini(&c->heap[r->addr]);
            return addrset_copy(&c->heap[r->addr], &c->heap[c->process]);
        }
    } else if (r->kind == TRACE_EXEC || (r->kind == TRACE_EXIT && r->size)) {
        struct addrset *heap = heap_of(c, c->process);
        if (heap)
            addrset_fini(heap);
    }
    return 0;
}

static int kernel_alloc(struct trace_check *c, struct addrset *set, const char *what, uint64_t id)
{
    int r = addrset_add(set, id);
    if (r == 0)
        problem(c, TRACE_CHECK_KERNEL_ALLOC, "%s 0x%llx is allocated already", what, (unsigned long long)id);
    return r;
}

static void kernel_free(struct trace_check *c, struct addrset *set, const char *what, uint64_t id)
{
    if (id && !addrset_remove(set, id))
        problem(c, TRACE_CHECK_KERNEL_FREE, "%s 0x%llx is not known to be allocated", what,
                (unsigned long long)id);
}

/* --- records --- */

static void check_file(struct trace_check *c, uint64_t id)
{
    if (id && !addrset_has(&c->files, id))
        problem(c, TRACE_CHECK_FILE, "file id %llu is not declared", (unsigned long long)id);
}

static int check_event(struct trace_check *c, const struct trace_rec *r)
{
    uint64_t w[8] = {0};
    memcpy(w, r + 1, r->slots < 4 ? r->slots * 16u : 64u);
    switch (r->kind) {
    case TRACE_TIME:
        if (r->addr < c->time)
            problem(c, TRACE_CHECK_TIME, "%llu ns after %llu ns", (unsigned long long)r->addr,
                    (unsigned long long)c->time);
        c->time = r->addr;
        return 0;
    case TRACE_FILEID:
        return addrset_add(&c->files, r->addr);
    case TRACE_SEGMENT:
        check_file(c, w[2]);
        break;
    case TRACE_MMAP:
        check_file(c, w[6]);
        break;
    case TRACE_MALLOC:
        return user_alloc(c, r->addr);
    case TRACE_FREE:
        user_free(c, r->addr);
        return 0;
    case TRACE_REALLOC: /* a failed one (NULL for a size) leaves the old object */
        if (w[1] || !w[0])
            user_free(c, r->addr);
        return w[1] ? user_alloc(c, w[1]) : 0;
    case TRACE_PAGE_ALLOC:
        return kernel_alloc(c, &c->pages, "page frame", r->addr);
    case TRACE_PAGE_FREE:
        kernel_free(c, &c->pages, "page frame", r->addr);
        return 0;
    case TRACE_KMALLOC:
    case TRACE_CACHE_ALLOC:
    case TRACE_ALLOC_PAGES:
    case TRACE_VMALLOC:
    case TRACE_KVMALLOC:
    case TRACE_MEMPOOL_ALLOC:
        return r->addr ? kernel_alloc(c, &c->objects, "object", r->addr) : 0;
    case TRACE_KFREE:
    case TRACE_CACHE_FREE:
    case TRACE_FREE_PAGES:
    case TRACE_VFREE:
    case TRACE_KVFREE:
    case TRACE_MEMPOOL_FREE:
        kernel_free(c, &c->objects, "object", r->addr);
        return 0;
    default:
        break;
    }
    if ((r->kind == TRACE_CLONE || r->kind == TRACE_FORK) && !(r->flags & TRACE_F_FAILED)) {
        uint64_t child = r->kind == TRACE_CLONE ? r->addr : r->size;
        if (c->thread && child < c->nthreads && c->thread[child] & THREAD_RAN)
            problem(c, TRACE_CHECK_CHILD, "thread %llu has run before it is made", (unsigned long long)child);
    }
    if (r->kind == TRACE_FORK && r->addr >= SPACE_PROCESSES_MAX)
        limit(c, "processes");
    if (heap_event(c, r) < 0)
        return -1;
    enum space_verdict v = spaces_apply(&c->spaces, c->process, r);
    if (v == SPACE_OVERLAP && r->kind == TRACE_SEGMENT)
        problem(c, TRACE_CHECK_SEGMENT, "segment at 0x%llx overlaps another", (unsigned long long)r->addr);
    else if (v == SPACE_OVERLAP)
        problem(c, TRACE_CHECK_OVERLAP, "%s to 0x%llx, %llu bytes, without MAP_FIXED: something is mapped there",
                trace_kind_name(r->kind), (unsigned long long)(r->kind == TRACE_MMAP ? w[5] : w[4]),
                (unsigned long long)(r->kind == TRACE_MMAP ? w[0] : w[1]));
    if (v == SPACE_NOTHING)
        problem(c, TRACE_CHECK_UNMAP_NOTHING, "0x%llx, %llu bytes", (unsigned long long)r->addr,
                (unsigned long long)w[0]);
    if (v == SPACE_EMPTY)
        problem(c, TRACE_CHECK_RANGE, "%s at 0x%llx", trace_kind_name(r->kind), (unsigned long long)r->addr);
    if (c->process < c->spaces.n && c->spaces.space[c->process].lost)
        limit(c, "mappings");
    return 0;
}

int trace_check_batch(struct trace_check *c, const struct trace_batch *b, struct err *err)
{
    uint8_t *thread = thread_state(c, b->thread);
    c->process = b->process;
    c->cur_thread = b->thread;
    c->number = b->first_record;
    if (!thread)
        limit(c, "threads");
    for (size_t i = 0; i < b->n; i += 1u + b->rec[i].slots, c->number++, c->records++) {
        const struct trace_rec *r = &b->rec[i];
        const char *wrong =
            r->kind <= TRACE_REF_MAX && r->slots == 0 && r->kind >= TRACE_FETCH && r->kind <= TRACE_MODIFY
                ? NULL
                : trace_rec_problem(r, b->n - i);
        if (wrong) {
            problem(c, TRACE_CHECK_MALFORMED, "%s", wrong);
            if (r->slots >= b->n - i)
                break;
            continue;
        }
        if (thread) {
            *thread |= THREAD_RAN;
            if (*thread & THREAD_EXITED && r->kind != TRACE_TIME && r->kind != TRACE_MARK) {
                problem(c, TRACE_CHECK_THREAD, "thread %u goes on with `%s` after its exit", b->thread,
                        trace_kind_name(r->kind));
                *thread &= (uint8_t)~THREAD_EXITED; /* told once */
            }
            if (r->kind == TRACE_FETCH)
                *thread |= THREAD_FETCHED;
            else if (r->kind == TRACE_EXIT)
                *thread |= THREAD_EXITED;
            else if ((r->kind == TRACE_REGS || r->kind == TRACE_BRANCH) && !(*thread & THREAD_FETCHED)) {
                problem(c, TRACE_CHECK_ORPHAN, "`%s` without an instruction before it",
                        trace_kind_name(r->kind));
                *thread |= THREAD_FETCHED; /* told once */
            }
        }
        if (r->kind <= TRACE_REF_MAX)
            check_ref(c, r);
        else if (check_event(c, r) < 0) {
            char number[32];
            return err_set(err, ERR_RUN, "out of memory at record %s", trace_commas(number, c->number));
        }
    }
    return 0;
}

uint64_t trace_check_count(const struct trace_check *c, enum trace_check_kind kind)
{
    return c->count[kind];
}
uint64_t trace_check_records(const struct trace_check *c)
{
    return c->records;
}
bool trace_check_is_error(enum trace_check_kind kind)
{
    return checks[kind].is_error;
}
const char *trace_check_name(enum trace_check_kind kind)
{
    return checks[kind].name;
}
const char *trace_check_help(enum trace_check_kind kind)
{
    return checks[kind].help;
}
