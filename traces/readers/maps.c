#include "traces/readers/maps.h"

#include "traces/input.h"
#include "traces/readers/scan.h"

#include <stdlib.h>

static bool strip(char *name, const char *const *endings)
{
    size_t n = strlen(name);
    for (; *endings; endings++) {
        size_t k = strlen(*endings);
        if (n > k && name[n - k - 1] != '/' && !strcmp(name + n - k, *endings)) {
            name[n - k] = '\0';
            return true;
        }
    }
    return false;
}

char *trace_maps_name(const char *trace_path)
{
    static const char *const packed[] = {".zst", ".xz", ".gz", ".bz2", NULL};
    static const char *const form[] = {".lackey", ".log", ".txt", ".out", ".trace", NULL};
    static const char ending[] = ".maps.txt";
    size_t n = strlen(trace_path);
    char *s = malloc(n + sizeof ending);
    if (!s)
        return NULL;
    memcpy(s, trace_path, n + 1);
    strip(s, packed);
    strip(s, form);
    memcpy(s + strlen(s), ending, sizeof ending);
    return s;
}

/* --- names: "(1,49,7) /usr/bin/gzip" --- */

struct name {
    uint64_t index;
    char *path;
};

struct reading {
    struct trace_maps *out;
    size_t cap;
    struct name *name;
    size_t nnames, names_cap;
};

static void *grow(void *array, size_t *cap, size_t n, size_t each)
{
    if (n < *cap)
        return array;
    size_t more = *cap ? *cap * 2 : 32;
    void *p = realloc(array, more * each);
    if (p)
        *cap = more;
    return p;
}

static char *copy(const char *s, size_t n)
{
    char *c = malloc(n + 1);
    if (c) {
        memcpy(c, s, n);
        c[n] = '\0';
    }
    return c;
}

static int no_memory(struct err *err)
{
    return err_set(err, ERR_RUN, "out of memory reading the list of mappings");
}

static int add_map(struct reading *r, struct trace_map m, const char *path, size_t len, struct err *err)
{
    if (r->out->n == TRACE_MAPS_MAX)
        return err_set(err, ERR_RUN, "more than %u mappings", TRACE_MAPS_MAX);
    void *p = grow(r->out->map, &r->cap, r->out->n, sizeof *r->out->map);
    if (!p)
        return no_memory(err);
    r->out->map = p;
    if (path && !(m.path = copy(path, len)))
        return no_memory(err);
    r->out->map[r->out->n++] = m;
    return 0;
}

static bool scan_prot(const char **p, const char *end, uint32_t *prot)
{
    if (end - *p < 3)
        return false;
    const char *s = *p;
    *prot = (s[0] == 'r' ? TRACE_PROT_READ : 0u) | (s[1] == 'w' ? TRACE_PROT_WRITE : 0u) |
            (s[2] == 'x' ? TRACE_PROT_EXEC : 0u);
    bool good = (s[0] == 'r' || s[0] == '-') && (s[1] == 'w' || s[1] == '-') && (s[2] == 'x' || s[2] == '-');
    *p += 3;
    return good;
}

/* 0 not of this form, 1 taken, -1 error. */
static int name_line(struct reading *r, const char *s, const char *end, struct err *err)
{
    struct name n;
    uint64_t ignored;
    if (!scan_word(&s, end, "(") || !scan_dec(&s, end, &n.index) || !scan_word(&s, end, ","))
        return 0;
    while (s < end && *s != ')')
        if (!scan_dec(&s, end, &ignored) && !scan_word(&s, end, ","))
            return 0;
    if (!scan_word(&s, end, ") ") || s == end)
        return 0;
    if (r->nnames == TRACE_MAPS_MAX)
        return err_set(err, ERR_RUN, "more than %u names", TRACE_MAPS_MAX);
    void *p = grow(r->name, &r->names_cap, r->nnames, sizeof *r->name);
    if (!p)
        return no_memory(err);
    r->name = p;
    size_t len = (size_t)(end - s);
    if (!(n.path = copy(s, len < TRACE_STRING_MAX ? len : TRACE_STRING_MAX)))
        return no_memory(err);
    r->name[r->nnames++] = n;
    return 1;
}

static const char *find_name(const struct reading *r, uint64_t index)
{
    for (size_t i = 0; i < r->nnames; i++)
        if (r->name[i].index == index)
            return r->name[i].path;
    return NULL;
}

/* "2: file 000010b000-0000119fff 61440 r-x-- o=12288 (1,49)"; the size column may read "19m" and is not used.
 */
