/* Every kind of plot makes a picture of ordinary, short and odd results, or says what is missing; no name in a result
 * is ever interpreted. Pictures need gnuplot: without it those tests say that they are skipped. */
#include "result_synthetic.h"
#include "scratch.h"

#include "app/plot/cmd_plot.h"
#include "app/plot/plot.h"


#define PLOT(...) run_verb(cmd_plot, "plot", (const char *const[]){__VA_ARGS__, NULL})

static void make(const char *dir, struct synthetic_options o)
{
    struct err e = {0};
    ck_assert_msg(!synthetic_result(dir, o, &e), "%s", e.message);
}

static const char *stat_for(const char *kind)
{
    return !strcmp(kind, "column") ? "cpu0.dtlb.misses" : !strcmp(kind, "histogram") ? "cpu0.walker.latency" : NULL;
}

START_TEST(every_kind)
{
    size_t n;
    const struct plot_kind *k = plot_kinds(&n);
    if (!have_gnuplot())
        return;
    make("run", (struct synthetic_options){.length = 300000, .seed = 1});
    make("other", (struct synthetic_options){.length = 200000, .seed = 2, .incomplete = true});
    for (size_t i = 0; i < n; i++)
        for (int runs = 1; runs <= 2; runs++) {
            if (k[i].table && !strcmp(k[i].table, PLOT_SWEEP))
                continue; /* test_plot_sweep.c */
            const char *words[8] = {k[i].name, "run", "-o", "p.svg"};
            size_t w = 4;
            if (runs == 2)
                words[w++] = "other";
            if (stat_for(k[i].name)) {
                words[w++] = "--stat";
                words[w++] = stat_for(k[i].name);
            }
            unlink("p.svg");
            ck_assert_msg(!run_verb(cmd_plot, "plot", words), "%s of %d: %s", k[i].name, runs, text_of("err"));
            ck_assert_str_eq(text_of("out"), "p.svg\n");
            ck_assert_str_eq(text_of("err"), ""); /* no warning of gnuplot either */
            ck_assert_int_gt(size_of("p.svg"), 2000);
            ck_assert_int_gt(size_of("p.gp"), 100);
            ck_assert_int_gt(size_of("p.dat"), 50);
            ck_assert_ptr_nonnull(strstr(text_of("p.gp"), "noenhanced"));
        }
}
END_TEST

START_TEST(formats_and_places)
{
    if (!have_gnuplot())
        return;
    make("run", (struct synthetic_options){.length = 20000, .seed = 1});
    ck_assert_int_eq(PLOT("free_blocks", "run"), 0);
    ck_assert_str_eq(text_of("out"), "run/plots/free_blocks.svg\n");
    ck_assert_int_eq(PLOT("free_blocks", "run/", "-f", "png"), 0);
    ck_assert_int_gt(size_of("run/plots/free_blocks.png"), 2000);
    ck_assert_int_eq(PLOT("free_blocks", "run", "-o", "x.pdf"), 0);
    ck_assert_int_eq(strncmp(text_of("x.pdf"), "%PDF", 4), 0);
    ck_assert_int_eq(PLOT("free_blocks", "run", "-z", "dma32"), 0);
    ck_assert_int_gt(size_of("run/plots/free_blocks_dma32.svg"), 2000);
    ck_assert_int_eq(PLOT("tlb_misses", "run", "-f", "term"), 0);
    ck_assert_ptr_nonnull(strstr(text_of("out"), "TLB misses: run"));
    ck_assert_int_eq(PLOT("tlb_misses", "run", "-x", "references"), 0);
    ck_assert_ptr_nonnull(strstr(text_of("run/plots/tlb_misses.gp"), "set xlabel 'references"));
    /* The script runs again by hand in its folder and writes the same picture. */
    char *first = strdup(text_of("run/plots/tlb_misses.svg"));
    unlink("run/plots/tlb_misses.svg");
    ck_assert_int_eq(system("cd run/plots && gnuplot tlb_misses.gp"), 0);
    ck_assert_str_eq(text_of("run/plots/tlb_misses.svg"), first);
    free(first);
}
END_TEST

/* Two rows, one row more, nothing free, no time, no instructions: still pictures, or an error that says why. */
START_TEST(odd_results)
{
    static const struct synthetic_options odd[] = {
        {.length = 0}, {.length = 100}, {.length = 5000, .functional = true}, {.length = 5000, .no_instructions = true},
        {.length = 5000, .zones_empty = true}, {.length = 5000, .functional = true, .no_instructions = true},
    };
    static const char *const always[] = {"free_blocks", "unusable_index", "tlb_misses", "cache_misses", "dram", "faults"};
    if (!have_gnuplot())
        return;
    make("odd run", odd[_i]);
    for (size_t k = 0; k < ARRAY_LEN(always); k++) {
        ck_assert_msg(!PLOT(always[k], "odd run"), "%s of %d: %s", always[k], _i, text_of("err"));
        ck_assert_str_eq(text_of("err"), "");
    }
    int rc = PLOT("ipc", "odd run");
    ck_assert_int_eq(rc, odd[_i].functional || !odd[_i].length ? 2 : 0);
    if (rc)
        ck_assert_ptr_nonnull(strstr(text_of("err"), "counted no cycles"));
    ck_assert_int_ne(PLOT("walk_latency", "odd run"), 1);
    ck_assert_int_ne(PLOT("miss_ratios", "odd run"), 1);
}
END_TEST

