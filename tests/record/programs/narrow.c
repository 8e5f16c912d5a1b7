/* An i386 program without a C library. */
static int call(int number, int a, int b, int c, int d, int e)
{
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
    return result;
}

void _start(void)
{
    enum { EXIT = 1, MPROTECT = 125, MREMAP = 163, MMAP2 = 192, MUNMAP = 91, BYTES = 65536 };
    int at = call(MMAP2, 0, BYTES, 3, 0x22, -1);
    volatile char *p = (volatile char *)at;
    for (int i = 0; i < BYTES; i += 64)
        p[i] = (char)(p[i] + i);
    call(MUNMAP, at + 8192, 4096, 0, 0, 0);
    call(MPROTECT, at + 16384, 4096, 1, 0, 0);
    call(MREMAP, at + 32768, 32768, 16384, 1, 0);
    call(EXIT, 9, 0, 0, 0, 0);
}
