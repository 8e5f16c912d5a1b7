#include "app/diff/condition.h"

#include "engine/types.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int bad(const char *text, const char *what, struct err *err)
{
    err_set(err, ERR_USAGE, "--fail-if \"%.200s\": %s", text, what);
    return err_remedy(err, "write NAME OP LIMIT, for instance 'cpu0.dtlb.misses>+2%%', 'cpu0.ipc<-1%%' or 'oom.kills>0'");
}

static const struct { char text[3]; enum condition_op op; } ops[] = {
    {">=", COND_GE}, {"<=", COND_LE}, {"==", COND_EQ}, {"!=", COND_NE}, {">", COND_GT}, {"<", COND_LT}};

int condition_parse(struct condition *c, const char *text, struct err *err)
{
    *c = (struct condition){.text = text};
    size_t n = strcspn(text, "<>=!"), len = n;
    while (len && text[len - 1] == ' ')
        len--;
    if (!len || len >= sizeof c->name)
        return bad(text, "there is no statistic's name", err);
    memcpy(c->name, text, len);
    c->name[len] = '\0';
    const char *p = text + n;
    size_t i = 0;
    while (i < ARRAY_LEN(ops) && strncmp(p, ops[i].text, strlen(ops[i].text)) != 0)
        i++;
    if (i == ARRAY_LEN(ops))
        return bad(text, *p ? "no such comparison; there are > >= < <= == !=" : "there is no comparison", err);
    c->op = ops[i].op;
    p += strlen(ops[i].text);
    p += strspn(p, " ");
    if (!strchr("+-0123456789.", *p) || !*p)
        return bad(text, "there is no number to compare with", err);
    c->of = *p == '+' || *p == '-' ? COND_OF_CHANGE : COND_OF_VALUE;
    char *end;
    errno = 0;
    c->limit = strtod(p, &end);
    if (end == p || errno || !isfinite(c->limit))
        return bad(text, "the limit is no number", err);
    end += strspn(end, " ");
    if (*end == '%') {
        c->of = COND_OF_PERCENT;
        end++;
    }
    if (*end)
        return bad(text, "something is left over behind the limit", err);
    return 0;
}

bool condition_names(const struct condition *c, const char *name)
{
    return strpbrk(c->name, "*?[") ? fnmatch(c->name, name, 0) == 0 : strcmp(c->name, name) == 0;
}

double change_percent(double a, double b)
{
    if (a == b)
        return 0;
    return a == 0 ? copysign(INFINITY, b) : (b - a) / fabs(a) * 100;
}

bool condition_holds(const struct condition *c, double a, double b)
{
    double v = c->of == COND_OF_VALUE ? b : c->of == COND_OF_CHANGE ? b - a : change_percent(a, b);
    switch (c->op) {
    case COND_GT: return v > c->limit;
    case COND_GE: return v >= c->limit;
    case COND_LT: return v < c->limit;
    case COND_LE: return v <= c->limit;
    case COND_EQ: return v == c->limit;
    default: return v != c->limit;
    }
}
