/* mmulab plot KIND DIR... */
#include "app/cmd_error.h"
#include "app/plot/cmd_plot.h"
#include "app/plot/plot.h"
#include "app/plot/plot_run.h"
#include "app/plot/sweep/points.h"
#include "app/result/result.h"
#include "app/sweepdb/sweepdb.h"
#include "config/text.h"

#include <errno.h>

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help_text[] =
    "usage: mmulab plot KIND DIR... [-f svg|png|pdf|term] [-o FILE]\n"
    "       mmulab plot KIND SWEEP [--where KEY=VALUE]...     its points compared, up to 8\n"
    "       mmulab plot sweep_KIND SWEEP [-s NAME] [-x AXIS] [--by AXIS] [--panel AXIS] [--where KEY=VALUE]... [-o FILE]\n"
    "       mmulab plot list [DIR]\n"
    "\n"
    "Draws a picture of a result folder with gnuplot; several folders (up to 8) are compared in one picture.\n"
    "Writes KIND.gp (a script to change and run again by hand), KIND.dat (its numbers) and the picture into\n"
    "DIR/plots/, and prints the picture's name. `list` names the kinds, `list DIR` the columns of DIR's series.\n"
    "\n"
    "  -f, --format F   svg (default), png, pdf, or term: draw in the terminal\n"
    "  -o, --output F   name of the picture; script and data are written beside it\n"
    "  -z, --zone Z     free_blocks, order_surface: this zone only (default: all); unusable_index, extfrag_index: which\n"
    "                   (default: normal, or the largest)\n"
    "  -s, --stat NAME  column: a column of series.csv; histogram, walk_latency: a histogram of stats.json\n"
    "                   (a shell pattern adds up: 'cpu*.walker.latency')\n"
    "  -x, --x AXIS     time (default), references or instructions; an axis of the sweep\n"
    "\n"
    "Of sweeps (sweep_lines, sweep_bars, sweep_heatmap), with axes by key, by the end of a key (stlb.entries), or \"trace\":\n"
    "  -s, --stat NAME  any statistic; a shell pattern adds up: 'cpu*.dtlb.misses' (default: as fits the axes)\n"
    "                   series.COLUMN: a column of each point's series.csv at its end (mmulab plot list DIR/points/POINT)\n"
    "      --per NAME   per 1,000 of another statistic: sim.references, sim.instructions\n"
    "      --by AXIS    a line or bar for each of its values; -y AXIS (--y) is the same, for heat maps\n"
    "      --panel AXIS a panel for each of its values\n"
    "      --where K=V  only the points with that value; several for one key: any of them\n"
    "      --log-y      logarithmic values\n"
    "\n"
    "  -h, --help\n"
    "\n"
    "Exit code: 0; 1 if gnuplot failed or is missing; 2 for a mistake in the command or the data.\n";

struct options {
    const char *format, *output;
    const char *home; /* where plots/ is without -o */
};

static const char *const formats[] = {"svg", "png", "pdf", "term"};

static int list_kinds(void)
{
    size_t n;
    const struct plot_kind *k = plot_kinds(&n);
    for (size_t i = 0; i < n; i++)
        printf("%-15s %s\n", k[i].name, k[i].help);
    return 0;
}

static int list_columns(const char *dir, struct err *err)
{
    struct plot_table t;
    char path[4096];
    snprintf(path, sizeof path, "%.4000s/series.csv", dir);
    if (table_open(&t, path, err))
        return err_remedy(err, "name the folder of a result; of a sweep that of a point, in its folder points/");
    for (size_t i = 0; i < t.n_columns; i++)
        puts(t.name[i]);
    table_close(&t);
    return 0;
}

static int find_kind(const char *name, const struct plot_kind **out, struct err *err)
{
    size_t n, best = SIZE_MAX;
    const struct plot_kind *k = plot_kinds(&n), *near = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t d = text_distance(name, k[i].name, text_near(name));
        if (!strcmp(name, k[i].name)) {
            *out = &k[i];
            return 0;
        }
        if (d <= text_near(name) && d < best) {
            best = d;
            near = &k[i];
        }
    }
    err_set(err, ERR_USAGE, "there is no kind of plot \"%.60s\"", name);
    return near ? err_remedy(err, "did you mean \"%s\"?", near->name) : err_remedy(err, "mmulab plot list names all");
}

