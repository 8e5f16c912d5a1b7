/* Pictures of sweeps: every kind of ordinary and odd tables, which axis goes where, what the data files hold, mistakes. */
#include "scratch.h"
#include "sweep_synthetic.h"

#include "app/plot/cmd_plot.h"
#include "engine/types.h"

#include <stdint.h>

#define PLOT(...) run_verb(cmd_plot, "plot", (const char *const[]){__VA_ARGS__, NULL})

static void has(const char *file, const char *text)
{
    ck_assert_msg(strstr(text_of(file), text) != NULL, "no \"%s\" in %s:\n%.3000s", text, file, text_of(file));
}
static void hasnt(const char *file, const char *text)
{
    ck_assert_msg(strstr(text_of(file), text) == NULL, "\"%s\" in %s:\n%.3000s", text, file, text_of(file));
}

/* entries x size x policy x trace, `seeds` each. Misses are 1000 * entries / size(KiB) * (trace + 1) + seed. */
static void make(const char *dir, int sizes, int policies, int traces, int seeds)
{
    static const char *const entries[] = {"1024", "64", "256"}, *const size[] = {"4KiB", "64KiB", "1MiB"};
    static const double kib[] = {4, 64, 1024};
    static const char *const policy[] = {"lru", "random"}, *const trace[] = {"b.mtr", "it's a \"name\"`touch x`{^2.mtr"};
    sqlite3 *db = synthetic_sweep_begin(dir, "[\"mmu.stlb.entries\", \"cache.l2.size\", \"mmu.stlb.replacement\"]");
    int run = 0;
    for (int e = 0; e < 3; e++)
        for (int s = 0; s < sizes; s++)
            for (int p = 0; p < policies; p++)
                for (int t = 0; t < traces; t++)
                    for (int seed = 1; seed <= seeds; seed++, run++) {
                        synthetic_point(db, run, "ok", trace[t], seed);
                        synthetic_parameter(db, run, "mmu.stlb.entries", entries[e], 1);
                        synthetic_parameter(db, run, "cache.l2.size", size[s], 1);
                        synthetic_parameter(db, run, "mmu.stlb.replacement", policy[p], 1);
                        synthetic_statistic(db, run, "sim.references", 500);
                        double misses = 1000 * atof(entries[e]) / kib[s] * (t + 1) + p + seed;
                        synthetic_statistic(db, run, "cpu0.stlb.misses", misses);
                        synthetic_statistic(db, run, "cpu1.stlb.misses", 2);
                        synthetic_statistic(db, run, "none", 0);
                        char *sql = sqlite3_mprintf("INSERT INTO series VALUES(%d, 0, 1, 9), (%d, 7, 1, %d.5), (%d, 7, 0, 3)", run, run, e, run);
                        synthetic_sql(db, sql);
                        sqlite3_free(sql);
                    }
    synthetic_sweep_end(db);
}

static const char *const kinds[] = {"sweep_lines", "sweep_bars", "sweep_heatmap"};

/* Any number of axes with more than one value, with and without seeds: a picture, and no word of gnuplot. */
START_TEST(every_kind)
{
    if (!have_gnuplot())
        return;
    for (int shape = 0; shape < 16; shape++) {
        int sizes = shape & 1 ? 3 : 1, policies = shape & 2 ? 2 : 1, traces = shape & 4 ? 2 : 1, seeds = shape & 8 ? 3 : 1;
        if ((shape & 7) == 7)
            continue; /* four axes: needs a choice, below */
        make("s", sizes, policies, traces, seeds);
        unlink("p.svg");
        ck_assert_msg(PLOT(kinds[_i], "s", "-o", "p.svg") == 0, "%s of %d: %s", kinds[_i], shape, text_of("err"));
        ck_assert_str_eq(text_of("out"), "p.svg\n");
        ck_assert_str_eq(text_of("err"), "");
        ck_assert_int_gt(size_of("p.svg"), 2000);
        has("p.gp", "noenhanced");
        has("p.gp", "stlb.misses per 1,000 references");
    }
    ck_assert_int_eq(PLOT(kinds[_i], "s", "-s", "none"), 0); /* nothing but zeros */
    ck_assert_str_eq(text_of("err"), "");
    ck_assert(access("x", F_OK) != 0);
    if (_i < 2) {
        ck_assert_int_eq(PLOT(kinds[_i], "s", "-f", "term"), 0);
        has("out", "stlb.");
    }
}
END_TEST

