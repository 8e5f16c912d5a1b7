/* A tree of JSON against the tables: unknown, duplicate and missing keys, and every value by value.c. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config/internal.h"
#include "config/text.h"

int load_fail(struct loader *ld, struct diag_place at, const char *hint, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    diag_errorv(ld->d, at, hint, fmt, ap);
    va_end(ap);
    return -1;
}

int load_oom(struct loader *ld)
{
    return diag_error(ld->d, (struct diag_place){0}, NULL, "out of memory");
}

/* The path from the root, cut when it is absurdly long. */
const char *kpath_text(const struct kpath *p, char buf[KEY_BUF])
{
    const struct kpath *chain[CONFIG_DEPTH_MAX + 8];
    size_t n = 0, len = 0;
    buf[0] = 0;
    for (; p && n < sizeof chain / sizeof chain[0]; p = p->up)
        chain[n++] = p;
    while (n-- && len < KEY_BUF) {
        char word[TEXT_WORD];
        int w;
        if (chain[n]->name)
            w = snprintf(buf + len, KEY_BUF - len, "%s%s", len ? "." : "",
                         text_word(word, chain[n]->name, strlen(chain[n]->name)));
        else
            w = snprintf(buf + len, KEY_BUF - len, "[%zu]", chain[n]->index);
        len += (size_t)w;
    }
    return buf;
}

/* The nearest of several names, and a list of them for when none is near. */
struct near {
    const char *word, *name;
    size_t best;
    char list[120];
    bool cut;
};

static void near_try(struct near *n, const char *name)
{
    size_t d = text_distance(n->word, name, n->best - 1);
    if (d < n->best) {
        n->best = d;
        n->name = name;
    }
    size_t used = strlen(n->list);
    if (used + strlen(name) + 2 >= sizeof n->list)
        n->cut = true;
    else if (!n->cut)
        snprintf(n->list + used, sizeof n->list - used, "%s%s", used ? ", " : "", name);
}

static struct near near_start(const char *word) { return (struct near){.word = word, .best = text_near(word) + 1}; }

static void unknown(struct loader *ld, const struct near *n, struct diag_place at, const struct kpath *path)
{
    char key[KEY_BUF], word[TEXT_WORD], hint[KEY_BUF + 64] = "";
    kpath_text(path, key);
    if (n->name)
        snprintf(hint, sizeof hint, "did you mean \"%s\"?", n->name);
    else if (strchr(n->word, '.') && !at.src->option)
        snprintf(hint, sizeof hint, "in a file, nest it: {\"a\": {\"b\": ...}}");
    else if (n->cut)
        snprintf(hint, sizeof hint, "see mmulab config keys%s%s", *key ? " " : "", key);
    else
        snprintf(hint, sizeof hint, "the keys are %s", n->list);
    load_fail(ld, at, hint, "unknown key \"%s\"%s%s", text_word(word, n->word, strlen(n->word)), *key ? " in " : "", key);
}

void check_unknown(struct loader *ld, const char *name, struct diag_place at, const struct skey *k,
                   const struct kpath *path)
{
    if (diag_full(ld->d)) {
        load_fail(ld, at, NULL, "unknown key");
        return;
    }
    struct near n = near_start(name);
    for (const struct skey *c = k->child; c; c = c->next)
        near_try(&n, c->name);
    unknown(ld, &n, at, path);
}

static int by_key(const void *a, const void *b)
{
    const struct config_node *x = *(const struct config_node *const *)a, *y = *(const struct config_node *const *)b;
    int c = strcmp(x->key, y->key);
    return c ? c : (x->key_at.offset > y->key_at.offset) - (x->key_at.offset < y->key_at.offset);
}

