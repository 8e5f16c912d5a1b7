/*
 * `mmulab trace print`: a record a line, numbered, in the text form (docs/trace-format.md), with names of
 * addresses. tests/cli compares what stands between number and name with what `trace convert` writes.
 */
#include "app/trace/cmd_trace_verbs.h"
#include "engine/types.h"
#include "traces/input.h"
#include "traces/analysis/symbols.h"
#include "traces/native/text.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const struct text_flag flags[] = {TEXT_FLAGS};

/* Small numbers and negative error numbers in decimal, the rest in hexadecimal. */
static void put_value(FILE *f, uint64_t v)
{
    if (v > UINT64_MAX - 4096)
        fprintf(f, "-%llu", (unsigned long long)(0 - v));
    else
        fprintf(f, v < 1u << 20 ? "%llu" : "0x%llx", (unsigned long long)v);
}

static void put_quoted(FILE *f, const char *s, size_t n)
{
    putc('"', f);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '"' || c == '\\')
            fprintf(f, "\\%c", c);
        else if (c < 32 || c == 127)
            fprintf(f, "\\x%02x", c);
        else
            putc(c, f);
    }
    putc('"', f);
}

static void put_flags(FILE *f, const struct trace_rec *r)
{
    unsigned left = r->flags;
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (left & flags[i].value && r->kind >= flags[i].first && r->kind <= flags[i].last) {
            fprintf(f, " %s", flags[i].name);
            left &= ~(unsigned)flags[i].value;
        }
    if (left) {
        fputs(" rflags=", f);
        put_value(f, left);
    }
}

static void put_record(FILE *f, const struct trace_rec *r)
{
    const struct trace_shape *s = trace_kind_shape(r->kind);
    fprintf(f, "%s ", s->name);
    if (s->hex)
        fprintf(f, "%llx", (unsigned long long)r->addr);
    else if (r->addr <= INT64_MAX)
        fprintf(f, "%llu", (unsigned long long)r->addr);
    else
        put_value(f, r->addr);
    if (s->size)
        fprintf(f, " %u", r->size);
    else if (r->size)
        fprintf(f, " arg2=%u", r->size);
    for (unsigned i = 0; i < s->words; i++) {
        uint64_t v;
        memcpy(&v, (const char *)(r + 1) + 8 * i, 8);
        fprintf(f, " %s=", s->field[i]);
        put_value(f, v);
    }
    if (r->flags)
        put_flags(f, r);
    if (s->string) {
        size_t len;
        const char *text = trace_rec_string(r, &len);
        putc(' ', f);
        put_quoted(f, text, len);
    }
}

/* Whether addr is an address of the program. */
static bool has_address(uint8_t kind)
{
    return kind <= TRACE_REF_MAX || kind == TRACE_BRANCH || kind == TRACE_MUNMAP || kind == TRACE_MREMAP ||
           kind == TRACE_MPROTECT || kind == TRACE_MADVISE;
}

struct printing {
    uint64_t from, count;
    bool one_thread;
    uint32_t thread;
    struct trace_symbols *symbols; /* NULL: no names */
    uint64_t inside;               /* records of the window so far */
};

static void print_line(const struct printing *p, const struct trace_batch *b, uint64_t number,
                       const struct trace_rec *r)
{
    char name[256];
    printf("%10llu ", (unsigned long long)number);
    if (b->process || b->thread)
        printf("[%u.%u] ", b->process, b->thread);
    else
        fputs("      ", stdout);
    put_record(stdout, r);
    if (p->symbols && has_address(r->kind) && r->addr) {
        trace_symbols_name(p->symbols, b->process, r->addr, name, sizeof name);
        if (name[0])
            printf("   # %s", name);
    }
    putchar('\n');
}

/* false: nothing more comes. */
static bool print_batch(struct printing *p, const struct trace_batch *b)
{
    uint64_t number = b->first_record;
    for (size_t i = 0; i < b->n; i += 1u + b->rec[i].slots, number++) {
        const struct trace_rec *r = &b->rec[i];
        if (number >= p->from && number - p->from >= p->count)
            return false;
        bool wanted = number >= p->from && (!p->one_thread || b->thread == p->thread);
        p->inside += wanted;
        if (!wanted && !p->symbols)
            continue;
        /* Records that were read are well-formed; an unmapped range still has its name in the record that
         * unmaps it. */
        if (wanted && r->kind == TRACE_MUNMAP)
            print_line(p, b, number, r);
        if (p->symbols && r->kind > TRACE_REF_MAX)
            trace_symbols_record(p->symbols, b->process, r);
        if (wanted && r->kind != TRACE_MUNMAP)
            print_line(p, b, number, r);
        if (ferror(stdout))
            return false;
    }
    return true;
}

static void help(void)
{
    printf(
        "usage: mmulab trace print [--from N] [--count N] [--thread T] [--no-names] [--format NAME] FILE\n\n"
        "A record a line: number (from 0), [process.thread] unless both are 0, the record in the text form, "
        "and behind #\n"
        "the name of its address: symbol+offset (file), where the mappings are in the trace and the ELF file "
        "exists.\n\n"
        "  --from N       first record (default 0)\n"
        "  --count N      number of records from there (default: all)\n"
        "  --thread T     only this thread\n"
        "  --no-names     without names; seeks instead of reading from the beginning\n"
        "  --format NAME  do not guess the form\n");
}

int trace_verb_print(int argc, char **argv)
{
    struct trace_options opt = {.ahead = false};
    struct printing p = {.count = UINT64_MAX};
    uint64_t thread = 0;
    bool no_names = false;
    const struct verb_option options[] = {{"from", 0, VERB_NUMBER, &p.from, NULL, NULL},
                                          {"count", 0, VERB_NUMBER, &p.count, NULL, NULL},
                                          {"thread", 0, VERB_NUMBER, &thread, &p.one_thread, NULL},
                                          {"no-names", 0, VERB_FLAG, &no_names, NULL, NULL},
                                          {"format", 0, VERB_TEXT, &opt.format, NULL, NULL}};
    int got = verb_options("print", argc, argv, options, ARRAY_LEN(options), help, 1, 1, "trace");
    if (got != VERB_GO_ON)
        return got;
    if (thread > UINT32_MAX)
        return verb_usage("print", "--thread: there is no such thread");
    p.thread = (uint32_t)thread;
    struct err err = {0};
    struct trace *t;
    struct trace_batch b;
    uint64_t good = 0;
    if (trace_open(&t, argv[optind], &opt, &err) < 0)
        return verb_error(&err);
    if ((!no_names && trace_symbols_new(&p.symbols, &err) < 0) ||
        (no_names && p.from && trace_seek(t, p.from, &err) < 0)) {
        trace_close(t);
        return verb_error(&err);
    }
    while ((got = trace_next(t, &b, &err)) > 0) {
        if (!print_batch(&p, &b))
            break;
        good = b.first_record;
        for (size_t i = 0; i < b.n; i += 1u + b.rec[i].slots)
            good++;
    }
    int code = got < 0 ? verb_broken(&err, good) : 0;
    if (got >= 0 && p.count && !p.inside && (p.from || p.one_thread))
        code = verb_nothing(argv[optind], got == 0 ? good : 0);
    trace_symbols_free(p.symbols);
    trace_close(t);
    return verb_end(code);
}
