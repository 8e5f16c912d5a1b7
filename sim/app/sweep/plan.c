/* Points of a plan: their configurations, names and identities. */
#include "app/sweep/plan.h"

#include "app/cmd_config.h"
#include "app/code_hash.h"
#include "app/machine_root.h"
#include "app/sweep/group/sharing.h"
#include "app/sweep/must.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <xxhash.h>

void plan_free(struct sweep_plan *p)
{
    for (size_t i = 0; i < p->n_files; i++) {
        free(p->file[i].name);
        free(p->file[i].path);
    }
    for (size_t i = 0; i < p->n_paths; i++)
        free(p->path[i].key);
    sweep_axes_free(&p->axes);
    free(p->file);
    free(p->path);
    free(p->combo);
    free(p->text);
    *p = (struct sweep_plan){0};
}

static size_t value_at(const struct sweep_plan *p, size_t index, size_t axis)
{
    return p->combo[index * p->axes.n + axis];
}

const char *plan_value(const struct sweep_plan *p, size_t index, size_t axis, size_t key)
{
    const struct sweep_axis *x = &p->axes.axis[axis];
    return x->text[value_at(p, index, axis) * x->n_keys + key];
}

/* The file that an axis puts at `key`, -1 if none does. */
static int axis_file(const struct sweep_plan *p, size_t index, const char *key)
{
    for (size_t a = 0; a < p->axes.n; a++) {
        const struct sweep_axis *x = &p->axes.axis[a];
        for (size_t k = 0; k < x->n_keys; k++)
            if (!strcmp(x->key[k], key))
                return x->file[value_at(p, index, a) * x->n_keys + k];
    }
    return -1;
}

static int base_file(const struct sweep_plan *p, const char *key, size_t element)
{
    for (size_t i = 0; i < p->n_paths; i++)
        if (p->path[i].element == element && !strcmp(p->path[i].key, key))
            return (int)p->path[i].file;
    return -1;
}

/* The files of a configuration in the order of its values, then the trace of the axis; -1 ends. */
static int *point_files(const struct sweep_plan *p, size_t index, struct config *c)
{
    int *out = NULL;
    size_t n = 0;
    struct config_path it = {0};
    while (c && config_path_next(c, &it)) {
        int f = axis_file(p, index, it.key);
        f = f < 0 ? base_file(p, it.key, it.element) : f;
        if (f < 0)
            continue;
        *it.at = p->file[f].path;
        out = must_grow(out, n, sizeof *out);
        out[n++] = f;
    }
    int f = axis_file(p, index, "trace");
    if (f >= 0) {
        out = must_grow(out, n, sizeof *out);
        out[n++] = f;
    }
    out = must_grow(out, n, sizeof *out);
    out[n] = -1;
    return out;
}

static struct config *load(const struct sweep_plan *p, size_t index, char **reason)
{
    const char **set = must_alloc(SWEEP_VALUES_MAX, sizeof *set), *preset = NULL;
    char *pool = NULL;
    size_t len = 0, n = 0;
    FILE *f = must(open_memstream(&pool, &len));
    for (size_t a = 0; a < p->axes.n; a++) {
        const struct sweep_axis *x = &p->axes.axis[a];
        if (x->kind == AXIS_PRESET)
            preset = plan_value(p, index, a, 0);
        for (size_t k = 0; (x->kind == AXIS_KEYS || x->kind == AXIS_SEED) && k < x->n_keys; k++, n++)
            fprintf(f, "%s=%s%c", x->key[k], plan_value(p, index, a, k), 0);
    }
    char *at = must_text(f, &pool);
    for (size_t i = 0; i < n && i < SWEEP_VALUES_MAX; i++, at += strlen(at) + 1)
        set[i] = at;
    struct config_request req = {.path = "sweep.json", .text = p->text, .text_len = p->len, .set = set, .n_set = n,
                                 .set_origin = "sweep", .preset = preset, .frozen = true};
    struct diag *d = diag_new();
    struct config *c = NULL;
    struct err err;
    if (config_load(&c, machine_config_schema(), &req, d) < 0) {
        diag_to_err(d, &err);
        *reason = must_dup(err.message);
    }
    diag_free(d);
    free(pool);
    free(set);
    return c;
}

/* What makes a point itself: the same text, the same result. */
static void identify(const struct sweep_plan *p, struct sweep_point *pt, const int *file)
{
    char *text = NULL, *canonical = pt->config ? must(config_canonical(pt->config)) : plan_point_label(p, pt->index);
    size_t len = 0;
    FILE *f = must(open_memstream(&text, &len));
    fprintf(f, "mmulab %s %s\nseed %" PRIu64 "\n%s\n%s\n", MMULAB_VERSION, code_hash, pt->seed, pt->config ? "" : p->config_hash, canonical);
    for (; *file >= 0; file++) {
        int beside = p->file[*file].beside;
        fprintf(f, "%s\n", p->file[*file].hash);
        if (beside >= 0)
            fprintf(f, "beside %s\n", p->file[beside].hash);
    }
    must_text(f, &text);
    XXH128_hash_t h = XXH3_128bits(text, len);
    snprintf(pt->name, sizeof pt->name, "%04zu-%016" PRIx64, pt->index, (uint64_t)h.high64);
    free(text);
    free(canonical);
}

