#include "traces/gen/gen.h"

#include "engine/types.h"
#include "traces/gen/gen_pattern.h"
#include "traces/readers/scan.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

/* --- parameters --- */

#define ACCESS_BYTES_MAX 64u /* widest load or store: one line (AVX-512) */
#define INSNS_MAX 64u
#define AT(member) offsetof(struct trace_gen_config, member)

const struct param trace_gen_params[] = {
    {"size", P_SIZE, AT(size), .def = 64u << 20, .min = 8, .max = 1ull << 46,
     .help = "bytes of a data region"},
    {"element", P_SIZE, AT(element), .def = 0, .min = 0, .max = 1ull << 30,
     .help = "bytes from one element to the next; 0B: 8B, for chase 64B"},
    {"access", P_SIZE, AT(access), .def = 8, .min = 1, .max = ACCESS_BYTES_MAX, .help = "bytes of an access"},
    {"stride", P_SIZE, AT(stride), .def = 4096, .min = 1, .max = 1ull << 46,
     .help = "strided: bytes of a step"},
    {"base", P_ADDR, AT(base), .def = 0x100000000000, .min = 4096, .max = 0x7fffffffefff,
     .help = "address of the first data region"},
    {"code_base", P_ADDR, AT(code_base), .def = 0x400000, .min = 4096, .max = 0x7fffffffefff,
     .help = "address of the loop's code"},
    {"store_fraction", P_F64, AT(store_fraction), .def_f = 0, .min_f = 0, .max_f = 1,
     .help = "part of the accesses that are stores (sequential, strided, uniform, zipf)"},
    {"exponent", P_F64, AT(exponent), .def_f = 0.99, .min_f = 0, .max_f = 20,
     .help = "zipf: the exponent (0.99 is YCSB's)"},
    {"scatter", P_BOOL, AT(scatter), .def = 1, .help = "zipf: spread the ranks over the region"},
    {"shared", P_BOOL, AT(shared), .def = 0, .help = "all threads work in one region"},
    {"with_fetch", P_BOOL, AT(with_fetch), .def = 1,
     .help = "instruction fetches of a small loop around the accesses"},
    {"regs", P_BOOL, AT(regs), .def = 1, .help = "register numbers of the instructions (with with_fetch)"},
    {"insns", P_U32, AT(insns), .def = 4, .min = 1, .max = INSNS_MAX,
     .help = "instructions a data reference, the access included"},
    {"quantum", P_U64, AT(quantum), .def = 64, .min = 1, .max = 1ull << 40,
     .help = "data references of a thread before the next one's turn"},
    {"seed", P_U64, AT(seed), .def = 1, .help = "of the random numbers"},
};
const size_t trace_gen_param_count = ARRAY_LEN(trace_gen_params);

static void store(struct trace_gen_config *c, const struct param *p, uint64_t u, double f)
{
    char *at = (char *)c + p->offset;
    uint32_t u32 = (uint32_t)u;
    bool b = u != 0;
    if (p->type == P_F64)
        memcpy(at, &f, sizeof f);
    else if (p->type == P_BOOL)
        memcpy(at, &b, sizeof b);
    else if (p->type == P_U32)
        memcpy(at, &u32, sizeof u32);
    else
        memcpy(at, &u, sizeof u);
}

void trace_gen_defaults(struct trace_gen_config *c)
{
    *c = (struct trace_gen_config){0};
    for (size_t i = 0; i < trace_gen_param_count; i++)
        store(c, &trace_gen_params[i], trace_gen_params[i].def, trace_gen_params[i].def_f);
}

