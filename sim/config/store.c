/* From the merged tree into the root struct; the numbered values with their origins; checks across values. */
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config/internal.h"
#include "config/text.h"

struct config_checker {
    struct loader *ld;
};

/*
 * Line and column of a place. Counting from the start each time would be quadratic; values are asked for nearly in the
 * order of the text, so this counts from the last one.
 */
static void position(struct loader *ld, const struct diag_source *src, size_t offset)
{
    size_t from = ld->pos.offset;
    if (ld->pos.src != src || offset < from) {
        bool near = ld->pos.src == src && offset < from && !memchr(src->text + offset, '\n', from - offset);
        if (!near) {
            ld->pos.src = src;
            diag_position(src, offset, &ld->pos.line, &ld->pos.column);
            ld->pos.offset = offset;
            return;
        }
        for (size_t i = offset, n; i < from; i += n ? n : 1, ld->pos.column--)
            n = text_utf8(src->text + i, from - i);
        ld->pos.offset = offset;
        return;
    }
    for (size_t i = from, n; i < offset; i += n ? n : 1) {
        n = text_utf8(src->text + i, offset - i);
        ld->pos.column++;
        if (src->text[i] == '\n') {
            ld->pos.line++;
            ld->pos.column = 1;
        }
    }
    ld->pos.offset = offset;
}

static const char *origin(struct loader *ld, const char *key, const struct config_node *n)
{
    const struct source *src = n ? (const struct source *)n->at.src : NULL;
    if (!src)
        return "default";
    const struct config_node *kept = &src->d == ld->frozen_source ? config_node_member(ld->origins, key) : NULL;
    if (kept && kept->type == CONFIG_STRING)
        return kept->text;
    if (src->d.option)
        return src->shown;
    position(ld, &src->d, n->at.offset);
    return arena_printf(&ld->c->arena, "%s:%u:%u", src->shown, ld->pos.line, ld->pos.column);
}

static int push(struct loader *ld, const struct kpath *path, const struct param *p, void *at,
                const struct config_node *n)
{
    struct config *c = ld->c;
    if (c->n == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 128;
        struct config_value *v = realloc(c->values, cap * sizeof *v);
        if (!v)
            return load_oom(ld);
        c->values = v;
        c->cap = cap;
    }
    char key[KEY_BUF];
    kpath_text(path, key);
    struct config_value v = {arena_strndup(&c->arena, key, strlen(key)), p, at, n, origin(ld, key, n)};
    if (!v.key || !v.origin)
        return load_oom(ld);
    c->values[c->n++] = v;
    return 0;
}

static int store_value(struct loader *ld, const struct param *p, const struct config_node *n, const struct kpath *path,
                       void *at);

static int store_objects(struct loader *ld, const struct param *p, const struct config_node *list,
                         const struct kpath *path, struct param_list *out)
{
    out->n = list->n;
    out->o = arena_alloc(&ld->c->arena, list->n * p->elem->size);
    if (!out->o)
        return load_oom(ld);
    struct kpath element = {path, NULL, 0};
    for (const struct config_node *e = list->child; e; e = e->next, element.index++) {
        char *base = (char *)out->o + element.index * p->elem->size;
        for (size_t i = 0; i < p->elem->n; i++) {
            const struct param *q = &p->elem->table[i];
            struct kpath leaf = {&element, q->key, 0};
            if (store_value(ld, q, config_node_member(e, q->key), &leaf, base + q->offset) < 0)
                return -1;
        }
    }
    return 0;
}

static int store_value(struct loader *ld, const struct param *p, const struct config_node *n, const struct kpath *path,
                       void *at)
{
    if (n && n->type == CONFIG_NULL)
        n = NULL;
    if (p->type == P_OBJECT_LIST) {
        *(struct param_list *)at = (struct param_list){0};
        if (push(ld, path, p, at, n) < 0)
            return -1;
        return n && n->n ? store_objects(ld, p, n, path, at) : 0;
    }
    if ((n ? value_read(ld, p, n, path, at) : value_default(ld, p, path, at)) < 0)
        return -1;
    return push(ld, path, p, at, n);
}

/* `slot` counts the parameters in table order. */
static int store_group(struct loader *ld, const struct param_group *g, size_t *slot)
{
    struct kpath chain[CONFIG_DEPTH_MAX], *path = NULL;
    const struct config_node *section = ld->c->tree;
    size_t depth = 0;
    for (const char *p = g->path; *p;) {
        size_t len = strcspn(p, ".");
        char *name = arena_strndup(&ld->c->arena, p, len);
        if (!name)
            return load_oom(ld);
        assert(depth < CONFIG_DEPTH_MAX);
        chain[depth] = (struct kpath){path, name, 0};
        path = &chain[depth++];
        section = config_node_member(section, name);
        p += len;
        p += *p == '.';
    }
    for (size_t i = 0; i < g->n; i++) {
        const struct param *p = &g->table[i];
        struct kpath leaf = {path, p->key, 0};
        ld->c->slots[(*slot)++] = ld->c->n;
        if (store_value(ld, p, config_node_member(section, p->key), &leaf, (char *)ld->c->root + g->base + p->offset) < 0 &&
            diag_full(ld->d))
            return -1;
    }
    return 0;
}

