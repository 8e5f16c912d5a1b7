/*
 * Brings the memory of a running kernel into a state, or asks it for memory of one kind: what scripts/record-fragmented records.
 * Root; x86-64 sizes (4 KiB pages, 2 MiB pageblocks). Steps are done in order; all memory goes back when the program ends.
 *
 *   comb ZONE G   breaks the free memory up: large pages are taken one after the other, split, and all but each Gth page
 *                 given back, until ZONE (or "all") has no large free block. G a power of two: takes 1/G of it
 *   floor ORDER   comb goes on until no free block of this order is left (default 9; lower ones need large folios of that size enabled:
 *                 /sys/kernel/mm/transparent_hugepage/hugepages-SIZE/enabled)
 *   lead K        of each pageblock that comb breaks, the first K pages are given back as a whole (default 0)
 *   poor N        takes N pageblocks now; "thin" gives back less than half of each: a piece of each order from 5 to 0, and 100 pages
 *   thin
 *   ring ORDER N  N unmovable blocks: the buffers of packet sockets
 *   pipes N       N pipes of 16 unmovable pages
 *   dentries N    looks N names up that do not exist: reclaimable slabs
 *   tcp N         N connections to ourselves: the sockets that are accepted are made by the network's interrupt, order 3, GFP_ATOMIC
 *   touch MIB     anonymous pages, singly
 *   fill ZONE N   ... until the zone has at most N free pages, 6 GiB at most
 *   huge N        huge pages on demand
 *   drop          gives everything but comb's and poor's memory back
 *   write FILE TEXT   into a file of /proc or /sys
 *   sleep MS
 *   signal        says "ready" and waits for SIGUSR1
 *   wait          says "ready" and waits to be killed, two minutes at most
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096ul
#define HUGE_BYTES (512 * PAGE)
#define ROUND_BYTES (64 * HUGE_BYTES)
enum { BLOCK_PAGES = 512, HUGE_ORDER = 9, FDS = 60000, MAPS = 65536, LIFE_SECONDS = 120, SHORTEST_RING = 4096 };

struct state {
    int fd[FDS];
    unsigned fds;
    char *poor[MAPS], *touched[MAPS];
    unsigned poors, maps;
    size_t touched_bytes[MAPS];
    unsigned lead, floor;
};

static void die(const char *what)
{
    fprintf(stderr, "fragment: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        die(path);
    close(fd);
}

/* ---- huge pages ---------------------------------------------------------------------------------------------------- */

/* Free blocks of at least this order in the zone ("all": in all but DMA). */
static unsigned long large_blocks(const char *zone, unsigned order)
{
    char line[512];
    unsigned long sum = 0;
    FILE *f = fopen("/proc/buddyinfo", "re");
    if (!f)
        die("/proc/buddyinfo");
    while (fgets(line, sizeof line, f)) { /* "Node 0, zone   Normal   1 2 3 ...": from order 0 up */
        char *name = strstr(line, "zone"), *at;
        if (!name)
            continue;
        name += strspn(name + 4, " ") + 4;
        size_t len = strcspn(name, " ");
        if (!strcmp(zone, "all") ? !strncmp(name, "DMA ", 4) : strlen(zone) != len || strncmp(name, zone, len) != 0)
            continue;
        at = name + len;
        for (unsigned o = 0;; o++) {
            char *end;
            unsigned long blocks = strtoul(at, &end, 10);
            if (end == at)
                break;
            sum += o >= order ? blocks : 0;
            at = end;
        }
    }
    fclose(f);
    return sum;
}

static char *map_aligned(size_t bytes)
{
    char *p = mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        die("mmap");
    uintptr_t at = ((uintptr_t)p + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);
    return (char *)at;
}

/* The order of the large page that begins at p: as many frames one behind the other, the first aligned. */
static unsigned order_at(int pagemap, const char *p)
{
    const uint64_t pfn = (1ull << 55) - 1;
    uint64_t first, last;
    off_t at = (off_t)((uintptr_t)p / PAGE * sizeof first);
    if (pread(pagemap, &first, sizeof first, at) != sizeof first)
        die("pagemap");
    for (unsigned order = HUGE_ORDER; order > 0; order--) {
        uint64_t pages = 1ull << order;
        if ((first & pfn) % pages == 0 && (uintptr_t)p / PAGE % pages == 0 &&
            pread(pagemap, &last, sizeof last, at + (off_t)(8 * (pages - 1))) == sizeof last && (last & pfn) == (first & pfn) + pages - 1)
            return order;
    }
    return 0;
}

/* Takes a large page of at least order `least` at p and splits it into single ones; 0: there is none. Each `every`th page is written
 * to: a page of zeros goes back when a large page is split. */
