/* Pictures out of stats.json: histograms with their CDF, and miss ratios as bars. */
#include "app/plot/plot.h"

#include "engine/stats.h"

#include <ctype.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct hist {
    uint64_t count[STAT_HIST_BUCKETS], total;
    uint64_t sum, n;
    char unit[24];
};

/* "measure.cpu0.walker.latency.buckets" -> "cpu0.walker.latency" */
static bool hist_name(const char *path, char *name, size_t size)
{
    size_t len = strlen(path);
    if (strncmp(path, "measure.", 8) || len < 17 || strcmp(path + len - 8, ".buckets") || len - 16 >= size)
        return false;
    memcpy(name, path + 8, len - 16);
    name[len - 16] = '\0';
    return true;
}

static uint64_t member_u64(const struct json_flat *j, const char *name, const char *member)
{
    char path[400];
    uint64_t v = 0;
    snprintf(path, sizeof path, "measure.%s.%s", name, member);
    const char *text = json_flat_get(j, path);
    return text && json_flat_u64(text, &v) ? v : 0;
}

/* Adds up the histograms whose names match. Returns how many. */
static size_t hist_collect(const struct plot_run *r, const char *pattern, struct hist *h)
{
    size_t found = 0;
    *h = (struct hist){0};
    for (size_t i = 0; i < r->stats.n; i++) {
        char name[300], path[400];
        uint64_t count[STAT_HIST_BUCKETS];
        if (!hist_name(r->stats.v[i].path, name, sizeof name) || fnmatch(pattern, name, 0))
            continue;
        int n = json_flat_u64_array(r->stats.v[i].text, count, STAT_HIST_BUCKETS);
        for (int b = 0; b < n && b < STAT_HIST_BUCKETS; b++) {
            h->count[b] += count[b];
            h->total += count[b];
        }
        h->sum += member_u64(&r->stats, name, "sum");
        h->n += member_u64(&r->stats, name, "count");
        snprintf(path, sizeof path, "measure.%s.unit", name);
        const char *unit = json_flat_get(&r->stats, path);
        snprintf(h->unit, sizeof h->unit, "%s", unit ? unit : "");
        found++;
    }
    return found;
}

static int no_hist(const struct plot_run *r, const char *pattern, struct err *err)
{
    char have[400] = "";
    for (size_t i = 0; i < r->stats.n; i++) {
        char name[300];
        size_t len = strlen(have);
        if (hist_name(r->stats.v[i].path, name, sizeof name) && len + strlen(name) + 3 < sizeof have)
            snprintf(have + len, sizeof have - len, "%s%s", len ? ", " : "", name);
    }
    char file[4096];
    snprintf(file, sizeof file, "%.4000s/stats.json", r->dir);
    err_set(err, ERR_USAGE, "there is no histogram \"%.100s\"", pattern);
    err_remedy(err, *have ? "it has: %s" : "it has none", have);
    return err_at(err, file, 0, 0);
}

/* The label of bucket b: bucket 0 counts 0, bucket b counts 2^(b-1) to 2^b - 1. */
static void bucket_label(char *out, size_t size, unsigned b)
{
    static const char unit[] = " KMGT";
    unsigned u = 0;
    uint64_t v = b ? 1ull << (b - 1) : 0;
    while (v >= 1024 && u < 4) {
        v >>= 10;
        u++;
    }
    snprintf(out, size, u ? "%" PRIu64 "%c" : "%" PRIu64, v, unit[u]);
}

static const char *default_hist(const struct plot *p, char *buf, size_t size)
{
    static const char *const tries[] = {"cpu*.walker.latency", "cpu*.walker.*latency*", "cpu*.walker.*cycles*",
                                        "cpu*.walker.*"};
    struct hist h;
    for (size_t t = 0; t < ARRAY_LEN(tries); t++)
        for (size_t i = 0; i < p->run[0].stats.n && hist_collect(&p->run[0], tries[t], &h); i++)
            if (hist_name(p->run[0].stats.v[i].path, buf, size) && !fnmatch(tries[t], buf, 0)) {
                /* the first of that name, on every core: "cpu*.walker.latency" */
                char rest[256];
                snprintf(rest, sizeof rest, "%.250s", buf + strcspn(buf, "."));
                snprintf(buf, size, "cpu*%s", rest);
                return buf;
            }
    return tries[0];
}

