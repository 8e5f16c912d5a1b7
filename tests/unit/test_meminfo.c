/* /proc/meminfo: each line against numbers counted by hand, its form against lines that Linux 6.18 printed, and what is left out. */
#include "test_frames_util.h"

#include "frames/proc/meminfo.h"

#include <stdlib.h>
#include <string.h>


/* All lines of a recorded kernel's file, in its order, with one of its numbers; where a 32-bit one has four more. */
static const char kernel[] =
    "MemTotal:       24684084 kB\nMemFree:        19391328 kB\nMemAvailable:   23932984 kB\nBuffers:           37596 kB\n"
    "Cached:          4484372 kB\nSwapCached:            0 kB\nActive:          2502232 kB\nInactive:        2136212 kB\n"
    "Active(anon):       1548 kB\nInactive(anon):   123836 kB\nActive(file):    2500684 kB\nInactive(file):  2012376 kB\n"
    "Unevictable:       16288 kB\nMlocked:           15328 kB\nHighTotal:             0 kB\nHighFree:              0 kB\n"
    "LowTotal:              0 kB\nLowFree:               0 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n"
    "Zswap:                 0 kB\nZswapped:              0 kB\nDirty:                72 kB\nWriteback:             0 kB\n"
    "AnonPages:        132864 kB\nMapped:            26392 kB\nShmem:              8872 kB\nKReclaimable:     358936 kB\n"
    "Slab:             409008 kB\nSReclaimable:     358936 kB\nSUnreclaim:        50072 kB\nKernelStack:        1632 kB\n"
    "PageTables:         2828 kB\nSecPageTables:         0 kB\nNFS_Unstable:          0 kB\nBounce:                0 kB\n"
    "WritebackTmp:          0 kB\nCommitLimit:    12342040 kB\nCommitted_AS:     208576 kB\nVmallocTotal:   34359738367 kB\n"
    "VmallocUsed:       14444 kB\nVmallocChunk:          0 kB\nPercpu:              952 kB\nAnonHugePages:         0 kB\n"
    "ShmemHugePages:        0 kB\nShmemPmdMapped:        0 kB\nFileHugePages:    643072 kB\nFilePmdMapped:         0 kB\n"
    "Balloon:               0 kB\nHugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\n"
    "HugePages_Surp:        0\nHugepagesize:       2048 kB\nHugetlb:               0 kB\nDirectMap4k:       28672 kB\n";

static struct frame_map *machine(uint64_t bytes, bool x32)
{
    struct memory_config c;
    struct buddy_config b;
    frames_config_defaults(&c, &b);
    c.size_bytes = bytes;
    c.zones = x32 ? MEMORY_ZONES_X86_32 : MEMORY_ZONES_X86_64;
    b.cpus = 2;
    return map_of(c, b);
}

static char *meminfo_of(const struct frame_map *m, const struct uses_more *more)
{
    char *got;
    size_t size;
    FILE *out = open_memstream(&got, &size);
    frames_print_meminfo(m, more, out);
    fclose(out);
    return got;
}

/* The number of a line, or -1 if there is none. */
static long long line_of(const char *text, const char *name)
{
    char want[32];
    snprintf(want, sizeof want, "%s:", name);
    for (const char *p = text; *p; p = strchr(p, '\n') + 1)
        if (strncmp(p, want, strlen(want)) == 0)
            return strtoll(p + strlen(want), NULL, 10);
    return -1;
}

static void take(struct frame_map *m, unsigned n, unsigned order, gfp_t gfp, enum frame_tag tag)
{
    for (unsigned i = 0; i < n; i++)
        ck_assert(!pfn_is_none(frames_alloc(m, gfp, order, tag)));
}

static enum uses_slab odd_frames(void *self, pfn_t block)
{
    *(unsigned *)self += block.v % 2;
    return block.v % 2 ? USES_SLAB_RECLAIMABLE : USES_SLAB_UNRECLAIMABLE;
}

