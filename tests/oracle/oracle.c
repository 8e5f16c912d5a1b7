/* The world of the oracle: set-up, the loop over events, results. */
#include "oracle_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_EVENTS = 100 * 1000 * 1000, CHECK_EVERY = 512 };

void *o_arena(struct world *w, size_t bytes)
{
    void *p = calloc(1, bytes);
    if (!p)
        abort();
    o_list_push(&w->arena, p);
    return p;
}

void o_arena_list(struct world *w, struct list *l)
{
    o_list_push(&w->arena_lists, l);
}

void o_hop(struct ocore *c, struct world *w, cyc_t delay, enum ev_kind kind, void *p)
{
    struct event e = {.tick = (w->cycle + delay) * w->P, .cls = CLASS_CORE, .major = c->k, .minor = PHASE_HOP,
                      .seq = w->next_seq++, .kind = kind, .core = c->k, .p = p};
    o_heap_push(&w->heap, &e);
}

void o_tick_at(struct world *w, struct ocore *c, cyc_t cycle)
{
    if (c->ticked && cycle <= c->last_tick)
        cycle = c->last_tick + 1;
    if (c->ticked && c->next_tick == cycle)
        return;
    c->next_tick = cycle;
    struct event e = {.tick = cycle * w->P, .cls = CLASS_CORE, .major = c->k, .minor = PHASE_TICK,
                      .seq = w->next_seq++, .kind = EV_TICK, .core = c->k};
    o_heap_push(&w->heap, &e);
}

void o_send_shared(struct world *w, struct ocore *c, enum ev_kind kind, uint64_t line, uint64_t value, void *p)
{
    struct event e = {.tick = (w->cycle + w->OUT) * w->P, .cls = CLASS_SHARED, .major = c->k, .seq = c->sent++,
                      .kind = kind, .core = c->k, .line = line, .value = value, .p = p};
    o_heap_push(&w->heap, &e);
}

static cyc_t seen_in(const struct world *w, tick_t when)
{
    return (when + w->P - 1) / w->P + w->IN;
}

void o_send_core(struct world *w, uint32_t core, enum ev_kind kind, tick_t when, uint64_t line, uint64_t value, void *p)
{
    cyc_t cycle = seen_in(w, when);
    if (w->plant == PLANT_LATE_SNOOP && (kind == EV_INV || kind == EV_DOWN))
        cycle++;
    if (w->plant == PLANT_EARLY_GRANT && kind == EV_GRANT && (cycle - 1) * w->P > w->now)
        cycle--;
    if (cycle * w->P <= w->now)
        o_broken(w, "a message for core %u comes too late", core);
    /* Messages of one cycle in the order in which they were decided. */
    struct event e = {.tick = cycle * w->P, .cls = CLASS_CORE, .major = core, .minor = PHASE_MESSAGE,
                      .seq = w->next_seq++, .kind = kind, .core = core, .line = line, .value = value, .p = p};
    o_heap_push(&w->heap, &e);
}

void o_global_action(struct world *w, enum ev_kind kind, tick_t when, uint32_t core, void *p)
{
    struct event e = {.tick = seen_in(w, when) * w->P, .cls = CLASS_ACTION, .seq = w->next_seq++, .kind = kind,
                      .core = core, .p = p};
    o_heap_push(&w->heap, &e);
}

static void core_event(struct world *w, const struct event *e)
{
    struct ocore *c = &w->core[e->core];
    switch (e->kind) {
    case EV_GRANT:
        o_l2_grant(w, c, e->line, (char)e->value);
        o_check_line(w, e->line);
        break;
    case EV_INV:
    case EV_DOWN:
        o_snoop(w, c, e->line, e->kind == EV_INV);
        break;
    case EV_ANSWER:
        o_os_answer(w, c, e->p);
        break;
    case EV_STLB:
        o_part_stlb(w, c, e->p);
        break;
    case EV_L2_LOOKUP:
        o_l2_lookup(w, c, e->p, true); /* a dropped walk's too: it is under way like an MSHR */
        break;
    case EV_WALK_READ:
        o_walk_read(w, c, e->p);
        break;
    case EV_WALK_GO:
        o_walk_go(w, c, e->p, false);
        break;
    case EV_WALK_AGAIN:
        o_walk_go(w, c, e->p, true);
        break;
    case EV_OS_NEXT:
        c->next_hop = false;
        o_os_pump(w, c);
        break;
    case EV_OS_BEGIN:
        o_os_pump(w, c);
        break;
    case EV_OS_ANSWER:
        o_os_answer(w, c, e->p);
        break;
    default:
        o_core_tick(w, c);
    }
}

