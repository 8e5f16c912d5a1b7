#include "app/cmd_config.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char usage_text[] =
    "usage: mmulab config show [CONFIG] [-s KEY=VALUE]... [--changed] [--json]\n"
    "       mmulab config check [CONFIG]... [-s KEY=VALUE]...\n"
    "       mmulab config diff A B [-s KEY=VALUE]...\n"
    "       mmulab config presets [NAME]\n"
    "       mmulab config schema\n"
    "       mmulab config keys [--markdown] [PREFIX]\n"
    "\n"
    "CONFIG is a file, @PRESET, or the config.json of a result; without it {}, all defaults.\n"
    "  -s, --set KEY=VALUE  changes one value after the file was read\n"
    "      --changed        only what somebody gave\n"
    "      --json           as config.json in a result: hash, values, origin of each\n"
    "      --markdown       the manual page docs/configuration-keys.md\n"
    "  -h, --help           this text\n";

struct options {
    const char **set;
    size_t n_set;
    bool changed, json, markdown;
    char **args;
    int n_args;
};

static int usage(const char *verb, const char *what)
{
    fprintf(stderr, "mmulab config%s%s: error: %s; see mmulab config --help\n", *verb ? " " : "", verb, what);
    return 2;
}

static int load(const struct options *o, const char *path, struct config **out)
{
    struct diag *d = diag_new();
    struct config_request req = {.path = path, .set = o->set, .n_set = o->n_set};
    int rc = config_load(out, machine_config_schema(), &req, d);
    if (rc < 0)
        diag_print(d, stderr);
    diag_free(d);
    return rc;
}

static int show(const struct options *o)
{
    struct config *c;
    if (o->n_args > 1)
        return usage("show", "one CONFIG at most");
    if (load(o, o->n_args ? o->args[0] : NULL, &c) < 0)
        return 2;
    int rc = 0;
    if (o->json) {
        rc = o->changed ? config_write_values(c, true, stdout) : config_write_json(c, stdout);
    } else {
        for (size_t i = 0; i < config_count(c); i++) {
            struct config_item item;
            config_get(c, i, &item);
            /* the elements of a list follow as values of their own */
            if ((o->changed && item.is_default) ||
                (item.param->type == P_OBJECT_LIST && ((const struct param_list *)item.at)->n))
                continue;
            char *text = config_value_text(c, i);
            printf("%s = %s  # %s\n", item.key, text ? text : "?", item.origin);
            free(text);
        }
    }
    config_free(c);
    return rc ? 1 : 0;
}

static int check(const struct options *o)
{
    int rc = 0;
    for (int i = 0; i < (o->n_args ? o->n_args : 1); i++) {
        struct config *c;
        const char *path = o->n_args ? o->args[i] : NULL;
        if (load(o, path, &c) < 0) {
            rc = 2;
            continue;
        }
        struct err err;
        if (machine_config_try(c, &err) < 0) {
            struct diag *d = diag_new();
            config_explain(c, d, &err);
            diag_print(d, stderr);
            diag_free(d);
            config_free(c);
            rc = 2;
            continue;
        }
        char hash[CONFIG_HASH_BUF];
        if (config_hash(c, hash) == 0)
            printf("%s: ok, %s\n", path ? path : "{}", hash);
        config_free(c);
    }
    return rc;
}

/* The value of `key` as text, "(absent)" if an element does not exist on this side. To be freed. */
static char *side(const struct config *c, const char *key, const char **origin)
{
    for (size_t i = 0; i < config_count(c); i++) {
        struct config_item item;
        config_get(c, i, &item);
        if (strcmp(item.key, key) != 0)
            continue;
        *origin = item.origin;
        return config_value_text(c, i);
    }
    *origin = "absent";
    return strdup("(absent)");
}

static bool has(const struct config *c, const char *key)
{
    struct config_item item;
    return config_find(c, key, &item);
}

static int diff(const struct options *o)
{
    struct config *c[2] = {0};
    if (o->n_args != 2)
        return usage("diff", "two configurations are compared");
    int rc = load(o, o->args[0], &c[0]) | load(o, o->args[1], &c[1]) ? 2 : 0;
    size_t found = 0;
    /* what A has, in its order; then what only B has */
    for (int s = 0; !rc && s < 2; s++) {
        for (size_t i = 0; i < config_count(c[s]); i++) {
            struct config_item item;
            config_get(c[s], i, &item);
            if (item.param->type == P_OBJECT_LIST || (s && has(c[0], item.key)))
                continue;
            const char *from, *to;
            char *a = side(c[0], item.key, &from), *b = side(c[1], item.key, &to);
            if (a && b && strcmp(a, b) != 0) {
                printf("%s: %s -> %s  # %s -> %s\n", item.key, a, b, from, to);
                found++;
            }
            free(a);
            free(b);
        }
    }
    if (!rc && !found)
        fprintf(stderr, "mmulab config diff: no difference\n");
    config_free(c[0]);
    config_free(c[1]);
    return rc;
}

