/* The parameter tables as a tree of keys, and their own consistency. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config/internal.h"
#include "config/text.h"
#include "config/units.h"

struct skey *skey_child(const struct skey *k, const char *name, size_t len)
{
    for (struct skey *c = k->child; c; c = c->next)
        if (strlen(c->name) == len && !memcmp(c->name, name, len))
            return c;
    return NULL;
}

static struct skey *add(struct arena *a, struct skey *up, const char *name, size_t len)
{
    struct skey *k = arena_alloc(a, sizeof *k);
    char *copy = arena_strndup(a, name, len);
    if (!k || !copy)
        return NULL;
    *k = (struct skey){.name = copy, .up = up};
    if (up->last)
        up->last->next = k;
    else
        up->child = k;
    up->last = k;
    return k;
}

struct skey *skey_build(struct arena *a, const struct config_schema *s)
{
    struct skey *root = arena_alloc(a, sizeof *root);
    if (!root)
        return NULL;
    root->name = "";
    size_t slot = 0;
    for (size_t g = 0; g < s->n; g++) {
        const struct param_group *group = &s->groups[g];
        struct skey *k = root;
        for (const char *p = group->path, *dot; *p; p = *dot ? dot + 1 : dot) {
            dot = strchrnul(p, '.');
            struct skey *c = skey_child(k, p, (size_t)(dot - p));
            k = c ? c : add(a, k, p, (size_t)(dot - p));
            if (!k)
                return NULL;
        }
        if (group->help && !k->help)
            k->help = group->help;
        for (size_t i = 0; i < group->n; i++) {
            struct skey *c = add(a, k, group->table[i].key, strlen(group->table[i].key));
            if (!c)
                return NULL;
            c->param = &group->table[i];
            c->base = group->base;
            c->slot = slot++;
        }
    }
    for (size_t i = 0; i < s->n_free_sections; i++) {
        struct skey *c = add(a, root, s->free_sections[i], strlen(s->free_sections[i]));
        if (!c)
            return NULL;
        c->free_section = true;
    }
    return root;
}

static const struct param *param_at(const struct config_schema *s, const char *path, size_t up, const char *last, size_t len)
{
    for (size_t g = 0; g < s->n; g++) {
        const struct param_group *group = &s->groups[g];
        if (strlen(group->path) != up || memcmp(group->path, path, up) != 0)
            continue;
        for (size_t i = 0; i < group->n; i++)
            if (strlen(group->table[i].key) == len && !memcmp(group->table[i].key, last, len))
                return &group->table[i];
    }
    return NULL;
}

const struct param *config_param(const struct config_schema *s, const char *key)
{
    const char *index = strchr(key, '['), *end = index ? index : key + strlen(key), *last = end;
    while (last > key && last[-1] != '.')
        last--;
    const struct param *p = param_at(s, key, last > key ? (size_t)(last - key) - 1 : 0, last, (size_t)(end - last));
    if (!index || !p || p->type != P_OBJECT_LIST)
        return index ? NULL : p;
    const char *name = strstr(index, "].");
    for (size_t i = 0; name && i < p->elem->n; i++)
        if (!strcmp(p->elem->table[i].key, name + 2))
            return &p->elem->table[i];
    return NULL;
}

static size_t storage_size(enum param_type t)
{
    switch (t) {
    case P_BOOL:
        return sizeof(bool);
    case P_U32:
    case P_CYC:
        return sizeof(uint32_t);
    case P_ENUM:
        return sizeof(int);
    case P_F64:
        return sizeof(double);
    case P_STR:
    case P_PATH:
        return sizeof(char *);
    case P_U64:
    case P_I64:
    case P_SIZE:
    case P_TIME:
    case P_FREQ:
    case P_ADDR:
        return sizeof(uint64_t);
    case P_SIZE_LIST:
    case P_TIME_LIST:
    case P_U64_LIST:
    case P_STR_LIST:
    case P_PATH_LIST:
    case P_OBJECT_LIST:
        return sizeof(struct param_list);
    }
    return 0;
}

static bool key_ok(const char *k)
{
    size_t n = strspn(k, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return n && !k[n] && n <= TEXT_NAME_MAX && strcmp(k, "extends") != 0;
}

static int check_param(const struct param *p, const char *where, size_t size, struct err *err)
{
    char buf[256];
    if (!p->key || !key_ok(p->key))
        return err_set(err, ERR_RUN, "%s: ill-formed key \"%s\"", where, p->key ? p->key : "");
    if (!p->help || !*p->help)
        return err_set(err, ERR_RUN, "%s.%s has no help", where, p->key);
    if (p->offset + storage_size(p->type) > size)
        return err_set(err, ERR_RUN, "%s.%s lies outside of its struct", where, p->key);
    if (p->type == P_OBJECT_LIST) {
        if (!p->elem)
            return err_set(err, ERR_RUN, "%s.%s has no element table", where, p->key);
        snprintf(buf, sizeof buf, "%s.%s[]", where, p->key);
        for (size_t i = 0; i < p->elem->n; i++)
            if (check_param(&p->elem->table[i], buf, p->elem->size, err) < 0)
                return -1;
        return 0;
    }
    if (p->type == P_ENUM) {
        size_t n = 0;
        while (p->names && p->names[n])
            n++;
        if (p->def >= n)
            return err_set(err, ERR_RUN, "%s.%s: default is not one of its names", where, p->key);
        return 0;
    }
    bool lower, upper, ok = true;
    param_has_bounds(p, &lower, &upper);
    bool zero_ok = (p->flags & PARAM_OR_ZERO) && !p->def;
    if (p->type == P_F64)
        ok = (!lower || p->def_f >= p->min_f || (zero_ok && p->def_f == 0)) && (!upper || p->def_f <= p->max_f);
    else if (p->type == P_I64)
        ok = (!lower || (int64_t)p->def >= (int64_t)p->min) && (!upper || (int64_t)p->def <= (int64_t)p->max);
    else if (storage_size(p->type) <= 8 && p->type != P_STR && p->type != P_PATH && p->type != P_BOOL) {
        ok = (zero_ok || p->def >= p->min) && (!upper || p->def <= p->max);
        if ((p->flags & PARAM_POW2) && !zero_ok && (!p->def || (p->def & (p->def - 1))))
            ok = false;
        if (storage_size(p->type) == 4 && (p->def > UINT32_MAX || p->max > UINT32_MAX))
            ok = false;
    }
    return ok ? 0 : err_set(err, ERR_RUN, "%s.%s: default out of range", where, p->key);
}

int config_schema_check(const struct config_schema *s, struct err *err)
{
    struct arena a = {0};
    int rc = -1;
    struct skey *root = skey_build(&a, s);
    if (!root) {
        err_set(err, ERR_RUN, "out of memory");
        goto out;
    }
    for (size_t g = 0; g < s->n; g++) {
        const struct param_group *group = &s->groups[g];
        for (size_t i = 0; i < group->n; i++)
            if (check_param(&group->table[i], group->path, s->root_size - group->base, err) < 0)
                goto out;
        for (const char *p = group->path; *p;) {
            char part[TEXT_NAME_MAX + 1];
            size_t len = strcspn(p, ".");
            snprintf(part, sizeof part, "%.*s", (int)len, p);
            if (len > TEXT_NAME_MAX || !key_ok(part)) {
                err_set(err, ERR_RUN, "ill-formed path \"%s\"", group->path);
                goto out;
            }
            p += len;
            p += *p == '.';
        }
    }
    /* a key twice, or a key that is a value and a section */
    for (struct skey *k = root; k;) {
        for (struct skey *c = k->child; c; c = c->next) {
            bool twice = c->child && (c->param || c->free_section);
            for (struct skey *o = c->next; o; o = o->next)
                twice |= !strcmp(c->name, o->name);
            if (twice) {
                err_set(err, ERR_RUN, "the key \"%s\" is described twice in \"%s\"", c->name, k->name);
                goto out;
            }
        }
        if (k->child) {
            k = k->child;
            continue;
        }
        while (k && !k->next)
            k = k->up;
        if (k)
            k = k->next;
    }
    rc = 0;
    /* defaults of lists are text: loading {} reads them */
    struct diag *d = diag_new();
    struct config *c = NULL;
    if (config_load(&c, s, &(struct config_request){.text = "{}", .text_len = 2}, d) < 0)
        rc = diag_to_err(d, err);
    config_free(c);
    diag_free(d);
