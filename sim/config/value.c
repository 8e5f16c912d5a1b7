/* One value: from JSON or the text of an option into its storage type, within its bounds. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config/internal.h"
#include "config/text.h"
#include "config/units.h"

static const char *found(const struct config_node *n, char buf[TEXT_WORD + 2])
{
    char word[TEXT_WORD];
    switch (n->type) {
    case CONFIG_NULL:
        return "null";
    case CONFIG_ARRAY:
        return "a list";
    case CONFIG_OBJECT:
        return "an object";
    case CONFIG_STRING:
        snprintf(buf, TEXT_WORD + 2, "\"%s\"", text_word(word, n->text, strlen(n->text)));
        return buf;
    case CONFIG_BOOL:
    case CONFIG_NUMBER:
        break;
    }
    return text_word(buf, n->text, strlen(n->text));
}

static const char *expected(enum param_type t)
{
    switch (t) {
    case P_BOOL:
        return "true or false";
    case P_U32:
    case P_U64:
    case P_I64:
    case P_U64_LIST:
        return "a whole number";
    case P_F64:
        return "a number";
    case P_SIZE:
    case P_SIZE_LIST:
        return "a size like \"4KiB\"";
    case P_TIME:
    case P_TIME_LIST:
        return "a time like \"40ns\"";
    case P_FREQ:
        return "a frequency like \"3.2GHz\"";
    case P_CYC:
        return "cycles like \"9cyc\"";
    case P_ADDR:
        return "an address like \"0xffff800000000000\"";
    case P_ENUM:
        return "a name in quotes";
    case P_STR:
    case P_STR_LIST:
        return "text in quotes";
    case P_PATH:
    case P_PATH_LIST:
        return "a path in quotes";
    case P_OBJECT_LIST:
        return "an object";
    }
    return "";
}

static int fail_err(struct loader *ld, const struct config_node *n, const struct kpath *path, const struct err *e)
{
    char key[KEY_BUF];
    return load_fail(ld, n->at, NULL, "%s: %s%s%s", kpath_text(path, key), e->message, *e->remedy ? "; " : "", e->remedy);
}

static int mismatch(struct loader *ld, enum param_type t, const struct config_node *n, const struct kpath *path)
{
    char key[KEY_BUF], word[TEXT_WORD + 2];
    bool number = t == P_U32 || t == P_U64 || t == P_I64 || t == P_F64 || t == P_U64_LIST, b;
    double f;
    kpath_text(path, key);
    if (n->type == CONFIG_STRING && ((number && unit_parse_f64(n->text, &f, NULL) == 0) ||
                                     (t == P_BOOL && unit_parse_bool(n->text, &b, NULL) == 0)))
        return load_fail(ld, n->at, NULL, "%s: %s is text; write %s without quotes", key, found(n, word), n->text);
    return load_fail(ld, n->at, NULL, "%s: expected %s, found %s", key, expected(t), found(n, word));
}

static int bound(struct loader *ld, const struct param *p, const struct config_node *n, const struct kpath *path,
                 const char *value, const char *limit, bool low)
{
    char key[KEY_BUF];
    return load_fail(ld, n->at, NULL, "%s: %s is %s %s", kpath_text(path, key), value,
                     low ? (p->flags & PARAM_OR_ZERO ? "neither 0 nor at least" : "below the minimum")
                         : "above the maximum",
                     limit);
}

static int check_u64(struct loader *ld, const struct param *p, const struct config_node *n, const struct kpath *path,
                     uint64_t v)
{
    bool lower, upper, wide = p->type != P_U32;
    char value[UNIT_BUF], limit[UNIT_BUF], key[KEY_BUF];
    param_has_bounds(p, &lower, &upper);
    if (!v && (p->flags & PARAM_OR_ZERO))
        return 0;
    param_format(p, v, value, sizeof value);
    if (lower && v < p->min) {
        param_format(p, p->min, limit, sizeof limit);
        return bound(ld, p, n, path, value, limit, true);
    }
    uint64_t max = upper ? p->max : wide ? UINT64_MAX : UINT32_MAX;
    if (v > max) {
        param_format(p, max, limit, sizeof limit);
        return bound(ld, p, n, path, value, limit, false);
    }
    if (!(p->flags & PARAM_POW2) || (v && !(v & (v - 1))))
        return 0;
    kpath_text(path, key);
    if (!v)
        return load_fail(ld, n->at, NULL, "%s: %s is not a power of two", key, value);
    uint64_t below = 1ull << (63 - __builtin_clzll(v));
    param_format(p, below, value, sizeof value);
    if (below >> 63 || 2 * below > max || below < p->min) {
        uint64_t only = below < p->min ? 2 * below : below;
        param_format(p, only, limit, sizeof limit);
        param_format(p, v, value, sizeof value);
        return load_fail(ld, n->at, NULL, "%s: %s is not a power of two; the nearest is %s", key, value, limit);
    }
    char self[UNIT_BUF];
    param_format(p, v, self, sizeof self);
    param_format(p, 2 * below, limit, sizeof limit);
    return load_fail(ld, n->at, NULL, "%s: %s is not a power of two; the nearest are %s and %s", key, self, value, limit);
}

/* Whole numbers and everything that is stored as one. */
static int read_u64(struct loader *ld, const struct param *p, const struct config_node *n, const struct kpath *path,
                    uint64_t *out)
{
    struct err e;
    uint32_t cycles;
    int rc;
    bool plain = p->type == P_U32 || p->type == P_U64 || p->type == P_U64_LIST;
    if (n->type == CONFIG_NUMBER ? p->type == P_ADDR : n->type != CONFIG_STRING || (plain && !n->bare))
        return mismatch(ld, p->type, n, path);
    switch (p->type) {
    case P_SIZE:
    case P_SIZE_LIST:
        rc = unit_parse_size(n->text, out, &e);
        break;
    case P_TIME:
    case P_TIME_LIST:
        rc = unit_parse_time(n->text, out, &e);
        break;
    case P_FREQ:
        rc = unit_parse_freq(n->text, out, &e);
        break;
    case P_CYC:
        rc = unit_parse_cycles(n->text, &cycles, &e);
        *out = rc ? 0 : cycles;
        break;
    case P_ADDR:
        rc = unit_parse_addr(n->text, out, &e);
        break;
    default:
        rc = unit_parse_u64(n->text, out, &e);
        break;
    }
    if (rc < 0)
        return fail_err(ld, n, path, &e);
    return check_u64(ld, p, n, path, *out);
}

