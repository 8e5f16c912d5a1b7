/* What the tables say, for editors (JSON Schema), for people (list of keys) and for the manual (markdown). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config/internal.h"
#include "config/text.h"
#include "config/units.h"

/* ---- JSON Schema draft-07: the version that editors support fully ---- */

static void indent(FILE *to, unsigned depth) { fprintf(to, "\n%*s", (int)(2 * depth), ""); }

static const char *pattern(enum param_type t)
{
    switch (t) {
    case P_SIZE:
    case P_SIZE_LIST:
        return "^[0-9]+(\\.[0-9]+)?(B|KiB|MiB|GiB|TiB|PiB|EiB)$";
    case P_TIME:
    case P_TIME_LIST:
        return "^[0-9]+(\\.[0-9]+)?(ps|ns|us|ms|s)$";
    case P_FREQ:
        return "^[0-9]+(\\.[0-9]+)?(Hz|kHz|MHz|GHz)$";
    case P_CYC:
        return "^[0-9]+(\\.0+)?cyc$";
    case P_ADDR:
        return "^0x[0-9a-fA-F]+$";
    default:
        return NULL;
    }
}

/* `null` in a file removes the value, so it is a value of every key. */
static void schema_type(FILE *to, const char *type, bool null)
{
    fprintf(to, null ? "\"type\": [\"%s\", \"null\"]" : "\"type\": \"%s\"", type);
}

static void schema_bounds(FILE *to, const struct param *p)
{
    bool lower, upper;
    char buf[UNIT_BUF];
    param_has_bounds(p, &lower, &upper);
    bool or_zero = p->flags & PARAM_OR_ZERO;
    if (p->type == P_F64) {
        if (lower)
            fprintf(to, ", \"minimum\": %s", unit_format_f64(or_zero && p->min_f > 0 ? 0 : p->min_f, buf));
        if (upper)
            fprintf(to, ", \"maximum\": %s", unit_format_f64(p->max_f, buf));
    } else if (p->type == P_I64) {
        if (lower)
            fprintf(to, ", \"minimum\": %" PRId64 ", \"maximum\": %" PRId64, (int64_t)p->min, (int64_t)p->max);
    } else {
        uint64_t max = upper ? p->max : p->type == P_U32 ? UINT32_MAX : UINT64_MAX;
        fprintf(to, ", \"minimum\": %" PRIu64 ", \"maximum\": %" PRIu64, or_zero ? 0 : p->min, max);
    }
}

static void schema_param(FILE *to, const struct param *p, bool null, unsigned depth);

static void schema_value(FILE *to, const struct param *p, bool null, unsigned depth)
{
    const char *pat = pattern(p->type);
    switch (p->type) {
    case P_BOOL:
        schema_type(to, "boolean", null);
        break;
    case P_U32:
    case P_U64:
    case P_I64:
        schema_type(to, "integer", null);
        schema_bounds(to, p);
        break;
    case P_F64:
        schema_type(to, "number", null);
        schema_bounds(to, p);
        break;
    case P_SIZE:
    case P_TIME:
    case P_FREQ:
    case P_CYC:
    case P_ADDR:
        schema_type(to, "string", null);
        fputs(", \"pattern\": ", to);
        text_put_json(to, pat);
        break;
    case P_ENUM:
        fputs("\"enum\": [", to);
        for (int i = 0; p->names[i]; i++) {
            fputs(i ? ", " : "", to);
            text_put_json(to, p->names[i]);
        }
        fputs(null ? ", null]" : "]", to);
        break;
    case P_STR:
    case P_PATH:
        schema_type(to, "string", null);
        fputs(p->type == P_PATH ? ", \"minLength\": 1" : "", to);
        break;
    case P_SIZE_LIST:
    case P_TIME_LIST:
        schema_type(to, "array", null);
        fputs(", \"items\": {\"type\": \"string\", \"pattern\": ", to);
        text_put_json(to, pat);
        fputc('}', to);
        break;
    case P_U64_LIST:
        schema_type(to, "array", null);
        fputs(", \"items\": {\"type\": \"integer\"", to);
        schema_bounds(to, p);
        fputc('}', to);
        break;
    case P_STR_LIST:
    case P_PATH_LIST:
        schema_type(to, "array", null);
        fputs(", \"items\": {\"type\": \"string\"}", to);
        break;
    case P_OBJECT_LIST:
        schema_type(to, "array", null);
        fprintf(to, ", \"maxItems\": %d, \"items\": {\"type\": \"object\", \"additionalProperties\": false,",
                CONFIG_OBJECTS_MAX);
        indent(to, depth + 1);
        fputs("\"properties\": {", to);
        for (size_t i = 0; i < p->elem->n; i++) {
            const struct param *e = &p->elem->table[i];
            fputs(i ? "," : "", to);
            indent(to, depth + 2);
            schema_param(to, e, !(e->flags & PARAM_REQUIRED), depth + 2);
        }
        fputs("}, \"required\": [", to);
        for (size_t i = 0, n = 0; i < p->elem->n; i++) {
            if (!(p->elem->table[i].flags & PARAM_REQUIRED))
                continue;
            fputs(n++ ? ", " : "", to);
            text_put_json(to, p->elem->table[i].key);
        }
        fputs("]}", to);
        break;
    }
}