out:
    arena_fini(&a);
    return rc;
}

bool param_has_bounds(const struct param *p, bool *lower, bool *upper)
{
    *lower = *upper = false;
    switch (p->type) {
    case P_F64:
        *lower = *upper = p->min_f != 0 || p->max_f != 0;
        break;
    case P_I64:
        *lower = *upper = p->min != 0 || p->max != 0;
        break;
    case P_U32:
    case P_U64:
    case P_SIZE:
    case P_TIME:
    case P_FREQ:
    case P_CYC:
    case P_ADDR:
    case P_SIZE_LIST:
    case P_TIME_LIST:
    case P_U64_LIST:
        *lower = p->min != 0;
        *upper = p->max != 0;
        break;
    default:
        break;
    }
    return *lower || *upper;
}

void param_format(const struct param *p, uint64_t v, char *buf, size_t size)
{
    char text[UNIT_BUF];
    switch (p->type) {
    case P_SIZE:
    case P_SIZE_LIST:
        snprintf(buf, size, "%s", unit_format_size(v, text));
        break;
    case P_TIME:
    case P_TIME_LIST:
        snprintf(buf, size, "%s", unit_format_time(v, text));
        break;
    case P_FREQ:
        snprintf(buf, size, "%s", unit_format_freq(v, text));
        break;
    case P_CYC:
        snprintf(buf, size, "%s", unit_format_cycles(v, text));
        break;
    case P_ADDR:
        snprintf(buf, size, "%s", unit_format_addr(v, text));
        break;
    case P_I64:
        snprintf(buf, size, "%" PRId64, (int64_t)v);
        break;
    default:
        snprintf(buf, size, "%" PRIu64, v);
        break;
    }
}

