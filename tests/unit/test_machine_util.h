/* Shared by tests of whole machines: build one, feed it lists of records, run it, read counters. */
#ifndef TEST_MACHINE_UTIL_H
#define TEST_MACHINE_UTIL_H

#include "cpu/machine/machine.h"
#include "oracle/random_case.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct list_feed { /* a list as one batch */
    const struct rec_list *l;
    uint32_t process, thread;
    bool given;
};

static inline int list_next(void *self, struct trace_batch *out)
{
    struct list_feed *f = self;
    if (f->given || f->l->n == 0)
        return 0;
    f->given = true;
    *out = (struct trace_batch){.process = f->process, .thread = f->thread, .n = f->l->n, .rec = f->l->rec};
    return 1;
}

struct run { /* a machine that has run */
    struct machine *m;
    struct list_feed feed[RANDOM_CORES];
    enum machine_end end;
};

static inline void run_with(struct run *r, const struct machine_config *cfg, const struct rec_list *l, const uint32_t *process,
                            uint32_t cores, const struct machine_hooks *hooks)
{
    struct err err = {0};
    ck_assert_msg(machine_new(&r->m, cfg, &err) == 0, "%s", err.message);
    for (uint32_t k = 0; k < cores; k++) {
        r->feed[k] = (struct list_feed){.l = &l[k], .process = process ? process[k] : 0, .thread = k};
        machine_set_source(r->m, k, (struct ref_source){.self = &r->feed[k], .next = list_next});
    }
    if (hooks)
        machine_set_hooks(r->m, hooks);
    r->end = machine_run(r->m, &err);
    ck_assert_msg(r->end == MACHINE_END_TRACE, "%s", err.message);
    ck_assert_msg(machine_check(r->m, &err) == 0, "%s", err.message);
}

static inline void run_lists(struct run *r, const struct machine_config *cfg, const struct rec_list *l, uint32_t cores)
{
    run_with(r, cfg, l, NULL, cores, NULL);
}

static inline uint64_t value_of(const struct run *r, const char *name)
{
    uint64_t v;
    ck_assert_msg(stats_find(machine_stats(r->m), name, &v), "no counter %s", name);
    return v;
}

static inline void run_end(struct run *r) { machine_free(r->m); }

/* One counter after a run of one list on core 0. */
static inline uint64_t counter_after(const struct machine_config *cfg, const struct rec_list *l, const char *name)
{
    struct run r;
    run_lists(&r, cfg, l, 1);
    uint64_t v = value_of(&r, name);
    run_end(&r);
    return v;
}

/* The cycle in which core 0 finishes. */
static inline uint64_t cycles_of(const struct machine_config *cfg, const struct rec_list *l)
{
    struct run r;
    run_lists(&r, cfg, l, 1);
    uint64_t f = machine_finish(r.m, 0);
    run_end(&r);
    return f;
}

static inline void list_clear(struct rec_list *l)
{
    free(l->rec);
    *l = (struct rec_list){0};
}

/* Registers of an instruction: writes w, reads a (0: none). */
static inline uint64_t regs_of(unsigned w, unsigned a) { return (uint64_t)w | (uint64_t)a << 16; }

static inline void shape(struct cache_config *c, uint32_t sets, uint32_t ways, int policy)
{
    c->size_bytes = (uint64_t)sets * ways * LINE_BYTES;
    c->ways = ways;
    c->replacement = policy;
}

static inline int run_suite_of(Suite *s)
{
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
