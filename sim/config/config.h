/*
 * The configuration: JSON files, presets and -s options, checked against parameter tables (engine/params.h), written
 * into one root struct. Every value remembers where it came from. Interface: docs/configuration.md.
 *
 *   struct diag *d = diag_new();
 *   struct config *c;
 *   if (config_load(&c, schema, &(struct config_request){.path = "m.json", .set = sets, .n_set = n}, d) < 0) {
 *       diag_print(d, stderr);
 *       return 2;
 *   }
 *   const struct machine_config *m = config_root(c);
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/diag.h"
#include "engine/params.h"

/* Bounds on what is read, so that no input grows memory without bound. */
enum {
    CONFIG_FILE_MAX = 4 << 20,   /* bytes of one file */
    CONFIG_NODES_MAX = 250000,   /* values in all files of one configuration */
    CONFIG_MEMBERS_MAX = 1024,   /* keys in one object: bounds the time of merging, too */
    CONFIG_DEPTH_MAX = 64,       /* nesting of objects and arrays */
    CONFIG_OBJECTS_MAX = 4096,   /* elements of an object list */
    CONFIG_EXTENDS_MAX = 64,     /* files read for one configuration */
    CONFIG_SET_MAX = 1 << 16,    /* bytes of one -s option */
};

struct config;
struct config_checker;

/* A combination of values that cannot work is reported with config_fail; called once, when every value is valid. */
typedef void (*config_check_fn)(const void *root, struct config_checker *ck);
/*
 * `keys` names the keys that contradict each other, separated by spaces ("mmu.stlb.ways mmu.stlb.entries"); each is
 * shown with its value and its origin. An element of an object list is "workload.processes[0].core". An unknown key is
 * our own bug and asserts.
 */