/* Bucket b is drawn from b - 0.5 to b + 0.5, so the tick at b - 0.5 is its least value. */
static void hist_ticks(struct plot *p, unsigned first, unsigned last)
{
    fputs("set xtics (", p->gp);
    for (unsigned b = first; b <= last + 1; b++) {
        char label[24];
        bucket_label(label, sizeof label, b);
        fprintf(p->gp, "%s'%s' %g", b > first ? ", " : "", label, b - 0.5);
    }
    fprintf(p->gp, ") nomirror\nset xrange [%g:%g]\n", first - 0.6, last + 0.6);
}

int plot_histogram(struct plot *p, struct err *err)
{
    char name[300];
    bool walk = !strcmp(p->kind->name, "walk_latency");
    if (!walk && !p->stat) {
        no_hist(&p->run[0], "", err);
        return err_set(err, ERR_USAGE, "which histogram? add --stat NAME (mmulab stats show %.200s lists them)", p->run[0].dir);
    }
    const char *pattern = p->stat ? p->stat : default_hist(p, name, sizeof name);
    struct hist *h = calloc(p->n_runs, sizeof *h);
    if (!h)
        return err_set(err, ERR_RUN, "out of memory");
    unsigned first = STAT_HIST_BUCKETS, last = 0;
    int rc = 0;
    for (size_t i = 0; i < p->n_runs && !rc; i++) {
        if (!hist_collect(&p->run[i], pattern, &h[i]))
            rc = no_hist(&p->run[i], pattern, err);
        for (unsigned b = 0; b < STAT_HIST_BUCKETS; b++)
            if (h[i].count[b]) {
                first = b < first ? b : first;
                last = b > last ? b : last;
            }
    }
    if (!rc && first == STAT_HIST_BUCKETS) {
        err_set(err, ERR_USAGE, "the histogram \"%.100s\" is empty: nothing of the kind happened in the measured part", pattern);
        rc = -1;
    }
    if (rc) {
        free(h);
        return rc;
    }
    char title[200], axis[100];
    snprintf(title, sizeof title, walk ? "Page walk latency" : "Histogram of %.150s", pattern);
    if (p->n_runs == 1 && h[0].n) { /* integers, so that every compiler writes the same picture */
        uint64_t tenths = (h[0].sum / h[0].n) * 10 + (h[0].sum % h[0].n) * 10 / h[0].n;
        size_t len = strlen(title);
        snprintf(title + len, sizeof title - len, ", mean %" PRIu64 ".%" PRIu64 " %.20s", tenths / 10, tenths % 10, h[0].unit);
    }
    snprintf(axis, sizeof axis, walk ? "latency (%s)" : "%s", h[0].unit[0] ? h[0].unit : "value");
    gp_begin(p, title, 1);
    fputs("set xlabel ", p->gp);
    gp_quote(p->gp, axis);
    fputs("\nset yrange [0:100]\n", p->gp);
    gp_ylabel(p, "share (%)");
    hist_ticks(p, first, last);
    double width = 0.96 / (double)p->n_runs;
    for (size_t i = 0; i < p->n_runs; i++) {
        uint64_t below = 0;
        gp_block(p, "bucket, share in percent, cumulated share in percent, count");
        for (unsigned b = first; b <= last; b++) {
            double total = h[i].total ? (double)h[i].total : 1;
            below += h[i].count[b];
            fprintf(p->dat, "%u %.6g %.6g %" PRIu64 "\n", b, (double)h[i].count[b] * 100 / total,
                    (double)below * 100 / total, h[i].count[b]);
        }
    }
    fprintf(p->gp, "set boxwidth %.4g\nplot \\\n", width);
    for (size_t i = 0; i < p->n_runs; i++) {
        double shift = ((double)i - (double)(p->n_runs - 1) / 2) * width;
        fputs("  ", p->gp);
        gp_data(p, (unsigned)i);
        fprintf(p->gp, " using ($1 + %.4g):2 with boxes linecolor '%s' title ", shift,
                p->n_runs == 1 ? gp_colour(5) : gp_colour(i));
        gp_label(p->gp, p->n_runs == 1 ? "share" : p->run[i].name);
        fputs(", \\\n", p->gp);
    }
    for (size_t i = 0; i < p->n_runs; i++) {
        fputs("  ", p->gp);
        gp_data(p, (unsigned)i);
        /* the cumulated share is reached at the upper end of a bucket */
        fprintf(p->gp, " using ($1 + 0.5):3 with linespoints pointtype 7 pointsize 0.5 linewidth 1.8 linecolor '%s' title ",
                p->n_runs == 1 ? gp_colour(1) : gp_colour(i));
        gp_quote(p->gp, p->n_runs == 1 ? "cumulated" : "");
        fputs(i + 1 == p->n_runs ? "\n" : ", \\\n", p->gp);
    }
    gp_end(p);
    free(h);
    return 0;
}

