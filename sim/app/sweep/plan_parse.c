/* sweep.json and host.json read back. Whatever the texts hold, the plan is whole or there is an error. */
#include "app/code_hash.h"
#include "app/sweep/must.h"
#include "app/sweep/plan.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <xxhash.h>

static const cJSON *member(const cJSON *o, const char *key) { return cJSON_GetObjectItemCaseSensitive(o, key); }

static const char *text_of(const cJSON *o, const char *key)
{
    const cJSON *m = member(o, key);
    return cJSON_IsString(m) ? m->valuestring : NULL;
}

static bool whole_number(const cJSON *n, long limit, long *out)
{
    if (!cJSON_IsNumber(n) || !(n->valuedouble >= -1 && n->valuedouble < (double)limit) ||
        n->valuedouble != floor(n->valuedouble))
        return false;
    *out = (long)n->valuedouble;
    return true;
}

static bool parse_axis(struct sweep_axis *x, const cJSON *o, size_t n_files)
{
    static const char *const kinds[] = AXIS_KINDS;
    const char *kind = text_of(o, "kind");
    const cJSON *keys = member(o, "keys"), *values = member(o, "values"), *files = member(o, "files"), *e;
    int n_keys = cJSON_GetArraySize(keys), n = cJSON_GetArraySize(values), i = 0;
    while (kind && kinds[i] && strcmp(kinds[i], kind) != 0)
        i++;
    if (!kind || !kinds[i] || n_keys < 1 || n_keys > SWEEP_VALUES_MAX || n < 1 || n % n_keys ||
        n / n_keys > SWEEP_VALUES_MAX || (files && cJSON_GetArraySize(files) != n) || (i != AXIS_KEYS && n_keys > 1))
        return false;
    *x = (struct sweep_axis){.kind = (enum axis_kind)i, .n_keys = (size_t)n_keys, .n_values = (size_t)(n / n_keys)};
    x->key = must_alloc(x->n_keys, sizeof *x->key);
    x->text = must_alloc((size_t)n, sizeof *x->text);
    x->path = must_alloc((size_t)n, sizeof *x->path);
    x->file = must_alloc((size_t)n, sizeof *x->file);
    bool ok = true;
    i = 0;
    cJSON_ArrayForEach(e, keys)
    {
        ok = ok && cJSON_IsString(e);
        x->key[i++] = must_dup(cJSON_IsString(e) ? e->valuestring : "");
    }
    i = 0;
    cJSON_ArrayForEach(e, values)
    {
        ok = ok && cJSON_IsString(e);
        x->file[i] = -1;
        x->text[i++] = must_dup(cJSON_IsString(e) ? e->valuestring : "");
    }
    i = 0;
    cJSON_ArrayForEach(e, files)
    {
        long f = -1;
        ok = ok && whole_number(e, (long)n_files, &f);
        x->file[i++] = (int)f;
    }
    return ok && (x->kind != AXIS_TRACE || files);
}

static bool parse_exclude(struct sweep_exclude *x, const cJSON *o, const struct sweep_axes *a)
{
    const cJSON *m, *v;
    *x = (struct sweep_exclude){.match = must_alloc((size_t)cJSON_GetArraySize(o), sizeof *x->match)};
    cJSON_ArrayForEach(m, o)
    {
        char *end;
        unsigned long axis = m->string ? strtoul(m->string, &end, 10) : ULONG_MAX;
        if (axis >= a->n || *end)
            return false;
        struct sweep_match *match = &x->match[x->n++];
        *match = (struct sweep_match){axis, must_alloc(a->axis[axis].n_values, 1)};
        cJSON_ArrayForEach(v, m)
        {
            long value;
            if (!whole_number(v, (long)a->axis[axis].n_values, &value) || value < 0)
                return false;
            match->hit[value] = 1;
        }
    }
    return x->n > 0;
}

static bool parse_files(struct sweep_plan *p, const cJSON *files, const cJSON *places)
{
    const cJSON *e, *place = places ? places->child : NULL;
    int n = cJSON_GetArraySize(files);
    if (cJSON_GetArraySize(files) != cJSON_GetArraySize(places))
        return false;
    p->file = must_alloc((size_t)n, sizeof *p->file);
    cJSON_ArrayForEach(e, files)
    {
        const char *name = text_of(e, "name"), *hash = text_of(e, "hash"), *path = text_of(place, "path"),
                   *size = text_of(place, "size"), *mtime = text_of(place, "mtime_ns");
        if (!place || !name || !hash || strlen(hash) >= sizeof p->file->hash || !path || !size || !mtime)
            return false;
        struct sweep_file *s = &p->file[p->n_files++];
        *s = (struct sweep_file){.name = must_dup(name), .path = must_dup(path), .size = strtoull(size, NULL, 10),
                                 .mtime_ns = strtoull(mtime, NULL, 10), .group = cJSON_IsTrue(member(e, "group")), .beside = -1};
        memcpy(s->hash, hash, strlen(hash) + 1);
        long beside = -1;
        if (member(e, "beside") && (!whole_number(member(e, "beside"), n, &beside) || beside < 0))
            return false;
        s->beside = member(e, "beside") ? (int)beside : -1;
        place = place->next;
    }
    return true;
}