/* The picture's folder and stem; makes DIR/plots. Returns -1 with err filled. */
static int place(struct plot *p, const struct options *o, char *folder, size_t size, struct err *err)
{
    static const char *const suffixes[] = {".svg", ".png", ".pdf"};
    if (!o->output) {
        char extra[100] = "";
        const char *name = p->zone ? p->zone : p->stat;
        if (name) {
            extra[0] = '_';
            result_safe_name(extra + 1, sizeof extra - 1, name);
        }
        snprintf(p->stem, sizeof p->stem, "%s%s%s", p->kind->name, extra, p->n_runs > 1 ? "_compare" : "");
        if (snprintf(folder, size, "%s/plots", o->home) >= (int)size)
            return err_set(err, ERR_USAGE, "the name of the folder is too long");
        if (mkdir(folder, 0777) && errno != EEXIST) {
            err_set(err, ERR_USAGE, "cannot make the folder \"%.300s\": %s", folder, strerror(errno));
            return err_remedy(err, "name another place for the picture with -o FILE");
        }
        return 0;
    }
    const char *slash = strrchr(o->output, '/'), *base = slash ? slash + 1 : o->output;
    const char *dot = strrchr(base, '.');
    int known = -1;
    for (int i = 0; dot && i < 3; i++)
        if (!strcasecmp(dot, suffixes[i]))
            known = i;
    if (known >= 0 && !o->format)
        p->format = (enum plot_format)known;
    if (known < 0 && dot && !o->format) {
        err_set(err, ERR_USAGE, "the format of \"%.200s\" is not known", o->output);
        return err_remedy(err, "end the name with .svg, .png or .pdf, or add -f");
    }
    if (known >= 0 && p->format != PLOT_TERM && known != (int)p->format) {
        err_set(err, ERR_USAGE, "-f %s contradicts the name \"%.200s\"", o->format, o->output);
        return err_remedy(err, "leave one of the two out");
    }
    size_t len = known >= 0 ? (size_t)(dot - base) : strlen(base);
    if (!len || len >= sizeof p->stem) {
        err_set(err, ERR_USAGE, "\"%.200s\" is no name for a picture", o->output);
        return err_remedy(err, "write -o FILE.svg");
    }
    memcpy(p->stem, base, len);
    p->stem[len] = '\0';
    int n = slash ? snprintf(folder, size, "%.*s", slash == o->output ? 1 : (int)(slash - o->output), o->output)
                  : snprintf(folder, size, ".");
    return n >= (int)size ? err_set(err, ERR_USAGE, "the name of the picture is too long") : 0;
}

static void terminal_size(struct plot *p)
{
    struct winsize w = {0};
    p->term_width = 100;
    p->term_height = 28;
    if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) && w.ws_col >= 40 && w.ws_row >= 12) {
        p->term_width = w.ws_col;
        p->term_height = w.ws_row - 2u;
    }
}

static void copy_hash(char out[9], const char *hash) { snprintf(out, 9, "%.8s", hash ? hash : "unknown"); }

static void copy_name(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (; *text && n + 1 < size; text++) /* names go into titles: nothing that is not printable */
        out[n++] = (unsigned char)*text < 0x20 || (unsigned char)*text == 0x7f ? '?' : *text;
    while (n && ((unsigned char)*text & 0xc0) == 0x80 && ((unsigned char)out[n - 1] & 0x80)) /* do not cut inside a character */
        if (((unsigned char)out[--n] & 0xc0) == 0xc0)
            break;
    out[n] = '\0';
}

/* Short name of a folder, and with `parts` 2 its parent's name too. */
static void short_name(char *out, size_t size, const char *dir, unsigned parts)
{
    char *real = realpath(dir, NULL);
    const char *full = real ? real : dir, *at = full + strlen(full);
    while (at > full && parts) {
        at--;
        parts -= *at == '/';
    }
    at += *at == '/';
    copy_name(out, size, at);
    free(real);
}

static bool of_sweep(const struct plot *p) { return p->kind->table && !strcmp(p->kind->table, PLOT_SWEEP); }

static int open_run(struct plot *p, struct plot_run *r, const char *dir, const char *label, struct err *err)
{
    char path[4096], config[9], trace[9];
    r->dir = dir;
    if (label)
        copy_name(r->name, sizeof r->name, label);
    else
        short_name(r->name, sizeof r->name, dir, 1);
    if (of_sweep(p)) /* the kind itself opens the table */
        return sweepdb_find(dir, err);
    if (result_stats_load(&r->stats, dir, err)) {
        if (sweepdb_is(dir))
            err_remedy(err, "it is a sweep: draw it alone, or points in its folder points/");
        return -1;
    }
    copy_hash(config, json_flat_get(&r->stats, "config_hash"));
    copy_hash(trace, json_flat_get(&r->stats, "trace_hash"));
    const char *seed = json_flat_get(&r->stats, "seed"), *complete = json_flat_get(&r->stats, "complete");
    snprintf(r->what, sizeof r->what, "config %s, trace %s, seed %.20s%s", config, trace, seed ? seed : "unknown",
             complete && !strcmp(complete, "false") ? ", run not complete" : "");
    if (!p->kind->table)
        return 0;
    snprintf(path, sizeof path, "%.4000s/%s", dir, p->kind->table);
    if (table_open(&r->table, path, err)) {
        if (strcmp(p->kind->table, PLOT_SERIES) != 0)
            err_remedy(err, "run again with output.memory_rows above 0 to have it");
        return -1;
    }
    r->has_table = true;
    return 0;
}