static int read_i64(struct loader *ld, const struct param *p, const struct config_node *n, const struct kpath *path,
                    int64_t *out)
{
    struct err e;
    bool lower, upper;
    char limit[UNIT_BUF], value[UNIT_BUF];
    if (n->type != CONFIG_NUMBER && !(n->bare && n->type == CONFIG_STRING))
        return mismatch(ld, p->type, n, path);
    if (unit_parse_i64(n->text, out, &e) < 0)
        return fail_err(ld, n, path, &e);
    if ((p->flags & PARAM_OR_ZERO) && !*out)
        return 0;
    param_has_bounds(p, &lower, &upper);
    bool low = lower && *out < (int64_t)p->min;
    if (!low && !(upper && *out > (int64_t)p->max))
        return 0;
    param_format(p, low ? p->min : p->max, limit, sizeof limit);
    param_format(p, (uint64_t)*out, value, sizeof value);
    return bound(ld, p, n, path, value, limit, low);
}

static int read_f64(struct loader *ld, const struct param *p, const struct config_node *n, const struct kpath *path,
                    double *out)
{
    struct err e;
    bool lower, upper;
    char limit[UNIT_BUF];
    if (n->type != CONFIG_NUMBER && !(n->bare && n->type == CONFIG_STRING))
        return mismatch(ld, p->type, n, path);
    if (unit_parse_f64(n->text, out, &e) < 0)
        return fail_err(ld, n, path, &e);
    if ((p->flags & PARAM_OR_ZERO) && *out == 0)
        return 0;
    param_has_bounds(p, &lower, &upper);
    if (lower && *out < p->min_f)
        return bound(ld, p, n, path, n->text, unit_format_f64(p->min_f, limit), true);
    if (upper && *out > p->max_f)
        return bound(ld, p, n, path, n->text, unit_format_f64(p->max_f, limit), false);
    return 0;
}