/* ---- miss ratios ---- */

static const struct part {
    const char *path, *label;
} parts[] = {
    {"itlb", "instr. TLB"}, {"dtlb", "data TLB"}, {"stlb", "2nd TLB"}, {"l1i", "L1I"},
    {"l1d", "L1D"},         {"l2", "L2"},         {"llc", "LLC"},
};

/* "measure.cpu3.dtlb.misses" or "measure.llc.misses": is it that part's member? */
static bool is_member(const char *path, const char *part, const char *member)
{
    if (strncmp(path, "measure.", 8))
        return false;
    path += 8;
    if (!strncmp(path, "cpu", 3) && isdigit((unsigned char)path[3])) {
        path += 3 + strspn(path + 3, "0123456789");
        if (*path++ != '.')
            return false;
    }
    size_t n = strlen(part);
    return !strncmp(path, part, n) && path[n] == '.' && !strcmp(path + n + 1, member);
}

static uint64_t sum_member(const struct json_flat *j, const char *part, const char *member)
{
    uint64_t sum = 0, v;
    for (size_t i = 0; i < j->n; i++)
        if (is_member(j->v[i].path, part, member) && json_flat_u64(j->v[i].text, &v))
            sum += v;
    return sum;
}

int plot_miss_ratios(struct plot *p, struct err *err)
{
    const struct part *shown[ARRAY_LEN(parts)];
    size_t n = 0;
    for (size_t k = 0; k < ARRAY_LEN(parts); k++) {
        uint64_t accesses = 0;
        for (size_t i = 0; i < p->n_runs; i++)
            accesses += sum_member(&p->run[i].stats, parts[k].path, "accesses") > 0;
        if (accesses)
            shown[n++] = &parts[k];
    }
    if (!n)
        return err_set(err, ERR_USAGE, "%.300s/stats.json: no TLB or cache was accessed in the measured part", p->run[0].dir);
    gp_begin(p, "Miss ratios, all cores", 1);
    gp_ylabel(p, "misses per access (%)");
    fputs("set yrange [0:*]\nset autoscale yfixmax\nset offsets 0, 0, graph 0.08, 0\nset xtics (", p->gp);
    for (size_t k = 0; k < n; k++)
        fprintf(p->gp, "%s'%s' %zu", k ? ", " : "", shown[k]->label, k);
    fprintf(p->gp, ") scale 0\nset xrange [-0.6:%zu.6]\n", n - 1);
    double width = 0.84 / (double)p->n_runs, max = 0;
    for (size_t i = 0; i < p->n_runs; i++) {
        gp_block(p, "place, miss ratio in percent, misses, accesses");
        for (size_t k = 0; k < n; k++) {
            uint64_t misses = sum_member(&p->run[i].stats, shown[k]->path, "misses");
            uint64_t accesses = sum_member(&p->run[i].stats, shown[k]->path, "accesses");
            double v = accesses ? (double)misses * 100 / (double)accesses : 0;
            max = v > max ? v : max;
            fprintf(p->dat, "%zu %.6g %" PRIu64 " %" PRIu64 "\n", k, v, misses, accesses);
        }
    }
    if (!(max > 0))
        fputs("set yrange [0:1]\n", p->gp);
    fprintf(p->gp, "set boxwidth %.4g\n%splot \\\n", width * 0.94, p->n_runs == 1 ? "unset key\n" : "");
    for (size_t i = 0; i < p->n_runs; i++) {
        double shift = ((double)i - (double)(p->n_runs - 1) / 2) * width;
        fputs("  ", p->gp);
        gp_data(p, (unsigned)i);
        fprintf(p->gp, " using ($1 + %.4g):2 with boxes linecolor '%s' title ", shift, gp_colour(i));
        gp_label(p->gp, p->run[i].name);
        if (p->n_runs <= 3) { /* more bars leave no room for numbers */
            fputs(", \\\n  ", p->gp);
            gp_data(p, (unsigned)i);
            fprintf(p->gp, " using ($1 + %.4g):2:(sprintf('%%.%dg', $2)) with labels offset 0,0.6 font ',10' notitle", shift,
                    p->n_runs < 3 ? 3 : 2);
        }
        fputs(i + 1 == p->n_runs ? "\n" : ", \\\n", p->gp);
    }
    gp_end(p);
    return 0;
}
