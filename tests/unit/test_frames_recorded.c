/*
 * Against what a live Linux 6.18 wrote: fragmentation indices from its /proc/buddyinfo must give its debugfs files to
 * the last character; watermarks and protection from its managed pages must give its /proc/zoneinfo.
 * Reads MMULAB_DATA/traces/kernel/NAME/{before,after}.*; absent files are skipped, and said so.
 */
#include "test_frames_util.h"

static const char *const workloads[] = {"compile", "filetree", "fragstress", "procs"};
static const char *const moments[] = {"before", "after"};

static FILE *open_recorded(const char *workload, const char *moment, const char *what)
{
    char path[4096];
    const char *data = getenv("MMULAB_DATA");
    snprintf(path, sizeof path, "%s/traces/kernel/%s/%s.%s", data ? data : MMULAB_SOURCE_DIR "/../shared", workload,
             moment, what);
    return fopen(path, "r");
}

typedef void print_fn(FILE *, unsigned, const char *, const uint64_t *, unsigned);

/* Prints each zone of the recorded buddyinfo and compares with the recorded file; zones compared. */
static int compare(const char *workload, const char *moment, const char *what, print_fn *print)
{
    FILE *in = open_recorded(workload, moment, "buddyinfo"), *want = open_recorded(workload, moment, what);
    int zones = 0;
    char line[512], expected[512], zone[32];
    while (in && want && fgets(line, sizeof line, in) && fgets(expected, sizeof expected, want)) {
        uint64_t n[FRAME_ORDERS];
        unsigned node;
        int at = 0;
        ck_assert_int_eq(sscanf(line, "Node %u, zone %31s%n", &node, zone, &at), 2);
        char *p = line + at;
        for (int o = 0; o < FRAME_ORDERS; o++)
            n[o] = strtoull(p, &p, 10);
        char *got;
        size_t size;
        FILE *out = open_memstream(&got, &size);
        print(out, node, zone, n, FRAME_ORDERS);
        fclose(out);
        ck_assert_msg(strcmp(got, expected) == 0, "%s/%s.%s:\n got %swant %s", workload, moment, what, got, expected);
        free(got);
        zones++;
    }
    if (in)
        fclose(in);
    if (want)
        fclose(want);
    return zones;
}

START_TEST(indices)
{
    int zones = 0;
    for (size_t w = 0; w < ARRAY_LEN(workloads); w++)
        for (size_t m = 0; m < ARRAY_LEN(moments); m++) {
            zones += compare(workloads[w], moments[m], "buddyinfo", frag_print_buddyinfo_line);
            zones += compare(workloads[w], moments[m], "unusable_index", frag_print_unusable_line);
            zones += compare(workloads[w], moments[m], "extfrag_index", frag_print_extfrag_line);
        }
    printf(zones ? "indices: %d recorded lines equal\n" : "indices: SKIPPED, no recorded data (%d)\n", zones);
}
END_TEST

struct recorded { uint64_t managed, wmark[N_WMARKS], protection[N_ZONES + 1]; };

/* The first four zones of a zoneinfo file (DMA, DMA32, Normal, Movable). */
static int read_zoneinfo(FILE *f, struct recorded z[N_ZONES])
{
    static const char *const marks[N_WMARKS] = {"min", "low", "high", "promo"};
    char line[512], key[64];
    int i = -1;
    unsigned long long v;
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, "Node", 4) == 0 && ++i == N_ZONES)
            break;
        if (i < 0)
            continue;
        unsigned long long p[5];
        if (sscanf(line, " protection: (%llu, %llu, %llu, %llu, %llu)", p, p + 1, p + 2, p + 3, p + 4) == 5)
            for (int j = 0; j <= N_ZONES; j++)
                z[i].protection[j] = p[j];
        else if (sscanf(line, " %63s %llu", key, &v) == 2) {
            for (int w = 0; w < N_WMARKS; w++)
                if (strcmp(key, marks[w]) == 0)
                    z[i].wmark[w] = v;
            if (strcmp(key, "managed") == 0)
                z[i].managed = v;
        }
    }
    return i;
}

START_TEST(marks_and_protection)
{
    int compared = 0;
    for (size_t w = 0; w < ARRAY_LEN(workloads); w++)
        for (size_t m = 0; m < ARRAY_LEN(moments); m++) {
            FILE *f = open_recorded(workloads[w], moments[m], "zoneinfo");
            if (!f)
                continue;
            struct recorded live[N_ZONES] = {0};
            ck_assert_int_ge(read_zoneinfo(f, live), N_ZONES - 1);
            fclose(f);
            struct zone z[N_ZONES] = {[ZONE_MOVABLE] = {.flags = ZONE_IS_MOVABLE}};
            for (int i = 0; i < N_ZONES; i++)
                z[i].managed = z[i].present = live[i].managed;
            zones_set_watermarks(z, N_ZONES, zones_min_free_kb(z, N_ZONES), 10);
            zones_set_watermarks(z, N_ZONES, zones_min_free_kb_khugepaged(z, N_ZONES, zones_min_free_kb(z, N_ZONES), 9), 10);
            zones_set_lowmem_reserve(z, (const uint32_t[N_ZONES]){256, 256, 32, 0});
            for (int i = 0; i < N_ZONES; i++) {
                /* The kernel prints marks with their boost, which is a whole number of pageblocks above ours. */
                for (int k = 0; k < N_WMARKS; k++)
                    ck_assert_msg(z[i].wmark[k] == live[i].wmark[k] ||
                                      live[i].wmark[k] - z[i].wmark[k] == live[i].wmark[0] - z[i].wmark[0],
                                  "%s/%s zone %d mark %d: %" PRIu64 ", recorded %" PRIu64, workloads[w], moments[m], i,
                                  k, z[i].wmark[k], live[i].wmark[k]);
                for (int j = 0; j < N_ZONES; j++)
                    ck_assert_uint_eq(z[i].lowmem_reserve[j], live[i].protection[j]);
            }
            compared++;
        }
    printf(compared ? "marks: %d recorded zoneinfo equal\n" : "marks: SKIPPED, no recorded data (%d)\n", compared);
}
END_TEST

