#include "app/plot/sweep/view.h"

#include "app/sweep/must.h"

#include <inttypes.h>
#include <math.h>

/* ---- which points ---- */

static int filter(struct sweep_view *v, const struct plot *p, struct err *err)
{
    v->in = sweepdb_where(&v->db, p->where, p->n_where, err);
    return v->in ? 0 : -1;
}

/* ---- which axes ---- */

static size_t values_left(const struct sweep_view *v, size_t axis)
{
    bool *seen = must_alloc(v->db.axis[axis].n, sizeof *seen);
    size_t n = 0;
    for (size_t i = 0; i < v->db.n_points; i++)
        if (v->in[i] && !seen[v->db.point[i].at[axis]]) {
            seen[v->db.point[i].at[axis]] = true;
            n++;
        }
    free(seen);
    return n;
}

/* The number of the cell of a point among the slots that are filled. */
static size_t cell_of(const struct sweep_view *v, const struct sweepdb_point *p)
{
    size_t at = 0;
    for (int s = N_VIEW_SLOTS; s-- > 0;)
        if (v->slot[s].axis >= 0)
            at = at * v->db.axis[v->slot[s].axis].n + p->at[v->slot[s].axis];
    return at;
}

/* Do points that share a cell differ in this axis? Zipped keys of a chosen one do not. */
static bool still_varies(const struct sweep_view *v, size_t axis)
{
    size_t cells = 1;
    for (int s = 0; s < N_VIEW_SLOTS; s++)
        if (v->slot[s].axis >= 0)
            cells *= v->db.axis[v->slot[s].axis].n;
    uint32_t *first = must_alloc(cells, sizeof *first);
    bool varies = false;
    for (size_t i = 0; i < v->db.n_points && !varies; i++) {
        const struct sweepdb_point *p = &v->db.point[i];
        uint32_t *f = &first[cell_of(v, p)];
        if (!v->in[i])
            continue;
        varies = *f && *f != p->at[axis] + 1;
        *f = p->at[axis] + 1;
    }
    free(first);
    return varies;
}

/* The first axis that still varies and is numeric, is a name, or either. -1 if there is none. */
enum like { NUMBERS, NAMES, ANY };
static int pick(const struct sweep_view *v, enum like like)
{
    for (size_t a = 0; a < v->db.n_axes; a++)
        if ((like == ANY || v->db.axis[a].numeric == (like == NUMBERS)) && still_varies(v, a))
            return (int)a;
    return -1;
}

static int pick_x(const struct sweep_view *v, enum view_want want)
{
    int a = pick(v, want == VIEW_BARS ? NAMES : NUMBERS);
    if (a < 0 && want != VIEW_LINES)
        a = pick(v, ANY);
    for (size_t k = 0; a < 0 && k < v->db.n_axes; k++) /* nothing varies: a single point */
        if (v->db.axis[k].numeric || want != VIEW_LINES)
            a = (int)k;
    return a;
}

static int fill_slot(struct sweep_view *v, enum view_slot s, const char *word, enum view_want want, struct err *err)
{
    int a = -1;
    if (word) {
        if ((a = sweepdb_axis(&v->db, word, err)) < 0)
            return -1;
        for (int k = 0; k < N_VIEW_SLOTS; k++)
            if (v->slot[k].axis == a) {
                err_set(err, ERR_USAGE, "%.200s is asked for twice", v->db.axis[a].key);
                return err_remedy(err, "name different axes with --x, --by and --panel");
            }
    } else if (s == VIEW_X) {
        a = pick_x(v, want);
    } else {
        if (s == VIEW_BY && want == VIEW_HEATMAP)
            a = pick(v, NUMBERS);
        a = a < 0 ? pick(v, ANY) : a;
    }
    v->slot[s].axis = a;
    return 0;
}

static int too_many(const struct sweep_view *v, struct err *err)
{
    for (size_t a = 0; a < v->db.n_axes; a++) {
        if (!still_varies(v, a))
            continue;
        char all[300] = "";
        bool *seen = must_alloc(v->db.axis[a].n, sizeof *seen);
        for (size_t i = 0; i < v->db.n_points; i++)
            seen[v->db.point[i].at[a]] |= v->in[i];
        for (size_t i = 0; i < v->db.axis[a].n; i++) {
            size_t len = strlen(all);
            if (seen[i])
                snprintf(all + len, sizeof all - len, "%s%.60s", len ? ", " : "", v->db.axis[a].value[i].text);
        }
        free(seen);
        const char *key = v->db.axis[a].key;
        err_set(err, ERR_USAGE, "the points differ in %.200s, too, which has no place in the picture", key);
        return err_remedy(err, "choose with --where %.100s=VALUE (%s), or place it with --x, --by or --panel", key, all);
    }
    return 0;
}

