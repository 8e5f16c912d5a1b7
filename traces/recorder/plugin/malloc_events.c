/*
 * Loaded into a recorded program by LD_PRELOAD (mmulab record --malloc): tells of every allocation by a system call that
 * only the recorder understands (traces/recorder/magic.h). The event stands after an allocation and before a release, so
 * that in the order of the trace a pointer is never given out twice. A realloc is both: whoever gets its old memory waits
 * until it is told. C++'s new and delete arrive by way of libstdc++, which takes from malloc and gives to free.
 *
 * Freestanding: built for i386 too where only a 64-bit C library has its headers installed.
 */
#include "../magic.h"

typedef __SIZE_TYPE__ size_t;
typedef __UINTPTR_TYPE__ uintptr_t;

#define EXPORT __attribute__((visibility("default")))
#define NULL ((void *)0)
#define RTLD_NEXT ((void *)-1L)       /* dlfcn.h */
#define EARLY_BYTES 16384u            /* for what dlsym itself allocates before it has found the real functions */
#define MOVES 256u                    /* reallocs at a time; those whose old addresses share a place come one after the other */
#define TRIES 1000u                   /* to get a place; without a recorder nobody makes it free */
enum { EVENT_MALLOC = 48, EVENT_FREE = 49, EVENT_REALLOC = 50 }; /* enum trace_kind */
enum { ENOMEM_ = 12, EINVAL_ = 22 };

extern void *dlsym(void *handle, const char *name);

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    void *(*aligned_alloc)(size_t, size_t);
    void *(*memalign)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
    int state; /* 0 nothing, 1 looking, 2 found */
} real;

static _Alignas(16) unsigned char early[EARLY_BYTES];
static size_t early_used;