/* Every line has the kernel's place, width and unit. */
START_TEST(as_the_kernel_prints)
{
    for (unsigned x32 = 0; x32 < 2; x32++) {
        struct frame_map *m = machine(2 * GIB, x32);
        const struct uses_more more = {.vmalloc_bytes = UINT64_C(32) << 40};
        char *got = meminfo_of(m, &more);
        const char *k = kernel;
        unsigned lines = 0;
        for (char *p = got, *end; *p; p = end + 1, lines++) {
            char mine[96], theirs[96];
            size_t head = (size_t)(strchr(p, ':') - p) + 1;
            end = strchr(p, '\n');
            while (*k && strncmp(k, p, head) != 0)
                k = strchr(k, '\n') + 1;
            ck_assert_msg(*k, "not a line of the kernel's, or not in its place: %.*s", (int)(end - p), p);
            const char *eol = strchr(k, '\n');
            ck_assert_int_eq(snprintf(mine, sizeof mine, "%.*s", (int)(end - p), p), (int)(end - p));
            snprintf(theirs, sizeof theirs, "%.*s", (int)(eol - k), k);
            ck_assert_uint_eq(strlen(mine), strlen(theirs));
            ck_assert_int_eq(strstr(mine, " kB") != NULL, strstr(theirs, " kB") != NULL);
        }
        ck_assert_uint_eq(lines, x32 ? 37 : 34);
        ck_assert_int_eq(line_of(got, "VmallocTotal"), 34359738367);
        free(got);
        frame_map_free(m);
    }
}
END_TEST