static int fill_slots(struct sweep_view *v, const struct plot *p, enum view_want want, struct err *err)
{
    const char *word[N_VIEW_SLOTS] = {p->x_name, p->by, p->panel};
    for (int s = 0; s < N_VIEW_SLOTS; s++)
        v->slot[s].axis = -1;
    for (int pass = 0; pass < 2; pass++) /* first what the user names */
        for (int s = 0; s < N_VIEW_SLOTS; s++)
            if ((word[s] != NULL) == (pass == 0) && fill_slot(v, (enum view_slot)s, word[s], want, err) < 0)
                return -1;
    int x = v->slot[VIEW_X].axis;
    if (want == VIEW_LINES && (x < 0 || !v->db.axis[x].numeric)) {
        err_set(err, ERR_USAGE, x < 0 ? "no axis of the sweep has numbers" : "the values of %.200s are names, not numbers",
                x < 0 ? "" : v->db.axis[x].key);
        return err_remedy(err, "sweep_bars draws names");
    }
    if (too_many(v, err) < 0)
        return -1;
    for (int s = 0; s < N_VIEW_SLOTS; s++) {
        struct view_axis *x_ = &v->slot[s];
        x_->n = 1;
        if (x_->axis < 0)
            continue;
        size_t axis = (size_t)x_->axis, n = values_left(v, axis), k = 0;
        x_->value = must_alloc(n, sizeof *x_->value);
        for (size_t i = 0; i < v->db.axis[axis].n; i++)
            for (size_t j = 0; j < v->db.n_points; j++)
                if (v->in[j] && v->db.point[j].at[axis] == i) {
                    x_->value[k++] = &v->db.axis[axis].value[i];
                    break;
                }
        x_->n = n;
    }
    if (v->slot[VIEW_PANEL].n > VIEW_PANELS_MAX) {
        err_set(err, ERR_USAGE, "%zu values of %.200s are too many for panels", v->slot[VIEW_PANEL].n, view_key(v, VIEW_PANEL));
        return err_remedy(err, "choose up to %d with --where %.100s=VALUE", VIEW_PANELS_MAX, view_key(v, VIEW_PANEL));
    }
    return 0;
}

/* ---- values ---- */

/* What most people would ask of such a sweep. */
static const char *default_statistic(const struct sweep_view *v, const char **per)
{
    static const struct { const char *key, *stat, *per; } t[] = {
        {"mmu.stlb.", "cpu*.stlb.misses", "sim.references"}, {"mmu.dtlb.", "cpu*.dtlb.misses", "sim.references"},
        {"mmu.itlb.", "cpu*.itlb.misses", "sim.references"}, {"mmu.pwc.", "cpu*.walker.pte_reads", "sim.references"},
        {"cache.l1d.", "cpu*.l1d.misses", "sim.references"}, {"cache.l1i.", "cpu*.l1i.misses", "sim.references"},
        {"cache.l2.", "cpu*.l2.misses", "sim.references"},   {"cache.llc.", "llc.misses", "sim.references"},
        {"vm.page_size", "cpu*.walker.walks", "sim.references"},
    };
    for (int s = 0; s < N_VIEW_SLOTS; s++)
        for (size_t i = 0; i < ARRAY_LEN(t); i++)
            if (!strncmp(view_key(v, (enum view_slot)s), t[i].key, strlen(t[i].key)) && sweepdb_has(&v->db, t[i].stat)) {
                *per = t[i].per;
                return t[i].stat;
            }
    double *cycles = sweepdb_statistic(&v->db, "sim.cycles", NULL);
    bool timed = false;
    for (size_t i = 0; cycles && i < v->db.n_points; i++)
        timed |= cycles[i] > 0;
    free(cycles);
    *per = timed ? NULL : "sim.references";
    return timed ? "sim.cycles" : "cpu*.walker.walks";
}

static void label(struct sweep_view *v, const char *stat, const char *per)
{
    static const struct { double from, scale; const char *unit; } t[] = {
        {2e9, 1e-9, "thousand millions"}, {2e6, 1e-6, "millions"}, {2e4, 1e-3, "thousands"}, {0, 1, ""}};
    size_t u = 0;
    while (u < 3 && (per || v->max < t[u].from))
        u++;
    v->scale = t[u].scale;
    const char *of = !per ? "" : !strcmp(per, "sim.references") ? "references" : !strcmp(per, "sim.instructions") ? "instructions" : per;
    snprintf(v->title, sizeof v->title, "%.100s%s%.100s", stat, per ? " per 1,000 " : "", of);
    snprintf(v->label, sizeof v->label, *t[u].unit ? "%.180s (%s)" : "%.180s", v->title, t[u].unit);
}

