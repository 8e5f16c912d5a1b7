/* Construction of a core, its supply of records, its statistics. */
#include "cpu/core.h"

#include "cpu/machine/machine_internal.h"
#include "cpu/timed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int init_timed(struct core *c, struct err *err)
{
    const struct machine_config *cfg = c->cfg;
    c->l1i_lat = cfg->cache.l1i.latency_cycles;
    c->l1d_lat = cfg->cache.l1d.latency_cycles;
    c->l2_extra_i = cfg->cache.l2.latency_cycles - c->l1i_lat;
    c->l2_extra_d = cfg->cache.l2.latency_cycles - c->l1d_lat;
    c->l1d_client0 = cfg->cache.l1i.mshrs;
    c->walk_client0 = c->l1d_client0 + cfg->cache.l1d.mshrs;
    c->n_client = c->walk_client0 + cfg->mmu.walkers;
    c->l1_free[0] = cfg->cache.l1i.mshrs;
    c->l1_free[1] = cfg->cache.l1d.mshrs;
    c->l2_free = cfg->cache.l2.mshrs;
    c->client = calloc(c->n_client, sizeof *c->client);
    c->l2_mshr = calloc(cfg->cache.l2.mshrs, sizeof *c->l2_mshr);
    c->client_line = malloc(c->n_client * sizeof *c->client_line);
    c->l2_line = malloc(cfg->cache.l2.mshrs * sizeof *c->l2_line);
    for (c->rob_mask = 1; c->rob_mask < cfg->cpu.window; c->rob_mask *= 2)
        ;
    c->rob = calloc(c->rob_mask, sizeof *c->rob);
    c->rob_rest = aligned_alloc(64, c->rob_mask * sizeof *c->rob_rest);
    c->rob_mask--;
    c->sb_cap = cfg->cpu.store_buffer;
    if (!c->client || !c->l2_mshr || !c->rob || !c->rob_rest || !c->client_line || !c->l2_line)
        return err_set(err, ERR_RUN, "out of host memory for core %u", c->id);
    memset(c->client_line, 0xff, c->n_client * sizeof *c->client_line);
    memset(c->l2_line, 0xff, cfg->cache.l2.mshrs * sizeof *c->l2_line);
    for (uint32_t i = 0; i < c->n_client; i++)
        c->client[i] = (struct client){.cache = i < c->l1d_client0 ? 0 : i < c->walk_client0 ? 1 : 2, .next = NIL,
                                       .parts = {NIL, NIL}};
    c->part_free = c->walk_free = c->dep_free = c->run_head = c->queue_head = c->queue_tail = NIL;
    c->l2_fifo_head = c->l2_fifo_tail = NIL;
    memset(c->walk_bucket, 0xff, sizeof c->walk_bucket);
    c->l1_fifo[0] = c->l1_fifo[1] = c->parked_list = (struct plist){NIL, NIL};
    c->pending_store = NIL;
    c->s_alone = true;
    wheel_init(&c->wheel);
    inbox_init(&c->inbox);
    return 0;
}

int core_init(struct core *c, struct machine *m, unsigned id, struct err *err)
{
    const struct machine_config *cfg = &m->cfg;
    uint64_t seed = cfg->sim.seed;
    char name[40];
    *c = (struct core){.id = id, .machine = m, .cfg = cfg, .timed = cfg->sim.mode == SIM_MODE_TIMED,
                       .mmu_on = cfg->mmu.enabled, .mem = &m->mem, .has_l2 = cfg->cache.l2.enabled,
                       .stop_at = UINT64_MAX, .mark_at = UINT64_MAX, .asid = VM_ASID_NONE, .process = UINT32_MAX};
    c->window_one = cfg->cpu.window == 1;
    c->serial = c->window_one || cfg->cpu.model == CPU_MODEL_INORDER;
    seg_state_init_long(&c->seg, 12u + 9u * cfg->mmu.levels);
#define NAME(what) (snprintf(name, sizeof name, "cpu%u." what, id), name)
    if (tlb_init(&c->itlb, &cfg->mmu.itlb, seed, NAME("itlb"), err) < 0 ||
        tlb_init(&c->dtlb, &cfg->mmu.dtlb, seed, NAME("dtlb"), err) < 0 ||
        tlb_init(&c->stlb, &cfg->mmu.stlb, seed, NAME("stlb"), err) < 0 ||
        psc_init(&c->psc, &cfg->mmu.pwc, seed, NAME("pwc"), err) < 0 ||
        cache_init(&c->l1i, &cfg->cache.l1i, seed, NAME("l1i"), err) < 0 ||
        cache_init(&c->l1d, &cfg->cache.l1d, seed, NAME("l1d"), err) < 0 ||
        (c->has_l2 && cache_init(&c->l2, &cfg->cache.l2, seed, NAME("l2"), err) < 0))
        return -1;
#undef NAME
    if (hot_new(&c->hot_mem, c, err) < 0)
        return -1;
    core_set_timed(c, c->timed);
    return c->timed ? init_timed(c, err) : 0;
}