static void schema_param(FILE *to, const struct param *p, bool null, unsigned depth)
{
    char buf[4096];
    text_put_json(to, p->key);
    fputs(": {", to);
    schema_value(to, p, null, depth);
    param_default_text(p, buf, sizeof buf);
    bool is_list = param_plain_list(p->type);
    if (*buf && !is_list && p->type != P_OBJECT_LIST) /* a list's default is in -s spelling */
        fprintf(to, ", \"default\": %s", buf);
    fputs(", \"description\": ", to);
    text_put_json(to, p->help);
    fputc('}', to);
}

static void schema_section(FILE *to, const struct skey *k, unsigned depth)
{
    bool any = false;
    fputs("\"properties\": {", to);
    if (!k->up) {
        indent(to, depth + 1);
        fputs("\"$schema\": {\"type\": \"string\"},", to);
        indent(to, depth + 1);
        fputs("\"extends\": {\"oneOf\": [{\"type\": [\"string\", \"null\"]}, {\"type\": \"array\", \"items\": {\"type\": "
              "\"string\"}}], \"description\": \"Files and @presets that this file changes.\"}",
              to);
        any = true;
    }
    for (const struct skey *c = k->child; c; c = c->next) {
        fputs(any ? "," : "", to);
        any = true;
        indent(to, depth + 1);
        if (c->param) {
            schema_param(to, c->param, true, depth + 1);
            continue;
        }
        text_put_json(to, c->name);
        fputs(": {\"type\": [\"object\", \"null\"], ", to);
        if (c->help) {
            fputs("\"description\": ", to);
            text_put_json(to, c->help);
            fputs(c->free_section ? "" : ", ", to);
        }
        if (!c->free_section) {
            fputs("\"additionalProperties\": false, ", to);
            schema_section(to, c, depth + 1);
        } else if (!c->help) {
            fputs("\"additionalProperties\": true", to);
        }
        fputc('}', to);
    }
    indent(to, depth);
    fputc('}', to);
}

int config_write_schema(const struct config_schema *s, FILE *to)
{
    struct arena a = {0};
    const struct skey *root = skey_build(&a, s);
    if (root) {
        fputs("{\n  \"$schema\": \"http://json-schema.org/draft-07/schema#\",\n  \"title\": ", to);
        text_put_json(to, s->title ? s->title : "configuration");
        fputs(",\n  \"type\": \"object\",\n  \"additionalProperties\": false,\n  ", to);
        schema_section(to, root, 1);
        fputs("\n}\n", to);
    }
    arena_fini(&a);
    return root && !ferror(to) ? 0 : -1;
}

/* ---- keys ---- */

/* "1 to 65536, power of two", or an enum's names; "" if everything is allowed. */
static void range_text(const struct param *p, char *buf, size_t size)
{
    bool lower, upper;
    char lo[UNIT_BUF] = "", hi[UNIT_BUF] = "";
    size_t n = 0;
    buf[0] = 0;
    if (p->type == P_ENUM) {
        for (int i = 0; p->names[i] && n < size; i++)
            n += (size_t)snprintf(buf + n, size - n, "%s%s", i ? "|" : "", p->names[i]);
        return;
    }
    if (p->type == P_BOOL) {
        snprintf(buf, size, "true|false");
        return;
    }
    param_has_bounds(p, &lower, &upper);
    if (p->type == P_F64) {
        unit_format_f64(p->min_f, lo);
        unit_format_f64(p->max_f, hi);
    } else {
        param_format(p, p->min, lo, sizeof lo);
        param_format(p, p->max, hi, sizeof hi);
    }
    const char *zero = p->flags & PARAM_OR_ZERO ? "0 or " : "";
    if (lower && upper)
        n = (size_t)snprintf(buf, size, "%s%s to %s", zero, lo, hi);
    else if (lower)
        n = (size_t)snprintf(buf, size, "%s%s and more", zero, lo);
    else if (upper)
        n = (size_t)snprintf(buf, size, "up to %s", hi);
    if ((p->flags & PARAM_POW2) && n < size)
        snprintf(buf + n, size - n, "%spower of two", n ? ", " : zero);
}