START_TEST(data)
{
    if (!have_gnuplot())
        return;
    make("s", 3, 1, 1, 3);
    /* numbers from the least, whatever their order in the sweep; sum over the cores; 1000/500 per 1,000 references */
    ck_assert_int_eq(PLOT("sweep_lines", "s", "--where", "l2.size=0.0625MiB", "--where", "cache.l2.size=4KiB"), 0);
    has("s/plots/sweep_lines.gp", "set logscale x");
    has("s/plots/sweep_lines.gp", "'256' 256");
    has("s/plots/sweep_lines.gp", "title '64 KiB'");
    hasnt("s/plots/sweep_lines.gp", "1 MiB");
    /* 64 entries, 4 KiB: 16000 + 1..3 + 2, twice; interval t(2) * s / sqrt(3) = 4.3027 * 2 / 1.7320508 */
    has("s/plots/sweep_lines.dat", "64 32008 4.96833 3\n256 128008 4.96833 3\n1024 512008 4.96833 3\n");
    has("s/plots/sweep_lines.gp", "18 points, means of 3 seeds with 95 % intervals");
    ck_assert_int_eq(PLOT("sweep_heatmap", "s", "-s", "stlb.misses", "--where", "size=1MiB", "--where", "size=64KiB"), 0);
    has("s/plots/sweep_heatmap_stlb.misses.dat", "0 0 1004 ");
    has("s/plots/sweep_heatmap_stlb.misses.dat", "2 1 1004 ");
    ck_assert_int_eq(PLOT("sweep_heatmap", "s", "-x", "l2.size", "-y", "stlb.entries", "-o", "y.svg"), 0);
    has("y.gp", "set ylabel 'mmu.stlb.entries'");
    ck_assert_int_eq(PLOT("sweep_lines", "s", "-x", "l2.size", "--by", "stlb.entries", "-o", "t.svg"), 0);
    has("t.gp", "'64 KiB' 65536");
    has("t.gp", "title '1024'");
    ck_assert_int_eq(PLOT("sweep_bars", "s", "-s", "none", "--log-y"), 2);
    ck_assert_int_eq(PLOT("sweep_lines", "s", "-s", "series.zone_dma_unusable_9", "-o", "u.svg"), 0); /* the last row */
    has("u.dat", "64 1.5 0 3\n256 2.5 0 3\n1024 0.5 0 3\n");
    ck_assert_int_eq(PLOT("sweep_lines", "s", "-s", "series.zone_dma_unusable_10"), 2);
    has("err", "no point has a series with a column \"zone_dma_unusable_10\"");
    ck_assert_int_eq(PLOT("sweep_lines", "s", "-s", "none", "--log-y"), 2);
    has("err", "all values are 0");
    ck_assert_int_eq(PLOT("sweep_lines", "s", "--log-y"), 0);
    has("s/plots/sweep_lines.gp", "set logscale y");
}
END_TEST

START_TEST(odd_tables)
{
    if (!have_gnuplot())
        return;
    /* a single point */
    sqlite3 *db = synthetic_sweep_begin("one", "[]");
    synthetic_point(db, 0, "ok", "", 1);
    synthetic_statistic(db, 0, "sim.cycles", 7);
    synthetic_sweep_end(db);
    ck_assert_int_eq(PLOT("sweep_bars", "one"), 0);
    ck_assert_int_eq(PLOT("sweep_heatmap", "one"), 0);
    ck_assert_int_eq(PLOT("sweep_lines", "one"), 2);
    has("err", "no axis of the sweep has numbers; sweep_bars draws names");
    /* nothing complete */
    db = synthetic_sweep_begin("failed", "[\"mmu.stlb.entries\"]");
    for (int i = 0; i < 3; i++) {
        synthetic_point(db, i, "failed", "a.mtr", 1);
        synthetic_parameter(db, i, "mmu.stlb.entries", i ? i > 1 ? "100" : "96" : "64", 1);
    }
    synthetic_sweep_end(db);
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        ck_assert_int_eq(PLOT(kinds[k], "failed"), 2);
        has("err", "no point is complete");
    }
    /* one failed, one never run, one without the statistic: the others are drawn */
    make("part", 1, 1, 2, 1);
    ck_assert_int_eq(sqlite3_open("part/results.sqlite", &db), SQLITE_OK);
    synthetic_sql(db, "UPDATE runs SET status = 'failed', reason = 'its sets do not divide' WHERE id = 0;"
                      "DELETE FROM statistics WHERE run = 0; DELETE FROM statistics WHERE run = 1;"
                      "UPDATE runs SET status = 'missing' WHERE id = 1;"
                      "UPDATE statistics SET value = NULL WHERE run = 2; UPDATE statistics SET value = 'text' WHERE run = 3");
    sqlite3_close(db);
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        ck_assert_msg(PLOT(kinds[k], "part", "-o", "p.svg") == 0, "%s", text_of("err"));
        has("err", "2 of 6 points have no result and are left out; the first is mmu.stlb.entries 1024");
        has("err", "its sets do not divide");
        has("err", "2 of 6 points have no such statistic");
        has("p.gp", "6 points, 4 of them without a value");
    }
    /* no table, or none of ours */
    ck_assert_int_eq(PLOT("sweep_lines", "nowhere"), 2);
    has("err", "mmulab collect DIR");
    mkdir("junk", 0777);
    FILE *f = fopen("junk/results.sqlite", "w");
    fputs("this is no table of SQLite, but it is long enough to be taken for one by its length alone: it has no head.", f);
    fclose(f);
    ck_assert_int_eq(PLOT("sweep_lines", "junk"), 2);
    has("err", "junk/results.sqlite: error: cannot be read");
    db = synthetic_sweep_begin("later", "[]");
    synthetic_sql(db, "UPDATE meta SET value = '2' WHERE key = 'schema'");
    synthetic_sweep_end(db);
    ck_assert_int_eq(PLOT("sweep_lines", "later"), 2);
    has("err", "not of this version's form");
    db = synthetic_sweep_begin("empty", "[]");
    synthetic_sweep_end(db);
    ck_assert_int_eq(PLOT("sweep_lines", "empty"), 2);
    has("err", "no points");
    /* a file cut short is an error, not a crash */
    long whole = size_of("part/results.sqlite");
    for (long cut = whole - 512; cut > 0; cut -= 1536) {
        ck_assert_int_eq(truncate("part/results.sqlite", cut), 0);
        int rc = PLOT("sweep_bars", "part", "-o", "p.svg");
        ck_assert_msg(rc == 2 || rc == 0, "cut at %ld: %d", cut, rc);
    }
}
END_TEST