static int read_enum(struct loader *ld, const struct param *p, const struct config_node *n, const struct kpath *path,
                     int *out)
{
    if (n->type != CONFIG_STRING)
        return mismatch(ld, p->type, n, path);
    char list[512] = "", hint[128] = "", key[KEY_BUF], word[TEXT_WORD];
    size_t best = text_near(n->text) + 1, used = 0;
    for (int i = 0; p->names[i]; i++) {
        if (!strcmp(p->names[i], n->text)) {
            *out = i;
            return 0;
        }
        size_t d = text_distance(n->text, p->names[i], best - 1);
        if (d < best) {
            best = d;
            snprintf(hint, sizeof hint, "did you mean \"%s\"?", p->names[i]);
        }
        if (used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s\"%s\"", i ? ", " : "", p->names[i]);
    }
    return load_fail(ld, n->at, hint, "%s: unknown value \"%s\", expected one of %s", kpath_text(path, key),
                     text_word(word, n->text, strlen(n->text)), list);
}

/* `${VAR}` in paths; every variable used is remembered for the result. NULL after an error. */
static char *expand(struct loader *ld, const struct config_node *n, const struct kpath *path)
{
    char key[KEY_BUF], word[TEXT_WORD];
    char *out = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&out, &len);
    if (!to) {
        load_oom(ld);
        return NULL;
    }
    for (const char *p = n->text; *p;) {
        if (p[0] != '$' || p[1] != '{') {
            fputc(*p++, to);
            continue;
        }
        const char *end = strchr(p, '}');
        char name[64];
        size_t name_len = end ? (size_t)(end - p) - 2 : 0;
        snprintf(name, sizeof name, "%.*s", (int)(name_len < 63 ? name_len : 63), p + 2);
        const char *value = name_len && name_len < sizeof name ? getenv(name) : NULL;
        if (!value) {
            load_fail(ld, n->at, NULL, "%s: the environment has no variable for %s", kpath_text(path, key),
                      text_word(word, p, end ? name_len + 3 : strlen(p)));
            fclose(to);
            free(out);
            return NULL;
        }
        struct config *c = ld->c;
        size_t i = 0;
        while (i < c->n_env && strcmp(c->env[i].name, name) != 0)
            i++;
        if (i == c->n_env && i < sizeof c->env / sizeof c->env[0]) {
            char *own_name = arena_strndup(&c->arena, name, name_len);
            char *own_value = arena_strndup(&c->arena, value, strlen(value));
            if (own_name && own_value) {
                c->env[i].name = own_name;
                c->env[i].value = own_value;
                c->n_env++;
            }
        }
        fputs(value, to);
        p = end + 1;
    }
    fclose(to);
    if (!out)
        load_oom(ld);
    return out;
}

char *path_resolve(struct loader *ld, const struct config_node *n, const struct kpath *path)
{
    const struct source *src = (const struct source *)n->at.src;
    if (ld->frozen) {
        char *same = arena_strndup(&ld->c->arena, n->text, strlen(n->text));
        if (!same)
            load_oom(ld);
        return same;
    }
    char *text = expand(ld, n, path);
    if (!text)
        return NULL;
    bool relative = src && *src->dir && text[0] != '/';
    char *p = arena_printf(&ld->c->arena, "%s%s%s", relative ? src->dir : "",
                           relative && src->dir[strlen(src->dir) - 1] != '/' ? "/" : "", text);
    free(text);
    if (!p)
        load_oom(ld);
    return p;
}

static int read_text(struct loader *ld, const struct param *p, const struct config_node *n, const struct kpath *path,
                     bool store, char **out)
{
    if (n->type != CONFIG_STRING)
        return mismatch(ld, p->type, n, path);
    bool is_path = p->type == P_PATH || p->type == P_PATH_LIST;
    char key[KEY_BUF];
    if (is_path && !*n->text)
        return load_fail(ld, n->at, NULL, "%s: the path is empty", kpath_text(path, key));
    if (!store)
        return 0;
    *out = is_path ? path_resolve(ld, n, path) : arena_strndup(&ld->c->arena, n->text, strlen(n->text));
    return *out ? 0 : is_path ? -1 : load_oom(ld);
}