int store_values(struct loader *ld)
{
    struct config *c = ld->c;
    const struct config_schema *s = c->schema;
    size_t params = 0;
    for (size_t g = 0; g < s->n; g++)
        params += s->groups[g].n;
    c->slots = calloc(params ? params : 1, sizeof *c->slots);
    if (!c->slots)
        return load_oom(ld);
    for (size_t g = 0, slot = 0; g < s->n; g++)
        if (store_group(ld, &s->groups[g], &slot) < 0)
            return -1;
    struct config_checker ck = {ld};
    if (!load_failed(ld))
        for (size_t i = 0; i < s->n_checks; i++)
            s->checks[i](c->root, &ck);
    return load_failed(ld) ? -1 : 0;
}

/* The value whose key is the `len` bytes at `p`, or c->n. */
static size_t value_of_key(const struct config *c, const char *p, size_t len)
{
    size_t i = 0;
    while (i < c->n && (strlen(c->values[i].key) != len || memcmp(c->values[i].key, p, len) != 0))
        i++;
    return i;
}

enum { FAIL_KEYS_MAX = 8 };
struct fail_keys {
    size_t index[FAIL_KEYS_MAX], n, first; /* `first` was written by somebody, if `placed` */
    bool placed;
};

static void fail_key(const struct config *c, struct fail_keys *k, size_t i)
{
    for (size_t j = 0; j < k->n; j++)
        if (k->index[j] == i)
            return;
    if (k->n == FAIL_KEYS_MAX)
        return;
    if (!k->placed && c->values[i].node) { /* the first that somebody wrote is where to mend it */
        k->placed = true;
        k->first = k->n;
    }
    k->index[k->n++] = i;
}

static struct diag_place fail_place(const struct config *c, const struct fail_keys *k)
{
    return k->placed ? c->values[k->index[k->first]].node->at : (struct diag_place){0};
}

/* The other keys, with what they are and where that comes from. */
static void fail_notes(const struct config *c, const struct fail_keys *k, struct diag *d)
{
    for (size_t i = 0; i < k->n; i++) {
        const struct config_value *v = &c->values[k->index[i]];
        if (i == k->first && k->placed)
            continue;
        char *text = NULL;
        size_t len;
        FILE *to = open_memstream(&text, &len);
        if (!to)
            return;
        value_write(to, v->param, v->at, v->node);
        fclose(to);
        char word[TEXT_WORD];
        diag_note(d, v->node ? v->node->at : (struct diag_place){0}, "%s is %s%s", v->key,
                  text ? text_word(word, text, strlen(text)) : "?", v->node ? "" : " by default");
        free(text);
    }
}

void config_fail(struct config_checker *ck, const char *keys, const char *fmt, ...)
{
    struct config *c = ck->ld->c;
    struct fail_keys k = {0};
    for (const char *p = keys; *p;) {
        size_t len = strcspn(p, " "), i = value_of_key(c, p, len);
        assert(i < c->n && "config_fail: unknown key");
        fail_key(c, &k, i);
        p += len;
        p += strspn(p, " ");
    }
    va_list ap;
    va_start(ap, fmt);
    diag_errorv(ck->ld->d, fail_place(c, &k), NULL, fmt, ap);
    va_end(ap);
    fail_notes(c, &k, ck->ld->d);
}

static void keys_named(const struct config *c, const char *text, struct fail_keys *k)
{
    static const char word[] = "abcdefghijklmnopqrstuvwxyz0123456789_.[]";
    for (const char *p = text; *(p += strcspn(p, word));) {
        size_t len = strspn(p, word), part = len;
        while (part && p[part - 1] == '.')
            part--;
        size_t i = value_of_key(c, p, part);
        if (i < c->n)
            fail_key(c, k, i);
        p += len;
    }
}

void config_explain(const struct config *c, struct diag *d, const struct err *e)
{
    struct fail_keys k = {0};
    keys_named(c, e->message, &k);
    keys_named(c, e->remedy, &k);
    if (!k.n) {
        diag_err(d, e);
        return;
    }
    diag_error(d, fail_place(c, &k), NULL, "%s%s%s", e->message, e->remedy[0] ? "; " : "", e->remedy);
    fail_notes(c, &k, d);
}

void config_fail_err(struct config_checker *ck, const struct err *e) { config_explain(ck->ld->c, ck->ld->d, e); }

char *config_node_path(const struct config *c, const struct config_node *n, struct diag *d)
{
    /* the configuration's arena only grows, and the copy below is the caller's */
    struct loader ld = {.c = (struct config *)c, .d = d, .before = diag_count(d)};
    struct kpath path = {NULL, n->key ? n->key : "path", 0};
    if (n->type != CONFIG_STRING || !*n->text) {
        diag_error(d, n->at, NULL, "expected a path in quotes");
        return NULL;
    }
    char *p = path_resolve(&ld, n, &path);
    return p ? strdup(p) : NULL;
}
