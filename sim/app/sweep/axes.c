#include "app/sweep/axes.h"

#include "app/sweep/must.h"
#include "config/text.h"
#include "config/units.h"

#include <inttypes.h>

enum { SEEDS_MAX = 10000 };

struct reader {
    struct sweep_axes *out;
    const struct config *c;
    const struct config_schema *schema;
    struct diag *d;
    bool other_traces; /* the command line's instead of the section's */
};

static struct sweep_axis *add_axis(struct reader *r, enum axis_kind kind, size_t n_keys)
{
    struct sweep_axes *a = r->out;
    a->axis = must_grow(a->axis, a->n, sizeof *a->axis);
    struct sweep_axis *x = &a->axis[a->n++];
    *x = (struct sweep_axis){.kind = kind, .n_keys = n_keys, .key = must_alloc(n_keys, sizeof *x->key)};
    return x;
}

/* Room for the values, once their number is known. */
static void set_values(struct sweep_axis *x, size_t n)
{
    x->n_values = n;
    x->text = must_alloc(n * x->n_keys, sizeof *x->text);
    x->path = must_alloc(n * x->n_keys, sizeof *x->path);
}

static const struct sweep_axis *axis_of(const struct sweep_axes *a, const char *key, size_t *axis, size_t *k)
{
    for (size_t i = 0; i < a->n; i++)
        for (size_t j = 0; j < a->axis[i].n_keys; j++)
            if (a->axis[i].key[j] && !strcmp(a->axis[i].key[j], key)) {
                *axis = i;
                *k = j;
                return &a->axis[i];
            }
    return NULL;
}

/* ---- the values of one key ---- */

static char *preset_value(struct reader *r, const struct config_node *n)
{
    size_t count;
    const struct config_preset *p = config_schema_presets(r->schema, &count);
    if (n->type != CONFIG_STRING || n->text[0] != '@') {
        diag_error(r->d, n->at, NULL, "preset: expected \"@name\"; see mmulab config presets");
        return NULL;
    }
    const char *best = NULL;
    size_t near = text_near(n->text + 1) + 1;
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(p[i].name, n->text + 1))
            return must_dup(n->text);
        size_t far = text_distance(n->text + 1, p[i].name, near - 1);
        if (far < near) {
            near = far;
            best = p[i].name;
        }
    }
    char hint[80] = "see mmulab config presets", word[TEXT_WORD];
    if (best)
        snprintf(hint, sizeof hint, "did you mean \"@%.40s\"?", best);
    diag_error(r->d, n->at, hint, "unknown preset \"%s\"", text_word(word, n->text, strlen(n->text)));
    return NULL;
}

static char *one_value(struct reader *r, const char *key, const struct config_node *list, const struct config_node *n,
                       char **path)
{
    if (!strcmp(key, "preset"))
        return preset_value(r, n);
    char *text = config_normal_value(r->schema, key, list->key_at, n, r->d);
    const struct param *p = config_param(r->schema, key);
    if (text && p && p->type == P_PATH && n->type == CONFIG_STRING && !(*path = config_node_path(r->c, n, r->d))) {
        free(text);
        return NULL;
    }
    return text;
}

/* Fills column `k` of the axis from a list or a range; every value is checked, so all errors come at once. */
static void key_values(struct reader *r, size_t axis, size_t k, const struct config_node *n)
{
    struct sweep_axis *x = &r->out->axis[axis];
    char **text = NULL, **path = NULL, *key = x->key[k];
    size_t count = 0;
    const struct config_node nothing = {.type = CONFIG_NULL};
    if (strcmp(key, "preset") != 0 && config_check_value(r->schema, key, n->key_at, &nothing, r->d) < 0)
        return; /* there is no such key */
    if (n->type == CONFIG_OBJECT) {
        count = sweep_range(r->schema, key, n, &text, r->d);
    } else if (n->type != CONFIG_ARRAY || !n->n) {
        diag_error(r->d, n->at, NULL, "%.60s: expected a list of values, or {\"from\", \"to\", \"step\" or \"mul\"}", key);
    } else if (n->n > SWEEP_VALUES_MAX) {
        diag_error(r->d, n->at, NULL, "%.60s: more than %d values", key, SWEEP_VALUES_MAX);
    } else {
        text = must_alloc(n->n, sizeof *text);
        path = must_alloc(n->n, sizeof *path);
        for (const struct config_node *e = n->child; e; e = e->next, count++) {
            text[count] = one_value(r, key, n, e, &path[count]);
            for (size_t i = 0; text[count] && x->n_keys == 1 && i < count; i++)
                if (text[i] && !strcmp(text[i], text[count])) {
                    diag_error(r->d, e->at, NULL, "%.60s: the value is there already", key);
                    break;
                }
        }
    }
    if (count && !x->text)
        set_values(x, count);
    if (count && count != x->n_values)
        diag_error(r->d, n->at, NULL, "keys that change together have equally many values: %.60s has %zu, %.60s has %zu",
                   key, count, x->key[0], x->n_values);
    for (size_t v = 0; v < count; v++) {
        bool keep = v < x->n_values && count == x->n_values;
        if (keep) {
            x->text[v * x->n_keys + k] = text[v];
            x->path[v * x->n_keys + k] = path ? path[v] : NULL;
        } else {
            free(text[v]);
            free(path ? path[v] : NULL);
        }
    }
    free(text);
    free(path);
}

