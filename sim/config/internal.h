/* What the parts of the library share; no other library includes this. */
#ifndef CONFIG_INTERNAL_H
#define CONFIG_INTERNAL_H

#include "config/config.h"

/* ---- memory of one configuration: freed at once ---- */

struct arena_chunk;
struct arena { struct arena_chunk *head; };
void *arena_alloc(struct arena *a, size_t size); /* zeroed, aligned for every type; NULL: out of memory */
char *arena_strndup(struct arena *a, const char *s, size_t len);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_fini(struct arena *a);

/* ---- where a text comes from ---- */

struct source {
    struct diag_source d; /* first, so that a node's place leads back here */
    const char *shown;    /* name in origins: relative to the first file's folder */
    const char *dir;      /* folder that relative paths are relative to; "" for the current one */
    const char *id;       /* equal for equal files: finds cycles */
};

/* ---- the tables as a tree of keys ---- */

struct skey {
    const char *name;
    struct skey *up, *child, *last, *next;
    const struct param *param; /* NULL: a section */
    const char *help;          /* of a section */
    bool free_section;
    size_t slot;               /* of a parameter: its number in table order */
    size_t base;               /* of a parameter: offset of its struct in the root */
};
struct skey *skey_build(struct arena *a, const struct config_schema *s); /* NULL: out of memory */
struct skey *skey_child(const struct skey *k, const char *name, size_t len);

/* ---- JSON ---- */

/* Parses `len` bytes at `start` of the source; NULL after an error or out of memory. *nodes is the budget left. */
struct config_node *json_parse(struct arena *a, const struct source *src, size_t start, size_t len, size_t *nodes,
                               struct diag *d);
struct json_mark { /* one value of the text, in the order of the text */
    uint32_t key, key_len; /* key_len 0: no key */
    uint32_t at, len;
    bool bad; /* reported; its text was replaced by a neutral value */
};
struct json_scan {
    char *clean; /* the same length, comments and trailing commas blanked, only what cJSON must accept */
    struct json_mark *marks;
    size_t n, cap;
};
/* Checks the syntax, says what is wrong with it. 0: `clean` is valid JSON (values may be `bad`). */
int json_scan(struct json_scan *out, const struct source *src, size_t start, size_t len, size_t nodes_max,
              struct diag *d);
void json_scan_fini(struct json_scan *s);

struct config_node *node_new(struct arena *a, enum config_node_type type, const char *key, const char *text,
                             struct diag_place at);
void node_append(struct config_node *parent, struct config_node *child);
/* RFC 7396: merges the object `patch` into the object `target`; patch's nodes move. */
void node_merge(struct config_node *target, struct config_node *patch);

/* ---- the path of a key, as a chain on the stack ---- */

struct kpath {
    const struct kpath *up;
    const char *name; /* NULL: element `index` of a list */
    size_t index;
};
enum { KEY_BUF = 512 };
const char *kpath_text(const struct kpath *p, char buf[KEY_BUF]); /* "" for the root */

/* ---- values ---- */

struct config_value {
    const char *key;
    const struct param *param;
    void *at;
    const struct config_node *node; /* NULL: default */
    const char *origin;
};

struct config {
    const struct config_schema *schema;
    struct arena arena;
    struct skey *keys;
    struct config_node *tree; /* merged */
    void *root;
    struct config_value *values;
    size_t n, cap;
    size_t *slots; /* slot -> index in values */
    struct { const char *name, *value; } env[16]; /* variables used in paths */
    size_t n_env;
};

struct loader {
    struct config *c;
    struct diag *d;
    size_t files, nodes, bytes; /* budget: files read; nodes and bytes left */
    size_t before;       /* errors that `d` had when loading began */
    const char *set_origin;            /* of options */
    bool frozen;                       /* config_request.frozen */
    const struct config_node *origins; /* of a frozen text, NULL if there are none */
    const struct diag_source *frozen_source;
    struct {             /* the last position asked for: the next is near */
        const struct diag_source *src;
        size_t offset;
        unsigned line, column;
    } pos;
};
static inline bool load_failed(const struct loader *ld) { return diag_count(ld->d) != ld->before; }
/* Both return -1. */
int load_fail(struct loader *ld, struct diag_place at, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
int load_oom(struct loader *ld);
/* Checks a tree against the keys below `k`; reports everything that is wrong. */
void check_tree(struct loader *ld, const struct config_node *object, const struct skey *k, const struct kpath *path);
/* Reports `name` as unknown below `k`. */
void check_unknown(struct loader *ld, const char *name, struct diag_place at, const struct skey *k,
                   const struct kpath *path);
/* One element of an object list; required keys are looked for when it is `complete`. */
void check_element(struct loader *ld, const struct param_elem *e, const struct config_node *object,
                   const struct kpath *path, bool complete);
/* Checks one value and, with `at` not NULL, stores it. */
int value_read(struct loader *ld, const struct param *p, const struct config_node *node, const struct kpath *path,
               void *at);
int value_default(struct loader *ld, const struct param *p, const struct kpath *path, void *at);
/* Reads the file (and what it extends) of a request; the merged tree, NULL after an error. */
struct config_node *load_files(struct loader *ld, const struct config_request *req);
/* Checks one "KEY=VALUE" and merges it into `tree`. With `detached` an index into a list is not checked. */
int option_apply(struct loader *ld, struct config_node *tree, const char *key_value, bool detached);
/* The node of VALUE text for a parameter, as after -s. */
struct config_node *option_value(struct loader *ld, const struct source *src, size_t start, const struct param *p,
                                 const struct kpath *path);
/* Writes all values into the root struct and numbers them. */
int store_values(struct loader *ld);
char *path_resolve(struct loader *ld, const struct config_node *node, const struct kpath *path);

/* A value as JSON; `node` (may be NULL) gives paths as they were written. */
void value_write(FILE *to, const struct param *p, const void *at, const struct config_node *node);
/* A number of the parameter's storage unit as people write it (without quotes). */
void param_format(const struct param *p, uint64_t v, char *buf, size_t size);
const char *param_type_name(const struct param *p);
const char *param_default_text(const struct param *p, char *buf, size_t size); /* as JSON; "" if absent */
bool param_has_bounds(const struct param *p, bool *lower, bool *upper);

#endif
