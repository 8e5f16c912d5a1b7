/* From text to a tree with places: scanner, then cJSON, then both walked side by side. And RFC 7396 on such trees. */
#include <assert.h>
#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config/internal.h"

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size;
    max_align_t data[];
};

void *arena_alloc(struct arena *a, size_t size)
{
    enum { CHUNK = 16384 };
    size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (!a->head || a->head->size - a->head->used < size) {
        size_t want = size > CHUNK ? size : CHUNK;
        struct arena_chunk *c = calloc(1, sizeof *c + want);
        if (!c)
            return NULL;
        *c = (struct arena_chunk){.next = a->head, .size = want};
        a->head = c;
    }
    void *p = (char *)a->head->data + a->head->used;
    a->head->used += size;
    return p;
}

void arena_fini(struct arena *a)
{
    for (struct arena_chunk *next; a->head; a->head = next) {
        next = a->head->next;
        free(a->head);
    }
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
    char *p = arena_alloc(a, len + 1);
    if (p)
        memcpy(p, s, len);
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = NULL;
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        return NULL;
    char *p = arena_strndup(a, text, (size_t)n);
    free(text);
    return p;
}

struct config_node *node_new(struct arena *a, enum config_node_type type, const char *key, const char *text,
                             struct diag_place at)
{
    struct config_node *n = arena_alloc(a, sizeof *n);
    if (n)
        *n = (struct config_node){.type = type, .key = key, .text = text, .at = at, .key_at = at};
    return n;
}

void node_append(struct config_node *parent, struct config_node *child)
{
    child->next = NULL;
    if (parent->last)
        parent->last->next = child;
    else
        parent->child = child;
    parent->last = child;
    parent->n++;
}

const struct config_node *config_node_member(const struct config_node *object, const char *key)
{
    if (!object || object->type != CONFIG_OBJECT)
        return NULL;
    for (const struct config_node *n = object->child; n; n = n->next)
        if (!strcmp(n->key, key))
            return n;
    return NULL;
}

struct builder {
    struct arena *a;
    const struct source *src;
    const struct json_scan *scan;
    size_t next;
};

static struct config_node *build(struct builder *b, const cJSON *item)
{
    assert(b->next < b->scan->n); /* the scanner counted the same values that cJSON found */
    const struct json_mark *m = &b->scan->marks[b->next++];
    struct diag_place at = {&b->src->d, m->at, m->len};
    struct config_node *n = node_new(b->a, CONFIG_NULL, NULL, NULL, at);
    if (!n)
        return NULL;
    n->bad = m->bad;
    if (m->key_len) {
        n->key_at = (struct diag_place){&b->src->d, m->key, m->key_len};
        n->key = arena_strndup(b->a, item->string, strlen(item->string));
        if (!n->key)
            return NULL;
    }
    if (cJSON_IsObject(item) || cJSON_IsArray(item)) {
        n->type = cJSON_IsObject(item) ? CONFIG_OBJECT : CONFIG_ARRAY;
        const cJSON *child;
        cJSON_ArrayForEach(child, item)
        {
            struct config_node *c = build(b, child);
            if (!c)
                return NULL;
            node_append(n, c);
        }
    } else if (cJSON_IsString(item)) {
        n->type = CONFIG_STRING;
        n->text = arena_strndup(b->a, item->valuestring, strlen(item->valuestring));
    } else if (cJSON_IsBool(item)) {
        n->type = CONFIG_BOOL;
        n->text = cJSON_IsTrue(item) ? "true" : "false";
    } else if (cJSON_IsNumber(item)) { /* the text, not cJSON's double: 64 bits stay exact */
        n->type = CONFIG_NUMBER;
        n->text = arena_strndup(b->a, b->src->d.text + m->at, m->len);
    }
    return n->type != CONFIG_NULL && n->type != CONFIG_ARRAY && n->type != CONFIG_OBJECT && !n->text ? NULL : n;
}

struct config_node *json_parse(struct arena *a, const struct source *src, size_t start, size_t len, size_t *nodes,
                               struct diag *d)
{
    struct json_scan scan;
    struct config_node *root = NULL;
    if (json_scan(&scan, src, start, len, *nodes, d) == 0) {
        *nodes -= scan.n;
        const char *end;
        cJSON *json = cJSON_ParseWithLengthOpts(scan.clean, len + 1, &end, 1);
        struct builder b = {.a = a, .src = src, .scan = &scan};
        if (json)
            root = build(&b, json);
        if (!root) /* the scanner passes nothing that cJSON refuses */
            diag_error(d, (struct diag_place){&src->d, start, 1}, NULL, "out of memory");
        cJSON_Delete(json);
    }
    json_scan_fini(&scan);
    return root;
}

static void unlink_member(struct config_node *object, const char *key)
{
    struct config_node *before = NULL;
    for (struct config_node *n = object->child; n; before = n, n = n->next) {
        if (strcmp(n->key, key) != 0)
            continue;
        if (before)
            before->next = n->next;
        else
            object->child = n->next;
        if (object->last == n)
            object->last = before;
        object->n--;
        return;
    }
}

/* A patch that meets nothing: its nulls have nothing to remove. */
static void strip_nulls(struct config_node *object)
{
    struct config_node *n = object->child, *next;
    object->child = object->last = NULL;
    object->n = 0;
    for (; n; n = next) {
        next = n->next;
        if (n->type == CONFIG_NULL)
            continue;
        if (n->type == CONFIG_OBJECT)
            strip_nulls(n);
        node_append(object, n);
    }
}

void node_merge(struct config_node *target, struct config_node *patch)
{
    for (struct config_node *p = patch->child, *next; p; p = next) {
        next = p->next;
        struct config_node *old = (struct config_node *)config_node_member(target, p->key);
        if (p->type == CONFIG_OBJECT && old && old->type == CONFIG_OBJECT) {
            node_merge(old, p);
            continue;
        }
        if (old)
            unlink_member(target, p->key);
        if (p->type == CONFIG_NULL)
            continue;
        if (p->type == CONFIG_OBJECT)
            strip_nulls(p);
        node_append(target, p);
    }
}