static void run_event(struct world *w, const struct event *e)
{
    w->now = e->tick;
    if (e->cls == CLASS_SHARED) {
        w->last_shared = e->tick;
        switch (e->kind) {
        case EV_ACK:
            o_llc_ack(w, e);
            break;
        case EV_FAULT:
        case EV_SYSCALL:
        case EV_RELEASE:
            o_os_arrival(w, e);
            break;
        case EV_FILL:
            o_llc_fill(w, e->p);
            break;
        case EV_BUS:
            o_bus_grant(w);
            break;
        default:
            o_bus_arrival(w, e);
        }
        return;
    }
    w->cycle = e->tick / w->P;
    if (e->cls == CLASS_ACTION)
        o_os_action(w, e);
    else
        core_event(w, e);
}

static void loop(struct world *w)
{
    while (!w->failed) {
        const struct event *head = w->heap.n > 0 ? &w->heap.e[0] : NULL;
        tick_t dram = dram_next(w->dram);
        if (!head && dram == TICK_NEVER)
            break;
        if (dram != TICK_NEVER && dram < w->now)
            dram = w->now;
        if (dram != TICK_NEVER && (!head || dram < head->tick ||
                                   (dram == head->tick && head->cls == CLASS_SHARED && head->major > w->n))) {
            w->now = w->last_shared = dram;
            o_dram_step(w, dram);
        } else {
            struct event e = o_heap_pop(&w->heap);
            if (e.kind != EV_DAEMON_TIMER || !o_daemon_late(w)) /* it alone keeps nothing going */
                run_event(w, &e);
        }
        if (++w->n_events % CHECK_EVERY == 0)
            o_check_all(w);
        if (w->n_events > MAX_EVENTS)
            o_broken(w, "%d events and no end", MAX_EVENTS);
    }
    for (uint32_t k = 0; k < w->n && !w->failed; k++)
        if (w->core[k].state != CORE_DONE)
            o_broken(w, "deadlock: core %u waits and nothing will happen", k);
    if (!w->failed && (w->txs.n > 0 || w->stall.n > 0 || w->dram_fifo.n > 0 || w->lock))
        o_broken(w, "the run ended with open transactions");
}

/* --- set-up -------------------------------------------------------------------------------------------------------------- */

static void cache_init(struct world *w, struct naive *s, const struct cache_config *cc, const char *core, const char *name)
{
    char full[80];
    snprintf(full, sizeof full, "%s%s", core, name);
    naive_init(s, cache_sets(cc), cc->ways, cc->replacement, w->m->sim.seed, full);
}

static void level1_init(struct level1 *l1, const struct cache_config *cc, bool data)
{
    l1->data = data;
    l1->latency = cc->latency_cycles;
    l1->mshrs = cc->mshrs;
    l1->mshr = calloc(cc->mshrs, sizeof *l1->mshr);
    if (!l1->mshr)
        abort();
    for (uint32_t i = 0; i < cc->mshrs; i++)
        l1->mshr[i].l1 = l1;
}

static void core_init(struct world *w, uint32_t k, const struct oracle_stream *s)
{
    struct ocore *c = &w->core[k];
    const struct machine_config *m = w->m;
    char core[24], name[48];
    snprintf(core, sizeof core, "cpu%u.", k);
    c->k = k;
    c->s = s;
    c->process = s ? s->process : 0;
    cache_init(w, &c->l1i.tags, &m->cache.l1i, core, "l1i");
    cache_init(w, &c->l1d.tags, &m->cache.l1d, core, "l1d");
    cache_init(w, &c->l2.tags, &m->cache.l2, core, "l2");
    c->l1d.tags.plant_lru = w->plant == PLANT_LRU;
    level1_init(&c->l1i, &m->cache.l1i, false);
    level1_init(&c->l1d, &m->cache.l1d, true);
    c->l2.latency = m->cache.l2.latency_cycles;
    c->l2.mshrs = m->cache.l2.mshrs;
    c->l2.mshr = calloc(c->l2.mshrs, sizeof *c->l2.mshr);
    if (!c->l2.mshr)
        abort();
    if (m->mmu.enabled) {
        snprintf(name, sizeof name, "%sitlb", core);
        otlb_init(&c->itlb, &m->mmu.itlb, m->sim.seed, name);
        snprintf(name, sizeof name, "%sdtlb", core);
        otlb_init(&c->dtlb, &m->mmu.dtlb, m->sim.seed, name);
        snprintf(name, sizeof name, "%sstlb", core);
        otlb_init(&c->stlb, &m->mmu.stlb, m->sim.seed, name);
        snprintf(name, sizeof name, "%spwc", core);
        opsc_init(&c->pwc, &m->mmu.pwc, m->sim.seed, name);
    }
    if (s)
        o_tick_at(w, c, 0);
    else
        c->state = CORE_DONE;
}