void core_set_timed(struct core *c, bool timed)
{
    c->timed = timed;
    hot_forget(c->hot_mem);
    c->hot = timed && c->serial ? NULL : c->hot_mem;
}

void core_fini(struct core *c)
{
    tlb_fini(&c->itlb);
    tlb_fini(&c->dtlb);
    tlb_fini(&c->stlb);
    psc_fini(&c->psc);
    cache_fini(&c->l1i);
    cache_fini(&c->l1d);
    if (c->has_l2)
        cache_fini(&c->l2);
    if (c->cfg && c->cfg->sim.mode == SIM_MODE_TIMED) {
        wheel_fini(&c->wheel);
        inbox_fini(&c->inbox);
    }
    free(c->hot_mem);
    free(c->work.run);
    free(c->part);
    free(c->client);
    free(c->l2_mshr);
    free(c->client_line);
    free(c->l2_line);
    free(c->walk);
    free(c->rob);
    free(c->rob_rest);
    free(c->dep);
    free(c->woken);
    free(c->sb);
}

static const struct stat_desc core_descs[] = {
#define X(name, unit, help) STAT_ENTRY(struct core_stats, name, unit, help)
    CORE_STATS(X)
#undef X
};
static const struct stat_desc walker_descs[] = {
#define X(name, unit, help) STAT_ENTRY(struct walker_stats, name, unit, help)
    WALKER_STATS(X)
#undef X
};

void core_add_stats(struct core *c, struct stats *s)
{
    enum { ORIGINS = 1u << ORIGIN_cpu | 1u << ORIGIN_walk | 1u << ORIGIN_os };
    char path[40];
#define PATH(what) (snprintf(path, sizeof path, "cpu%u" what, c->id), path)
    stats_add(s, PATH(""), &c->st, core_descs, ARRAY_LEN(core_descs));
    if (c->mmu_on) {
        stats_add(s, PATH(".itlb"), &c->itlb.st, tlb_stat_descs, tlb_n_stat_descs);
        stats_add(s, PATH(".dtlb"), &c->dtlb.st, tlb_stat_descs, tlb_n_stat_descs);
        stats_add(s, PATH(".stlb"), &c->stlb.st, tlb_stat_descs, tlb_n_stat_descs);
        stats_add(s, PATH(".pwc"), &c->psc.st, psc_stat_descs, psc_n_stat_descs);
        stats_add(s, PATH(".walker"), &c->wst, walker_descs, ARRAY_LEN(walker_descs));
        if (c->timed)
            stats_add_hist(s, PATH(".walker"), "latency", &c->walk_latency, "cycles", "duration of a page walk");
    }
    cache_register_stats(&c->l1i, s, PATH(".l1i"), 1u << ORIGIN_cpu);
    cache_register_stats(&c->l1d, s, PATH(".l1d"), ORIGINS);
    if (c->has_l2)
        cache_register_stats(&c->l2, s, PATH(".l2"), ORIGINS);
#undef PATH
}

void core_bind_process(struct core *c, uint32_t number)
{
    struct process *p = machine_process(c->machine, number);
    if (c->process != number || c->asid != p->asid)
        hot_forget(c->hot);
    c->process = number;
    c->process_dead = p->dead;
    c->asid = p->asid;
    if (!c->mmu_on || p->dead)
        return;
    c->root = vm_root(machine_vm(c->machine), p->asid);
    c->check[CLASS_FETCH] = access_check_make(&c->root, ACCESS_USER | ACCESS_FETCH);
    c->check[CLASS_READ] = access_check_make(&c->root, ACCESS_USER);
    c->check[CLASS_WRITE] = access_check_make(&c->root, ACCESS_USER | ACCESS_WRITE);
}

bool core_refill(struct core *c)
{
    struct trace_batch b;
    do {
        if (c->ended || !c->source.next || c->source.next(c->source.self, &b) <= 0) {
            c->ended = true;
            return false;
        }
    } while (b.n == 0);
    core_take_batch(c, &b);
    if (!c->has_thread || b.thread != c->thread || b.process != c->process) {
        c->st.switches += c->has_thread;
        c->has_thread = true;
        c->thread = b.thread;
        core_bind_process(c, b.process);
    }
    return true;
}
