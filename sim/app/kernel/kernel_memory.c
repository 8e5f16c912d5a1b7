#include "app/kernel/kernel_memory.h"

#include "app/machine_start.h"
#include "frames/measure/fragmentation.h"
#include "frames/measure/survey.h"

void kernel_memory_costs(struct kernel_memory *m, const struct machine_root *root)
{
    m->scan_cycles = root->m.buddy.compact_scan_cycles;
    m->move_cycles = root->m.buddy.migrate_cycles + root->m.slab.cost.copy_page;
}

uint64_t kernel_memory_cycles(const struct kernel_memory *m, const struct compact_cost *cost)
{
    return cost->scanned * m->scan_cycles + cost->pages * m->move_cycles;
}

int kernel_memory_build(struct kernel_memory *m, const struct machine_root *root, bool compacts, struct err *err)
{
    struct buddy_config buddy = root->m.buddy;
    struct compact_config c = compact_config_of(&buddy);
    bool snapshot = root->m.memory.ageing.snapshot != NULL;
    buddy.cpus = root->m.cpu.count;
    if ((snapshot ? memory_start(&m->map, &root->m, &m->aged, err) : frame_map_new(&m->map, &root->m.memory, &buddy, err)) < 0)
        return -1;
    if (buddy.compaction && compacts) {
        if (compaction_new(&m->compaction, m->map, &c, err) < 0)
            return -1;
        compaction_attach(m->compaction);
    }
    kernel_memory_costs(m, root);
    m->is_aged = snapshot || root->m.memory.ageing.recipe != AGEING_NONE;
    return m->is_aged && !snapshot ? frames_age(m->map, &root->m.memory.ageing, root->m.sim.seed, &m->aged, err) : 0;
}

uint64_t kernel_memory_stall(void *self)
{
    struct kernel_memory *m = self;
    if (!m->compaction)
        return 0;
    struct compact_cost cost = compact_take_cost(m->compaction);
    return kernel_memory_cycles(m, &cost);
}

#define X(name, unit, help) STAT_ENTRY_GAUGE(struct kernel_memory_stats, name, unit, help)
static const struct stat_desc descs[] = {KERNEL_MEMORY_STATS(X)};
#undef X

int kernel_memory_add_stats(struct kernel_memory *m, struct stats *tree, struct err *err)
{
    struct survey s;
    uint64_t nr_free[FRAME_ORDERS] = {0};
    if (survey_init(&s, m->map->n_frames, m->map->pageblock_order, err) < 0)
        return -1;
    survey_frames(&s, m->map);
    m->st = (struct kernel_memory_stats){
        .free_pages = frames_free_pages(m->map), .free_2m = s.free_2m, .could_2m = s.could_2m, .largest_run = s.largest_run,
        .blocks = s.blocks, .blocks_free = s.blocks_free, .blocks_mixed = s.blocks_mixed, .blocks_with_unmovable = s.blocks_with_unmovable};
    survey_fini(&s);
    for (unsigned z = 0; z < m->map->n_zones; z++)
        for (unsigned o = 0; o < FRAME_ORDERS; o++)
            nr_free[o] += m->map->zones[z].nr_free[o];
    uint64_t *const unusable[] = {&m->st.unusable_1, &m->st.unusable_2, &m->st.unusable_3, &m->st.unusable_4, &m->st.unusable_5,
                                  &m->st.unusable_6, &m->st.unusable_7, &m->st.unusable_8, &m->st.unusable_9, &m->st.unusable_10};
    for (unsigned o = 1; o <= ARRAY_LEN(unusable); o++)
        *unusable[o - 1] = (uint64_t)frag_unusable_index(nr_free, o);
    stats_add(tree, "fragmentation", &m->st, descs, ARRAY_LEN(descs));
    if (m->compaction)
        compaction_add_stats(m->compaction, tree);
    return 0;
}

void kernel_memory_fini(struct kernel_memory *m)
{
    if (m->compaction)
        m->map->hooks = (struct frames_hooks){0};
    compaction_free(m->compaction);
    m->compaction = NULL;
}