static void tell(uintptr_t kind, uintptr_t addr, uintptr_t size, uintptr_t word0, uintptr_t word1)
{
#ifdef __x86_64__
    register uintptr_t r10 __asm__("r10") = word0, r8 __asm__("r8") = word1;
    uintptr_t rax = RECORD_MAGIC_CALL;
    __asm__ volatile("syscall" : "+a"(rax) : "D"(kind), "S"(addr), "d"(size), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
#else
    uintptr_t eax = RECORD_MAGIC_CALL;
    __asm__ volatile("int $0x80" : "+a"(eax) : "b"(kind), "c"(addr), "d"(size), "S"(word0), "D"(word1) : "memory");
#endif
}

/* Old addresses of reallocs that have begun and are not told yet, each in its place; 0: none. */
static uintptr_t moving[MOVES];

static uintptr_t *place(const void *p)
{
    return &moving[(uintptr_t)p / 16 % MOVES];
}

/*
 * Waits until the place holds something else. The plugin waits, so that nothing of it is in the trace; if the thread that
 * holds the place is gone (a fork copies only the one that calls it), it makes the place free after a while.
 */
static void await(uintptr_t *slot, uintptr_t value)
{
    tell(RECORD_MAGIC_AWAIT, (uintptr_t)slot, value, sizeof *slot, 0);
}

static void move_begins(const void *p)
{
    for (unsigned i = 0; p && i < TRIES; i++) {
        uintptr_t there = 0;
        if (__atomic_compare_exchange_n(place(p), &there, (uintptr_t)p, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return;
        await(place(p), there);
    }
}

static void move_ends(const void *p)
{
    uintptr_t there = (uintptr_t)p;
    if (p)
        __atomic_compare_exchange_n(place(p), &there, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* Memory that was got and has not been told: another thread's realloc that gave it back is told first. */
static void settle(const void *p)
{
    if (p && __builtin_expect(__atomic_load_n(place(p), __ATOMIC_SEQ_CST) == (uintptr_t)p, 0))
        await(place(p), (uintptr_t)p);
}

static int is_early(const void *p)
{
    return (const unsigned char *)p >= early && (const unsigned char *)p < early + EARLY_BYTES;
}

static void *early_alloc(size_t n)
{
    size_t at = early_used;
    if (n > EARLY_BYTES - 16 - at)
        return NULL;
    early_used = (at + n + 31) & ~(size_t)15;
    *(size_t *)(void *)(early + at) = n; /* for realloc */
    return early + at + 16;
}

#define FIND(name) real.name = (__typeof__(real.name))dlsym(RTLD_NEXT, #name)

/* Whether the real functions are known; the first call of the program comes while it has one thread. */
static int ready(void)
{
    if (__builtin_expect(real.state == 2, 1))
        return 1;
    if (real.state == 1)
        return 0;
    real.state = 1;
    FIND(malloc);
    FIND(calloc);
    FIND(realloc);
    FIND(free);
    FIND(aligned_alloc);
    FIND(memalign);
    FIND(posix_memalign);
    FIND(valloc);
    FIND(pvalloc);
    real.state = 2;
    return 1;
}

EXPORT void *malloc(size_t n);
EXPORT void *calloc(size_t n, size_t each);
EXPORT void *realloc(void *p, size_t n);
EXPORT void *reallocarray(void *p, size_t n, size_t each);
EXPORT void free(void *p);
EXPORT void *aligned_alloc(size_t alignment, size_t n);
EXPORT void *memalign(size_t alignment, size_t n);
EXPORT int posix_memalign(void **out, size_t alignment, size_t n);
EXPORT void *valloc(size_t n);
EXPORT void *pvalloc(size_t n);

static void *told(void *p, size_t alignment, size_t n)
{
    settle(p);
    tell(EVENT_MALLOC, (uintptr_t)p, alignment, n, 0);
    return p;
}

EXPORT void *malloc(size_t n)
{
    return ready() ? told(real.malloc(n), 0, n) : early_alloc(n);
}

EXPORT void *calloc(size_t n, size_t each)
{
    size_t all;
    if (ready()) {
        void *p = real.calloc(n, each);
        return told(p, 0, __builtin_mul_overflow(n, each, &all) ? (size_t)-1 : all);
    }
    return __builtin_mul_overflow(n, each, &all) ? NULL : early_alloc(all); /* never used before: zero */
}

EXPORT void *realloc(void *p, size_t n)
{
    if (!ready())
        return NULL;
    if (is_early(p)) {
        size_t old = *(size_t *)(void *)((unsigned char *)p - 16);
        unsigned char *q = malloc(n);
        for (size_t i = 0; q && i < n && i < old; i++)
            q[i] = ((unsigned char *)p)[i];
        return q;
    }
    move_begins(p);
    void *q = real.realloc(p, n);
    if (q != p)
        settle(q);
    tell(EVENT_REALLOC, (uintptr_t)p, 0, n, (uintptr_t)q);
    move_ends(p);
    return q;
}

EXPORT void *reallocarray(void *p, size_t n, size_t each)
{
    size_t all;
    return realloc(p, __builtin_mul_overflow(n, each, &all) ? (size_t)-1 : all); /* which there never is: ENOMEM */
}

EXPORT void free(void *p)
{
    if (!p || is_early(p) || !ready())
        return;
    tell(EVENT_FREE, (uintptr_t)p, 0, 0, 0);
    real.free(p);
}

EXPORT void *aligned_alloc(size_t alignment, size_t n)
{
    return ready() ? told(real.aligned_alloc(alignment, n), alignment, n) : NULL;
}

EXPORT void *memalign(size_t alignment, size_t n)
{
    return ready() ? told(real.memalign(alignment, n), alignment, n) : NULL;
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t n)
{
    if (!ready())
        return ENOMEM_;
    int rc = real.posix_memalign(out, alignment, n);
    told(rc ? NULL : *out, alignment, n);
    return rc;
}

EXPORT void *valloc(size_t n)
{
    return ready() ? told(real.valloc(n), 4096, n) : NULL;
}

EXPORT void *pvalloc(size_t n)
{
    return ready() ? told(real.pvalloc(n), 4096, n) : NULL;
}