static int valgrind_line(struct reading *r, const char *s, const char *end, struct err *err)
{
    uint64_t ignored, last, index;
    struct trace_map m = {0};
    if (!scan_dec(&s, end, &ignored) || !scan_word(&s, end, ":"))
        return 0;
    scan_blanks(&s, end);
    bool file = scan_word(&s, end, "file ");
    if (!file && !scan_word(&s, end, "anon ") && !scan_word(&s, end, "shm ")) {
        /* Capital FILE and ANON are Valgrind's own, RSVN is reserved, blank is free: nothing of the
         * program's. */
        bool other = scan_word(&s, end, "FILE ") || scan_word(&s, end, "ANON ") ||
                     scan_word(&s, end, "SHM ") || scan_word(&s, end, "RSVN ") ||
                     (s < end && scan_hex_digit((unsigned char)*s) >= 0);
        return other ? 1 : 0;
    }
    scan_blanks(&s, end);
    if (!scan_hex(&s, end, &m.start) || !scan_word(&s, end, "-") || !scan_hex(&s, end, &last) ||
        last < m.start)
        return 0;
    m.length = last - m.start + 1;
    scan_blanks(&s, end);
    while (s < end && *s != ' ')
        s++;
    scan_blanks(&s, end);
    if (m.length == 0 || !scan_prot(&s, end, &m.prot))
        return 0;
    const char *path = NULL;
    while (s < end) {
        if (scan_word(&s, end, "o=")) {
            if (!scan_dec(&s, end, &m.offset))
                return 0;
        } else if (scan_word(&s, end, "(")) {
            if (!scan_dec(&s, end, &index))
                return 0;
            path = find_name(r, index);
        } else {
            s++;
        }
    }
    if (!file) {
        m.flags = TRACE_F_ANON;
        if (m.prot == (TRACE_PROT_READ | TRACE_PROT_WRITE | TRACE_PROT_EXEC))
            m.flags |= TRACE_F_HEAP;
    }
    return add_map(r, m, file ? path : NULL, path ? strlen(path) : 0, err) < 0 ? -1 : 1;
}

/* "7f12..000-7f12..000 r-xp 00001000 fe:01 1234   /usr/lib/x.so", proc(5) */
static int proc_line(struct reading *r, const char *s, const char *end, struct err *err)
{
    struct trace_map m = {0};
    uint64_t stop, ignored;
    if (!scan_hex(&s, end, &m.start) || !scan_word(&s, end, "-") || !scan_hex(&s, end, &stop) ||
        stop <= m.start || !scan_word(&s, end, " ") || !scan_prot(&s, end, &m.prot))
        return 0;
    m.length = stop - m.start;
    if (!scan_word(&s, end, "p ") && !scan_word(&s, end, "s "))
        return 0;
    if (!scan_hex(&s, end, &m.offset) || !scan_word(&s, end, " ") || !scan_hex(&s, end, &ignored) ||
        !scan_word(&s, end, ":") || !scan_hex(&s, end, &ignored) || !scan_word(&s, end, " ") ||
        !scan_dec(&s, end, &ignored))
        return 0;
    scan_blanks(&s, end);
    size_t len = (size_t)(end - s);
    if (len == 0 || *s != '/') {
        m.flags = TRACE_F_ANON;
        if (len == 6 && !memcmp(s, "[heap]", 6))
            m.flags |= TRACE_F_HEAP;
        if (len == 7 && !memcmp(s, "[stack]", 7))
            m.flags |= TRACE_F_STACK;
        return add_map(r, m, NULL, 0, err) < 0 ? -1 : 1;
    }
    return add_map(r, m, s, len < TRACE_STRING_MAX ? len : TRACE_STRING_MAX, err) < 0 ? -1 : 1;
}

static void mark_stack(struct trace_maps *m)
{
    struct trace_map *top = NULL;
    for (size_t i = 0; i < m->n; i++) {
        struct trace_map *s = &m->map[i];
        if (s->flags & TRACE_F_STACK)
            return;
        if ((s->flags & TRACE_F_ANON) && !(s->flags & TRACE_F_HEAP) && (s->prot & TRACE_PROT_WRITE) &&
            (!top || s->start > top->start))
            top = s;
    }
    if (top)
        top->flags |= TRACE_F_STACK;
}

int trace_maps_read(struct trace_maps *out, struct trace_input *in, struct err *err)
{
    *out = (struct trace_maps){0};
    struct reading r = {.out = out};
    const char *line;
    size_t len;
    int got, rc = 0;
    while ((got = trace_input_line(in, &line, &len, err)) > 0) {
        const char *s = line, *end = line + len;
        scan_blanks(&s, end);
        if (s == end || *s == '#')
            continue;
        rc = memchr(line, 0, len) ? trace_line_error(in, line, len, err, NULL, "a zero byte")
                                  : name_line(&r, s, end, err);
        if (rc == 0)
            rc = valgrind_line(&r, s, end, err);
        if (rc == 0)
            rc = proc_line(&r, s, end, err);
        if (rc == 0)
            rc = trace_line_error(
                in, line, len, err,
                "a mapping is a line of `valgrind -d -d` or of /proc/PID/maps; remove the file to read "
                "the trace without its initial mappings",
                "not a mapping");
        else if (rc < 0)
            err_at(err, trace_input_name(in), (unsigned)in->line, 0);
        if (rc < 0)
            break;
    }
    for (size_t i = 0; i < r.nnames; i++)
        free(r.name[i].path);
    free(r.name);
    if (rc < 0 || got < 0) {
        trace_maps_free(out);
        return -1;
    }
    mark_stack(out);
    out->unended = trace_input_unended(in);
    return 0;
}

void trace_maps_free(struct trace_maps *m)
{
    for (size_t i = 0; i < m->n; i++)
        free(m->map[i].path);
    free(m->map);
    *m = (struct trace_maps){0};
}