typedef void (*key_fn)(const char *key, const struct param *p, void *ctx);

static bool starts_with(const char *key, const char *prefix)
{
    return !prefix || !strncmp(key, prefix, strlen(prefix));
}

static size_t each_param(const char *path, const struct param *table, size_t n, const char *prefix, key_fn fn, void *ctx)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        char *key = NULL;
        if (asprintf(&key, "%s%s%s", path, *path ? "." : "", table[i].key) < 0)
            return found;
        if (starts_with(key, prefix)) {
            fn(key, &table[i], ctx);
            found++;
        }
        if (table[i].type == P_OBJECT_LIST) {
            char *element = NULL;
            if (asprintf(&element, "%s[N]", key) >= 0)
                found += each_param(element, table[i].elem->table, table[i].elem->n, prefix, fn, ctx);
            free(element);
        }
        free(key);
    }
    return found;
}

static void default_text(const struct param *p, char *buf, size_t size)
{
    if (p->type == P_OBJECT_LIST)
        snprintf(buf, size, "[]");
    else
        param_default_text(p, buf, size);
    if (!*buf)
        snprintf(buf, size, "%s", p->flags & PARAM_REQUIRED ? "(required)" : "(none)");
}

static void print_key(const char *key, const struct param *p, void *ctx)
{
    char def[256], range[512];
    default_text(p, def, sizeof def);
    range_text(p, range, sizeof range);
    fprintf(ctx, "%s\n    %s, default %s%s%s\n    %s\n", key, param_type_name(p), def, *range ? ", " : "", range, p->help);
}

size_t config_write_keys(const struct config_schema *s, const char *prefix, FILE *to)
{
    size_t n = 0;
    for (size_t g = 0; g < s->n; g++)
        n += each_param(s->groups[g].path, s->groups[g].table, s->groups[g].n, prefix, print_key, to);
    return n;
}

/* A cell of a table: a bar would end it. */
static void cell(FILE *to, const char *text)
{
    for (; *text; text++)
        fputs(*text == '|' ? "\\|" : (char[]){*text, 0}, to);
}

static void markdown_key(const char *key, const struct param *p, void *ctx)
{
    char def[256], range[512];
    default_text(p, def, sizeof def);
    range_text(p, range, sizeof range);
    fprintf(ctx, "| `%s` | %s | `", key, param_type_name(p));
    cell(ctx, def);
    fputs("` | ", ctx);
    cell(ctx, range);
    fputs(" | ", ctx);
    cell(ctx, p->help);
    fputs(" |\n", ctx);
}

static void count_key(const char *key, const struct param *p, void *ctx)
{
    (void)key, (void)p, (void)ctx;
}

size_t config_write_keys_markdown(const struct config_schema *s, const char *prefix, FILE *to)
{
    size_t n = 0;
    fprintf(to,
            "# %s: every key\n\nWritten by `mmulab config keys --markdown` from the tables that check a configuration; "
            "do not edit.\nHow configurations work: [configuration.md](configuration.md). Sources in the last column are pages of\n"
            "[docs/reference](reference/).\n",
            s->title ? s->title : "Configuration");
    for (size_t g = 0; g < s->n; g++) {
        const struct param_group *group = &s->groups[g];
        if (!each_param(group->path, group->table, group->n, prefix, count_key, NULL))
            continue;
        if (!g || strcmp(group->path, s->groups[g - 1].path) != 0) {
            fprintf(to, "\n## %s\n", *group->path ? group->path : "top level");
            if (group->help)
                fprintf(to, "\n%s\n", group->help);
            fputs("\n| key | type | default | range | meaning |\n|---|---|---|---|---|\n", to);
        }
        n += each_param(group->path, group->table, group->n, prefix, markdown_key, to);
    }
    return n;
}
