/* {"from": A, "to": B, "step": C} or {"from": A, "to": B, "mul": F}: both ends are included when they are hit. */
#include "app/suggest.h"
#include "app/sweep/axes.h"
#include "app/sweep/must.h"
#include "config/units.h"

#include <inttypes.h>
#include <math.h>

struct range {
    const struct config_schema *schema;
    const struct param *param;
    const char *key;
    const struct config_node *node;
    struct diag *d;
    char **text;
    size_t n;
};

void sweep_unknown(const struct config_node *member, const char *where, const char *const *names, struct diag *d)
{
    char list[200] = "", hint[260];
    const char *near = suggest(member->key, names);
    for (size_t i = 0; names[i]; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
    }
    if (near)
        snprintf(hint, sizeof hint, "did you mean \"%s\"?", near);
    else
        snprintf(hint, sizeof hint, "the keys are %s", list);
    diag_error(d, member->key_at, hint, "unknown key \"%.60s\" in %s", member->key, where);
}

static bool is_float(const struct range *r) { return r->param->type == P_F64; }
static bool is_signed(const struct range *r) { return r->param->type == P_I64; }

/* In the storage unit of the key; the text has been checked, or is a step. */
static int parse(const struct range *r, const struct config_node *n, uint64_t *out, double *f)
{
    struct err e;
    uint32_t cycles = 0;
    int64_t whole = 0;
    int rc = -1;
    const char *text = n->text ? n->text : "";
    snprintf(e.message, sizeof e.message, "expected a number");
    e.remedy[0] = 0;
    switch (r->param->type) {
    case P_SIZE:
        rc = unit_parse_size(text, out, &e);
        break;
    case P_TIME:
        rc = unit_parse_time(text, out, &e);
        break;
    case P_FREQ:
        rc = unit_parse_freq(text, out, &e);
        break;
    case P_CYC:
        rc = unit_parse_cycles(text, &cycles, &e);
        *out = cycles;
        break;
    case P_F64:
        rc = unit_parse_f64(text, f, &e);
        break;
    case P_I64:
        rc = unit_parse_i64(text, &whole, &e);
        *out = (uint64_t)whole;
        break;
    default:
        rc = unit_parse_u64(text, out, &e);
        break;
    }
    return rc < 0 ? diag_error(r->d, n->at, NULL, "%s%s%s", e.message, e.remedy[0] ? "; " : "", e.remedy) : 0;
}

static bool numeric(const struct param *p)
{
    switch (p->type) {
    case P_U32:
    case P_U64:
    case P_I64:
    case P_F64:
    case P_SIZE:
    case P_TIME:
    case P_FREQ:
    case P_CYC:
        return true;
    default:
        return false;
    }
}

static void format(const struct range *r, uint64_t u, double f, char buf[UNIT_BUF])
{
    switch (r->param->type) {
    case P_SIZE:
        unit_format_size(u, buf);
        break;
    case P_TIME:
        unit_format_time(u, buf);
        break;
    case P_FREQ:
        unit_format_freq(u, buf);
        break;
    case P_CYC:
        unit_format_cycles(u, buf);
        break;
    case P_F64:
        unit_format_f64(f, buf);
        break;
    case P_I64:
        snprintf(buf, UNIT_BUF, "%" PRId64, (int64_t)u);
        break;
    default:
        snprintf(buf, UNIT_BUF, "%" PRIu64, u);
        break;
    }
}

/* Adds one value; it must be a value of the key. */
static int put(struct range *r, uint64_t u, double f)
{
    if (r->n == SWEEP_VALUES_MAX)
        return diag_error(r->d, r->node->at, NULL, "the range has more than %d values", SWEEP_VALUES_MAX);
    char buf[UNIT_BUF];
    format(r, u, f, buf);
    bool quoted = r->param->type == P_SIZE || r->param->type == P_TIME || r->param->type == P_FREQ || r->param->type == P_CYC;
    struct config_node value = {.type = quoted ? CONFIG_STRING : CONFIG_NUMBER, .text = buf, .at = r->node->at};
    char *text = config_normal_value(r->schema, r->key, r->node->key_at, &value, r->d);
    if (!text)
        return -1;
    r->text = must_grow(r->text, r->n, sizeof *r->text);
    r->text[r->n++] = text;
    return 0;
}