const char *param_type_name(const struct param *p)
{
    static const char *const names[] = {
        [P_BOOL] = "boolean",           [P_U32] = "whole number",         [P_U64] = "whole number",
        [P_F64] = "number",             [P_SIZE] = "size",                [P_TIME] = "time",
        [P_FREQ] = "frequency",         [P_CYC] = "cycles",               [P_ENUM] = "name",
        [P_STR] = "text",               [P_ADDR] = "address",             [P_PATH] = "path",
        [P_SIZE_LIST] = "list of sizes", [P_U64_LIST] = "list of whole numbers", [P_PATH_LIST] = "list of paths",
        [P_TIME_LIST] = "list of times",
        [P_I64] = "whole number",       [P_STR_LIST] = "list of texts",   [P_OBJECT_LIST] = "list of objects",
    };
    return names[p->type];
}

void value_write(FILE *to, const struct param *p, const void *at, const struct config_node *node)
{
    char text[UNIT_BUF];
    const struct param_list *list = at;
    switch (p->type) {
    case P_BOOL:
        fputs(*(const bool *)at ? "true" : "false", to);
        break;
    case P_U32:
        fprintf(to, "%" PRIu32, *(const uint32_t *)at);
        break;
    case P_U64:
        fprintf(to, "%" PRIu64, *(const uint64_t *)at);
        break;
    case P_I64:
        fprintf(to, "%" PRId64, *(const int64_t *)at);
        break;
    case P_F64:
        fputs(unit_format_f64(*(const double *)at, text), to);
        break;
    case P_SIZE:
        fprintf(to, "\"%s\"", unit_format_size(*(const uint64_t *)at, text));
        break;
    case P_TIME:
        fprintf(to, "\"%s\"", unit_format_time(*(const uint64_t *)at, text));
        break;
    case P_FREQ:
        fprintf(to, "\"%s\"", unit_format_freq(*(const uint64_t *)at, text));
        break;
    case P_ADDR:
        fprintf(to, "\"%s\"", unit_format_addr(*(const uint64_t *)at, text));
        break;
    case P_CYC:
        fprintf(to, "\"%s\"", unit_format_cycles(*(const uint32_t *)at, text));
        break;
    case P_ENUM:
        text_put_json(to, p->names[*(const int *)at]);
        break;
    case P_STR:
    case P_PATH: {
        const char *s = node && p->type == P_PATH ? node->text : *(char *const *)at;
        if (s)
            text_put_json(to, s);
        else
            fputs("null", to);
        break;
    }
    case P_SIZE_LIST:
    case P_TIME_LIST:
    case P_U64_LIST:
    case P_STR_LIST:
    case P_PATH_LIST: {
        const struct config_node *e = node ? node->child : NULL;
        fputc('[', to);
        for (size_t i = 0; i < list->n; i++) {
            if (i)
                fputs(", ", to);
            if (p->type == P_SIZE_LIST)
                fprintf(to, "\"%s\"", unit_format_size(list->u[i], text));
            else if (p->type == P_TIME_LIST)
                fprintf(to, "\"%s\"", unit_format_time(list->u[i], text));
            else if (p->type == P_U64_LIST)
                fprintf(to, "%" PRIu64, list->u[i]);
            else
                text_put_json(to, e && p->type == P_PATH_LIST ? e->text : list->s[i]);
            e = e ? e->next : NULL;
        }
        fputc(']', to);
        break;
    }
    case P_OBJECT_LIST:
        fprintf(to, "[%s]", list->n ? "..." : ""); /* its elements are values of their own */
        break;
    }
}

const char *param_default_text(const struct param *p, char *buf, size_t size)
{
    union {
        uint64_t u;
        char *s;
        double f;
        struct param_list list;
    } v = {0};
    struct param copy = *p;
    copy.offset = 0;
    buf[0] = 0;
    if ((p->type == P_STR || p->type == P_PATH) && !p->def_s)
        return buf;
    if (param_plain_list(p->type)) {
        snprintf(buf, size, "%s", p->def_s ? p->def_s : "[]");
        return buf;
    }
    param_defaults(&copy, 1, &v);
    FILE *to = fmemopen(buf, size, "w");
    if (to) {
        value_write(to, p, &v, NULL);
        fclose(to);
    }
    buf[size - 1] = 0;
    return buf;
}