void config_fail(struct config_checker *ck, const char *keys, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with what another part says of the values: the keys are those that its message and its remedy name. */
void config_fail_err(struct config_checker *ck, const struct err *e);

struct config_preset {
    const char *name; /* without the "@" */
    const char *help; /* the file's leading // line */
    const char *text; /* NUL-terminated */
    size_t len;
};
/* The files of configs/presets, embedded at build time, sorted by name. */
const struct config_preset *config_presets(size_t *n);

/* All that a program may configure. Everything pointed to is constant and outlives the configurations. */
struct config_schema {
    const char *title;                /* of the JSON Schema and the manual page */
    const struct param_group *groups; /* several groups may share one path */
    size_t n;
    size_t root_size;
    const struct config_preset *presets; /* NULL: the embedded ones, config_presets */
    size_t n_presets;
    const config_check_fn *checks;
    size_t n_checks;
    const char *const *free_sections; /* top-level sections that others read with config_section ("sweep") */
    size_t n_free_sections;
};
const struct config_preset *config_schema_presets(const struct config_schema *s, size_t *n);
/* A table's own mistakes: duplicate or ill-formed keys, a default out of range, no help. For tests. */
int config_schema_check(const struct config_schema *s, struct err *err);

struct config_request {
    const char *path;       /* file, "@preset", or NULL for {} */
    const char *text;       /* if not NULL: the file's text is this, `path` only names it (default "config") */
    size_t text_len;
    const char *const *set; /* "KEY=VALUE", in order; the last one wins; KEY=null goes back to the default */
    size_t n_set;
    const char *set_origin; /* what origins call the options; NULL: "-s" */
    const char *preset;     /* "@name" that comes before everything the file says; NULL: none */
    /* The text was written by config_write_frozen: values keep their origins, and paths stay as they are written until
     * the caller puts the right ones in their place (config_path_next). */
    bool frozen;
};

/* 0, or -1 with every error in `d`; *out is NULL then. */
int config_load(struct config **out, const struct config_schema *schema, const struct config_request *req,
                struct diag *d);
void config_free(struct config *c); /* NULL is fine; frees the root struct, its strings and lists */
void *config_root(const struct config *c);
/* Adds to `d` what a part that was built from this configuration says of its values: at the place of the first key that
 * the message or the remedy names, with notes on the others. */
void config_explain(const struct config *c, struct diag *d, const struct err *e);
const struct config_schema *config_schema_of(const struct config *c);

/*
 * One value. The values of a configuration are numbered in table order; an object list is one value followed by those
 * of its elements ("workload.processes[0].trace").
 */
struct config_item {
    const char *key;
    const struct param *param;
    const void *at;     /* the value, in its storage type */
    const char *origin; /* "default", "mine.json:14:9" (relative to the first file's folder), "@preset:3:5", "-s" */
    bool is_default;    /* nobody gave it */
};
size_t config_count(const struct config *c);
void config_get(const struct config *c, size_t i, struct config_item *out);
bool config_find(const struct config *c, const char *key, struct config_item *out);
/* The value as JSON on one line ("96", "\"4KiB\""), to be freed; NULL: out of memory. */
char *config_value_text(const struct config *c, size_t i);
/* The value or its compound as -s text would be: without quotes around a single string. To be freed. */
char *config_value_plain(const struct config *c, size_t i);

/* The files that a configuration names, one after the other: start with a zeroed iterator. */
struct config_path {
    const char *key;     /* of the value */
    size_t element;      /* of a list of paths, else 0 */
    const char *written; /* as the file or option has it */
    char **at;           /* the resolved path: may be pointed to another one, which must outlive the configuration */
    size_t value;        /* internal */
    bool started;        /* internal */
};
bool config_path_next(struct config *c, struct config_path *it);

/* Whether KEY=VALUE would be accepted on its own (sweep axes are checked with this before anything runs). */
int config_check_set(const struct config_schema *s, const char *key_value, struct diag *d);
/* The parameter behind a dotted key ("workload.processes[0].core" too), NULL if there is none. */
const struct param *config_param(const struct config_schema *s, const char *key);

/* ---- free sections: the merged JSON with the place of every value ---- */

enum config_node_type { CONFIG_NULL, CONFIG_BOOL, CONFIG_NUMBER, CONFIG_STRING, CONFIG_ARRAY, CONFIG_OBJECT };
struct config_node {
    enum config_node_type type;
    const char *key;                   /* NULL in an array */
    const char *text;                  /* decoded string, a number's exact text, "true" or "false"; else NULL */
    struct config_node *child, *next;  /* in the order of the file */
    size_t n;                          /* children */
    struct diag_place key_at, at;      /* of the key and of the value; for diag_error */
    struct config_node *last;          /* internal: last child */
    bool bare; /* internal: text of a -s option without quotes, of any scalar type */
    bool bad;  /* internal: already reported */
};
const struct config_node *config_section(const struct config *c, const char *name); /* NULL: not given */
const struct config_node *config_node_member(const struct config_node *object, const char *key);
/* A scalar as the VALUE of KEY=VALUE; arrays and objects as JSON text. To be freed. */
char *config_node_text(const struct config_node *node);
/* A path written in `node`, relative to the file that names it; `${VAR}` is expanded. To be freed; NULL after an error. */
char *config_node_path(const struct config *c, const struct config_node *node, struct diag *d);

/*
 * Whether `value` may be given to the dotted `key` ("workload.processes[0].core" too); errors point to the key's and the
 * value's place. For sections that name keys, such as the axes of a sweep.
 */
int config_check_value(const struct config_schema *s, const char *key, struct diag_place key_at,
                       const struct config_node *value, struct diag *d);
/* The same, and the value in its one spelling, as VALUE of KEY=VALUE. To be freed; NULL after an error. */
char *config_normal_value(const struct config_schema *s, const char *key, struct diag_place key_at,
                          const struct config_node *value, struct diag *d);

/* ---- output ---- */

/* config.json of a result: {"config_hash", "config": values nested, "origin": {key: origin}}. Can be loaded again. */
int config_write_json(const struct config *c, FILE *to);
/* The same with only what somebody gave, and `more` (members as JSON text; may be NULL): for config_request.frozen. */
int config_write_frozen(const struct config *c, const char *more, FILE *to);
/* The values alone as nested JSON, for people; with `changed` only those that somebody gave. */
int config_write_values(const struct config *c, bool changed, FILE *to);
/*
 * The canonical text: values only, keys sorted, one spelling, without PARAM_NO_HASH and free sections; paths as
 * written. To be freed; NULL: out of memory. The hash is XXH3-128 of it as 32 hexadecimal digits and a NUL.
 */
char *config_canonical(const struct config *c);
#define CONFIG_HASH_BUF 33
int config_hash(const struct config *c, char buf[CONFIG_HASH_BUF]);

/* ---- descriptions, from the same tables ---- */

int config_write_schema(const struct config_schema *s, FILE *to); /* JSON Schema draft-07 */
/* Lines "key type default range help" of the keys that start with `prefix` (NULL: all); the number of keys. */
size_t config_write_keys(const struct config_schema *s, const char *prefix, FILE *to);
size_t config_write_keys_markdown(const struct config_schema *s, const char *prefix, FILE *to);

#endif