START_TEST(numbers)
{
    struct frame_map *m = machine(2 * GIB, false);
    unsigned odd = 0;
    const struct uses_more more = {.self = &odd, .slab = odd_frames, .vmalloc_bytes = UINT64_C(32) << 40};
    take(m, 7, 0, GFP_HIGHUSER_MOVABLE, FRAME_TAG_ANON);
    take(m, 3, 9, GFP_HIGHUSER_MOVABLE, FRAME_TAG_ANON);
    take(m, 5, 0, GFP_KERNEL, FRAME_TAG_PGTABLE);
    take(m, 90, 3, GFP_HIGHUSER_MOVABLE, FRAME_TAG_FILE);
    take(m, 4, 0, GFP_HIGHUSER_MOVABLE, FRAME_TAG_SHMEM);
    take(m, 13, 0, GFP_KERNEL, FRAME_TAG_SLAB);
    take(m, 6, 0, GFP_KERNEL, FRAME_TAG_VMALLOC);
    take(m, 2, 0, GFP_KERNEL, FRAME_TAG_KERNEL);
    char *t = meminfo_of(m, &more);
    uint64_t managed = 0, free_pages = 0, low = 0, reserve = 0;
    for (unsigned i = 0; i < m->n_zones; i++) {
        const struct zone *z = &m->zones[i];
        uint64_t most = 0;
        managed += z->managed;
        free_pages += z->free;
        low += z->wmark[WMARK_LOW];
        for (unsigned j = 0; j < N_ZONES; j++)
            most = z->lowmem_reserve[j] > most ? z->lowmem_reserve[j] : most;
        most += z->wmark[WMARK_HIGH];
        reserve += most < z->managed ? most : z->managed;
    }
    ck_assert_uint_gt(low, 720);
    uint64_t available = free_pages - reserve + 720 - 360 + odd - odd / 2; /* less than the low marks */
    const struct { const char *name; uint64_t n; } want[] = {
        {"MemTotal", managed * 4}, {"MemFree", free_pages * 4}, {"MemAvailable", available * 4}, {"Buffers", 0}, {"Cached", 724 * 4},
        {"SwapCached", 0}, {"SwapTotal", 0}, {"SwapFree", 0}, {"AnonPages", (7 + 3 * 512) * 4}, {"Shmem", 16}, {"KReclaimable", odd * 4},
        {"Slab", 13 * 4}, {"SReclaimable", odd * 4}, {"SUnreclaim", (13 - odd) * 4}, {"PageTables", 20}, {"CommitLimit", managed / 2 * 4},
        {"VmallocUsed", 24}, {"AnonHugePages", 3 * 2048}, {"Hugepagesize", 2048}, {"Hugetlb", 0}, {"HugePages_Total", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        ck_assert_msg(line_of(t, want[i].name) == (long long)want[i].n, "%s is not %llu in\n%s", want[i].name,
                      (unsigned long long)want[i].n, t);
    ck_assert_uint_gt(odd, 0);
    ck_assert_int_eq(line_of(t, "Mapped"), -1); /* which of the files' pages are mapped, nobody knows */
    ck_assert_int_eq(line_of(t, "FileHugePages"), -1);
    ck_assert_int_eq(line_of(t, "ShmemHugePages"), -1);
    free(t);
    frame_map_free(m);
}
END_TEST

/* What nobody knows is not there at all. */
START_TEST(unknown)
{
    struct frame_map *m = machine(4 * GIB, false);
    const struct uses_more pool = {.gigantic = 2}, guess = {.guessed = true};
    take(m, 4, 0, GFP_HIGHUSER_MOVABLE, FRAME_TAG_ANON);
    char *t = meminfo_of(m, NULL);
    ck_assert_int_ge(line_of(t, "MemAvailable"), 0);
    ck_assert_int_eq(line_of(t, "Mapped"), 0);
    ck_assert_int_eq(line_of(t, "VmallocTotal"), -1);
    free(t);
    t = meminfo_of(m, &pool); /* some of the anonymous memory may be the pool's */
    ck_assert_int_eq(line_of(t, "AnonPages"), -1);
    ck_assert_int_eq(line_of(t, "AnonHugePages"), -1);
    ck_assert_int_eq(line_of(t, "Hugetlb"), 2 << 20);
    ck_assert_int_eq(line_of(t, "CommitLimit"), (long long)(m->managed - (2u << 18)) / 2 * 4);
    free(t);
    take(m, 1, 0, GFP_KERNEL, FRAME_TAG_SLAB); /* of which cache? */
    t = meminfo_of(m, NULL);
    static const char *const slabs[] = {"MemAvailable", "KReclaimable", "SReclaimable", "SUnreclaim"};
    for (size_t i = 0; i < ARRAY_LEN(slabs); i++)
        ck_assert_int_eq(line_of(t, slabs[i]), -1);
    ck_assert_int_eq(line_of(t, "Slab"), 4);
    free(t);
    take(m, 1, 0, GFP_HIGHUSER_MOVABLE, FRAME_TAG_BALLAST); /* of an aged machine: anonymous or of a file, nobody says */
    t = meminfo_of(m, NULL);
    static const char *const user[] = {"MemAvailable", "Buffers", "Cached", "AnonPages", "Mapped", "Shmem", "AnonHugePages", "FilePmdMapped"};
    for (size_t i = 0; i < ARRAY_LEN(user); i++)
        ck_assert_int_eq(line_of(t, user[i]), -1);
    ck_assert_int_eq(line_of(t, "PageTables"), 0);
    free(t);
    t = meminfo_of(m, &guess);
    static const char *const uses[] = {"Slab", "PageTables", "VmallocUsed", "AnonPages"};
    for (size_t i = 0; i < ARRAY_LEN(uses); i++)
        ck_assert_int_eq(line_of(t, uses[i]), -1);
    ck_assert_int_eq(line_of(t, "MemTotal"), (long long)m->managed * 4);
    free(t);
    frame_map_free(m);
}
END_TEST

START_TEST(high_memory)
{
    struct frame_map *m = machine(2 * GIB, true);
    take(m, 10, 0, GFP_HIGHUSER_MOVABLE, FRAME_TAG_ANON);
    take(m, 3, 0, GFP_KERNEL, FRAME_TAG_PGTABLE);
    char *t = meminfo_of(m, NULL);
    const struct zone *h = &m->zones[ZONE_HIGHMEM_32];
    ck_assert_uint_gt(h->managed, 0);
    ck_assert_int_eq(line_of(t, "HighTotal"), (long long)h->managed * 4);
    ck_assert_int_eq(line_of(t, "HighFree"), (long long)h->free * 4);
    ck_assert_int_eq(line_of(t, "LowTotal"), (long long)(m->managed - h->managed) * 4);
    ck_assert_int_eq(line_of(t, "LowFree") + line_of(t, "HighFree"), line_of(t, "MemFree"));
    ck_assert_int_lt(line_of(t, "HighFree"), line_of(t, "HighTotal"));
    free(t);
    frame_map_free(m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("meminfo");
    TCase *t = tcase_create("meminfo");
    tcase_add_test(t, as_the_kernel_prints);
    tcase_add_test(t, numbers);
    tcase_add_test(t, unknown);
    tcase_add_test(t, high_memory);
    suite_add_tcase(s, t);
    return run_suite(s);
}