static unsigned split_page(int pagemap, char *p, unsigned least, unsigned every)
{
    *(volatile char *)p = 1;
    unsigned order = order_at(pagemap, p), pages = 1u << order;
    if (order < least) {
        madvise(p, pages * PAGE, MADV_DONTNEED);
        return 0;
    }
    for (unsigned i = every - 1; i < pages; i += every)
        p[i * PAGE] = 1;
    if (madvise(p, PAGE, MADV_COLD)) /* advice for a part of a large page splits it */
        die("MADV_COLD");
    return order;
}

static int open_pagemap(void)
{
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        die("/proc/self/pagemap");
    return fd;
}

static void give(char *block, unsigned first, unsigned pages)
{
    if (pages && madvise(block + first * PAGE, pages * PAGE, MADV_DONTNEED))
        die("madvise");
}

static void comb(struct state *s, const char *zone, unsigned group)
{
    unsigned long pages = 0;
    unsigned order = 1;
    int pagemap = open_pagemap();
    while (order && large_blocks(zone, s->floor) > 0) {
        char *p = map_aligned(ROUND_BYTES);
        madvise(p, ROUND_BYTES, MADV_HUGEPAGE);
        for (size_t at = 0; at < ROUND_BYTES && (order = split_page(pagemap, p + at, s->floor, group)); at += PAGE << order) {
            for (unsigned j = 0; j < 1u << order; j += group) /* in the lead all go, behind it the last of each group stays */
                give(p + at, j, group - (j >= s->lead));
            pages += 1ul << order;
        }
    }
    close(pagemap);
    fprintf(stderr, "fragment: %lu MiB broken up; %lu larger blocks left in %s\n", pages >> 8, large_blocks(zone, s->floor), zone);
}

static void poor(struct state *s, unsigned n)
{
    int pagemap = open_pagemap();
    char *p = map_aligned(n * HUGE_BYTES);
    madvise(p, n * HUGE_BYTES, MADV_HUGEPAGE);
    for (; n > 0 && s->poors < MAPS && split_page(pagemap, p, HUGE_ORDER, 1); n--, p += HUGE_BYTES)
        s->poor[s->poors++] = p;
    close(pagemap);
}

static void thin(struct state *s)
{
    enum { SINGLES = 100, FIRST_SINGLE = 312 };
    for (unsigned b = 0; b < s->poors; b++) {
        for (unsigned order = 5; order <= 5; order--) /* what lies behind each piece stays taken, so it cannot merge */
            give(s->poor[b], 64 * (5 - order) * 3 / 4, 1u << order);
        for (unsigned i = 0; i < SINGLES; i++)
            give(s->poor[b], FIRST_SINGLE + 2 * i, 1);
    }
}

/* ---- requests ------------------------------------------------------------------------------------------------------ */

static void keep_map(struct state *s, char *p, size_t bytes)
{
    if (s->maps < MAPS) {
        s->touched[s->maps] = p;
        s->touched_bytes[s->maps++] = bytes;
    }
}

static void touch(struct state *s, unsigned mib, int advice, size_t step)
{
    size_t bytes = (size_t)mib << 20;
    char *p = map_aligned(bytes);
    madvise(p, bytes, advice);
    for (size_t i = 0; i < bytes; i += step)
        p[i] = 1;
    keep_map(s, p, bytes);
}

static unsigned long free_pages(const char *zone)
{
    char line[256], name[32];
    unsigned long pages = 0, n;
    bool here = false;
    FILE *f = fopen("/proc/zoneinfo", "re");
    if (!f)
        die("/proc/zoneinfo");
    while (fgets(line, sizeof line, f)) { /* "Node 0, zone   Normal", then "  pages free     4876112" */
        if (sscanf(line, "Node %*u, zone %31s", name) == 1)
            here = !strcmp(name, zone);
        else if (here && sscanf(line, " pages free %lu", &n) == 1)
            pages += n;
    }
    fclose(f);
    return pages;
}

static void fill(struct state *s, const char *zone, unsigned pages)
{
    enum { STEP_MIB = 4, MOST_STEPS = 1536 };
    for (unsigned i = 0; i < MOST_STEPS && free_pages(zone) > pages; i++)
        touch(s, STEP_MIB, MADV_NOHUGEPAGE, PAGE);
    fprintf(stderr, "fragment: %lu pages of %s are free\n", free_pages(zone), zone);
}

static int keep_fd(struct state *s, int fd)
{
    if (fd < 0 || s->fds >= FDS)
        die("a descriptor");
    s->fd[s->fds++] = fd;
    return fd;
}

static void ring(struct state *s, unsigned order, unsigned n)
{
    while (n > 0) {
        unsigned now = n < SHORTEST_RING ? n : SHORTEST_RING;
        unsigned bytes = (unsigned)PAGE << order;
        struct tpacket_req r = {.tp_block_size = bytes, .tp_block_nr = now, .tp_frame_size = (unsigned)PAGE,
                                .tp_frame_nr = bytes / (unsigned)PAGE * now};
        int fd = keep_fd(s, socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
        if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &r, sizeof r)) {
            fprintf(stderr, "fragment: %u blocks of order %u are not to be had: %s\n", n, order, strerror(errno));
            return;
        }
        n -= now;
    }
}

