/*
 * The program behind small.lackey: every address-space call that a reader must understand, without a C library.
 *   gcc -O1 -static -nostdlib -fno-stack-protector -fno-builtin -o small small.c
 */
#define _GNU_SOURCE
#include <asm/unistd.h>
#include <stddef.h>

static long call(long nr, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long ret;
    __asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}

void _start(void)
{
    enum { RW = 3, R = 1, PRIVATE_ANON = 0x22, PRIVATE = 2, MAYMOVE = 1, DONTNEED = 4, PAGE = 4096 };
    char *a = (char *)call(__NR_mmap, 0, 8 * PAGE, RW, PRIVATE_ANON, -1, 0);
    for (int i = 0; i < 8 * PAGE; i += 64)
        a[i]++;
    a = (char *)call(__NR_mremap, (long)a, 8 * PAGE, 16 * PAGE, MAYMOVE, 0, 0);
    for (int i = 0; i < 16 * PAGE; i += 256)
        a[i] = 1;
    call(__NR_mprotect, (long)a, PAGE, R, 0, 0, 0);
    call(__NR_madvise, (long)a + 4 * PAGE, 4 * PAGE, DONTNEED, 0, 0, 0);
    long fd = call(__NR_openat, -100, (long)"/etc/passwd", 0, 0, 0, 0);
    long copy = call(__NR_dup, fd, 0, 0, 0, 0, 0);
    call(__NR_close, fd, 0, 0, 0, 0, 0);
    const volatile char *file = (const char *)call(__NR_mmap, 0, PAGE, R, PRIVATE, copy, 0);
    int sum = 0;
    for (int i = 0; i < 512; i += 8)
        sum += file[i];
    call(__NR_openat, -100, (long)"/no/such, file )", 0, 0, 0, 0);
    long brk = call(__NR_brk, 0, 0, 0, 0, 0, 0);
    call(__NR_brk, brk + 4 * PAGE, 0, 0, 0, 0, 0);
    for (int i = 0; i < 4 * PAGE; i += 512)
        ((volatile char *)brk)[i] = (char)sum;
    call(__NR_munmap, (long)a, 16 * PAGE, 0, 0, 0, 0);
    call(__NR_exit_group, 0, 0, 0, 0, 0, 0);
}
