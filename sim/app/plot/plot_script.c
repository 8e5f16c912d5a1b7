/* The parts of a gnuplot script that all kinds share. Traps: docs/plots.md "Scripts". */
#include "app/plot/plot.h"

#include <math.h>
#include <string.h>

void gp_quote(FILE *f, const char *text)
{
    fputc('\'', f);
    for (const char *c = text; *c; c++) {
        if (*c == '\'')
            fputc('\'', f);
        fputc((unsigned char)*c < 0x20 ? '?' : *c, f);
    }
    fputc('\'', f);
}

void gp_label(FILE *f, const char *text)
{
    enum { ROOM = 24, HEAD = 11 };
    char out[4 * ROOM + 8];
    size_t chars = 0, n = 0, at = 0;
    for (const char *c = text; *c; c++)
        chars += ((unsigned char)*c & 0xc0) != 0x80;
    for (const char *c = text; *c && n + 8 < sizeof out; c++) {
        bool starts = ((unsigned char)*c & 0xc0) != 0x80;
        at += starts;
        if (chars <= ROOM || at <= HEAD || at > chars - (ROOM - HEAD - 1))
            out[n++] = *c;
        else if (at == HEAD + 1 && starts)
            n += (size_t)snprintf(out + n, sizeof out - n, "…");
    }
    out[n] = '\0';
    gp_quote(f, out);
}

