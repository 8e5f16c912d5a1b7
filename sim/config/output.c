/* The effective configuration: config.json, values for people, the canonical text and its hash. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "config/internal.h"
#include "config/text.h"

size_t config_count(const struct config *c) { return c->n; }

void config_get(const struct config *c, size_t i, struct config_item *out)
{
    const struct config_value *v = &c->values[i];
    *out = (struct config_item){v->key, v->param, v->at, v->origin, v->node == NULL};
}

bool config_find(const struct config *c, const char *key, struct config_item *out)
{
    for (size_t i = 0; i < c->n; i++) {
        if (strcmp(c->values[i].key, key) != 0)
            continue;
        config_get(c, i, out);
        return true;
    }
    return false;
}

bool config_path_next(struct config *c, struct config_path *it)
{
    for (size_t i = it->value; i < c->n; i++) {
        const struct config_value *v = &c->values[i];
        size_t element = i == it->value && it->started ? it->element + 1 : 0;
        const struct config_node *n = v->node;
        if (v->param->type == P_PATH && !element && *(char **)v->at) {
            *it = (struct config_path){v->key, 0, n ? n->text : *(char **)v->at, v->at, i, true};
            return true;
        }
        const struct param_list *list = v->param->type == P_PATH_LIST ? v->at : NULL;
        if (list && element < list->n) {
            n = n ? n->child : NULL;
            for (size_t k = 0; n && k < element; k++)
                n = n->next;
            *it = (struct config_path){v->key, element, n ? n->text : list->s[element], &list->s[element], i, true};
            return true;
        }
    }
    return false;
}

/* How a tree of values is written. */
struct style {
    FILE *to;
    bool pretty, changed, canonical;
};

static void newline(const struct style *s, unsigned depth)
{
    if (!s->pretty)
        return;
    fputc('\n', s->to);
    for (unsigned i = 0; i < depth; i++)
        fputs("  ", s->to);
}

static void name(const struct style *s, const char *key, bool *any, unsigned depth)
{
    if (*any)
        fputc(',', s->to);
    *any = true;
    newline(s, depth);
    text_put_json(s->to, key);
    fputs(s->pretty ? ": " : ":", s->to);
}

static bool wanted(const struct style *s, const struct config_value *v)
{
    if (s->changed && !v->node)
        return false;
    if (s->canonical && (v->param->flags & PARAM_NO_HASH))
        return false;
    return true;
}

static size_t skip_value(const struct config *c, size_t i);
static size_t write_value(const struct config *c, const struct style *s, size_t i, unsigned depth);

struct named {
    const char *key;
    size_t index;
};
static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->key, ((const struct named *)b)->key);
}

/* The elements of the object list that is value `i`; returns the index behind them. */
static size_t write_objects(const struct config *c, const struct style *s, size_t i, unsigned depth)
{
    const struct param_elem *e = c->values[i].param->elem;
    const struct param_list *list = c->values[i].at;
    bool any_element = false;
    struct named *order = calloc(e->n ? e->n : 1, sizeof *order);
    i++;
    fputc('[', s->to);
    for (size_t n = 0; n < list->n; n++) {
        if (any_element)
            fputc(',', s->to);
        any_element = true;
        newline(s, depth + 1);
        fputc('{', s->to);
        for (size_t k = 0; order && k < e->n; k++) {
            order[k] = (struct named){e->table[k].key, i};
            i = skip_value(c, i);
        }
        if (order && s->canonical)
            qsort(order, e->n, sizeof *order, by_name);
        bool any = false;
        for (size_t k = 0; order && k < e->n; k++) {
            if (!wanted(s, &c->values[order[k].index]))
                continue;
            name(s, order[k].key, &any, depth + 2);
            write_value(c, s, order[k].index, depth + 2);
        }
        if (any)
            newline(s, depth + 1);
        fputc('}', s->to);
    }
    if (any_element)
        newline(s, depth);
    fputc(']', s->to);
    free(order);
    return i;
}

static size_t skip_value(const struct config *c, size_t i)
{
    const struct config_value *v = &c->values[i++];
    if (v->param->type != P_OBJECT_LIST)
        return i;
    const struct param_list *list = v->at;
    for (size_t n = list->n * v->param->elem->n; n; n--)
        i = skip_value(c, i);
    return i;
}

static size_t write_value(const struct config *c, const struct style *s, size_t i, unsigned depth)
{
    const struct config_value *v = &c->values[i];
    if (v->param->type == P_OBJECT_LIST)
        return write_objects(c, s, i, depth);
    value_write(s->to, v->param, v->at, v->node);
    return i + 1;
}

static bool any_wanted(const struct config *c, const struct style *s, const struct skey *k)
{
    if (k->param)
        return wanted(s, &c->values[c->slots[k->slot]]);
    for (const struct skey *sub = k->child; sub; sub = sub->next)
        if (any_wanted(c, s, sub))
            return true;
    return false;
}

static int by_skey(const void *a, const void *b)
{
    return strcmp((*(const struct skey *const *)a)->name, (*(const struct skey *const *)b)->name);
}