static int world_init(struct world *w, const struct oracle_stream *stream, size_t n_streams, struct err *err)
{
    const struct machine_config *m = w->m;
    w->P = cpu_period_ps(&m->cpu);
    w->OUT = m->bus.request_latency_cycles;
    w->IN = m->bus.response_latency_cycles;
    w->n = m->cpu.count;
    w->bus_last = -1;
    if (n_streams > w->n || w->n > 64)
        return err_set(err, ERR_USAGE, "oracle: %zu streams for %u cores", n_streams, w->n);
    w->core = calloc(w->n, sizeof *w->core);
    w->bus_fifo = calloc(w->n, sizeof *w->bus_fifo);
    w->grants = calloc(w->n, sizeof *w->grants);
    w->wait_ps = calloc(w->n, sizeof *w->wait_ps);
    if (!w->core || !w->bus_fifo || !w->grants || !w->wait_ps)
        abort();
    if (dram_new(&w->dram, &m->dram, err) < 0)
        return -1;
    cache_init(w, &w->llc, &m->cache.llc, "", "llc");
    for (uint32_t k = 0; k < w->n; k++)
        core_init(w, k, k < n_streams ? &stream[k] : NULL);
    if (!m->mmu.enabled)
        return 0;
    struct paging_root paging = {.levels = (uint8_t)m->mmu.levels, .max_phys_bits = (uint8_t)m->mmu.max_phys_bits,
                                 .flags = mmu_config_paging_flags(&m->mmu)};
    struct buddy_config buddy = m->buddy;
    buddy.cpus = w->n;
    if (frame_map_new(&w->frames, &m->memory, &buddy, err) < 0 ||
        phys_mem_init(&w->mem, w->frames->n_frames * PAGE_BYTES, err) < 0 ||
        vm_new(&w->vm, &m->vm, w->frames, &w->mem, &paging, err) < 0 || o_compact_init(w, err) < 0)
        return -1;
    for (uint32_t k = 0; k < n_streams; k++) {
        struct ocore *c = &w->core[k];
        c->asid = VM_ASID_NONE;
        if (c->s->n == 0) /* without records: no process */
            continue;
        for (uint32_t j = 0; j < k; j++)
            if (w->core[j].s->n > 0 && w->core[j].process == c->process)
                c->asid = w->core[j].asid;
        if (c->asid == VM_ASID_NONE)
            c->asid = vm_process_new(w->vm);
        if (c->asid == VM_ASID_NONE)
            return err_set(err, ERR_RUN, "oracle: no memory for a process");
    }
    return 0;
}

static void world_fini(struct world *w)
{
    for (uint32_t k = 0; w->core && k < w->n; k++) {
        struct ocore *c = &w->core[k];
        struct level1 *l1[] = {&c->l1i, &c->l1d};
        for (unsigned i = 0; i < 2; i++) {
            naive_fini(&l1[i]->tags);
            for (uint32_t j = 0; l1[i]->mshr && j < l1[i]->mshrs; j++)
                o_list_fini(&l1[i]->mshr[j].accs);
            free(l1[i]->mshr);
            o_list_fini(&l1[i]->fifo);
        }
        naive_fini(&c->l2.tags);
        for (uint32_t j = 0; c->l2.mshr && j < c->l2.mshrs; j++)
            o_list_fini(&c->l2.mshr[j].clients);
        free(c->l2.mshr);
        o_list_fini(&c->l2.fifo);
        otlb_fini(&c->itlb);
        otlb_fini(&c->dtlb);
        otlb_fini(&c->stlb);
        opsc_fini(&c->pwc);
        o_list_fini(&c->running);
        o_list_fini(&c->queued);
        o_list_fini(&c->window);
        o_list_fini(&c->buffer);
        o_list_fini(&c->parked);
        free(c->steps.v);
        o_list_fini(&w->bus_fifo[k]);
    }
    free(w->core);
    free(w->bus_fifo);
    free(w->grants);
    free(w->wait_ps);
    naive_fini(&w->llc);
    o_list_fini(&w->txs);
    o_list_fini(&w->stall);
    o_list_fini(&w->dram_fifo);
    o_list_fini(&w->os_fifo);
    dram_free(w->dram);
    o_compact_fini(w);
    vm_free(w->vm);
    phys_mem_fini(&w->mem);
    frame_map_free(w->frames);
    for (size_t i = 0; i < w->arena_lists.n; i++)
        o_list_fini(w->arena_lists.v[i]);
    o_list_fini(&w->arena_lists);
    for (size_t i = 0; i < w->arena.n; i++)
        free(w->arena.v[i]);
    o_list_fini(&w->arena);
    free(w->heap.e);
}

