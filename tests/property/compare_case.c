#include "property/compare_case.h"

#include "cpu/machine/machine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct feed { /* one stream as batches of a few records, cut between whole records */
    const struct oracle_stream *s;
    size_t at;
    uint32_t thread;
    uint64_t records;
};

enum { BATCH = 37 };

static int next_batch(void *self, struct trace_batch *out)
{
    struct feed *f = self;
    size_t end = f->at;
    if (f->at >= f->s->n)
        return 0;
    *out = (struct trace_batch){.process = f->s->process, .thread = f->thread, .rec = f->s->rec + f->at,
                                .first_record = f->records};
    while (end < f->s->n && end - f->at < BATCH) {
        end += 1u + f->s->rec[end].slots;
        f->records++;
    }
    out->n = end - f->at;
    f->at = end;
    return 1;
}

static void on_arrival(void *self, tick_t tick, const struct mem_req *r)
{
    struct oracle_result *out = self;
    if ((out->n_arrivals & (out->n_arrivals + 1)) == 0) { /* grows at 2^k - 1 */
        out->arrival = realloc(out->arrival, (2 * out->n_arrivals + 2) * sizeof *out->arrival);
        if (!out->arrival)
            abort();
    }
    out->arrival[out->n_arrivals++] =
        (struct oracle_arrival){.tick = tick, .master = r->source, .kind = r->kind, .line = r->line};
}

int simulate(const struct random_case *c, uint32_t window, const unsigned *order, const struct oracle_result *like,
             struct oracle_result *out, struct err *err)
{
    struct machine_config cfg = c->m;
    struct machine *m;
    struct feed feed[RANDOM_CORES];
    *out = (struct oracle_result){0};
    cfg.sim.window = window;
    if (machine_new(&m, &cfg, err) < 0)
        return -1;
    for (uint32_t k = 0; k < c->n_streams; k++) {
        feed[k] = (struct feed){.s = &c->stream[k], .thread = k};
        machine_set_source(m, k, (struct ref_source){.self = &feed[k], .next = next_batch});
    }
    struct machine_hooks hooks = {.self = out, .arrival = on_arrival};
    machine_set_hooks(m, &hooks);
    if (order)
        machine_set_order(m, order);
    enum machine_end end = machine_run(m, err);
    int r = end == MACHINE_END_TRACE ? machine_check(m, err) : -1;
    if (end != MACHINE_END_TRACE && end != MACHINE_END_ERROR)
        err_set(err, ERR_RUN, "the run ended with %d", (int)end);
    out->counter = calloc(like->n_counters, sizeof *out->counter);
    if (!out->counter)
        abort();
    out->n_counters = like->n_counters;
    for (size_t i = 0; r == 0 && i < like->n_counters; i++) {
        out->counter[i] = like->counter[i];
        if (!stats_find(machine_stats(m), like->counter[i].name, &out->counter[i].value))
            r = err_set(err, ERR_RUN, "the simulator has no counter %s", like->counter[i].name);
    }
    for (uint32_t k = 0; k < cfg.cpu.count; k++)
        out->finish[k] = machine_finish(m, k);
    machine_free(m);
    if (r < 0)
        oracle_result_free(out);
    return r;
}

void first_difference(const struct oracle_result *want, const struct oracle_result *got, uint32_t cores, char *buf, size_t size)
{
    size_t at = 0;
    unsigned shown = 0;
    buf[0] = 0;
#define TELL(...)                                                             \
    do {                                                                      \
        int wrote = snprintf(buf + at, size - at, __VA_ARGS__);               \
        at = wrote > 0 && (size_t)wrote < size - at ? at + (size_t)wrote : size - 1; \
    } while (0)
    size_t n = want->n_arrivals < got->n_arrivals ? want->n_arrivals : got->n_arrivals;
    for (size_t i = 0; i < n; i++) {
        const struct oracle_arrival *a = &want->arrival[i], *b = &got->arrival[i];
        if (a->tick == b->tick && a->master == b->master && a->kind == b->kind && a->line == b->line)
            continue;
        TELL("arrival %zu: oracle tick %" PRIu64 " core %u kind %u line %" PRIx64 ", simulator tick %" PRIu64
             " core %u kind %u line %" PRIx64 "\n",
             i, a->tick, a->master, a->kind, a->line, b->tick, b->master, b->kind, b->line);
        break;
    }
    if (want->n_arrivals != got->n_arrivals)
        TELL("arrivals: oracle %zu, simulator %zu\n", want->n_arrivals, got->n_arrivals);
    for (uint32_t k = 0; k < cores; k++)
        if (want->finish[k] != got->finish[k])
            TELL("core %u finishes: oracle %" PRIu64 ", simulator %" PRIu64 "\n", k, want->finish[k], got->finish[k]);
    for (size_t i = 0; i < want->n_counters && shown < 12; i++)
        if (want->counter[i].value != got->counter[i].value) {
            TELL("%s: oracle %" PRIu64 ", simulator %" PRIu64 "\n", want->counter[i].name, want->counter[i].value,
                 got->counter[i].value);
            shown++;
        }
#undef TELL
}