/* `label`s instead of the folders' names; NULL: none. */
static int open_runs(struct plot *p, char **dirs, char **label, size_t n, struct err *err)
{
    if (!(p->run = calloc(n, sizeof *p->run)))
        return err_set(err, ERR_RUN, "out of memory");
    for (size_t i = 0; i < n; i++) {
        p->n_runs++;
        if (open_run(p, &p->run[i], dirs[i], label ? label[i] : NULL, err))
            return -1;
    }
    if (label)
        return 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (!strcmp(p->run[i].name, p->run[k].name)) {
                short_name(p->run[i].name, sizeof p->run[i].name, dirs[i], 2);
                short_name(p->run[k].name, sizeof p->run[k].name, dirs[k], 2);
            }
    return 0;
}

static FILE *create(const char *folder, const char *stem, const char *suffix, struct err *err)
{
    char path[4700];
    snprintf(path, sizeof path, "%.4096s/%.255s.%s", folder, stem, suffix);
    FILE *f = fopen(path, "we");
    if (!f) {
        err_set(err, ERR_USAGE, "cannot write \"%.800s\": %s", path, strerror(errno));
        err_remedy(err, "name another place for the picture with -o FILE");
    }
    return f;
}

static int close_checked(FILE *f, const char *what, struct err *err)
{
    bool bad = ferror(f);
    return fclose(f) || bad ? err_set(err, ERR_RUN, "cannot write the %s of the picture: %s", what, strerror(errno)) : 0;
}

static int draw(struct plot *p, const char *folder, struct err *err)
{
    p->gp = create(folder, p->stem, "gp", err);
    p->dat = p->gp ? create(folder, p->stem, "dat", err) : NULL;
    int rc = p->dat ? p->kind->make(p, err) : -1;
    if (p->dat && close_checked(p->dat, "data", rc ? NULL : err))
        rc = -1;
    if (p->gp && close_checked(p->gp, "script", rc ? NULL : err))
        rc = -1;
    if (rc) { /* what cannot be drawn leaves no half script behind */
        char path[4700];
        for (int i = 0; i < 2 && p->gp; i++) {
            snprintf(path, sizeof path, "%.4096s/%.255s.%s", folder, p->stem, i ? "dat" : "gp");
            unlink(path);
        }
        return -1;
    }
    char picture[300], said[600];
    snprintf(picture, sizeof picture, "%s.%s", p->stem, formats[p->format]);
    bool term = p->format == PLOT_TERM;
    if (plot_run_gnuplot(folder, p->stem, term ? NULL : picture, said, sizeof said, err))
        return -1;
    if (*said)
        fprintf(stderr, "mmulab plot: note: gnuplot said: %s\n", said);
    if (term)
        return 0;
    printf("%s%s%s\n", strcmp(folder, ".") ? folder : "", strcmp(folder, ".") ? (strcmp(folder, "/") ? "/" : "") : "",
           picture);
    return 0;
}

static void close_runs(struct plot *p)
{
    for (size_t i = 0; i < p->n_runs; i++) {
        json_flat_free(&p->run[i].stats);
        if (p->run[i].has_table)
            table_close(&p->run[i].table);
    }
    free(p->run);
}

static int run_plot(struct plot *p, struct options *o, char **dirs, size_t n, struct err *err)
{
    char folder[4096];
    struct plot_points points = {0};
    bool spread = !of_sweep(p) && n == 1 && sweepdb_is(dirs[0]); /* a sweep's points, side by side */
    if (p->n_where && !of_sweep(p) && !spread) {
        err_set(err, ERR_USAGE, "--where chooses points of a sweep, and \"%.300s\" is none", dirs[0]);
        return err_remedy(err, "name the sweep's folder alone");
    }
    o->home = dirs[0];
    int rc = spread ? plot_points_open(&points, dirs[0], p->where, p->n_where, err) : 0;
    if (rc == 0 && !(rc = open_runs(p, spread ? points.dir : dirs, points.label, spread ? points.n : n, err)) &&
        !(rc = place(p, o, folder, sizeof folder, err)))
        rc = draw(p, folder, err);
    close_runs(p);
    plot_points_close(&points);
    return rc;
}