static void keys_axis(struct reader *r, const struct config_node *first, size_t n)
{
    bool preset = n == 1 && !strcmp(first->key, "preset");
    size_t axis = r->out->n, k = 0, at_axis, at_key;
    add_axis(r, preset ? AXIS_PRESET : AXIS_KEYS, n);
    for (const struct config_node *m = first; k < n; m = m->next, k++) {
        if (!preset && !strcmp(m->key, "preset"))
            diag_error(r->d, m->key_at, NULL, "a preset is an axis of its own");
        else if (axis_of(r->out, m->key, &at_axis, &at_key))
            diag_error(r->d, m->key_at, NULL, "%.60s is an axis already", m->key);
        r->out->axis[axis].key[k] = must_dup(m->key);
        if (m->type == CONFIG_NULL)
            diag_error(r->d, m->at, NULL, "%.60s: expected a list of values", m->key);
        else
            key_values(r, axis, k, m);
    }
}

/* ---- the members of the section ---- */

static void read_axes(struct reader *r, const struct config_node *n)
{
    if (n->type != CONFIG_OBJECT) {
        diag_error(r->d, n->at, NULL, "axes: expected an object {KEY: values}");
        return;
    }
    for (const struct config_node *m = n->child; m; m = m->next)
        keys_axis(r, m, 1);
}

static void read_zip(struct reader *r, const struct config_node *n)
{
    if (n->type != CONFIG_ARRAY) {
        diag_error(r->d, n->at, NULL, "zip: expected a list of objects {KEY: values, KEY: values}");
        return;
    }
    for (const struct config_node *g = n->child; g; g = g->next) {
        if (g->type != CONFIG_OBJECT || !g->n)
            diag_error(r->d, g->at, NULL, "zip: expected an object {KEY: values, KEY: values}");
        else
            keys_axis(r, g->child, g->n);
    }
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* Results name a trace without its folder, so two of one name could not be told apart. */
static int same_name(const struct sweep_axis *x, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++)
        if (x->path[i] && !strcmp(base_name(x->path[i]), base_name(path)))
            return 1;
    return 0;
}

static void read_traces(struct reader *r, const struct config_node *n)
{
    bool one = n->type == CONFIG_STRING;
    if (!one && (n->type != CONFIG_ARRAY || !n->n || n->n > SWEEP_VALUES_MAX)) {
        diag_error(r->d, n->at, NULL, "traces: expected a list of files");
        return;
    }
    struct sweep_axis *x = add_axis(r, AXIS_TRACE, 1);
    size_t i = 0;
    x->key[0] = must_dup("trace");
    set_values(x, one ? 1 : n->n);
    for (const struct config_node *e = one ? n : n->child; e && i < x->n_values; e = e->next, i++) {
        char *path = config_node_path(r->c, e, r->d);
        if (!path)
            continue;
        if (same_name(x, i, path))
            diag_error(r->d, e->at, NULL, "traces: two files are named \"%.100s\", and results name them so; rename one",
                       base_name(path));
        x->path[i] = path;
        x->text[i] = must_dup(base_name(path));
    }
}