static void write_section(const struct config *c, const struct style *s, const struct skey *k, unsigned depth)
{
    size_t n = 0;
    for (const struct skey *sub = k->child; sub; sub = sub->next)
        n++;
    const struct skey **order = calloc(n ? n : 1, sizeof *order);
    n = 0;
    for (const struct skey *sub = k->child; order && sub; sub = sub->next)
        order[n++] = sub;
    if (order && s->canonical)
        qsort(order, n, sizeof *order, by_skey);
    bool any = false;
    fputc('{', s->to);
    for (size_t i = 0; order && i < n; i++) {
        if (order[i]->free_section || !any_wanted(c, s, order[i]))
            continue;
        name(s, order[i]->name, &any, depth + 1);
        if (order[i]->param)
            write_value(c, s, c->slots[order[i]->slot], depth + 1);
        else
            write_section(c, s, order[i], depth + 1);
    }
    if (any)
        newline(s, depth);
    fputc('}', s->to);
    free(order);
}

int config_write_values(const struct config *c, bool changed, FILE *to)
{
    struct style s = {.to = to, .pretty = true, .changed = changed};
    write_section(c, &s, c->keys, 0);
    fputc('\n', to);
    return ferror(to) ? -1 : 0;
}

char *config_canonical(const struct config *c)
{
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    if (!to)
        return NULL;
    struct style s = {.to = to, .canonical = true};
    write_section(c, &s, c->keys, 0);
    int bad = ferror(to);
    if (fclose(to) || bad) {
        free(text);
        return NULL;
    }
    return text;
}

int config_hash(const struct config *c, char buf[CONFIG_HASH_BUF])
{
    char *text = config_canonical(c);
    if (!text)
        return -1;
    XXH128_hash_t h = XXH3_128bits(text, strlen(text));
    snprintf(buf, CONFIG_HASH_BUF, "%016llx%016llx", (unsigned long long)h.high64, (unsigned long long)h.low64);
    free(text);
    return 0;
}

static int write_document(const struct config *c, bool changed, const char *more, FILE *to)
{
    char hash[CONFIG_HASH_BUF];
    if (config_hash(c, hash) < 0)
        return -1;
    struct style s = {.to = to, .pretty = true, .changed = changed};
    bool any = false;
    fputc('{', to);
    name(&s, "config_hash", &any, 1);
    text_put_json(to, hash);
    name(&s, "config", &any, 1);
    write_section(c, &s, c->keys, 1);
    name(&s, "origin", &any, 1);
    fputc('{', to);
    bool inner = false;
    for (size_t i = 0; i < c->n; i++) {
        if (!wanted(&s, &c->values[i]))
            continue;
        name(&s, c->values[i].key, &inner, 2);
        text_put_json(to, c->values[i].origin);
    }
    newline(&s, 1);
    fputc('}', to);
    if (c->n_env) {
        name(&s, "environment", &any, 1);
        fputc('{', to);
        inner = false;
        for (size_t i = 0; i < c->n_env; i++) {
            name(&s, c->env[i].name, &inner, 2);
            text_put_json(to, c->env[i].value);
        }
        newline(&s, 1);
        fputc('}', to);
    }
    if (more)
        fprintf(to, ",\n%s", more);
    newline(&s, 0);
    fputs("}\n", to);
    return ferror(to) ? -1 : 0;
}

int config_write_json(const struct config *c, FILE *to) { return write_document(c, false, NULL, to); }

int config_write_frozen(const struct config *c, const char *more, FILE *to)
{
    return write_document(c, true, more, to);
}

char *config_value_text(const struct config *c, size_t i)
{
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    if (!to)
        return NULL;
    struct style s = {.to = to};
    write_value(c, &s, i, 0);
    fclose(to);
    return text;
}

char *config_value_plain(const struct config *c, size_t i)
{
    const struct config_value *v = &c->values[i];
    if ((v->param->type == P_STR || v->param->type == P_PATH) && *(char *const *)v->at)
        return strdup(v->param->type == P_PATH && v->node ? v->node->text : *(char *const *)v->at);
    char *text = config_value_text(c, i);
    size_t len = text ? strlen(text) : 0;
    if (len >= 2 && text[0] == '"' && text[len - 1] == '"') { /* units and names need no escapes */
        memmove(text, text + 1, len - 2);
        text[len - 2] = 0;
    }
    return text;
}

static void write_node(FILE *to, const struct config_node *n)
{
    switch (n->type) {
    case CONFIG_NULL:
        fputs("null", to);
        break;
    case CONFIG_BOOL:
    case CONFIG_NUMBER:
        fputs(n->text, to);
        break;
    case CONFIG_STRING:
        text_put_json(to, n->text);
        break;
    case CONFIG_ARRAY:
    case CONFIG_OBJECT:
        fputc(n->type == CONFIG_ARRAY ? '[' : '{', to);
        for (const struct config_node *e = n->child; e; e = e->next) {
            if (e->key && n->type == CONFIG_OBJECT) {
                text_put_json(to, e->key);
                fputs(": ", to);
            }
            write_node(to, e);
            if (e->next)
                fputs(", ", to);
        }
        fputc(n->type == CONFIG_ARRAY ? ']' : '}', to);
        break;
    }
}

char *config_node_text(const struct config_node *n)
{
    if (n->type == CONFIG_STRING)
        return strdup(n->text);
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    if (!to)
        return NULL;
    write_node(to, n);
    fclose(to);
    return text;
}