/* --- results -------------------------------------------------------------------------------------------------------------- */

static void put(struct oracle_result *out, uint64_t value, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void put(struct oracle_result *out, uint64_t value, const char *fmt, ...)
{
    va_list ap;
    out->counter = realloc(out->counter, (out->n_counters + 1) * sizeof *out->counter);
    if (!out->counter)
        abort();
    struct oracle_counter *c = &out->counter[out->n_counters++];
    va_start(ap, fmt);
    vsnprintf(c->name, sizeof c->name, fmt, ap);
    va_end(ap);
    c->value = value;
}

static const char *const origin_names[ORIGINS] = {"cpu", "walk", "os"};

static void put_cache(struct oracle_result *out, const char *name, const struct cache_counts *st, bool origins, bool llc)
{
    put(out, st->accesses, "%s.accesses", name);
    put(out, st->hits, "%s.hits", name);
    put(out, st->misses, "%s.misses", name);
    put(out, st->read_misses, "%s.read_misses", name);
    put(out, st->write_misses, "%s.write_misses", name);
    if (!llc)
        put(out, st->upgrades, "%s.upgrades", name);
    put(out, st->mshr_merges, "%s.mshr_merges", name);
    put(out, st->mshr_full, "%s.mshr_full", name);
    put(out, st->writebacks, "%s.writebacks", name);
    for (unsigned o = 0; origins && o < ORIGINS; o++) {
        put(out, st->origin_accesses[o], "%s.%s.accesses", name, origin_names[o]);
        put(out, st->origin_misses[o], "%s.%s.misses", name, origin_names[o]);
    }
}

static void put_tlb(struct oracle_result *out, uint32_t k, const char *name, const struct tlb_counts *st)
{
    put(out, st->accesses, "cpu%u.%s.accesses", k, name);
    put(out, st->hits, "cpu%u.%s.hits", k, name);
    put(out, st->misses, "cpu%u.%s.misses", k, name);
    put(out, st->by_size[PAGE_SIZE_4K], "cpu%u.%s.hits_4k", k, name);
    put(out, st->by_size[PAGE_SIZE_2M], "cpu%u.%s.hits_2m", k, name);
    put(out, st->by_size[PAGE_SIZE_1G], "cpu%u.%s.hits_1g", k, name);
}

static void put_core(struct oracle_result *out, const struct world *w, const struct ocore *c)
{
    uint32_t k = c->k;
    char name[48];
    put(out, c->references, "cpu%u.references", k);
    put(out, c->instructions, "cpu%u.instructions", k);
    put(out, c->finish, "cpu%u.cycles", k);
    out->finish[k] = c->finish;
    snprintf(name, sizeof name, "cpu%u.l1i", k);
    put_cache(out, name, &c->l1i.st, false, false);
    snprintf(name, sizeof name, "cpu%u.l1d", k);
    put_cache(out, name, &c->l1d.st, true, false);
    snprintf(name, sizeof name, "cpu%u.l2", k);
    put_cache(out, name, &c->l2.st, false, false);
    put(out, w->grants[k], "bus.cpu%u.grants", k);
    put(out, w->wait_ps[k], "bus.cpu%u.wait_ps", k);
    if (!w->m->mmu.enabled)
        return;
    put_tlb(out, k, "itlb", &c->itlb.st);
    put_tlb(out, k, "dtlb", &c->dtlb.st);
    put_tlb(out, k, "stlb", &c->stlb.st);
    put(out, c->pwc.accesses, "cpu%u.pwc.accesses", k);
    put(out, c->pwc.hits, "cpu%u.pwc.hits", k);
    put(out, c->pwc.misses, "cpu%u.pwc.misses", k);
    put(out, c->pwc.by_level[2], "cpu%u.pwc.pde_hits", k);
    put(out, c->pwc.by_level[3], "cpu%u.pwc.pdpte_hits", k);
    put(out, c->pwc.by_level[4], "cpu%u.pwc.pml4e_hits", k);
    put(out, c->pwc.by_level[5], "cpu%u.pwc.pml5e_hits", k);
    put(out, c->walks, "cpu%u.walker.walks", k);
    put(out, c->walk_cycles, "cpu%u.walker.cycles", k);
    put(out, c->pte_reads, "cpu%u.walker.pte_reads", k);
    put(out, c->merges, "cpu%u.walker.merges", k);
    put(out, c->ad_assists, "cpu%u.walker.ad_assists", k);
    put(out, c->faults, "cpu%u.walker.faults", k);
    put(out, c->completed[0], "cpu%u.walker.walk_completed_4k", k);
    put(out, c->completed[1], "cpu%u.walker.walk_completed_2m", k);
    put(out, c->completed[2], "cpu%u.walker.walk_completed_1g", k);
}

static void put_all(struct oracle_result *out, struct world *w)
{
    uint64_t references = 0, instructions = 0, cycles = 0;
    for (uint32_t k = 0; k < w->n; k++) {
        const struct ocore *c = &w->core[k];
        references += c->references;
        instructions += c->instructions;
        cycles = c->finish > cycles ? c->finish : cycles;
    }
    put(out, references, "sim.references");
    put(out, instructions, "sim.instructions");
    put(out, cycles, "sim.cycles");
    for (uint32_t k = 0; k < w->n; k++)
        put_core(out, w, &w->core[k]);
    put_cache(out, "llc", &w->llc_st, true, true);
    put(out, w->writebacks_in, "llc.writebacks_in");
    put(out, w->snoops, "llc.snoops");
    put(out, w->back_invalidations, "llc.back_invalidations");
    /* The run ends with the last shared event or the last core, whichever is later. */
    dram_settle(w->dram, w->last_shared > cycles * w->P ? w->last_shared : cycles * w->P);
    const struct dram_stats *d = dram_get_stats(w->dram);
    put(out, d->reads, "dram.reads");
    put(out, d->writes, "dram.writes");
    put(out, d->row_hits, "dram.row_hits");
    put(out, d->row_misses, "dram.row_misses");
    put(out, d->row_conflicts, "dram.row_conflicts");
    put(out, d->refreshes, "dram.refreshes");
    if (w->compaction) {
#define PUT_COMPACT(name, unit, help) put(out, w->compaction->st.name, "compact." #name);
        COMPACT_STATS(PUT_COMPACT)
#undef PUT_COMPACT
    }
    for (size_t i = 0; w->vm && i < vm_n_stat_descs; i++)
        put(out, *(const uint64_t *)((const char *)&w->vm->st + vm_stat_descs[i].offset), "vm.%s", vm_stat_descs[i].name);
}

int oracle_run(const struct machine_config *m, const struct oracle_stream *stream, size_t n_streams,
               enum oracle_plant plant, struct oracle_result *out, struct err *err)
{
    struct err local = {0};
    struct world *w = calloc(1, sizeof *w);
    *out = (struct oracle_result){0};
    if (!w)
        abort();
    w->m = m;
    w->plant = plant;
    w->err = err ? err : &local;
    int r = world_init(w, stream, n_streams, w->err);
    if (r == 0) {
        loop(w);
        o_check_all(w);
        if (w->vm && !w->failed && vm_check(w->vm, w->err) < 0)
            w->failed = true;
        put_all(out, w);
        out->arrival = w->arrival;
        out->n_arrivals = w->n_arrivals;
        r = w->failed ? -1 : 0;
    } else {
        free(w->arrival);
    }
    world_fini(w);
    free(w);
    if (r < 0)
        oracle_result_free(out);
    return r;
}

void oracle_result_free(struct oracle_result *r)
{
    free(r->counter);
    free(r->arrival);
    *r = (struct oracle_result){0};
}