static void check_duplicates(struct loader *ld, const struct config_node *object, const struct kpath *path)
{
    if (object->n < 2)
        return;
    const struct config_node **all = malloc(object->n * sizeof *all);
    if (!all) {
        load_oom(ld);
        return;
    }
    size_t n = 0;
    for (const struct config_node *c = object->child; c; c = c->next)
        all[n++] = c;
    qsort(all, n, sizeof *all, by_key);
    for (size_t i = 1, first = 0; i < n; i++) {
        if (strcmp(all[i]->key, all[first]->key) != 0) {
            first = i;
            continue;
        }
        char key[KEY_BUF], word[TEXT_WORD];
        kpath_text(path, key);
        load_fail(ld, all[i]->key_at, NULL, "duplicate key \"%s\"%s%s",
                  text_word(word, all[i]->key, strlen(all[i]->key)), *key ? " in " : "", key);
        diag_note(ld->d, all[first]->key_at, "first given here");
    }
    free(all);
}

static void check_free(struct loader *ld, const struct config_node *node, const struct kpath *path)
{
    if (node->type == CONFIG_OBJECT)
        check_duplicates(ld, node, path);
    size_t i = 0;
    for (const struct config_node *c = node->child; c; c = c->next) {
        struct kpath p = {path, c->key, i++};
        if (c->type == CONFIG_OBJECT || c->type == CONFIG_ARRAY)
            check_free(ld, c, &p);
    }
}

static const char *not_object(const struct config_node *n, char buf[TEXT_WORD])
{
    if (n->type == CONFIG_ARRAY)
        return "a list";
    return text_word(buf, n->text, strlen(n->text)); /* null and objects are accepted before */
}

void check_tree(struct loader *ld, const struct config_node *object, const struct skey *k, const struct kpath *path)
{
    check_duplicates(ld, object, path);
    for (const struct config_node *c = object->child; c; c = c->next) {
        struct kpath p = {path, c->key, 0};
        if (!path && (!strcmp(c->key, "extends") || !strcmp(c->key, "$schema")))
            continue;
        const struct skey *sub = skey_child(k, c->key, strlen(c->key));
        if (!sub) {
            check_unknown(ld, c->key, c->key_at, k, path);
            continue;
        }
        if (c->bad || c->type == CONFIG_NULL)
            continue;
        if (sub->param) {
            value_read(ld, sub->param, c, &p, NULL);
        } else if (c->type != CONFIG_OBJECT) {
            char key[KEY_BUF], word[TEXT_WORD];
            load_fail(ld, c->at, NULL, "%s: expected an object, found %s", kpath_text(&p, key), not_object(c, word));
        } else if (sub->free_section) {
            check_free(ld, c, &p);
        } else {
            check_tree(ld, c, sub, &p);
        }
    }
}

void check_element(struct loader *ld, const struct param_elem *e, const struct config_node *object,
                   const struct kpath *path, bool complete)
{
    check_duplicates(ld, object, path);
    for (const struct config_node *c = object->child; c; c = c->next) {
        const struct param *p = NULL;
        for (size_t i = 0; i < e->n && !p; i++)
            if (!strcmp(e->table[i].key, c->key))
                p = &e->table[i];
        if (!p) {
            if (diag_full(ld->d)) {
                load_fail(ld, c->key_at, NULL, "unknown key");
                continue;
            }
            struct near n = near_start(c->key);
            for (size_t i = 0; i < e->n; i++)
                near_try(&n, e->table[i].key);
            unknown(ld, &n, c->key_at, path);
            continue;
        }
        struct kpath sub = {path, c->key, 0};
        if (!c->bad && c->type != CONFIG_NULL)
            value_read(ld, p, c, &sub, NULL);
    }
    for (size_t i = 0; complete && i < e->n; i++) {
        const struct config_node *c = config_node_member(object, e->table[i].key);
        if ((e->table[i].flags & PARAM_REQUIRED) && (!c || (c->type == CONFIG_NULL && !c->bad))) {
            char key[KEY_BUF];
            load_fail(ld, object->at, NULL, "%s: the key \"%s\" is missing", kpath_text(path, key), e->table[i].key);
        }
    }
}