/* What to write, if `value` is none of the type. */
static const char *scan_value(const struct param *p, const char *s, const char *end, uint64_t *u, double *f)
{
    static const struct {
        const char *name;
        unsigned shift;
    } units[] = {{"B", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
    char *stop;
    switch (p->type) {
    case P_BOOL:
        *u = scan_word(&s, end, "true");
        return (*u || scan_word(&s, end, "false")) && s == end ? NULL : "true or false";
    case P_F64:
        *f = strtod(s, &stop);
        return stop == end && s != end && isfinite(*f) ? NULL : "a number such as 0.25";
    case P_ADDR:
        return scan_word(&s, end, "0x") && scan_hex(&s, end, u) && s == end
                   ? NULL
                   : "a hexadecimal address such as 0x10000000";
    case P_SIZE:
        if (scan_dec(&s, end, u))
            for (size_t i = 0; i < ARRAY_LEN(units); i++)
                if (!strcmp(s, units[i].name) && *u <= UINT64_MAX >> units[i].shift) {
                    *u <<= units[i].shift;
                    return NULL;
                }
        return "a size with its unit such as 64MiB, 4KiB or 8B";
    default:
        return scan_dec(&s, end, u) && s == end ? NULL : "a number such as 4";
    }
}

int trace_gen_set(struct trace_gen_config *c, const char *key_value, struct err *err)
{
    const char *eq = strchr(key_value, '=');
    size_t n = eq ? (size_t)(eq - key_value) : strlen(key_value);
    for (size_t i = 0; eq && i < trace_gen_param_count; i++) {
        const struct param *p = &trace_gen_params[i];
        if (strlen(p->key) != n || memcmp(p->key, key_value, n) != 0)
            continue;
        uint64_t u = 0;
        double f = 0;
        const char *want = scan_value(p, eq + 1, eq + 1 + strlen(eq + 1), &u, &f);
        if (want)
            return err_set(err, ERR_USAGE, "%s: `%s` is not %s", p->key, eq + 1, want);
        if (p->type == P_F64 ? f < p->min_f || f > p->max_f : p->max && (u < p->min || u > p->max)) {
            if (p->type == P_F64)
                return err_set(err, ERR_USAGE, "%s is not between %g and %g", p->key, p->min_f, p->max_f);
            return err_set(err, ERR_USAGE,
                           p->type == P_ADDR ? "%s is not between 0x%llx and 0x%llx"
                                             : "%s is not between %llu and %llu",
                           p->key, (unsigned long long)p->min, (unsigned long long)p->max);
        }
        store(c, p, u, f);
        return 0;
    }
    char keys[512] = "";
    size_t k = 0;
    for (size_t i = 0; i < trace_gen_param_count; i++)
        k += (size_t)snprintf(keys + k, sizeof keys - k, " %s", trace_gen_params[i].key);
    if (!eq)
        err_set(err, ERR_USAGE, "`%s` is not KEY=VALUE", key_value);
    else
        err_set(err, ERR_USAGE, "unknown key `%.*s`", (int)n, key_value);
    return err_remedy(err, "the keys are%s", keys);
}

/* --- the code around an access --- */

enum {
    ALU_BYTES = 4,
    ACCESS_INSN_BYTES = 4,
    BRANCH_BYTES = 2, /* lengths of common x86-64 encodings */
    REG_POINTER = 3,
    REG_VALUE = 4,
    REG_FLAGS = 25,
    REG_IP = 26,      /* numbers as in ChampSim traces */
    SLOT_BYTES = 512, /* room of one access's loop: INSNS_MAX * 4 fits */
};
#define BATCH 2048u /* records buffered for a put; an access with its loop is far below */
#define BATCH_ROOM (INSNS_MAX * 2 + 8)

struct writer {
    trace_gen_put *put;
    void *ctx;
    struct err *err;
    uint32_t thread;
    size_t n;
    struct trace_rec rec[BATCH];
};

static int flush(struct writer *w)
{
    size_t n = w->n;
    w->n = 0;
    return n ? w->put(w->ctx, w->thread, w->rec, n, w->err) : 0;
}

static void add(struct writer *w, enum trace_kind kind, uint64_t addr, uint32_t size, uint8_t flags)
{
    w->rec[w->n++] = (struct trace_rec){.addr = addr, .size = size, .kind = (uint8_t)kind, .flags = flags};
}

static void add_words(struct writer *w, enum trace_kind kind, uint64_t addr, uint32_t size, uint8_t flags,
                      const uint64_t *words, unsigned n)
{
    add(w, kind, addr, size, flags);
    unsigned slots = (n + 1) / 2;
    w->rec[w->n - 1].slots = (uint16_t)slots;
    memset(&w->rec[w->n], 0, slots * sizeof w->rec[0]);
    memcpy(&w->rec[w->n], words, n * sizeof *words);
    w->n += slots;
}

static void add_regs(struct writer *w, const struct trace_gen_config *c, unsigned write, unsigned read1,
                     unsigned read2)
{
    if (c->regs)
        add(w, TRACE_REGS, write | (uint64_t)read1 << 16 | (uint64_t)read2 << 24, 0, 0);
}

/* insns-2 times arithmetic on the pointer, the access, the branch back. A dependent access reads and writes
 * the pointer. */
static void add_access(struct writer *w, const struct trace_gen_config *c, const struct gen_ref *r, bool last)
{
    uint64_t start = c->code_base + r->slot * SLOT_BYTES, pc = start;
    if (c->with_fetch) {
        for (uint32_t i = 0; i + 2 < c->insns; i++, pc += ALU_BYTES) {
            add(w, TRACE_FETCH, pc, ALU_BYTES, 0);
            unsigned reg = r->dependent ? REG_VALUE
                                        : REG_POINTER; /* work on the side leaves the chase's latency alone */
            add_regs(w, c, reg, reg, 0);
        }
        add(w, TRACE_FETCH, pc, ACCESS_INSN_BYTES, 0);
        if (r->kind == TRACE_STORE)
            add_regs(w, c, 0, REG_POINTER, REG_VALUE);
        else
            /* A read-modify-write is `op [pointer], value`: it writes memory and no register, so updates overlap. */
            add_regs(w, c, r->dependent ? REG_POINTER : r->kind == TRACE_MODIFY ? 0 : REG_VALUE, REG_POINTER,
                     r->kind == TRACE_MODIFY ? REG_VALUE : 0);
        pc += ACCESS_INSN_BYTES;
    }
    add(w, r->kind, r->addr, r->size, 0);
    if (c->with_fetch && c->insns > 1) {
        add(w, TRACE_FETCH, pc, BRANCH_BYTES, 0);
        if (c->regs)
            add(w, TRACE_REGS, REG_IP | (uint64_t)REG_IP << 16 | (uint64_t)REG_FLAGS << 24, 0, 0);
        add(w, TRACE_BRANCH, last ? pc + BRANCH_BYTES : start, 0,
            (uint8_t)(TRACE_F_COND | (last ? 0 : TRACE_F_TAKEN)));
    }
}

/* --- the trace --- */

static uint64_t page_up(uint64_t x)
{
    return (x + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

static int check_config(const struct trace_gen_config *c, uint32_t threads, uint32_t regions, struct err *err)
{
    uint64_t span, stop;
    if (threads == 0 || threads > 4096)
        return err_set(err, ERR_USAGE, "the number of threads is not between 1 and 4096");
    if (c->access > c->element)
        return err_set(err, ERR_USAGE, "access (%llu bytes) is larger than element (%llu bytes)",
                       (unsigned long long)c->access, (unsigned long long)c->element);
    if (c->size < c->element)
        return err_set(err, ERR_USAGE, "size is smaller than an element");
    if (c->base % PAGE_BYTES || c->code_base % PAGE_BYTES)
        return err_set(err, ERR_USAGE, "base and code_base must be multiples of 4096");
    if (__builtin_mul_overflow(page_up(c->size), (uint64_t)regions, &span) ||
        __builtin_add_overflow(c->base, span, &stop) || stop > 0x7ffffffff000)
        return err_set(err, ERR_USAGE, "the data regions do not fit below 0x7ffffffff000");
    if (c->code_base < stop && c->base < c->code_base + page_up(GEN_SLOTS * SLOT_BYTES))
        return err_set(err, ERR_USAGE, "code and data overlap: move base or code_base");
    return 0;
}

static int put_beginning(struct writer *w, const struct trace_gen_config *c, uint32_t threads,
                         uint32_t regions)
{
    w->thread = 0;
    if (c->with_fetch)
        add_words(w, TRACE_SEGMENT, c->code_base, TRACE_PROT_READ | TRACE_PROT_EXEC, TRACE_F_ANON,
                  (uint64_t[]){page_up(GEN_SLOTS * SLOT_BYTES), 0, 0}, 3);
    for (uint32_t i = 0; i < regions; i++) {
        uint64_t at = c->base + i * page_up(c->size);
        add_words(w, TRACE_MMAP, at, 0, 0,
                  (uint64_t[]){page_up(c->size), PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, (uint64_t)-1, 0, at, 0},
                  7);
        if (w->n + BATCH_ROOM > BATCH && flush(w) < 0)
            return -1;
    }
    for (uint32_t t = 1; t < threads; t++) {
        add(w, TRACE_CLONE, t, 0, 0);
        if (w->n + BATCH_ROOM > BATCH && flush(w) < 0)
            return -1;
    }
    return flush(w);
}

static int put_end(struct writer *w, uint32_t threads)
{
    for (uint32_t t = threads; t-- > 0;) {
        w->thread = t;
        add(w, TRACE_EXIT, 0, t == 0, 0);
        if (flush(w) < 0)
            return -1;
    }
    return 0;
}

/* One thread's turn: at most `most` references. How many, or -1. */
static int64_t turn(struct gen *g, const struct trace_gen_pattern *p, struct gen_thread *t, uint64_t most,
                    struct writer *w)
{
    uint64_t made = 0;
    bool go_on = true;
    w->thread = t->number;
    while (made < most && go_on && (made < g->c->quantum || t->step != 0)) {
        struct gen_ref r;
        go_on = p->next(g, t, &r);
        made++;
        t->done++;
        add_access(w, g->c, &r, made == most);
        if (w->n + BATCH_ROOM > BATCH && flush(w) < 0)
            return -1;
    }
    return flush(w) < 0 ? -1 : (int64_t)made;
}

static int run(struct gen *g, const struct trace_gen_pattern *p, uint64_t count, struct gen_thread *threads,
               struct writer *w)
{
    uint64_t left = count;
    while (left)
        for (uint32_t i = 0; i < g->threads && left; i++) {
            struct gen_thread *t = &threads[i];
            uint64_t share = count / g->threads + (i < count % g->threads);
            int64_t made = turn(g, p, t, p->free_count ? left : share - t->done, w);
            if (made < 0)
                return -1;
            left -= (uint64_t)made;
        }
    return 0;
}

static const struct trace_gen_pattern *find_pattern(const char *kind, struct err *err)
{
    char names[256] = "";
    size_t k = 0;
    for (unsigned i = 0; trace_gen_patterns[i]; i++) {
        if (!strcmp(trace_gen_patterns[i]->name, kind))
            return trace_gen_patterns[i];
        k += (size_t)snprintf(names + k, sizeof names - k, " %s", trace_gen_patterns[i]->name);
    }
    err_set(err, ERR_USAGE, "unknown kind `%s`", kind);
    err_remedy(err, "the kinds are%s calls", names);
    return NULL;
}

const char *trace_gen_kind_name(unsigned i)
{
    return trace_gen_patterns[i] ? trace_gen_patterns[i]->name : NULL;
}
const char *trace_gen_kind_help(unsigned i)
{
    return trace_gen_patterns[i] ? trace_gen_patterns[i]->help : NULL;
}

int trace_gen(const char *kind, uint64_t count, uint32_t threads, const struct trace_gen_config *config,
              trace_gen_put *put, void *ctx, struct err *err)
{
    enum { ELEMENT_BYTES = 8, NODE_BYTES = 64 };
    const struct trace_gen_pattern *p = find_pattern(kind, err);
    if (!p)
        return -1;
    struct trace_gen_config c = *config;
    if (c.element == 0)
        c.element = !strcmp(kind, "chase") ? NODE_BYTES : c.access > ELEMENT_BYTES ? c.access : ELEMENT_BYTES;
    uint32_t regions = c.shared || p->one_region ? 1 : threads;
    if (check_config(&c, threads, regions, err) < 0)
        return -1;
    struct gen g = {.c = &c, .threads = threads, .elements = c.size / c.element};
    struct gen_thread *t = calloc(threads, sizeof *t);
    struct writer *w = calloc(1, sizeof *w);
    int rc = -1;
    if (!t || !w)
        err_set(err, ERR_RUN, "out of memory");
    else if (!p->start || p->start(&g, err) == 0) {
        for (uint32_t i = 0; i < threads; i++) {
            char name[32];
            t[i].number = i;
            t[i].base = c.base + (regions > 1 ? i * page_up(c.size) : 0);
            snprintf(name, sizeof name, "gen.%u", i);
            rng_init(&t[i].rng, c.seed, name);
            snprintf(name, sizeof name, "gen.%u.store", i);
            rng_init(&t[i].store_rng, c.seed, name);
            if (p->thread)
                p->thread(&g, &t[i]);
        }
        w->put = put;
        w->ctx = ctx;
        w->err = err;
        rc = put_beginning(w, &c, threads, regions) < 0 || run(&g, p, count, t, w) < 0 ||
                     put_end(w, threads) < 0
                 ? -1
                 : 0;
        if (p->stop)
            p->stop(&g);
    }
    free(t);
    free(w);
    return rc;
}