static void command_line_traces(struct reader *r, const char *const *trace, size_t n)
{
    struct sweep_axis *x = add_axis(r, AXIS_TRACE, 1);
    x->key[0] = must_dup("trace");
    set_values(x, n);
    for (size_t i = 0; i < n; i++) {
        if (same_name(x, i, trace[i]))
            diag_error(r->d, (struct diag_place){0}, NULL,
                       "-t: two files are named \"%.100s\", and results name them so; rename one", base_name(trace[i]));
        x->path[i] = must_dup(trace[i]);
        x->text[i] = must_dup(base_name(trace[i]));
    }
}

static void read_seeds(struct reader *r, const struct config_node *n)
{
    static const char seed_key[] = "sim.seed";
    size_t axis, k;
    uint64_t count = 0;
    if (axis_of(r->out, seed_key, &axis, &k))
        diag_error(r->d, n->key_at, NULL, "sim.seed is an axis already; leave one of the two out");
    if (n->type == CONFIG_NUMBER) {
        struct config_item base;
        if (unit_parse_u64(n->text, &count, NULL) < 0 || !count || count > SEEDS_MAX) {
            diag_error(r->d, n->at, NULL, "seeds: expected how many (1 to %d) or a list", SEEDS_MAX);
            return;
        }
        uint64_t first = config_find(r->c, seed_key, &base) ? *(const uint64_t *)base.at : 1;
        struct sweep_axis *x = add_axis(r, AXIS_SEED, 1);
        x->key[0] = must_dup(seed_key);
        set_values(x, count);
        for (size_t i = 0; i < count; i++) {
            char buf[24];
            snprintf(buf, sizeof buf, "%" PRIu64, first + i);
            x->text[i] = must_dup(buf);
        }
        return;
    }
    size_t at = r->out->n;
    add_axis(r, AXIS_SEED, 1)->key[0] = must_dup(seed_key);
    if (n->type == CONFIG_OBJECT)
        diag_error(r->d, n->at, NULL, "seeds: expected how many (1 to %d) or a list", SEEDS_MAX);
    else
        key_values(r, at, 0, n);
}

/* ---- exclusions ---- */

static void mark(struct reader *r, const struct sweep_axis *x, size_t k, const struct config_node *m,
                 const struct config_node *value, unsigned char *hit)
{
    bool special = x->kind == AXIS_TRACE || x->kind == AXIS_PRESET, found = false;
    char *text = special ? config_node_text(value) : config_normal_value(r->schema, x->key[k], m->key_at, value, r->d);
    if (!text)
        return;
    const char *want = x->kind == AXIS_TRACE ? base_name(text) : text;
    for (size_t v = 0; v < x->n_values; v++) {
        const char *have = x->text[v * x->n_keys + k];
        if (have && !strcmp(have, want)) {
            hit[v] = 1;
            found = true;
        }
    }
    if (!found && !(r->other_traces && x->kind == AXIS_TRACE))
        diag_error(r->d, value->at, NULL, "exclude: \"%.60s\" is no value of the axis %.60s", want, m->key);
    free(text);
}

static void read_exclude_one(struct reader *r, const struct config_node *n)
{
    struct sweep_axes *a = r->out;
    a->exclude = must_grow(a->exclude, a->n_exclude, sizeof *a->exclude);
    struct sweep_exclude *x = &a->exclude[a->n_exclude++];
    *x = (struct sweep_exclude){.match = must_alloc(n->n, sizeof *x->match)};
    for (const struct config_node *m = n->child; m; m = m->next) {
        size_t axis, k;
        const char *key = strcmp(m->key, "seed") ? m->key : "sim.seed";
        const struct sweep_axis *on = axis_of(a, key, &axis, &k);
        if (!on) {
            const char *names[SWEEP_AXES_MAX + 1] = {0};
            size_t count = 0;
            for (size_t i = 0; i < a->n; i++)
                for (size_t j = 0; j < a->axis[i].n_keys && count < SWEEP_AXES_MAX; j++)
                    names[count++] = a->axis[i].key[j];
            sweep_unknown(m, "exclude, which names axes", names, r->d);
            continue;
        }
        struct sweep_match *match = &x->match[x->n++];
        *match = (struct sweep_match){axis, must_alloc(on->n_values, 1)};
        const struct param *p = config_param(r->schema, key);
        bool list = p && (param_plain_list(p->type) || p->type == P_OBJECT_LIST);
        if (m->type == CONFIG_ARRAY && !list)
            for (const struct config_node *e = m->child; e; e = e->next)
                mark(r, on, k, m, e, match->hit);
        else
            mark(r, on, k, m, m, match->hit);
    }
}