/* Okabe and Ito, "Color Universal Design" (2008), without the yellow, which is too pale for a line on white. */
const char *gp_colour(size_t i)
{
    static const char *const c[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#7f7f7f"};
    return c[i % ARRAY_LEN(c)];
}

/* Eleven points of matplotlib's viridis (public domain), dark to light; the last is darkened to show on white. */
void gp_viridis(char out[8], size_t i, size_t n)
{
    static const unsigned char v[11][3] = {{68, 1, 84},    {72, 36, 117},  {65, 68, 135},  {53, 95, 141},
                                           {42, 120, 142}, {33, 145, 140}, {34, 168, 132}, {68, 191, 112},
                                           {122, 209, 81}, {189, 211, 38}, {240, 211, 20}};
    double at = n < 2 ? 0 : (double)i / (double)(n - 1) * 10;
    size_t k = at >= 10 ? 9 : (size_t)at;
    double part = at - (double)k;
    unsigned c[3];
    for (int j = 0; j < 3; j++)
        c[j] = (unsigned)lround((1 - part) * v[k][j] + part * v[k + 1][j]);
    snprintf(out, 8, "#%02x%02x%02x", c[0] & 255u, c[1] & 255u, c[2] & 255u);
}

static const char *const suffix[] = {"svg", "png", "pdf", "txt"};

static void terminal(struct plot *p, unsigned panels)
{
    FILE *f = p->gp;
    unsigned extra = panels > 1 ? panels - 2 : 0; /* two panels fit the usual height */
    switch (p->format) {
    case PLOT_SVG:
        fprintf(f, "set terminal svg size 960,%u noenhanced font 'DejaVu Sans,13' background '#ffffff' name ",
                (panels > 1 ? 720 : 540) + 300 * extra);
        gp_quote(f, p->kind->name);
        fputc('\n', f);
        break;
    case PLOT_PNG:
        fprintf(f, "set terminal pngcairo size 1280,%u noenhanced font 'DejaVu Sans,13' background '#ffffff'\n",
                (panels > 1 ? 960 : 720) + 400 * extra);
        break;
    case PLOT_PDF:
        fprintf(f, "set terminal pdfcairo size 18cm,%ucm noenhanced font 'DejaVu Sans,9' background '#ffffff'\n",
                (panels > 1 ? 14 : 10) + 6 * extra);
        break;
    case PLOT_TERM:
        fprintf(f, "set terminal dumb size %u,%u noenhanced\n", p->term_width, p->term_height * (panels > 1 ? panels : 1));
        break;
    }
    if (p->format != PLOT_TERM) {
        char name[300]; /* "./": a name that begins with '|' would be a command */
        snprintf(name, sizeof name, "./%s.%s", p->stem, suffix[p->format]);
        fputs("set output ", f);
        gp_quote(f, name);
        fputc('\n', f);
    }
}

static void title_text(struct plot *p, const char *title, char *out, size_t size)
{
    size_t n = 0;
    n += (size_t)snprintf(out, size, "%s: ", title);
    for (size_t i = 0; i < p->n_runs && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i ? (i + 1 == p->n_runs ? " and " : ", ") : "", p->run[i].name);
}

void gp_begin(struct plot *p, const char *title, unsigned panels)
{
    FILE *f = p->gp;
    char text[1024];
    fprintf(f, "# Written by mmulab plot %s. Run it again in its folder with: gnuplot ", p->kind->name);
    for (const char *c = p->stem; *c; c++)
        fputc((unsigned char)*c < 0x20 ? '?' : *c, f);
    fputs(".gp\nreset\nset encoding utf8\n", f);
    terminal(p, panels);
    fputs("set border 3 linecolor '#404040'\nset tics nomirror textcolor '#202020'\n"
          "set key outside right top vertical Left reverse samplen 2\n"
          "set style fill solid 0.9 noborder\nset xtics autofreq\nset mxtics default\n",
          f);
    if (panels > 1) /* panels above each other share their edges, whatever their labels */
        fprintf(f, "set lmargin at screen %s\nset rmargin at screen 0.80\n"
                   "set key at screen 0.815, graph 1 left top vertical Left reverse samplen 2\n", p->format == PLOT_TERM ? "0.12" : "0.085");
    if (p->format != PLOT_TERM) /* in characters a grid would hide the lines */
        fputs("set grid xtics ytics linecolor '#d8d8d8' linetype 1 linewidth 0.5\n"
              "set style textbox opaque noborder margins 0.4, 0.4\n",
              f);
    title_text(p, title, text, sizeof text);
    if (p->n_runs == 1 && p->run[0].what[0] && p->format != PLOT_TERM) {
        size_t n = strlen(text);
        snprintf(text + n, sizeof text - n, "\n%s", p->run[0].what);
    }
    p->panels = panels;
    /* The title's own newline is written as an escape: the only double-quoted part of a script. */
    char *line2 = strchr(text, '\n');
    if (line2)
        *line2++ = '\0';
    fputs(panels > 1 ? "set multiplot layout " : "set title ", f);
    if (panels > 1)
        fprintf(f, "%u,1 title ", panels);
    gp_quote(f, text);
    if (line2) {
        fputs(" . \"\\n\" . ", f);
        gp_quote(f, line2);
    }
    fputs(" font ',14'\n", f);
}

void gp_panel(struct plot *p, const char *title)
{
    fputs("\nunset label\nunset arrow\nunset logscale\nset xrange [*:*]\nset yrange [*:*]\nunset y2tics\nunset y2label\n"
          "set format '%g'\n", p->gp);
    if (title) {
        fputs("set title ", p->gp);
        gp_quote(p->gp, title);
        fputs(" font ',12' offset 0,-0.5\n", p->gp);
    }
}

void gp_ylabel(struct plot *p, const char *text)
{
    bool term = p->format == PLOT_TERM;
    fputs(term ? "set bmargin 5\nset label " : "set ylabel ", p->gp);
    gp_quote(p->gp, text);
    fputs(term ? " at graph 0.5, graph 0 center offset 0,-3\n" : "\n", p->gp);
}

void gp_end(struct plot *p)
{
    if (p->panels > 1)
        fputs("unset multiplot\n", p->gp);
    fputs("unset output\n", p->gp);
}

unsigned gp_block(struct plot *p, const char *columns)
{
    fprintf(p->dat, "%s# block %u: %s\n", p->blocks ? "\n\n" : "", p->blocks, columns);
    return p->blocks++;
}

void gp_data(struct plot *p, unsigned block)
{
    char name[300];
    snprintf(name, sizeof name, "./%s.dat", p->stem);
    gp_quote(p->gp, name);
    fprintf(p->gp, " index %u", block);
}
