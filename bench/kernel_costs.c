/*
 * What scripts/kernel-costs samples: system calls that do little beside allocating and freeing kernel memory.
 *
 *   kernel_costs again N      an eventfd opened and closed, N times: what was freed last is allocated next
 *   kernel_costs burst N      10,000 opened, then all closed, as often as makes N: slabs come and go
 *   kernel_costs pages N      a page touched, N in all, 32 MiB at a time, then all given back
 *   kernel_costs clock        nanoseconds a CPU cycle: a chain of dependent multiplications, 3 cycles each since 2008
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { BURST = 10000, PAGE = 4096, PAGES = 8192, ROUNDS = 100, CHAIN = 500000, CHAIN_STEP = 4, MULTIPLY_CYCLES = 3 };

static int fail(const char *what)
{
    perror(what);
    return 1;
}

static int again(long n)
{
    for (long i = 0; i < n; i++) {
        int fd = eventfd(0, 0);
        if (fd < 0)
            return fail("eventfd");
        close(fd);
    }
    return 0;
}

static int burst(long n)
{
    static int fd[BURST];
    struct rlimit r;
    getrlimit(RLIMIT_NOFILE, &r);
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
    for (; n > 0; n -= BURST) {
        for (int i = 0; i < BURST; i++)
            if ((fd[i] = eventfd(0, 0)) < 0)
                return fail("eventfd (ulimit -n 10100)");
        for (int i = 0; i < BURST; i++)
            close(fd[i]);
    }
    return 0;
}

static int pages(long n)
{
    char *p = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return fail("mmap");
    madvise(p, (size_t)PAGES * PAGE, MADV_NOHUGEPAGE);
    for (; n > 0; n -= PAGES) {
        for (long i = 0; i < PAGES; i++)
            p[i * PAGE] = 1;
        madvise(p, (size_t)PAGES * PAGE, MADV_DONTNEED);
    }
    return 0;
}

static int clock_of_cpu(void)
{
    double best = 1e9;
    for (int r = 0; r < ROUNDS; r++) { /* the best: without interruptions */
        struct timespec a, b;
        unsigned long x = 3;
        clock_gettime(CLOCK_MONOTONIC, &a);
        for (long i = 0; i < CHAIN; i++)
            __asm__ volatile("imul %0,%0\n imul %0,%0\n imul %0,%0\n imul %0,%0\n" : "+r"(x));
        clock_gettime(CLOCK_MONOTONIC, &b);
        double ns = (double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec);
        ns /= (double)CHAIN * CHAIN_STEP * MULTIPLY_CYCLES;
        best = ns < best ? ns : best;
    }
    printf("%.4f\n", best);
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    long n = argc > 2 ? atol(argv[2]) : 0;
    if (strcmp(what, "clock") == 0)
        return clock_of_cpu();
    if (n > 0 && strcmp(what, "again") == 0)
        return again(n);
    if (n > 0 && strcmp(what, "burst") == 0)
        return burst(n);
    if (n > 0 && strcmp(what, "pages") == 0)
        return pages(n);
    fprintf(stderr, "usage: kernel_costs again|burst|pages N, or kernel_costs clock\n");
    return 2;
}
