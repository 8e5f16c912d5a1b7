/* Changes its address space in every way that the kernel's list of mappings shows. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#define PAGE 4096ul

static char *map(size_t pages, int prot, int flags, int fd, off_t at)
{
    char *p = mmap(NULL, pages * PAGE, prot, flags, fd, at);
    if (p == MAP_FAILED)
        _exit(1);
    return p;
}

int main(int argc, char **argv)
{
    const int rw = PROT_READ | PROT_WRITE, anon = MAP_PRIVATE | MAP_ANONYMOUS;
    char *p = map(64, rw, anon, -1, 0);
    (void)argc;
    memset(p, 1, 64 * PAGE);
    munmap(p + 8 * PAGE, 4 * PAGE);
    mprotect(p + 16 * PAGE, 4 * PAGE, PROT_READ);
    mprotect(p + 32 * PAGE, PAGE, PROT_NONE);
    char *q = map(4, rw, anon, -1, 0);
    q = mremap(q, 4 * PAGE, 40 * PAGE, MREMAP_MAYMOVE);
    if (q == MAP_FAILED)
        return 2;
    q[39 * PAGE] = 1;
    mremap(q, 40 * PAGE, 20 * PAGE, 0);
    int fd = open(argv[0], O_RDONLY);
    char *f = map(3, PROT_READ, MAP_PRIVATE, fd, (off_t)PAGE);
    mprotect(f + PAGE, PAGE, rw);
    f[PAGE] = 1;
    map(2, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (mmap(p + 40 * PAGE, 2 * PAGE, PROT_READ, anon | MAP_FIXED, -1, 0) == MAP_FAILED)
        return 3;
    sbrk(100000);
    sbrk(-40000);
    int id = shmget(IPC_PRIVATE, 3 * PAGE, 0600 | IPC_CREAT);
    if (id >= 0) {
        char *s = shmat(id, NULL, 0);
        if (s != (char *)-1) {
            s[PAGE] = 1;
            shmdt(s);
        }
        shmctl(id, IPC_RMID, NULL);
    }
    madvise(p, 8 * PAGE, MADV_DONTNEED);
    return 0;
}