static void pipes(struct state *s, unsigned n)
{
    static const char page[PAGE];
    for (unsigned i = 0; i < n; i++) {
        int p[2];
        if (pipe2(p, O_CLOEXEC | O_NONBLOCK))
            die("pipe");
        keep_fd(s, p[0]);
        keep_fd(s, p[1]);
        while (write(p[1], page, sizeof page) > 0)
            ;
    }
}

static void dentries(unsigned n)
{
    char name[64];
    struct stat st;
    for (unsigned i = 0; i < n; i++) {
        snprintf(name, sizeof name, "/dev/shm/no-such-file-%d-%u", getpid(), i);
        stat(name, &st);
    }
}

static void tcp(struct state *s, unsigned n)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int l = keep_fd(s, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (bind(l, (struct sockaddr *)&at, sizeof at) || listen(l, 4096) || getsockname(l, (struct sockaddr *)&at, &len))
        die("listen");
    for (unsigned i = 0; i < n; i++) {
        int c = keep_fd(s, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (connect(c, (struct sockaddr *)&at, sizeof at))
            die("connect");
        keep_fd(s, accept4(l, NULL, NULL, SOCK_CLOEXEC));
    }
}

static void drop(struct state *s)
{
    for (unsigned i = 0; i < s->fds; i++)
        close(s->fd[i]);
    for (unsigned i = 0; i < s->maps; i++)
        munmap(s->touched[i], s->touched_bytes[i]);
    s->fds = s->maps = 0;
}

static void wait_signal(void)
{
    sigset_t usr;
    int got;
    sigemptyset(&usr);
    sigaddset(&usr, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr, NULL);
    puts("ready");
    fflush(stdout);
    sigwait(&usr, &got);
}

static void pause_here(void)
{
    puts("ready");
    fflush(stdout);
    sleep(LIFE_SECONDS);
    exit(0);
}

static unsigned number(const char *text)
{
    char *end = NULL;
    unsigned long v = text ? strtoul(text, &end, 10) : 0;
    if (!text || end == text || *end || v > 1u << 30) {
        fprintf(stderr, "fragment: a number is missing or wrong\n");
        exit(2);
    }
    return (unsigned)v;
}

/* Does the step at argv[0]; returns how many words it was. */
static int step(struct state *s, char **argv)
{
    const char *w = argv[0], *one = argv[1], *two = one ? argv[2] : NULL;
    if (!strcmp(w, "comb")) {
        unsigned group = number(two);
        if (group < 2 || group > BLOCK_PAGES || (group & (group - 1)))
            number(NULL);
        comb(s, one, group);
        return 3;
    }
    if (!strcmp(w, "ring"))
        return ring(s, number(one), number(two)), 3;
    if (!strcmp(w, "fill") && two)
        return fill(s, one, number(two)), 3;
    if (!strcmp(w, "write") && two)
        return write_text(one, two), 3;
    if (!strcmp(w, "floor"))
        return s->floor = number(one), 2;
    if (!strcmp(w, "lead"))
        return s->lead = number(one), 2;
    if (!strcmp(w, "poor"))
        return poor(s, number(one)), 2;
    if (!strcmp(w, "pipes"))
        return pipes(s, number(one)), 2;
    if (!strcmp(w, "dentries"))
        return dentries(number(one)), 2;
    if (!strcmp(w, "tcp"))
        return tcp(s, number(one)), 2;
    if (!strcmp(w, "touch"))
        return touch(s, number(one), MADV_NOHUGEPAGE, PAGE), 2;
    if (!strcmp(w, "huge"))
        return touch(s, 2 * number(one), MADV_HUGEPAGE, HUGE_BYTES), 2;
    if (!strcmp(w, "sleep"))
        return usleep(1000 * number(one)), 2;
    if (!strcmp(w, "thin"))
        return thin(s), 1;
    if (!strcmp(w, "drop"))
        return drop(s), 1;
    if (!strcmp(w, "signal"))
        return wait_signal(), 1;
    if (!strcmp(w, "wait"))
        pause_here();
    fprintf(stderr, "fragment: no step is called \"%s\"\n", w);
    exit(2);
}

int main(int argc, char **argv)
{
    struct state *s = calloc(1, sizeof *s);
    struct rlimit many;
    if (!s)
        die("memory");
    if (getrlimit(RLIMIT_NOFILE, &many) == 0) {
        many.rlim_cur = many.rlim_max;
        setrlimit(RLIMIT_NOFILE, &many);
    }
    s->floor = HUGE_ORDER;
    alarm(LIFE_SECONDS);
    for (int i = 1; i < argc;)
        i += step(s, argv + i);
    free(s);
    return 0;
}