static int fill_cells(struct sweep_view *v, const struct plot *p, enum view_want want, size_t *bare, struct err *err)
{
    const char *usual = NULL, *stat = p->stat ? p->stat : default_statistic(v, &usual), *per = p->per ? p->per : usual;
    double *top = sweepdb_statistic(&v->db, stat, err), *base = NULL;
    if (!top || (per && !(base = sweepdb_statistic(&v->db, per, err)))) {
        free(top);
        return -1;
    }
    v->cell = must_alloc(v->slot[VIEW_PANEL].n * v->slot[VIEW_BY].n * v->slot[VIEW_X].n, sizeof *v->cell);
    size_t drawn = 0;
    for (size_t i = 0; i < v->db.n_points; i++) {
        size_t at[N_VIEW_SLOTS] = {0};
        if (!v->in[i])
            continue;
        for (int s = 0; s < N_VIEW_SLOTS; s++)
            for (size_t k = 0; v->slot[s].axis >= 0 && k < v->slot[s].n; k++)
                if (v->slot[s].value[k] == &v->db.axis[v->slot[s].axis].value[v->db.point[i].at[v->slot[s].axis]])
                    at[s] = k;
        struct view_cell *c = view_cell(v, at[VIEW_PANEL], at[VIEW_BY], at[VIEW_X]);
        double y = base ? top[i] / base[i] * 1000 : top[i];
        c->planned = true;
        if (!isfinite(y)) {
            *bare += v->db.point[i].ok;
            continue;
        }
        sample_add(&c->s, y);
        drawn++;
    }
    free(top);
    free(base);
    if (!drawn) {
        err_set(err, ERR_USAGE, "none of the points chosen has \"%.200s\"%s%.100s", stat, per ? " and " : "", per ? per : "");
        err_remedy(err, "mmulab status DIR tells which points are complete");
        return err_at(err, v->db.path, 0, 0);
    }
    v->least = INFINITY;
    for (size_t i = 0; i < v->slot[VIEW_PANEL].n * v->slot[VIEW_BY].n * v->slot[VIEW_X].n; i++) {
        const struct sample *s = &v->cell[i].s;
        double y = !s->n ? 0 : want == VIEW_HEATMAP ? s->mean : s->mean + sample_interval(s);
        v->max = y > v->max ? y : v->max;
        v->least = s->n && s->mean > 0 && s->mean < v->least ? s->mean : v->least;
        v->intervals |= s->n > 1 && want != VIEW_HEATMAP;
    }
    label(v, stat, per);
    return 0;
}

/* ---- what is told beside the picture ---- */

static void tell(const struct sweep_view *v, struct plot *p, enum view_want want, size_t bare)
{
    size_t n = 0, lack = 0, first = SIZE_MAX, seeds = 0;
    char *out = p->run[0].what;
    size_t size = sizeof p->run[0].what, len;
    for (size_t i = 0; i < v->db.n_points; i++) {
        n += v->in[i];
        if (v->in[i] && !v->db.point[i].ok) {
            lack++;
            first = first == SIZE_MAX ? i : first;
        }
    }
    for (size_t i = 0; i < v->slot[VIEW_PANEL].n * v->slot[VIEW_BY].n * v->slot[VIEW_X].n; i++)
        seeds = v->cell[i].s.n > seeds ? v->cell[i].s.n : seeds;
    len = (size_t)snprintf(out, size, "%zu points", n);
    if (lack + bare && len < size)
        len += (size_t)snprintf(out + len, size - len, ", %zu of them without a value", lack + bare);
    if (seeds > 1 && len < size)
        len += (size_t)snprintf(out + len, size - len, v->intervals ? ", means of %zu seeds with 95 %% intervals" : ", means of %zu seeds",
                                seeds);
    for (size_t a = 0; a < v->db.n_axes && len < size; a++) { /* what --where or the sweep holds still */
        const struct sweepdb_axis *x = &v->db.axis[a];
        bool placed = false;
        for (int s = 0; s < N_VIEW_SLOTS; s++)
            placed |= v->slot[s].axis == (int)a;
        if (placed || values_left(v, a) != 1)
            continue;
        for (size_t i = 0; i < v->db.n_points; i++)
            if (v->in[i]) {
                if (*x->value[v->db.point[i].at[a]].text)
                    len += (size_t)snprintf(out + len, size - len, ", %s %s", x->key, x->value[v->db.point[i].at[a]].text);
                break;
            }
    }
    if (lack) {
        char where[300];
        sweepdb_point_text(&v->db, &v->db.point[first], where, sizeof where);
        fprintf(stderr, "mmulab plot: note: %zu of %zu points have no result and are left out; the first is %s, %s%s%s\n", lack, n,
                where, v->db.point[first].status, *v->db.point[first].reason ? ": " : "", v->db.point[first].reason);
    }
    size_t zero = 0;
    for (size_t i = 0; i < v->slot[VIEW_PANEL].n * v->slot[VIEW_BY].n * v->slot[VIEW_X].n; i++)
        zero += v->cell[i].s.n && !(v->cell[i].s.mean > 0);
    if (zero && p->log_y && want == VIEW_LINES) {
        fprintf(stderr, "mmulab plot: note: %zu values are 0, which a logarithmic axis does not show\n", zero);
        if (len < size)
            snprintf(out + len, size - len, ", %zu values of 0 not shown", zero);
    }
    if (bare)
        fprintf(stderr, "mmulab plot: note: %zu of %zu points have no such statistic and are left out\n", bare, n);
}