START_TEST(mistakes)
{
    make("s", 3, 2, 2, 1);
    static const struct {
        const char *words[9], *says;
    } t[] = {
        {{"sweep_lines", "s"}, "the points differ in trace, too, which has no place in the picture; choose with --where trace=VALUE (b.mtr, it's"},
        {{"sweep_lines", "s", "-s", "stlb.mises", "--where", "trace=b"}, "did you mean \"cpu0.stlb.misses\"?"},
        {{"sweep_lines", "s", "-s", "zzzzzzzzzzzzz", "--where", "trace=b"}, "mmulab stats list"},
        {{"sweep_lines", "s", "--per", "sim.refrences", "--where", "trace=b"}, "did you mean \"sim.references\"?"},
        {{"sweep_lines", "s", "-x", "stlb.entrys"}, "did you mean \"mmu.stlb.entries\"?"},
        {{"sweep_lines", "s", "-x", "moon"}, "it has mmu.stlb.entries, cache.l2.size, mmu.stlb.replacement, trace"},
        {{"sweep_lines", "s", "-x", "replacement"}, "names, not numbers; sweep_bars draws names"},
        {{"sweep_lines", "s", "-x", "entries", "--by", "entries"}, "asked for twice"},
        {{"sweep_lines", "s", "--where", "entries"}, "KEY=VALUE"},
        {{"sweep_lines", "s", "--where", "=1"}, "KEY=VALUE"},
        {{"sweep_lines", "s", "--where", "entries=65"}, "never \"65\" in this sweep; it is 64, 256, 1024"},
        {{"sweep_lines", "s", "-z", "dma"}, "free_blocks"},
        {{"sweep_lines", "s", "s"}, "mmulab diff compares two sweeps"},
        {{"tlb_misses", "s", "s"}, "it is a sweep"},
        {{"tlb_misses", "s"}, "36 points of the sweep in one picture cannot be told apart; choose up to 8 with --where mmu.stlb.entries=VALUE"},
        {{"tlb_misses", "s", "--by", "trace"}, "are for sweeps"},
    };
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        ck_assert_msg(run_verb(cmd_plot, "plot", t[i].words) == 2, "case %zu: %s", i, text_of("err"));
        ck_assert_msg(strstr(text_of("err"), t[i].says) != NULL, "case %zu: %s", i, text_of("err"));
        ck_assert_str_eq(text_of("out"), "");
        ck_assert(access("s/plots/sweep_lines.gp", F_OK) != 0); /* no half script */
    }
    /* more lines than can be told apart */
    sqlite3 *db = synthetic_sweep_begin("many", "[\"mmu.stlb.entries\", \"cache.l2.size\"]");
    for (int i = 0; i < 26; i++) {
        char size[20];
        snprintf(size, sizeof size, "%dKiB", 1 + i / 2);
        synthetic_point(db, i, "ok", "a.mtr", 1);
        synthetic_parameter(db, i, "mmu.stlb.entries", i % 2 ? "64" : "96", 1);
        synthetic_parameter(db, i, "cache.l2.size", size, 1);
        synthetic_statistic(db, i, "sim.references", 1);
        synthetic_statistic(db, i, "cpu0.stlb.misses", i);
    }
    synthetic_sweep_end(db);
    ck_assert_int_eq(PLOT("sweep_lines", "many"), 2);
    has("err", "13 lines, one for each value of cache.l2.size, cannot be told apart");
    if (have_gnuplot())
        ck_assert_int_eq(PLOT("sweep_heatmap", "many"), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plot_sweep");
    TCase *t = tcase_create("plot_sweep");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, scratch_enter, scratch_remove);
    tcase_add_loop_test(t, every_kind, 0, 3);
    tcase_add_test(t, data);
    tcase_add_test(t, odd_tables);
    tcase_add_test(t, mistakes);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