static int presets(const struct options *o)
{
    size_t n;
    const struct config_preset *all = config_schema_presets(machine_config_schema(), &n);
    if (o->n_args > 1)
        return usage("presets", "one NAME at most");
    const char *name = o->n_args ? o->args[0] + (o->args[0][0] == '@') : NULL;
    for (size_t i = 0; i < n; i++) {
        const struct config_preset *p = &all[i];
        if (!name)
            printf("@%-20s %s\n", p->name, p->help);
        else if (!strcmp(p->name, name))
            return fwrite(p->text, 1, p->len, stdout) == p->len ? 0 : 1;
    }
    if (!name)
        return 0;
    fprintf(stderr, "mmulab config presets: error: unknown preset \"%s\"; see mmulab config presets\n", o->args[0]);
    return 2;
}

static int keys(const struct options *o)
{
    const struct config_schema *s = machine_config_schema();
    if (o->n_args > 1)
        return usage("keys", "one PREFIX at most");
    const char *prefix = o->n_args ? o->args[0] : NULL;
    size_t n = o->markdown ? config_write_keys_markdown(s, prefix, stdout) : config_write_keys(s, prefix, stdout);
    if (n)
        return 0;
    fprintf(stderr, "mmulab config keys: error: no key starts with \"%s\"\n", prefix ? prefix : "");
    return 2;
}

static int schema(const struct options *o)
{
    if (o->n_args)
        return usage("schema", "takes no argument");
    return config_write_schema(machine_config_schema(), stdout) ? 1 : 0;
}

int cmd_config(int argc, char **argv)
{
    static const struct option longopts[] = {
        {"set", required_argument, NULL, 's'}, {"changed", no_argument, NULL, 'c'}, {"json", no_argument, NULL, 'j'},
        {"markdown", no_argument, NULL, 'm'},  {"help", no_argument, NULL, 'h'},    {0},
    };
    static const struct {
        const char *name;
        int (*run)(const struct options *);
        const char *takes; /* its options */
    } verbs[] = {
        {"show", show, "scj"}, {"check", check, "s"},   {"diff", diff, "s"},
        {"presets", presets, ""}, {"schema", schema, ""}, {"keys", keys, "m"},
    };
    struct options o = {.set = calloc((size_t)argc + 1, sizeof *o.set)};
    char given[8] = "", *g = given;
    int rc = 2, opt;
    if (!o.set)
        return usage("", "out of memory");
    optind = 0; /* a fresh scan: another command may have used getopt */
    opterr = 0;
    while ((opt = getopt_long(argc, argv, ":s:h", longopts, NULL)) != -1) {
        switch (opt) {
        case 's':
            o.set[o.n_set++] = optarg;
            break;
        case 'c':
            o.changed = true;
            break;
        case 'j':
            o.json = true;
            break;
        case 'm':
            o.markdown = true;
            break;
        case 'h':
            fputs(usage_text, stdout);
            rc = 0;
            goto out;
        default: {
            char what[160];
            snprintf(what, sizeof what, opt == ':' ? "%.100s needs a value" : "unknown option %.100s", argv[optind - 1]);
            rc = usage("", what);
            goto out;
        }
        }
        if (!strchr(given, opt))
            *g++ = (char)opt;
    }
    if (optind >= argc) {
        fputs(usage_text, stderr);
        goto out;
    }
    o.args = argv + optind + 1;
    o.n_args = argc - optind - 1;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].name, argv[optind]) != 0)
            continue;
        rc = given[strspn(given, verbs[i].takes)] ? usage(verbs[i].name, "an option that it does not take")
                                                  : verbs[i].run(&o);
        if (!rc && fflush(stdout)) {
            perror("mmulab config: error: standard output");
            rc = 1;
        }
        goto out;
    }
    char what[160];
    snprintf(what, sizeof what, "unknown verb \"%.100s\"", argv[optind]);
    rc = usage("", what);
out:
    free(o.set);
    return rc;
}