static int read_list(struct loader *ld, const struct param *p, const struct config_node *n, const struct kpath *path,
                     struct param_list *out)
{
    char key[KEY_BUF], word[TEXT_WORD + 2];
    if (n->type != CONFIG_ARRAY)
        return load_fail(ld, n->at, NULL, "%s: expected a list [...], found %s", kpath_text(path, key), found(n, word));
    if (p->type == P_OBJECT_LIST && n->n > CONFIG_OBJECTS_MAX)
        return load_fail(ld, n->at, NULL, "%s: %zu elements are above the maximum %d", kpath_text(path, key), n->n,
                         CONFIG_OBJECTS_MAX);
    bool text = p->type == P_STR_LIST || p->type == P_PATH_LIST;
    struct param_list list = {.n = n->n};
    if (out && n->n && p->type != P_OBJECT_LIST) {
        if (text)
            list.s = arena_alloc(&ld->c->arena, n->n * sizeof *list.s);
        else
            list.u = arena_alloc(&ld->c->arena, n->n * sizeof *list.u);
        if (!list.s && !list.u)
            return load_oom(ld);
    }
    int rc = 0;
    struct kpath sub = {path, NULL, 0};
    for (const struct config_node *e = n->child; e && sub.index < n->n; e = e->next, sub.index++) {
        uint64_t v = 0;
        if (e->bad) {
            rc = -1;
        } else if (p->type == P_OBJECT_LIST) {
            if (e->type != CONFIG_OBJECT)
                rc = mismatch(ld, p->type, e, &sub);
            else
                check_element(ld, p->elem, e, &sub, true);
        } else if (text) {
            rc |= read_text(ld, p, e, &sub, out != NULL, out ? &list.s[sub.index] : NULL);
        } else {
            rc |= read_u64(ld, p, e, &sub, &v);
            if (out)
                list.u[sub.index] = v;
        }
    }
    if (out)
        *out = list;
    return rc;
}

int value_read(struct loader *ld, const struct param *p, const struct config_node *n, const struct kpath *path, void *at)
{
    union {
        bool b;
        uint64_t u;
        int64_t i;
        double f;
        int e;
        char *s;
    } v = {0};
    struct err err;
    switch (p->type) {
    case P_BOOL:
        if (n->type != CONFIG_BOOL && !(n->bare && n->type == CONFIG_STRING))
            return mismatch(ld, p->type, n, path);
        if (unit_parse_bool(n->text, &v.b, &err) < 0)
            return fail_err(ld, n, path, &err);
        if (at)
            *(bool *)at = v.b;
        return 0;
    case P_U32:
    case P_CYC:
        if (read_u64(ld, p, n, path, &v.u) < 0)
            return -1;
        if (at)
            *(uint32_t *)at = (uint32_t)v.u;
        return 0;
    case P_U64:
    case P_SIZE:
    case P_TIME:
    case P_FREQ:
    case P_ADDR:
        if (read_u64(ld, p, n, path, &v.u) < 0)
            return -1;
        if (at)
            *(uint64_t *)at = v.u;
        return 0;
    case P_I64:
        if (read_i64(ld, p, n, path, &v.i) < 0)
            return -1;
        if (at)
            *(int64_t *)at = v.i;
        return 0;
    case P_F64:
        if (read_f64(ld, p, n, path, &v.f) < 0)
            return -1;
        if (at)
            *(double *)at = v.f;
        return 0;
    case P_ENUM:
        if (read_enum(ld, p, n, path, &v.e) < 0)
            return -1;
        if (at)
            *(int *)at = v.e;
        return 0;
    case P_STR:
    case P_PATH:
        if (read_text(ld, p, n, path, at != NULL, &v.s) < 0)
            return -1;
        if (at)
            *(char **)at = v.s;
        return 0;
    case P_SIZE_LIST:
    case P_TIME_LIST:
    case P_U64_LIST:
    case P_STR_LIST:
    case P_PATH_LIST:
    case P_OBJECT_LIST:
        return read_list(ld, p, n, path, at);
    }
    return -1;
}

int value_default(struct loader *ld, const struct param *p, const struct kpath *path, void *at)
{
    struct param one = *p;
    one.offset = 0;
    param_defaults(&one, 1, at);
    bool list = param_plain_list(p->type);
    if (!list || !p->def_s)
        return 0;
    struct source *src = arena_alloc(&ld->c->arena, sizeof *src);
    if (!src)
        return load_oom(ld);
    *src = (struct source){.d = {.name = "default", .text = p->def_s, .len = strlen(p->def_s), .option = true},
                           .shown = "default", .dir = "", .id = ""};
    struct config_node *n = option_value(ld, src, 0, p, path);
    return n ? value_read(ld, p, n, path, at) : -1;
}
