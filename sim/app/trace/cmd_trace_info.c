/* `mmulab trace info`: one pass over the trace, memory bounded by the pages it touches. */
#include "app/trace/cmd_trace_verbs.h"
#include "app/result/json/json_out.h"
#include "engine/types.h"
#include "traces/analysis/addrset.h"
#include "traces/native/hash.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct info {
    uint64_t kind[256];
    uint64_t records, refs, instructions;
    uint32_t threads, processes;
    struct addrset code, data, all; /* pages, with the process in the upper bits */
    uint64_t last_code, last_data;  /* looked up last */
    uint64_t hash;
    uint64_t bytes; /* of the file, 0 if unknown */
    bool complete; /* read to its end without an error, and closed by its writer */
    bool unclosed;
};

/* Page and process in one number; exact for 4096 processes. */
static uint64_t page_key(uint32_t process, uint64_t addr)
{
    return addr >> PAGE_SHIFT ^ (uint64_t)process << 52;
}

static int add_page(struct info *in, struct addrset *set, uint64_t *last, uint64_t key)
{
    if (*last == key)
        return 0;
    *last = key;
    return addrset_add(set, key) < 0 || addrset_add(&in->all, key) < 0 ? -1 : 0;
}

static int add_ref(struct info *in, uint32_t process, const struct trace_rec *r)
{
    enum { PAGES_MOST = 64 }; /* a record of more pages is none of a real machine: its two ends count */
    bool fetch = r->kind == TRACE_FETCH;
    struct addrset *set = fetch ? &in->code : &in->data;
    uint64_t *last = fetch ? &in->last_code : &in->last_data;
    uint64_t first_page = r->addr >> PAGE_SHIFT,
             last_page = (r->addr + (r->size ? r->size - 1 : 0)) >> PAGE_SHIFT;
    if (add_page(in, set, last, page_key(process, r->addr)) < 0)
        return -1;
    if (likely(first_page == last_page))
        return 0;
    for (uint64_t p = first_page + 1, n = 0; p < last_page && n < PAGES_MOST; p++, n++)
        if (add_page(in, set, last, page_key(process, p << PAGE_SHIFT)) < 0)
            return -1;
    return add_page(in, set, last, page_key(process, last_page << PAGE_SHIFT));
}

static int add_batch(struct info *in, const struct trace_batch *b)
{
    for (size_t i = 0; i < b->n; i += 1u + b->rec[i].slots) {
        const struct trace_rec *r = &b->rec[i];
        in->records++;
        in->kind[r->kind]++;
        if (r->kind == TRACE_INSNS)
            in->instructions += r->addr;
        if (r->kind > TRACE_REF_MAX)
            continue;
        in->refs++;
        in->instructions += r->kind == TRACE_FETCH;
        if (add_ref(in, b->process, r) < 0)
            return -1;
    }
    return 0;
}

/* 0, or -1 with err: what was read before is in *in. */
static int read_all(struct trace *t, struct info *in, struct err *err)
{
    struct trace_batch b;
    int got;
    struct trace_hasher *h = trace_hasher_new();
    in->last_code = in->last_data = UINT64_MAX;
    if (!h)
        return err_set(err, ERR_RUN, "out of memory");
    while ((got = trace_next(t, &b, err)) > 0) {
        if (add_batch(in, &b) < 0) {
            got = err_set(err, ERR_RUN, "out of memory after %llu records", (unsigned long long)in->records);
            break;
        }
        trace_hasher_put(h, b.process, b.thread, b.rec, b.n);
    }
    in->hash = trace_hasher_value(h);
    in->complete = got == 0;
    trace_hasher_free(h);
    return got;
}

static void line(const char *label, const char *value)
{
    printf("%-21s %s\n", label, value);
}

static void number(const char *label, uint64_t v)
{
    char buf[32];
    line(label, trace_commas(buf, v));
}

static void print_people(const char *path, const struct trace_info *ti, const struct info *in, bool quick)
{
    char a[64], label[64];
    line("file", path);
    line("format", ti->format);
    line("compression", ti->compression);
    if (in->bytes)
        number("bytes", in->bytes);
    if (quick && !ti->records) {
        line("records", "not known without reading (no --quick)");
        return;
    }
    number("records", in->records);
    number("references", in->refs);
    if (!quick)
        for (unsigned k = TRACE_FETCH; k <= TRACE_MODIFY; k++) {
            static const char *const names[] = {"  instruction fetches", "  loads", "  stores",
                                                "  load-and-stores"};
            number(names[k - TRACE_FETCH], in->kind[k]);
        }
    number("instructions", in->instructions);
    number("threads", in->threads);
    number("processes", in->processes);
    if (in->bytes && in->refs)
        line("bytes per reference", ratio_format(a, sizeof a, in->bytes, in->refs, 1, 3));
    if (!quick) {
        number("4 KiB pages", addrset_count(&in->all));
        number("  with code", addrset_count(&in->code));
        number("  with data", addrset_count(&in->data));
        for (unsigned k = TRACE_REF_MAX + 1; k < 256; k++)
            if (in->kind[k]) {
                const char *name = trace_kind_name((uint8_t)k);
                snprintf(label, sizeof label, "%s records", name ? name : "unknown");
                number(label, in->kind[k]);
            }
    }
    if (ti->kernel.lines) {
        number("lines", ti->kernel.lines);
        number("  of other events", ti->kernel.other);
        number("  free_batched", ti->kernel.batched);
        number("  lost events", ti->kernel.lost);
        number("  not understood", ti->kernel.unparsed);
        if (ti->kernel.unparsed)
            number("  the first is line", ti->kernel.first_unparsed);
    }
    if (!quick || ti->hash) {
        snprintf(a, sizeof a, "0x%016llx", (unsigned long long)in->hash);
        line("hash", a);
    }
    if (!in->complete)
    {
        char why[256];
        snprintf(why, sizeof why, "no%s%s", in->unclosed && ti->why ? ": " : "", in->unclosed && ti->why ? ti->why : "");
        line("complete", why);
    }
    for (unsigned i = 0; i < ti->nleft; i++)
        printf("%-22s%s %s\n", ti->left[i].made_up ? "made up" : "left out", trace_commas(a, ti->left[i].n), ti->left[i].what);
}