static void read_exclude(struct reader *r, const struct config_node *n)
{
    if (n->type != CONFIG_ARRAY) {
        diag_error(r->d, n->at, NULL, "exclude: expected a list of objects {KEY: value}");
        return;
    }
    for (const struct config_node *e = n->child; e; e = e->next) {
        if (e->type != CONFIG_OBJECT || !e->n)
            diag_error(r->d, e->at, NULL, "exclude: expected an object {KEY: value}");
        else
            read_exclude_one(r, e);
    }
}

int sweep_axes_read(struct sweep_axes *out, const struct config *c, const char *const *trace, size_t n_trace,
                    struct diag *d)
{
    struct reader r = {out, c, config_schema_of(c), d, n_trace > 0};
    size_t before = diag_count(d);
    *out = (struct sweep_axes){0};
    const struct config_node *section = config_section(c, "sweep");
    static const char *const names[] = {"axes", "zip", "traces", "seeds", "exclude", "pictures", NULL}; /* of pictures: plot/sweep/pictures.h */
    const struct config_node *member[6] = {0};
    for (const struct config_node *m = section ? section->child : NULL; m; m = m->next) {
        size_t i = 0;
        while (names[i] && strcmp(names[i], m->key) != 0)
            i++;
        if (!names[i])
            sweep_unknown(m, "sweep", names, d);
        else if (m->type != CONFIG_NULL)
            member[i] = m;
    }
    if (member[0])
        read_axes(&r, member[0]);
    if (member[1])
        read_zip(&r, member[1]);
    if (n_trace)
        command_line_traces(&r, trace, n_trace);
    else if (member[2])
        read_traces(&r, member[2]);
    if (member[3])
        read_seeds(&r, member[3]);
    if (out->n > SWEEP_AXES_MAX)
        diag_error(d, section ? section->at : (struct diag_place){0}, NULL, "more than %d axes", SWEEP_AXES_MAX);
    if (member[4] && diag_count(d) == before)
        read_exclude(&r, member[4]);
    if (diag_count(d) == before)
        return 0;
    sweep_axes_free(out);
    *out = (struct sweep_axes){0};
    return -1;
}

void sweep_axes_free(struct sweep_axes *a)
{
    for (size_t i = 0; i < a->n; i++) {
        struct sweep_axis *x = &a->axis[i];
        for (size_t k = 0; k < x->n_keys; k++)
            free(x->key[k]);
        for (size_t v = 0; v < x->n_values * x->n_keys; v++) {
            free(x->text[v]);
            free(x->path[v]);
        }
        free(x->key);
        free(x->text);
        free(x->path);
        free(x->file);
    }
    for (size_t i = 0; i < a->n_exclude; i++) {
        for (size_t k = 0; k < a->exclude[i].n; k++)
            free(a->exclude[i].match[k].hit);
        free(a->exclude[i].match);
    }
    free(a->axis);
    free(a->exclude);
}

static bool excluded(const struct sweep_axes *a, const uint32_t *value)
{
    for (size_t i = 0; i < a->n_exclude; i++) {
        const struct sweep_exclude *x = &a->exclude[i];
        size_t k = 0;
        while (k < x->n && x->match[k].hit[value[x->match[k].axis]])
            k++;
        if (k == x->n)
            return true;
    }
    return false;
}

size_t sweep_axes_combine(const struct sweep_axes *a, uint32_t **combo)
{
    size_t all = 1, n = 0;
    *combo = NULL;
    for (size_t i = 0; i < a->n; i++) {
        if (a->axis[i].n_values > SWEEP_POINTS_MAX / all)
            return SIZE_MAX;
        all *= a->axis[i].n_values;
    }
    uint32_t *out = must_alloc(all * (a->n ? a->n : 1), sizeof *out);
    for (size_t point = 0; point < all; point++) {
        uint32_t *value = out + n * a->n;
        size_t rest = point;
        for (size_t i = a->n; i--; rest /= a->axis[i].n_values)
            value[i] = (uint32_t)(rest % a->axis[i].n_values);
        n += !excluded(a, value);
    }
    *combo = out;
    return n;
}
