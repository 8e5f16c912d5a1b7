/*
 * -s KEY=VALUE. The value is typed by the table, so it needs no quotes: size=4GiB, levels=[4KiB, 2MiB]. JSON is accepted,
 * too, and needed for whole sections and object lists. KEY[INDEX].NAME reaches into an object list.
 */
#include <stdlib.h>
#include <string.h>

#include "config/internal.h"
#include "config/text.h"

static struct diag_place place(const struct source *s, size_t from, size_t to)
{
    return (struct diag_place){&s->d, from, to - from};
}

static size_t skip(const char *t, size_t i) { return i + strspn(t + i, " \t"); }

/* "[a, b]" with or without quotes around the elements. */
static struct config_node *bare_list(struct loader *ld, const struct source *src, size_t start, const char *key)
{
    const char *t = src->d.text;
    size_t end = src->d.len;
    while (end > start && (t[end - 1] == ' ' || t[end - 1] == '\t'))
        end--;
    struct config_node *list = node_new(&ld->c->arena, CONFIG_ARRAY, NULL, NULL, place(src, start, end));
    if (!list) {
        load_oom(ld);
        return NULL;
    }
    if (t[start] != '[' || end < start + 2 || t[end - 1] != ']') {
        char word[TEXT_WORD];
        load_fail(ld, list->at, NULL, "%s: expected a list [...], found %s", key, text_word(word, t + start, end - start));
        return NULL;
    }
    for (size_t i = skip(t, start + 1); i < end - 1;) {
        size_t from = i, stop;
        struct config_node *n;
        if (!ld->nodes) {
            load_fail(ld, place(src, from, from + 1), NULL, "%s: too many values", key);
            return NULL;
        }
        if (t[i] == '"') {
            for (i++; i < end - 1 && t[i] != '"'; i++)
                i += t[i] == '\\';
            stop = i < end - 1 ? ++i : end - 1;
            n = json_parse(&ld->c->arena, src, from, stop - from, &ld->nodes, ld->d);
            if (!n)
                return NULL;
        } else {
            while (i < end - 1 && t[i] != ',')
                i++;
            for (stop = i; stop > from && (t[stop - 1] == ' ' || t[stop - 1] == '\t');)
                stop--;
            char *text = arena_strndup(&ld->c->arena, t + from, stop - from);
            n = text ? node_new(&ld->c->arena, CONFIG_STRING, NULL, text, place(src, from, stop)) : NULL;
            if (!n) {
                load_oom(ld);
                return NULL;
            }
            n->bare = true;
            ld->nodes--;
        }
        node_append(list, n);
        i = skip(t, i);
        if (i < end - 1 && t[i] != ',') {
            load_fail(ld, place(src, i, i + 1), NULL, "%s: expected ',' or ']'", key);
            return NULL;
        }
        i = i < end - 1 ? skip(t, i + 1) : i;
    }
    return list;
}

struct config_node *option_value(struct loader *ld, const struct source *src, size_t start, const struct param *p,
                                 const struct kpath *path)
{
    const char *t = src->d.text + start;
    char key[KEY_BUF];
    if (!strcmp(t, "null")) {
        struct config_node *n = node_new(&ld->c->arena, CONFIG_NULL, NULL, NULL, place(src, start, src->d.len));
        if (!n)
            load_oom(ld);
        return n;
    }
    bool list = param_plain_list(p->type);
    if (list)
        return bare_list(ld, src, start, kpath_text(path, key));
    if (p->type == P_OBJECT_LIST || *t == '"')
        return json_parse(&ld->c->arena, src, start, src->d.len - start, &ld->nodes, ld->d);
    struct config_node *n = node_new(&ld->c->arena, CONFIG_STRING, NULL, t, place(src, start, src->d.len));
    if (n)
        n->bare = true;
    else
        load_oom(ld);
    return n;
}

static struct source *option_source(struct loader *ld, const char *key_value)
{
    struct arena *a = &ld->c->arena;
    size_t len = strlen(key_value), key = strcspn(key_value, "=");
    struct source *src = arena_alloc(a, sizeof *src);
    char *name = arena_printf(a, "-s %.*s", (int)(key < 200 ? key : 200), key_value);
    char *text = len <= CONFIG_SET_MAX ? arena_printf(a, "-s %s", key_value) : name;
    if (!src || !name || !text) {
        load_oom(ld);
        return NULL;
    }
    *src = (struct source){.d = {.name = name, .text = text, .len = strlen(text), .option = true}, .shown = ld->set_origin,
                           .dir = "", .id = ""};
    if (len > CONFIG_SET_MAX) {
        load_fail(ld, (struct diag_place){&src->d, DIAG_WHOLE, 0}, NULL, "longer than %d bytes", CONFIG_SET_MAX);
        return NULL;
    }
    if (!key_value[key] || !key) {
        load_fail(ld, place(src, 3, src->d.len), NULL, "expected KEY=VALUE");
        return NULL;
    }
    for (size_t i = 0, n; i < src->d.len; i += n) {
        n = text_utf8(text + i, src->d.len - i);
        if (!n) {
            load_fail(ld, place(src, i, i + 1), NULL, "byte 0x%02x is not UTF-8", (unsigned char)text[i]);
            return NULL;
        }
    }
    return src;
}

static struct config_node *member(struct config_node *object, const char *key)
{
    return (struct config_node *)config_node_member(object, key);
}