/* "a.mtr+b.mtr", and the hashes likewise. */
static void name_trace(const struct sweep_plan *p, const char *path, FILE *name, FILE *hash)
{
    for (size_t k = 0; k < p->n_files; k++)
        if (!strcmp(p->file[k].path, path)) {
            fprintf(name, "%s%s", ftell(name) > 0 ? "+" : "", p->file[k].name);
            fprintf(hash, "%s%s", ftell(hash) > 0 ? "+" : "", p->file[k].hash);
            return;
        }
}

/* Of a point without configuration. */
static uint64_t seed_of(const struct sweep_plan *p, size_t index)
{
    for (size_t a = 0; a < p->axes.n; a++)
        for (size_t k = 0; k < p->axes.axis[a].n_keys; k++)
            if (!strcmp(p->axes.axis[a].key[k], "sim.seed"))
                return strtoull(plan_value(p, index, a, k), NULL, 10);
    return p->seed;
}

void plan_point(const struct sweep_plan *p, size_t index, struct sweep_point *out)
{
    *out = (struct sweep_point){.index = index};
    out->config = load(p, index, &out->reason);
    int *file = point_files(p, index, out->config), trace = axis_file(p, index, "trace");
    size_t len = 0, hash_len = 0;
    FILE *f = must(open_memstream(&out->trace, &len)), *h = must(open_memstream(&out->trace_hash, &hash_len));
    if (out->config) {
        config_hash(out->config, out->config_hash);
        const struct machine_root *root = config_root(out->config);
        out->seed = root->m.sim.seed;
        const struct workload_process *w = root->workload.processes.o;
        for (size_t i = 0; i < root->workload.processes.n; i++)
            name_trace(p, w[i].trace, f, h);
        if (root->workload.kernel.events && *root->workload.kernel.events)
            name_trace(p, root->workload.kernel.events, f, h);
    } else {
        out->seed = seed_of(p, index);
    }
    if (trace >= 0) {
        bool more = ftell(f) > 0;
        fprintf(f, "%s%s", more ? "+" : "", p->file[trace].name);
        fprintf(h, "%s%s", more ? "+" : "", p->file[trace].hash);
        out->trace_path = p->file[trace].path;
    }
    must_text(f, &out->trace);
    must_text(h, &out->trace_hash);
    identify(p, out, file);
    free(file);
    struct sharing s = sharing_of(p, out);
    out->group = s.group;
    out->decoded = s.decoded;
}

void plan_point_free(struct sweep_point *pt)
{
    config_free(pt->config);
    free(pt->trace);
    free(pt->trace_hash);
    free(pt->reason);
}

struct sweep_point *plan_points(const struct sweep_plan *p)
{
    struct sweep_point *point = must_alloc(p->n, sizeof *point);
    for (size_t i = 0; i < p->n; i++) {
        plan_point(p, i, &point[i]);
        config_free(point[i].config);
        point[i].config = NULL;
    }
    return point;
}

void plan_points_free(const struct sweep_plan *p, struct sweep_point *point)
{
    for (size_t i = 0; point && i < p->n; i++)
        plan_point_free(&point[i]);
    free(point);
}

char *plan_point_label(const struct sweep_plan *p, size_t index)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = must(open_memstream(&text, &len));
    const char *space = "";
    for (size_t a = 0; a < p->axes.n; a++)
        for (size_t k = 0; k < p->axes.axis[a].n_keys; k++, space = " ")
            fprintf(f, "%s%s=%s", space, p->axes.axis[a].key[k], plan_value(p, index, a, k));
    return must_text(f, &text);
}

static int check_file(const struct sweep_file *s, struct err *err)
{
    uint64_t size = 0, mtime_ns = 0;
    struct stat st;
    if (s->group) {
        plan_group(s->path, NULL, &size, &mtime_ns);
    } else if (stat(s->path, &st)) {
        return err_set(err, ERR_RUN, "%s: %s", s->name, strerror(errno));
    } else {
        size = (uint64_t)st.st_size;
        mtime_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
    }
    if (size == s->size && mtime_ns == s->mtime_ns)
        return 0;
    err_set(err, ERR_RUN, "%s was changed after the sweep was planned", s->name);
    return err_remedy(err, "run mmulab sweep again");
}

int plan_check_files(const struct sweep_plan *p, const struct sweep_point *pt, struct err *err)
{
    int *file = point_files(p, pt->index, pt->config), rc = 0;
    for (const int *f = file; *f >= 0 && !rc; f++) {
        rc = check_file(&p->file[*f], err);
        if (rc == 0 && p->file[*f].beside >= 0)
            rc = check_file(&p->file[p->file[*f].beside], err);
    }
    free(file);
    return rc;
}

bool plan_shares_warm_up(const struct sweep_plan *p)
{
    for (size_t i = 0; i < p->axes.n; i++) {
        const struct sweep_axis *x = &p->axes.axis[i];
        bool all = x->kind == AXIS_KEYS && x->n_values > 1;
        for (size_t k = 0; all && k < x->n_keys; k++) {
            const struct param *of = config_param(machine_config_schema(), x->key[k]);
            all = of && (of->flags & PARAM_NOT_WARM);
        }
        if (all)
            return true;
    }
    return false;
}

bool plan_shares_decoding(const struct sweep_plan *p)
{
    enum { POINTS_A_TRACE = 4 }; /* writing the native form takes as long as reading two or three times */
    return p->n >= POINTS_A_TRACE * (p->n_files ? p->n_files : 1);
}