static bool parse_sweep(struct sweep_plan *p, const cJSON *o, const cJSON *host)
{
    const cJSON *axes = member(o, "axes"), *exclude = member(o, "exclude"), *paths = member(o, "paths"), *e;
    struct sweep_axes *a = &p->axes;
    if (!parse_files(p, member(o, "files"), member(host, "files")) || cJSON_GetArraySize(axes) > SWEEP_AXES_MAX)
        return false;
    a->axis = must_alloc((size_t)cJSON_GetArraySize(axes), sizeof *a->axis);
    cJSON_ArrayForEach(e, axes)
    {
        a->n++;
        if (!parse_axis(&a->axis[a->n - 1], e, p->n_files))
            return false;
    }
    a->exclude = must_alloc((size_t)cJSON_GetArraySize(exclude), sizeof *a->exclude);
    cJSON_ArrayForEach(e, exclude)
    {
        a->n_exclude++;
        if (!parse_exclude(&a->exclude[a->n_exclude - 1], e, a))
            return false;
    }
    p->path = must_alloc((size_t)cJSON_GetArraySize(paths), sizeof *p->path);
    cJSON_ArrayForEach(e, paths)
    {
        const char *key = text_of(e, "key");
        long element, file;
        if (!key || !whole_number(member(e, "element"), CONFIG_NODES_MAX, &element) || element < 0 ||
            !whole_number(member(e, "file"), (long)p->n_files, &file) || file < 0)
            return false;
        p->path[p->n_paths++] = (struct sweep_base_path){must_dup(key), (size_t)element, (size_t)file};
    }
    return true;
}

int plan_parse(struct sweep_plan *out, const char *text, const char *host, const char *name, struct err *err)
{
    *out = (struct sweep_plan){.text = must_dup(text), .len = strlen(text)};
    cJSON *o = cJSON_ParseWithLength(text, out->len), *h = cJSON_ParseWithLength(host, strlen(host));
    const cJSON *sweep = member(o, "sweep");
    const char *version = text_of(sweep, "version"), *code = text_of(sweep, "code"), *seed = text_of(sweep, "seed"), *digest = text_of(h, "plan"), *base = text_of(o, "config_hash");
    char want[20];
    int rc = 0;
    snprintf(want, sizeof want, "%016" PRIx64, (uint64_t)XXH3_64bits(text, out->len));
    if (!version || !base) {
        err_set(err, ERR_RUN, "%.400s: this is no plan of a sweep", name);
        rc = err_remedy(err, "mmulab sweep CONFIG -o DIR plans it anew and keeps the points that are there");
    } else if (strcmp(version, MMULAB_VERSION) != 0) {
        err_set(err, ERR_RUN, "%.400s was planned by version %.40s; this is %s", name, version, MMULAB_VERSION);
        rc = err_remedy(err, "mmulab sweep plans it anew");
    } else if (code && strcmp(code, code_hash) != 0) {
        err_set(err, ERR_RUN, "%.400s was planned by other code (%.40s) than this program's (%s)", name, code, code_hash);
        rc = err_remedy(err, "mmulab sweep plans it anew; or use the program that planned it");
    } else if (!digest || strcmp(digest, want) != 0) {
        err_set(err, ERR_RUN, "%.400s: host.json is missing or of another plan", name);
        rc = err_remedy(err, "mmulab sweep writes it anew");
    } else if (!parse_sweep(out, sweep, h)) {
        rc = err_set(err, ERR_RUN, "%.400s: this is no whole plan of a sweep", name);
    } else {
        snprintf(out->config_hash, sizeof out->config_hash, "%s", base);
        out->seed = seed ? strtoull(seed, NULL, 10) : 0;
        out->n = sweep_axes_combine(&out->axes, &out->combo);
        if (out->n == SIZE_MAX) {
            out->n = 0;
            rc = err_set(err, ERR_USAGE, "the axes have more than %d combinations", SWEEP_POINTS_MAX);
        }
    }
    cJSON_Delete(o);
    cJSON_Delete(h);
    if (rc < 0)
        plan_free(out);
    return rc;
}