/* "workload.processes[0].core": `at` stands behind the '['. Sets the member in place. */
static int apply_element(struct loader *ld, struct config_node *list, const struct source *src, size_t at,
                         const struct param *p, const struct kpath *path, bool detached)
{
    const char *t = src->d.text;
    char key[KEY_BUF];
    size_t digits = strspn(t + at, "0123456789"), close = at + digits, equal = at + strcspn(t + at, "=");
    kpath_text(path, key);
    if (!digits || digits > 6 || t[close] != ']' || t[close + 1] != '.' || close + 2 >= equal)
        return load_fail(ld, place(src, at - 1, equal), NULL, "%s: expected [INDEX].NAME", key);
    struct kpath element = {path, NULL, strtoul(t + at, NULL, 10)};
    struct config_node *object = list ? list->child : NULL;
    for (size_t i = 0; object && i < element.index; i++)
        object = object->next;
    if (!object && !detached)
        return load_fail(ld, place(src, at, close), NULL, "%s: there is no element %zu, the list has %zu", key,
                         element.index, list ? list->n : 0);
    char *name = arena_strndup(&ld->c->arena, t + close + 2, equal - close - 2);
    if (!name)
        return load_oom(ld);
    struct kpath leaf = {&element, name, 0};
    const struct param *q = NULL;
    for (size_t i = 0; i < p->elem->n && !q; i++)
        if (!strcmp(p->elem->table[i].key, name))
            q = &p->elem->table[i];
    struct config_node *patch = node_new(&ld->c->arena, CONFIG_OBJECT, NULL, NULL, place(src, 3, equal)), *v = NULL;
    if (!patch)
        return load_oom(ld);
    if (q) {
        v = option_value(ld, src, equal + 1, q, &leaf);
    } else {
        v = node_new(&ld->c->arena, CONFIG_NULL, NULL, NULL, place(src, equal + 1, src->d.len));
        if (!v)
            load_oom(ld);
    }
    if (!v)
        return -1;
    v->key = name;
    v->key_at = place(src, close + 2, equal);
    node_append(patch, v);
    /* with the element's own required keys the patch alone would be incomplete: check the value, and the merged element */
    size_t before = diag_count(ld->d);
    if (q && v->type != CONFIG_NULL)
        value_read(ld, q, v, &leaf, NULL);
    if (!q)
        check_element(ld, p->elem, patch, &element, false);
    if (diag_count(ld->d) != before)
        return -1;
    if (object) {
        node_merge(object, patch);
        check_element(ld, p->elem, object, &element, true);
    }
    return diag_count(ld->d) == before ? 0 : -1;
}

int option_apply(struct loader *ld, struct config_node *tree, const char *key_value, bool detached)
{
    struct arena *a = &ld->c->arena;
    const struct source *src = option_source(ld, key_value);
    if (!src)
        return -1;
    const char *t = src->d.text;
    size_t equal = strcspn(t, "="), at = 3, n = 0;
    struct kpath path[CONFIG_DEPTH_MAX];
    const struct skey *k = ld->c->keys;
    struct config_node *root = node_new(a, CONFIG_OBJECT, NULL, NULL, place(src, 3, equal)), *deep = root, *real = tree;
    if (!root)
        return load_oom(ld);
    for (;;) {
        size_t stop = at;
        while (stop < equal && t[stop] != '.' && t[stop] != '[')
            stop++;
        char *name = arena_strndup(a, t + at, stop - at);
        if (!name)
            return load_oom(ld);
        const struct kpath *up = n ? &path[n - 1] : NULL;
        if (k->free_section || (k->param && at < equal))
            return load_fail(ld, place(src, at, equal), NULL, "%s has no keys; give its value as a whole", k->name);
        const struct skey *c = skey_child(k, name, stop - at);
        if (!c || n == CONFIG_DEPTH_MAX) {
            check_unknown(ld, name, place(src, at, stop > at ? stop : at + 1), k, up);
            return -1;
        }
        k = c;
        path[n] = (struct kpath){up, k->name, 0};
        n++;
        real = real ? member(real, k->name) : NULL;
        if (t[stop] == '[' && stop < equal) {
            if (!k->param || k->param->type != P_OBJECT_LIST)
                return load_fail(ld, place(src, stop, equal), NULL, "%s is not a list of objects", k->name);
            return apply_element(ld, real, src, stop + 1, k->param, &path[n - 1], detached);
        }
        struct config_node *v;
        if (stop < equal)
            v = node_new(a, CONFIG_OBJECT, NULL, NULL, place(src, at, stop));
        else if (k->param)
            v = option_value(ld, src, equal + 1, k->param, &path[n - 1]);
        else if (t[equal + 1] == '{' || !strcmp(t + equal + 1, "null"))
            v = json_parse(a, src, equal + 1, src->d.len - equal - 1, &ld->nodes, ld->d);
        else
            return load_fail(ld, place(src, equal + 1, src->d.len), NULL, "\"%s\" is a section; set one of its keys",
                             k->name);
        if (!v)
            return stop < equal ? load_oom(ld) : -1;
        v->key = name;
        v->key_at = place(src, at, stop);
        node_append(deep, v);
        deep = v;
        if (stop == equal)
            break;
        at = stop + 1;
    }
    size_t before = diag_count(ld->d);
    check_tree(ld, root, ld->c->keys, NULL);
    if (diag_count(ld->d) != before)
        return -1;
    node_merge(tree, root);
    return 0;
}