static int parse_format(const char *text, enum plot_format *out, struct err *err)
{
    for (unsigned i = 0; i < ARRAY_LEN(formats); i++)
        if (!strcmp(text, formats[i])) {
            *out = (enum plot_format)i;
            return 0;
        }
    err_set(err, ERR_USAGE, "there is no format \"%.60s\"", text);
    return err_remedy(err, "write svg, png, pdf or term");
}

static int usage(struct err *err, const char *what)
{
    err_set(err, ERR_USAGE, "%s", what);
    return err_remedy(err, "see mmulab plot --help");
}

/* Options that only some kinds have. */
static int check_options(const struct plot *p, struct err *err)
{
    const char *x = p->x_name;
    if (!of_sweep(p) && (p->by || p->panel || p->per || p->log_y)) {
        err_set(err, ERR_USAGE, "--by, -y, --panel, --per and --log-y are for sweeps");
        return err_remedy(err, "sweep_lines, sweep_bars and sweep_heatmap have them");
    }
    static const char *const of_zones[] = {"free_blocks", "order_surface", "unusable_index", "extfrag_index"};
    bool zones = false;
    for (size_t i = 0; i < ARRAY_LEN(of_zones); i++)
        zones |= !strcmp(p->kind->name, of_zones[i]);
    if (p->zone && !zones)
        return usage(err, "-z is for free_blocks, order_surface, unusable_index and extfrag_index");
    if (!of_sweep(p) && x && strcmp(x, "time") != 0 && strcmp(x, "references") != 0 && strcmp(x, "instructions") != 0)
        return usage(err, "-x takes time, references or instructions");
    return 0;
}

int cmd_plot(int argc, char **argv)
{
    static const struct option longs[] = {
        {"format", required_argument, NULL, 'f'}, {"output", required_argument, NULL, 'o'},
        {"zone", required_argument, NULL, 'z'},   {"stat", required_argument, NULL, 's'},
        {"x", required_argument, NULL, 'x'},      {"help", no_argument, NULL, 'h'},
        {"by", required_argument, NULL, 'b'},     {"y", required_argument, NULL, 'y'},
        {"panel", required_argument, NULL, 'p'},  {"per", required_argument, NULL, 'P'},
        {"where", required_argument, NULL, 'w'},  {"log-y", no_argument, NULL, 'l'},
        {0},
    };
    struct err err = {0};
    struct options o = {0};
    struct plot p = {.format = PLOT_SVG};
    int rc = 0;
    optind = 0;
    for (int c; !rc && (c = getopt_long(argc, argv, ":f:o:z:s:x:y:h", longs, NULL)) != -1;) {
        switch (c) {
        case 'f':
            o.format = optarg;
            rc = parse_format(optarg, &p.format, &err);
            break;
        case 'o': o.output = optarg; break;
        case 'z': p.zone = optarg; break;
        case 's': p.stat = optarg; break;
        case 'x': p.x_name = optarg; break;
        case 'y':
        case 'b': p.by = optarg; break;
        case 'p': p.panel = optarg; break;
        case 'P': p.per = optarg; break;
        case 'l': p.log_y = true; break;
        case 'w':
            if (p.n_where == ARRAY_LEN(p.where))
                rc = usage(&err, "more than 32 --where");
            else
                p.where[p.n_where++] = optarg;
            break;
        case 'h': fputs(help_text, stdout); return 0;
        case ':': rc = usage(&err, "an option lacks its value"); break;
        default: rc = usage(&err, "unknown option"); break;
        }
        if (rc && (c == ':' || c == '?'))
            err_set(&err, ERR_USAGE, c == ':' ? "option %s lacks its value" : "unknown option %s", argv[optind - 1]),
                err_remedy(&err, "see mmulab plot --help");
    }
    size_t n = argc > optind + 1 ? (size_t)(argc - optind - 1) : 0;
    if (!rc && optind >= argc)
        rc = usage(&err, "which kind of plot, and of which result folder?");
    if (!rc && !strcmp(argv[optind], "list") && !n)
        return list_kinds();
    if (!rc && !strcmp(argv[optind], "list") && n == 1)
        return list_columns(argv[optind + 1], &err) ? cmd_error("plot", &err) : 0;
    if (!rc)
        rc = find_kind(argv[optind], &p.kind, &err);
    if (!rc && !n)
        rc = usage(&err, "which result folder?");
    if (!rc)
        rc = check_options(&p, &err);
    if (!rc && n > PLOT_RUNS_MAX)
        rc = usage(&err, "more than 8 folders in one picture cannot be told apart");
    terminal_size(&p);
    if (!rc)
        rc = run_plot(&p, &o, argv + optind + 1, n, &err);
    return rc ? cmd_error("plot", &err) : 0;
}