static bool beyond(const struct range *r, uint64_t a, uint64_t b)
{
    return is_signed(r) ? (int64_t)a > (int64_t)b : a > b;
}

static int fill(struct range *r, const struct config_node *from, const struct config_node *to,
                const struct config_node *step, const struct config_node *mul)
{
    uint64_t a = 0, b = 0, s = 0;
    double fa = 0, fb = 0, fs = 0, factor = 0;
    if (parse(r, from, &a, &fa) < 0 || parse(r, to, &b, &fb) < 0 || (step && parse(r, step, &s, &fs) < 0))
        return -1;
    if (is_float(r) ? fa > fb : beyond(r, a, b))
        return diag_error(r->d, from->at, NULL, "the range is empty: it goes from %s to %s", from->text, to->text);
    if (mul) {
        struct err e;
        if (!mul->text || unit_parse_f64(mul->text, &factor, &e) < 0 || !(factor > 1))
            return diag_error(r->d, mul->at, NULL, "\"mul\" is a number above 1");
        if (is_float(r) ? !(fa > 0) : beyond(r, 1, a))
            return diag_error(r->d, from->at, NULL, "a range with \"mul\" starts above 0");
    } else if (step && (is_float(r) ? !(fs > 0) : !beyond(r, s, 0))) {
        return diag_error(r->d, step->at, NULL, "\"step\" must be above 0");
    }
    if (is_float(r)) { /* the end is a value when rounding alone keeps it away */
        double room = fabs(fb) * 1e-12, v = fa;
        for (size_t i = 1; v <= fb + room; i++) {
            if (put(r, 0, v > fb ? fb : v) < 0)
                return -1;
            v = mul ? fa * pow(factor, (double)i) : fa + (double)i * fs;
        }
        return 0;
    }
    for (uint64_t v = a;;) {
        if (put(r, v, 0) < 0)
            return -1;
        uint64_t next = v + s;
        if (mul) {
            long double x = (long double)v * (long double)factor;
            if (x >= 18446744073709551615.0L)
                return 0;
            next = (uint64_t)(x + 0.5L);
            if (next == v)
                return diag_error(r->d, mul->at, NULL, "\"mul\" %s leaves %s as it is", mul->text, r->text[r->n - 1]);
        }
        if (!beyond(r, next, v) || beyond(r, next, b)) /* over the top, or past the end */
            return 0;
        v = next;
    }
}

size_t sweep_range(const struct config_schema *s, const char *key, const struct config_node *range, char ***text,
                   struct diag *d)
{
    static const char *const members[] = {"from", "to", "step", "mul", NULL};
    struct range r = {.schema = s, .param = config_param(s, key), .key = key, .node = range, .d = d};
    size_t before = diag_count(d);
    for (const struct config_node *m = range->child; m; m = m->next) {
        size_t i = 0;
        while (members[i] && strcmp(members[i], m->key) != 0)
            i++;
        if (!members[i])
            sweep_unknown(m, "a range", members, d);
    }
    const struct config_node *from = config_node_member(range, "from"), *to = config_node_member(range, "to"),
                             *step = config_node_member(range, "step"), *mul = config_node_member(range, "mul");
    if (!r.param || !numeric(r.param))
        diag_error(d, range->at, NULL, "%.60s has no range; list its values", key);
    else if (diag_count(d) == before && (!from || !to || !step == !mul))
        diag_error(d, range->at, NULL, "a range has \"from\", \"to\" and one of \"step\" and \"mul\"");
    if (diag_count(d) == before)
        config_check_value(s, key, range->key_at, from, d);
    if (diag_count(d) == before)
        config_check_value(s, key, range->key_at, to, d);
    if (diag_count(d) == before)
        fill(&r, from, to, step, mul);
    if (diag_count(d) != before) {
        for (size_t i = 0; i < r.n; i++)
            free(r.text[i]);
        free(r.text);
        return 0;
    }
    *text = r.text;
    return r.n;
}