/* Names of folders are printed, never executed: quotes, backquotes, markup, format characters. */
START_TEST(names_are_only_names)
{
    static const char evil[] = "a'b\"c`touch x`{/=9 d}_e^f\\n%s@g$(touch y)";
    if (!have_gnuplot())
        return;
    make(evil, (struct synthetic_options){.length = 5000});
    make("|touch z", (struct synthetic_options){.length = 5000});
    ck_assert_int_eq(PLOT("tlb_misses", evil, "|touch z", "-o", "|touch z.svg"), 0);
    ck_assert_int_gt(size_of("|touch z.svg"), 2000);
    ck_assert_int_eq(PLOT("tlb_misses", evil), 0);
    ck_assert_int_eq(PLOT("column", evil, "--stat", "dtlb.misses", "-f", "png"), 0);
    ck_assert_int_eq(PLOT("free_blocks", evil, "-z", "`touch x`"), 2);
    ck_assert(access("x", F_OK) && access("y", F_OK) && access("z", F_OK) && access("z.svg", F_OK));
}
END_TEST

START_TEST(mistakes)
{
    make("run", (struct synthetic_options){.length = 5000});
    static const struct {
        const char *words[7], *says;
    } t[] = {
        {{"tlb_mises", "run"}, "did you mean \"tlb_misses\"?"},
        {{"nonsense", "run"}, "mmulab plot list"},
        {{"tlb_misses"}, "which result folder"},
        {{"tlb_misses", "nowhere"}, "mmulab run CONFIG"},
        {{"tlb_misses", "run", "-f", "gif"}, "svg, png, pdf or term"},
        {{"tlb_misses", "run", "-o", "x.gif"}, ".svg, .png or .pdf"},
        {{"tlb_misses", "run", "-o", "x.svg", "-f", "png"}, "contradicts"},
        {{"tlb_misses", "run", "-o", "nowhere/x.svg"}, "No such file"},
        {{"tlb_misses", "run", "-x", "moon"}, "time, references or instructions"},
        {{"tlb_misses", "run", "--moon"}, "unknown option --moon"},
        {{"tlb_misses", "run", "-o"}, "lacks its value"},
        {{"free_blocks", "run", "-z", "movable"}, "it has: dma32, normal"},
        {{"column", "run"}, "--stat NAME"},
        {{"column", "run", "-s", "nothing"}, "no column nothing"},
        {{"histogram", "run", "-s", "nothing"}, "cpu0.walker.latency"},
        {{NULL}, "which kind"},
    };
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        ck_assert_msg(run_verb(cmd_plot, "plot", t[i].words) == 2, "case %zu: %s", i, text_of("err"));
        ck_assert_msg(strstr(text_of("err"), t[i].says) != NULL, "case %zu: %s", i, text_of("err"));
        ck_assert_str_eq(text_of("out"), "");
    }
    ck_assert_int_eq(PLOT("--help"), 0);
    ck_assert_int_eq(PLOT("list"), 0);
    ck_assert_int_eq(strncmp(text_of("out"), "free_blocks ", 12), 0);
    setenv("PATH", "/nowhere", 1);
    ck_assert_int_eq(PLOT("tlb_misses", "run"), 1);
    ck_assert_ptr_nonnull(strstr(text_of("err"), "install gnuplot"));
    ck_assert_int_gt(size_of("run/plots/tlb_misses.gp"), 100); /* to be drawn elsewhere */
}
END_TEST

static void broken_series(const char *text, const char *kind, const char *says)
{
    FILE *f = fopen("run/series.csv", "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
    ck_assert_int_eq(PLOT(kind, "run"), 2);
    ck_assert_msg(strstr(text_of("err"), says) != NULL, "%s", text_of("err"));
}

START_TEST(broken_tables)
{
    make("run", (struct synthetic_options){.length = 5000});
    broken_series("", "free_blocks", "no head line");
    broken_series("time_ps,references\n0,0\n", "free_blocks", "zone_NAME_free_ORDER");
    broken_series("time_ps,references\n0,0\n", "tlb_misses", "no column itlb_misses, dtlb_misses");
    broken_series("time_ps,references,cpu0_dtlb_misses\n", "tlb_misses", "no rows");
    broken_series("time_ps,references,cpu0_dtlb_misses\n0,0,0\n1,x,2\n", "tlb_misses", "series.csv:3: error: column references");
    broken_series("cpu0_dtlb_misses\n0\n", "tlb_misses", "references");
    broken_series("time_ps,references\n0,0\n", "column", "which column of series.csv is to be drawn; add --stat NAME: time_ps, references "
                                                           "(mmulab plot list run has all 2)");
    ck_assert_int_eq(PLOT("column", "run", "--stat", "referenecs"), 2);
    ck_assert_ptr_nonnull(strstr(text_of("err"), "no column referenecs; did you mean \"references\"?"));
    ck_assert_int_eq(PLOT("column", "run", "--stat", "zzzzzzzzzzzz"), 2);
    ck_assert_ptr_nonnull(strstr(text_of("err"), "mmulab plot list run names all"));
    ck_assert_int_eq(PLOT("list", "run"), 0);
    ck_assert_str_eq(text_of("out"), "time_ps\nreferences\n");
    ck_assert_int_eq(PLOT("list", "nowhere"), 2);
    broken_series("references,zone_normal_free_99\n0,0\n", "free_blocks", "zone_NAME_free_ORDER");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plot");
    TCase *t = tcase_create("plot");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, scratch_enter, scratch_remove);
    tcase_add_test(t, every_kind);
    tcase_add_test(t, formats_and_places);
    tcase_add_loop_test(t, odd_results, 0, 6);
    tcase_add_test(t, names_are_only_names);
    tcase_add_test(t, mistakes);
    tcase_add_test(t, broken_tables);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