static void print_json(const char *path, const struct trace_info *ti, const struct info *in, bool quick)
{
    struct json_out j;
    bool known = !quick || ti->records;
    json_out_init(&j, stdout, false);
    json_begin_object(&j, NULL);
    json_str(&j, "file", path);
    json_str(&j, "format", ti->format);
    json_str(&j, "compression", ti->compression);
    json_bool(&j, "complete", in->complete);
    if (in->bytes)
        json_u64(&j, "bytes", in->bytes);
    if (known) {
        json_u64(&j, "records", in->records);
        json_u64(&j, "references", in->refs);
        if (!quick) {
            json_u64(&j, "fetches", in->kind[TRACE_FETCH]);
            json_u64(&j, "loads", in->kind[TRACE_LOAD]);
            json_u64(&j, "stores", in->kind[TRACE_STORE]);
            json_u64(&j, "modifies", in->kind[TRACE_MODIFY]);
        }
        json_u64(&j, "instructions", in->instructions);
        json_u64(&j, "threads", in->threads);
        json_u64(&j, "processes", in->processes);
        if (in->bytes)
            json_ratio(&j, "bytes_per_reference", in->bytes, in->refs, 1, 4);
    }
    if (!quick) {
        json_begin_object(&j, "pages_4k");
        json_u64(&j, "all", addrset_count(&in->all));
        json_u64(&j, "code", addrset_count(&in->code));
        json_u64(&j, "data", addrset_count(&in->data));
        json_end(&j);
        json_begin_object(&j, "events");
        for (unsigned k = TRACE_REF_MAX + 1; k < 256; k++)
            if (in->kind[k] && trace_kind_name((uint8_t)k))
                json_u64(&j, trace_kind_name((uint8_t)k), in->kind[k]);
        json_end(&j);
    }
    if (ti->kernel.lines) {
        json_begin_object(&j, "lines");
        json_u64(&j, "all", ti->kernel.lines);
        json_u64(&j, "other_events", ti->kernel.other);
        json_u64(&j, "free_batched", ti->kernel.batched);
        json_u64(&j, "lost_events", ti->kernel.lost);
        json_u64(&j, "not_understood", ti->kernel.unparsed);
        json_u64(&j, "first_not_understood", ti->kernel.first_unparsed);
        json_end(&j);
    }
    if (ti->nleft) {
        json_begin_object(&j, "left_out");
        for (unsigned i = 0; i < ti->nleft; i++)
            if (!ti->left[i].made_up)
                json_u64(&j, ti->left[i].what, ti->left[i].n);
        json_end(&j);
    }
    if (!quick || ti->hash)
        json_hex(&j, "hash", in->hash);
    json_end_document(&j);
}

static void help(void)
{
    printf("usage: mmulab trace info [--json] [--quick] [--format NAME] FILE\n\n"
           "Reads the whole trace and tells its form, its records and references by kind, instructions, "
           "threads and\n"
           "processes, distinct 4 KiB pages, events and the hash that identifies it whatever its container.\n"
           "A load-and-store of the same bytes is one reference. An instruction is a fetch, or in a thread "
           "without\n"
           "fetches a data reference.\n\n"
           "  --json         as JSON\n"
           "  --quick        only what the header tells, without reading the trace\n"
           "  --format NAME  do not guess the form: ");
    verb_print_formats();
    putchar('\n');
}

int trace_verb_info(int argc, char **argv)
{
    struct trace_options opt = {.ahead = true};
    bool json = false, quick = false;
    const struct verb_option options[] = {{"json", 0, VERB_FLAG, &json, NULL, NULL},
                                          {"quick", 0, VERB_FLAG, &quick, NULL, NULL},
                                          {"format", 0, VERB_TEXT, &opt.format, NULL, NULL}};
    int got = verb_options("info", argc, argv, options, ARRAY_LEN(options), help, 1, 1, "trace");
    if (got != VERB_GO_ON)
        return got;
    const char *path = argv[optind];
    struct err err = {0};
    struct trace *t;
    if (trace_open(&t, path, &opt, &err) < 0)
        return verb_error(&err);
    struct trace_info ti;
    struct info *in = calloc(1, sizeof *in);
    struct stat st;
    int rc = 0;
    if (!in) {
        trace_close(t);
        err_set(&err, ERR_RUN, "out of memory");
        return verb_error(&err);
    }
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
        in->bytes = (uint64_t)st.st_size;
    if (!quick)
        rc = read_all(t, in, &err);
    trace_get_info(t, &ti);
    if (quick) {
        in->records = ti.records;
        in->refs = ti.refs;
        in->instructions = ti.insns;
        in->hash = ti.hash;
        in->complete = true;
    }
    in->unclosed = ti.incomplete && rc == 0;
    in->complete = in->complete && !ti.incomplete;
    in->threads = ti.threads;
    in->processes = ti.processes;
    if (json)
        print_json(path, &ti, in, quick);
    else
        print_people(path, &ti, in, quick);
    int code = rc < 0 ? verb_broken(&err, in->records) : 0;
    trace_close(t);
    addrset_fini(&in->code);
    addrset_fini(&in->data);
    addrset_fini(&in->all);
    free(in);
    return verb_end(code);
}