START_TEST(texts_of_a_fresh_machine)
{
    struct frame_map *m = map_sized(64 * MIB);
    char *got;
    size_t size;
    FILE *out = open_memstream(&got, &size);
    frames_print_buddyinfo(m, out);
    frames_print_unusable_index(m, out);
    frames_print_extfrag_index(m, out);
    frames_print_pagetypeinfo(m, out);
    fclose(out);
    ck_assert_str_eq(got,
        "Node 0, zone      DMA      0      0      0      0      0      0      0      0      1      1      3 \n"
        "Node 0, zone    DMA32      0      0      0      0      0      0      0      0      0      0     12 \n"
        "Node 0, zone      DMA 0.000 0.000 0.000 0.000 0.000 0.000 0.000 0.000 0.000 0.066 0.200 \n"
        "Node 0, zone    DMA32 0.000 0.000 0.000 0.000 0.000 0.000 0.000 0.000 0.000 0.000 0.000 \n"
        "Node 0, zone      DMA -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 \n"
        "Node 0, zone    DMA32 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 \n"
        "Page block order: 9\nPages per block:  512\n\n"
        "Free pages count per migrate type at order       0      1      2      3      4      5      6      7      8"
        "      9     10 \n"
        "Node    0, zone      DMA, type    Unmovable      0      0      0      0      0      0      0      0      0"
        "      0      0 \n"
        "Node    0, zone      DMA, type      Movable      0      0      0      0      0      0      0      0      1"
        "      1      3 \n"
        "Node    0, zone      DMA, type  Reclaimable      0      0      0      0      0      0      0      0      0"
        "      0      0 \n"
        "Node    0, zone      DMA, type   HighAtomic      0      0      0      0      0      0      0      0      0"
        "      0      0 \n"
        "Node    0, zone      DMA, type      Isolate      0      0      0      0      0      0      0      0      0"
        "      0      0 \n"
        "Node    0, zone    DMA32, type    Unmovable      0      0      0      0      0      0      0      0      0"
        "      0      0 \n"
        "Node    0, zone    DMA32, type      Movable      0      0      0      0      0      0      0      0      0"
        "      0     12 \n"
        "Node    0, zone    DMA32, type  Reclaimable      0      0      0      0      0      0      0      0      0"
        "      0      0 \n"
        "Node    0, zone    DMA32, type   HighAtomic      0      0      0      0      0      0      0      0      0"
        "      0      0 \n"
        "Node    0, zone    DMA32, type      Isolate      0      0      0      0      0      0      0      0      0"
        "      0      0 \n"
        "\nNumber of blocks type     Unmovable      Movable  Reclaimable   HighAtomic      Isolate \n"
        "Node 0, zone      DMA            0            8            0            0            0 \n"
        "Node 0, zone    DMA32            0           24            0            0            0 \n");
    free(got);
    frame_map_free(m);
}
END_TEST

START_TEST(indices_by_hand)
{
    uint64_t none[FRAME_ORDERS] = {0}, small[FRAME_ORDERS] = {1000}, big[FRAME_ORDERS] = {[10] = 2};
    ck_assert_int_eq(frag_unusable_index(none, 3), 1000);
    ck_assert_int_eq(frag_extfrag_index(none, 3), 0);
    ck_assert_uint_eq(frag_percent(none, 9), 0);
    /* 1000 single frames: nothing for order 3; 1000 - (1000 + 125000) / 1000 = 874. */
    ck_assert_int_eq(frag_unusable_index(small, 3), 1000);
    ck_assert_int_eq(frag_unusable_index(small, 0), 0);
    ck_assert_int_eq(frag_extfrag_index(small, 3), 874);
    ck_assert_int_eq(frag_extfrag_index(small, 0), -1000);
    ck_assert_uint_eq(frag_percent(small, 9), 100);
    ck_assert_int_eq(frag_unusable_index(big, 10), 0);
    ck_assert_uint_eq(frag_info(big, 9).suitable, 4);

    struct frame_map *m = map_sized(64 * MIB);
    ck_assert_uint_eq(frag_suitable_blocks(m, 9), 1 + 2 * 15);
    ck_assert_uint_eq(frag_proactive_score(m), 3840 * 0 + 4095 * (256 * 100 / 3840) / (64 * 256));
    ck_assert_double_eq_tol(frag_free_huge_share_zone(&m->zones[ZONE_DMA], 9), 3584.0 / 3840, 1e-12);
    ck_assert_double_eq_tol(frag_free_huge_share(m, 9), (31 * 512.0) / (double)m->managed, 1e-12);
    frame_map_free(m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("frames_recorded");
    TCase *t = tcase_create("recorded");
    tcase_add_test(t, indices);
    tcase_add_test(t, marks_and_protection);
    tcase_add_test(t, texts_of_a_fresh_machine);
    tcase_add_test(t, indices_by_hand);
    suite_add_tcase(s, t);
    return run_suite(s);
}
