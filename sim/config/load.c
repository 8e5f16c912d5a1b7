/* Files and presets: reading, "extends", merging; and config_load, which strings the parts together. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config/internal.h"
#include "config/text.h"

static struct diag_place whole(const struct source *s) { return (struct diag_place){&s->d, DIAG_WHOLE, 0}; }

/* Reports that a file cannot be had: at the "extends" that names it, else at the file. Returns -1. */
static int fail_open(struct loader *ld, const struct source *s, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static int fail_open(struct loader *ld, const struct source *s, const char *hint, const char *fmt, ...)
{
    struct diag_place at = s->d.parent ? (struct diag_place){s->d.parent, s->d.parent_offset, s->d.parent_len}
                                       : (struct diag_place){0};
    va_list ap;
    va_start(ap, fmt);
    diag_errorv(ld->d, at, hint, fmt, ap);
    va_end(ap);
    return -1;
}

static int read_stream(struct loader *ld, struct source *s, FILE *f)
{
    size_t cap = 8192, len = 0;
    char *buf = malloc(cap + 1);
    while (buf) {
        len += fread(buf + len, 1, cap - len, f);
        if (len < cap || len > CONFIG_FILE_MAX)
            break;
        char *more = realloc(buf, 2 * cap + 1);
        if (!more) {
            free(buf);
            buf = NULL;
        } else {
            buf = more;
            cap *= 2;
        }
    }
    if (!buf)
        return load_oom(ld);
    int rc = 0;
    if (ferror(f)) {
        rc = fail_open(ld, s, NULL, "cannot read %s: %s", s->d.name, strerror(errno));
    } else if (len > CONFIG_FILE_MAX || len > ld->bytes) {
        rc = fail_open(ld, s, NULL, "%s is too large (at most %d MiB)", s->d.name,
                       (len > CONFIG_FILE_MAX ? CONFIG_FILE_MAX : 4 * CONFIG_FILE_MAX) >> 20);
    } else {
        ld->bytes -= len;
        s->d.text = arena_strndup(&ld->c->arena, buf, len);
        s->d.len = len;
        if (!s->d.text)
            rc = load_oom(ld);
    }
    free(buf);
    return rc;
}

const struct config_preset *config_schema_presets(const struct config_schema *s, size_t *n)
{
    if (!s->presets)
        return config_presets(n);
    *n = s->n_presets;
    return s->presets;
}

static int read_preset(struct loader *ld, struct source *s, const char *name)
{
    size_t n;
    const struct config_preset *presets = config_schema_presets(ld->c->schema, &n);
    const char *best = NULL;
    size_t near = text_near(name) + 1;
    for (size_t i = 0; i < n; i++) {
        const struct config_preset *p = &presets[i];
        if (!strcmp(p->name, name)) {
            s->d.text = p->text;
            s->d.len = p->len;
            return 0;
        }
        size_t d = text_distance(name, p->name, near - 1);
        if (d < near) {
            near = d;
            best = p->name;
        }
    }
    char word[TEXT_WORD], hint[TEXT_WORD] = "see mmulab config presets";
    if (best)
        snprintf(hint, sizeof hint, "did you mean \"@%s\"?", best);
    text_word(word, name, strlen(name));
    if (s->d.parent)
        return fail_open(ld, s, hint, "unknown preset \"@%s\"", word);
    return fail_open(ld, s, NULL, "unknown preset \"@%s\"; %s", word, hint);
}

static int read_source(struct loader *ld, struct source *s)
{
    if (ld->files++ >= CONFIG_EXTENDS_MAX)
        return fail_open(ld, s, NULL, "too many files (at most %d)", CONFIG_EXTENDS_MAX);
    if (s->d.name[0] == '@')
        return read_preset(ld, s, s->d.name + 1);
    FILE *f = fopen(s->d.name, "re");
    if (!f)
        return fail_open(ld, s, NULL, "cannot open %s: %s", s->d.name, strerror(errno));
    int rc = read_stream(ld, s, f);
    fclose(f);
    return rc;
}

/* The folder part of a name with its slash, "" if it has none. */
static char *folder(struct arena *a, const char *name)
{
    const char *slash = strrchr(name, '/');
    return arena_strndup(a, name, slash && name[0] != '@' ? (size_t)(slash - name) + 1 : 0);
}

static struct source *source_new(struct loader *ld, const char *name, const char *shown)
{
    struct arena *a = &ld->c->arena;
    struct source *s = arena_alloc(a, sizeof *s);
    char *real = name[0] == '@' ? NULL : realpath(name, NULL);
    if (s) {
        s->d = (struct diag_source){.name = arena_strndup(a, name, strlen(name)), .text = "", .len = 0};
        s->shown = arena_strndup(a, shown, strlen(shown));
        s->dir = folder(a, name);
        s->id = arena_strndup(a, real ? real : name, strlen(real ? real : name));
    }
    free(real);
    if (!s || !s->d.name || !s->shown || !s->dir || !s->id) {
        load_oom(ld);
        return NULL;
    }
    return s;
}

static struct config_node *load_source(struct loader *ld, const struct source *s);

static int fail_cycle(struct loader *ld, const struct source *s, struct diag_place at)
{
    const struct source *chain[CONFIG_EXTENDS_MAX + 1];
    size_t n = 0;
    for (const struct diag_source *d = &s->d; d && n <= CONFIG_EXTENDS_MAX; d = d->parent) {
        chain[n++] = (const struct source *)d;
        if (n > 1 && !strcmp(chain[n - 1]->id, s->id))
            break;
    }
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    if (!to)
        return load_oom(ld);
    while (n--)
        fprintf(to, "%s%s", chain[n]->d.name, n ? " -> " : "");
    fclose(to);
    load_fail(ld, at, NULL, "\"extends\" goes round in a circle: %s", text ? text : "");
    free(text);
    return -1;
}

static struct config_node *load_extended(struct loader *ld, const struct source *from, const struct config_node *n)
{
    if (n->bad)
        return NULL;
    if (n->type != CONFIG_STRING || !*n->text) {
        load_fail(ld, n->at, NULL, "extends: expected the name of a file or \"@preset\"");
        return NULL;
    }
    bool preset = n->text[0] == '@', absolute = n->text[0] == '/';
    if (from->d.name[0] == '@' && !preset) {
        load_fail(ld, n->at, NULL, "a preset extends presets only");
        return NULL;
    }
    struct arena *a = &ld->c->arena;
    char *shown_dir = folder(a, from->shown);
    char *name = arena_printf(a, "%s%s", preset || absolute ? "" : from->dir, n->text);
    char *shown = arena_printf(a, "%s%s", preset || absolute || !shown_dir ? "" : shown_dir, n->text);
    if (!shown_dir || !name || !shown) {
        load_oom(ld);
        return NULL;
    }
    struct source *s = source_new(ld, name, shown);
    if (!s)
        return NULL;
    s->d.parent = &from->d;
    s->d.parent_offset = n->at.offset;
    s->d.parent_len = n->at.len;
    for (const struct diag_source *d = s->d.parent; d; d = d->parent) {
        if (!strcmp(((const struct source *)d)->id, s->id)) {
            fail_cycle(ld, s, n->at);
            return NULL;
        }
    }
    return read_source(ld, s) < 0 ? NULL : load_source(ld, s);
}

static struct config_node *load_source(struct loader *ld, const struct source *s)
{
    struct config_node *own = json_parse(&ld->c->arena, s, 0, s->d.len, &ld->nodes, ld->d);
    if (!own)
        return NULL;
    if (own->type != CONFIG_OBJECT) {
        if (!own->bad)
            load_fail(ld, own->at, NULL, "a configuration is an object; write {} for all defaults");
        return NULL;
    }
    /* the config.json of a result: its values are one level down */
    const struct config_node *hash = config_node_member(own, "config_hash"), *inner = config_node_member(own, "config");
    if (hash && hash->type == CONFIG_STRING && inner && inner->type == CONFIG_OBJECT) {
        if (ld->frozen) {
            ld->origins = config_node_member(own, "origin");
            ld->frozen_source = &s->d;
        }
        own = (struct config_node *)inner;
        own->next = NULL;
    }
    check_tree(ld, own, ld->c->keys, NULL);

    struct config_node *tree = node_new(&ld->c->arena, CONFIG_OBJECT, NULL, NULL, own->at);
    if (!tree) {
        load_oom(ld);
        return NULL;
    }
    const struct config_node *ext = config_node_member(own, "extends");
    const struct config_node *first = ext && ext->type == CONFIG_ARRAY ? ext->child : ext;
    for (const struct config_node *n = first; n; n = ext->type == CONFIG_ARRAY ? n->next : NULL) {
        if (n == ext && n->type == CONFIG_NULL)
            break;
        struct config_node *base = load_extended(ld, s, n);
        if (base && !load_failed(ld))
            node_merge(tree, base);
    }
    if (!load_failed(ld))
        node_merge(tree, own);
    return tree;
}

/* What the request's preset says, below `tree`. */
static struct config_node *load_preset(struct loader *ld, const struct config_request *req, struct config_node *tree)
{
    struct source *s = tree && req->preset ? source_new(ld, req->preset, req->preset) : NULL;
    if (!s)
        return tree;
    struct config_node *base = read_source(ld, s) < 0 ? NULL : load_source(ld, s);
    if (!base || load_failed(ld))
        return NULL;
    node_merge(base, tree);
    return base;
}

static struct config_node *load_file(struct loader *ld, const struct config_request *req);

struct config_node *load_files(struct loader *ld, const struct config_request *req)
{
    return load_preset(ld, req, load_file(ld, req));
}

static struct config_node *load_file(struct loader *ld, const struct config_request *req)
{
    const char *path = req->path ? req->path : "config";
    const char *slash = path[0] == '@' ? NULL : strrchr(path, '/');
    struct source *s = source_new(ld, path, slash ? slash + 1 : path);
    if (!s)
        return NULL;
    if (req->text) {
        ld->files++;
        if (req->text_len > CONFIG_FILE_MAX) {
            load_fail(ld, whole(s), NULL, "too large (at most %d MiB)", CONFIG_FILE_MAX >> 20);
            return NULL;
        }
        s->d.text = arena_strndup(&ld->c->arena, req->text, req->text_len);
        s->d.len = req->text_len;
        if (!s->d.text) {
            load_oom(ld);
            return NULL;
        }
    } else if (!req->path) {
        s->d.text = "{}";
        s->d.len = 2;
    } else if (read_source(ld, s) < 0) {
        return NULL;
    }
    return load_source(ld, s);
}

static int loader_init(struct loader *ld, const struct config_schema *schema, struct diag *d)
{
    struct config *c = calloc(1, sizeof *c);
    *ld = (struct loader){.c = c, .d = d, .set_origin = "-s", .nodes = CONFIG_NODES_MAX, .bytes = 4 * (size_t)CONFIG_FILE_MAX,
                          .before = diag_count(d)};
    if (!c)
        return load_oom(ld);
    c->schema = schema;
    c->keys = skey_build(&c->arena, schema);
    c->root = calloc(1, schema->root_size ? schema->root_size : 1);
    return c->keys && c->root ? 0 : load_oom(ld);
}

int config_load(struct config **out, const struct config_schema *schema, const struct config_request *req,
                struct diag *d)
{
    struct loader ld;
    struct diag *own = d ? NULL : diag_new();
    *out = NULL;
    if (!d && !own)
        return -1;
    if (loader_init(&ld, schema, d ? d : own) == 0) {
        ld.set_origin = req->set_origin ? req->set_origin : ld.set_origin;
        ld.frozen = req->frozen;
        struct config_node *tree = load_files(&ld, req);
        /* options are checked even when the file is wrong, against an empty one: all errors at once */
        struct config_node *base = load_failed(&ld) || !tree ? NULL : tree;
        if (!base)
            tree = node_new(&ld.c->arena, CONFIG_OBJECT, NULL, NULL, (struct diag_place){0});
        for (size_t i = 0; tree && i < req->n_set; i++)
            option_apply(&ld, tree, req->set[i], base == NULL);
        ld.c->tree = tree;
        if (!tree)
            load_oom(&ld);
        else if (!load_failed(&ld))
            store_values(&ld);
    }
    int rc = load_failed(&ld) ? -1 : 0;
    if (rc < 0)
        config_free(ld.c);
    else
        *out = ld.c;
    diag_free(own);
    return rc;
}

int config_check_set(const struct config_schema *s, const char *key_value, struct diag *d)
{
    struct loader ld;
    struct diag *own = d ? NULL : diag_new();
    if (!d && !own)
        return -1;
    if (loader_init(&ld, s, d ? d : own) == 0) {
        struct config_node *tree = node_new(&ld.c->arena, CONFIG_OBJECT, NULL, NULL, (struct diag_place){0});
        if (tree)
            option_apply(&ld, tree, key_value, true);
        else
            load_oom(&ld);
    }
    int rc = load_failed(&ld) ? -1 : 0;
    config_free(ld.c);
    diag_free(own);
    return rc;
}

/* Checks a value; with `normal` not NULL, its spelling as after -s is put there. */
static int read_normal(struct loader *ld, const struct param *p, const struct config_node *value, const struct kpath *path,
                       char **normal)
{
    union {
        uint64_t u;
        double f;
        struct param_list list;
        void *pointer;
    } at = {0};
    if (value->bad)
        return 0;
    if (value->type == CONFIG_NULL)
        return normal && !(*normal = strdup("null")) ? load_oom(ld) : 0;
    if (!normal || p->type == P_OBJECT_LIST) { /* objects as they are written */
        if (value_read(ld, p, value, path, NULL) < 0)
            return -1;
        return normal && !(*normal = config_node_text(value)) ? load_oom(ld) : 0;
    }
    if (value_read(ld, p, value, path, &at) < 0)
        return -1;
    struct config_value v = {.param = p, .at = &at, .node = value};
    struct config one = {.values = &v, .n = 1};
    bool text = p->type == P_STR || p->type == P_PATH;
    bool quoted = text && (*value->text == '"' || !strcmp(value->text, "null")); /* -s reads these as JSON */
    *normal = quoted ? config_value_text(&one, 0) : config_value_plain(&one, 0);
    return *normal ? 0 : load_oom(ld);
}

/* `rest` stands behind the '[' of an object list's index. */
static int check_element_value(struct loader *ld, const struct param *list, const char *rest, struct diag_place key_at,
                               const struct config_node *value, const struct kpath *path, char **normal)
{
    char *end;
    struct kpath element = {path, NULL, strtoul(rest, &end, 10)};
    char key[KEY_BUF];
    if (*rest < '0' || *rest > '9' || end[0] != ']' || end[1] != '.' || !end[2])
        return load_fail(ld, key_at, NULL, "%s: expected [INDEX].NAME", kpath_text(path, key));
    struct kpath leaf = {&element, end + 2, 0};
    for (size_t i = 0; i < list->elem->n; i++)
        if (!strcmp(list->elem->table[i].key, end + 2))
            return read_normal(ld, &list->elem->table[i], value, &leaf, normal);
    char word[TEXT_WORD];
    return load_fail(ld, key_at, NULL, "unknown key \"%s\" in %s", text_word(word, end + 2, strlen(end + 2)),
                     kpath_text(&element, key));
}

static int check_value(struct loader *ld, const char *key, struct diag_place key_at, const struct config_node *value,
                       char **normal)
{
    struct kpath path[CONFIG_DEPTH_MAX];
    const struct skey *k = ld->c->keys;
    for (size_t n = 0;; n++) {
        size_t len = strcspn(key, ".[");
        const struct kpath *up = n ? &path[n - 1] : NULL;
        char *name = arena_strndup(&ld->c->arena, key, len);
        if (!name)
            return load_oom(ld);
        const struct skey *c = n < CONFIG_DEPTH_MAX ? skey_child(k, name, len) : NULL;
        if (!c || c->free_section || (c->param && key[len] == '.')) {
            if (c)
                return load_fail(ld, key_at, NULL, "\"%s\" is not the key of a value", name);
            check_unknown(ld, name, key_at, k, up);
            return -1;
        }
        k = c;
        path[n] = (struct kpath){up, k->name, 0};
        if (key[len] == '[') {
            if (k->param && k->param->type == P_OBJECT_LIST)
                return check_element_value(ld, k->param, key + len + 1, key_at, value, &path[n], normal);
            return load_fail(ld, key_at, NULL, "%s is not a list of objects", k->name);
        }
        if (!key[len]) {
            if (!k->param)
                return load_fail(ld, key_at, NULL, "\"%s\" is a section; name one of its keys", k->name);
            return read_normal(ld, k->param, value, &path[n], normal);
        }
        key += len + 1;
    }
}

static int check_detached(const struct config_schema *s, const char *key, struct diag_place key_at,
                          const struct config_node *value, char **normal, struct diag *d)
{
    struct loader ld;
    struct diag *own = d ? NULL : diag_new();
    if (!d && !own)
        return -1;
    if (loader_init(&ld, s, d ? d : own) == 0) {
        ld.frozen = normal != NULL; /* a spelling is wanted, not a place */
        check_value(&ld, key, key_at, value, normal);
    }
    int rc = load_failed(&ld) ? -1 : 0;
    config_free(ld.c);
    diag_free(own);
    return rc;
}

int config_check_value(const struct config_schema *s, const char *key, struct diag_place key_at,
                       const struct config_node *value, struct diag *d)
{
    return check_detached(s, key, key_at, value, NULL, d);
}

char *config_normal_value(const struct config_schema *s, const char *key, struct diag_place key_at,
                          const struct config_node *value, struct diag *d)
{
    char *normal = NULL;
    if (check_detached(s, key, key_at, value, &normal, d) == 0)
        return normal;
    free(normal);
    return NULL;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    arena_fini(&c->arena);
    free(c->values);
    free(c->slots);
    free(c->root);
    free(c);
}

void *config_root(const struct config *c) { return c->root; }
const struct config_schema *config_schema_of(const struct config *c) { return c->schema; }

const struct config_node *config_section(const struct config *c, const char *name)
{
    return config_node_member(c->tree, name);
}
