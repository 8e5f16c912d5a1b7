#include "engine/err.h"

#include <stdio.h>
#include <string.h>

int (err_setv)(struct err *e, enum err_kind kind, const char *fmt, va_list ap)
{
    if (!e)
        return -1;
    *e = (struct err){.kind = kind};
    vsnprintf(e->message, sizeof e->message, fmt, ap);
    return -1;
}

int (err_set)(struct err *e, enum err_kind kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_setv(e, kind, fmt, ap);
    va_end(ap);
    return -1;
}

int (err_at)(struct err *e, const char *file, unsigned line, unsigned column)
{
    if (!e)
        return -1;
    snprintf(e->file, sizeof e->file, "%s", file ? file : "");
    e->line = line;
    e->column = column;
    return -1;
}

int (err_remedy)(struct err *e, const char *fmt, ...)
{
    if (!e)
        return -1;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->remedy, sizeof e->remedy, fmt, ap);
    va_end(ap);
    return -1;
}

char *err_format(const struct err *e, char *buf, unsigned long size)
{
    char where[600] = "";
    if (e->file[0] && e->line && e->column)
        snprintf(where, sizeof where, "%s:%u:%u: ", e->file, e->line, e->column);
    else if (e->file[0] && e->line)
        snprintf(where, sizeof where, "%s:%u: ", e->file, e->line);
    else if (e->file[0])
        snprintf(where, sizeof where, "%s: ", e->file);
    snprintf(buf, size, "%serror: %s%s%s", where, e->message, e->remedy[0] ? "; " : "", e->remedy);
    return buf;
}