int view_open(struct sweep_view *v, struct plot *p, enum view_want want, struct err *err)
{
    *v = (struct sweep_view){0};
    size_t bare = 0;
    if (p->n_runs != 1) {
        err_set(err, ERR_USAGE, "one sweep makes one picture");
        return err_remedy(err, "mmulab diff compares two sweeps");
    }
    if (sweepdb_open(&v->db, p->run[0].dir, err) < 0 || filter(v, p, err) < 0 || fill_slots(v, p, want, err) < 0 ||
        fill_cells(v, p, want, &bare, err) < 0) {
        view_close(v);
        return -1;
    }
    tell(v, p, want, bare);
    return 0;
}

void view_close(struct sweep_view *v)
{
    for (int s = 0; s < N_VIEW_SLOTS; s++)
        free(v->slot[s].value);
    free(v->cell);
    free(v->in);
    sweepdb_close(&v->db);
}

/* ---- names ---- */

const char *view_key(const struct sweep_view *v, enum view_slot s)
{
    return v->slot[s].axis < 0 ? "" : v->db.axis[v->slot[s].axis].key;
}

bool view_numeric(const struct sweep_view *v, enum view_slot s)
{
    return v->slot[s].axis >= 0 && v->db.axis[v->slot[s].axis].numeric;
}

void view_value(const struct sweep_view *v, enum view_slot s, size_t i, char *out, size_t size)
{
    const char *t = v->slot[s].axis < 0 ? "" : v->slot[s].value[i]->text;
    size_t digits = strspn(t, "0123456789."), len = strlen(t);
    if (view_numeric(v, s) && digits && digits < len && t[digits] != 'e')
        snprintf(out, size, "%.*s %s", (int)digits, t, t + digits);
    else if (len > 4 && v->slot[s].axis + 1 == (int)v->db.n_axes && !strcmp(t + len - 4, ".mtr"))
        snprintf(out, size, "%.*s", (int)(len - 4), t);
    else
        snprintf(out, size, "%s", t);
}

void view_panel(const struct sweep_view *v, struct plot *p, size_t panel)
{
    char value[200], text[420];
    if (v->slot[VIEW_PANEL].n < 2)
        return;
    view_value(v, VIEW_PANEL, panel, value, sizeof value);
    snprintf(text, sizeof text, "%s %s", view_key(v, VIEW_PANEL), value);
    gp_panel(p, text);
}

void view_key_title(const struct sweep_view *v, struct plot *p)
{
    const char *key = view_key(v, VIEW_BY), *dot = key + strlen(key);
    unsigned parts = 0;
    if (v->slot[VIEW_BY].n < 2) {
        fputs("unset key\n", p->gp);
        return;
    }
    while (dot > key && (dot[-1] != '.' || parts++ < 1)) /* "stlb.entries" */
        dot--;
    const char *last = strrchr(dot, '.');
    if (last && strlen(dot) > 18) /* the key has little room */
        dot = last + 1;
    fputs("set key title ", p->gp);
    gp_label(p->gp, dot);
    fputs(p->format == PLOT_TERM ? "\n" : " left\n", p->gp);
}

void view_colour(const struct sweep_view *v, size_t by, char out[8])
{
    if (view_numeric(v, VIEW_BY) && v->slot[VIEW_BY].n > 3)
        gp_viridis(out, by, v->slot[VIEW_BY].n);
    else
        snprintf(out, 8, "%s", gp_colour(by));
}

bool view_empty(const struct sweep_view *v, size_t panel, size_t by)
{
    for (size_t i = 0; i < v->slot[VIEW_X].n; i++)
        if (view_cell(v, panel, by, i)->s.n)
            return false;
    return true;
}
