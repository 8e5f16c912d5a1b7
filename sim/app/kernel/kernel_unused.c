#include "app/kernel/kernel_unused.h"

#include "app/machine_root.h"

#include <string.h>

/* What a run can be. */
enum {
    CALLS = 1,          /* made up */
    MEMORY_PAGES = 2,   /* recorded, from the machine's memory */
    MEMORY_OBJECTS = 4,
    SNAPSHOT_PAGES = 8, /* recorded, simulated from the snapshot */
    SNAPSHOT_OBJECTS = 16,
    SNAPSHOT_BLOCKS = 32,
    FOLLOWED = 64,      /* placements recorded and predict */
    PROGRAMS = 128,     /* no kernel's run at all */
    NOT_AGED = 256,     /* added to one of them: no memory.ageing.recipe */
    MEMORY = CALLS | MEMORY_PAGES | MEMORY_OBJECTS,
    SNAPSHOT = SNAPSHOT_PAGES | SNAPSHOT_OBJECTS | SNAPSHOT_BLOCKS,
    ALL = MEMORY | SNAPSHOT | FOLLOWED
};

#define RECORDED_MEMORY "the snapshot tells what memory it is; workload.kernel.start=memory takes the machine's"
#define RECORDED_LISTS "the snapshot tells how it is; workload.kernel.start=memory takes the machine's"
#define NO_CHOICE "the kernel's own choices are followed; workload.kernel.placement=simulated has an allocator that chooses"
#define NO_KERNEL "only the free lists are ours; workload.kernel.level=pages has a whole kernel"
#define NO_OBJECTS "no objects are replayed; workload.kernel.level=objects does"
#define NO_PROGRAM "no program runs"
#define NO_RECIPE "no memory.ageing.recipe is named"

/* The first rule whose key and kind of run fit decides. A key that ends in a dot stands for all that begin with it. */
static const struct rule { const char *key; unsigned unused; const char *why; } rules[] = {
    {"memory.percpu_pagelist_high_fraction", FOLLOWED, NO_CHOICE},
    {"memory.percpu_pagelist_high_fraction", SNAPSHOT_OBJECTS | SNAPSHOT_BLOCKS, NO_KERNEL},
    {"memory.percpu_pagelist_high_fraction", 0, NULL},
    {"memory.stat_interval", FOLLOWED, NO_CHOICE},
    {"memory.stat_interval", SNAPSHOT_OBJECTS | SNAPSHOT_BLOCKS, NO_KERNEL},
    {"memory.stat_interval", 0, NULL},
    {"memory.watermark_boost_factor", FOLLOWED, NO_CHOICE},
    {"memory.watermark_boost_factor", SNAPSHOT_OBJECTS | SNAPSHOT_BLOCKS, NO_KERNEL},
    {"memory.watermark_boost_factor", 0, NULL},
    {"memory.", SNAPSHOT | FOLLOWED, RECORDED_MEMORY},
    {"memory.ageing.target", NOT_AGED, NO_RECIPE},
    {"memory.ageing.free", NOT_AGED, NO_RECIPE},
    {"memory.ageing.unmovable", NOT_AGED, NO_RECIPE},
    {"buddy.", FOLLOWED, NO_CHOICE},
    {"buddy.allocator", 0, NULL},
    {"buddy.", SNAPSHOT_OBJECTS | SNAPSHOT_BLOCKS, NO_KERNEL},
    {"buddy.max_order", SNAPSHOT_PAGES, RECORDED_LISTS},
    {"buddy.pageblock_order", SNAPSHOT_PAGES, RECORDED_LISTS},
    {"buddy.eager_init", SNAPSHOT_PAGES, RECORDED_LISTS},
    {"slab.", FOLLOWED | SNAPSHOT_PAGES | SNAPSHOT_BLOCKS | MEMORY_PAGES, NO_OBJECTS},
    {"workload.kernel.before", MEMORY, "nothing starts from a snapshot; leave out workload.kernel.start=memory"},
    {"workload.kernel.", PROGRAMS, "programs are replayed; workload.kernel.events names a recording of a kernel"},
    {"workload.calls.", PROGRAMS, "programs are replayed; workload.calls.count makes calls up"},
    {"workload.kernel.", CALLS, "made-up calls are replayed; leave out workload.calls"},
    {"workload.calls.", ALL & ~CALLS, "recorded events are replayed; workload.calls.count makes calls up"},
    {"cpu.count", SNAPSHOT | FOLLOWED, "the recording has its own CPUs; workload.kernel.start=memory takes the machine's"},
    {"cpu.count", 0, NULL},
    {"cpu.", ALL, NO_PROGRAM},
    {"mmu.", ALL, NO_PROGRAM},
    {"cache.", ALL, NO_PROGRAM},
    {"bus.", ALL, NO_PROGRAM},
    {"dram.", ALL, NO_PROGRAM},
    {"vm.", ALL, NO_PROGRAM},
    {"sim.mode", ALL, NO_PROGRAM},
    {"sim.warmup_mode", ALL, NO_PROGRAM},
    {"sim.checkpoint", ALL, NO_PROGRAM},
    {"output.page_users", ALL, NO_PROGRAM},
};

static unsigned kind_of(const struct workload_config *w)
{
    const struct workload_kernel *k = &w->kernel;
    if (w->calls.count)
        return CALLS;
    if (!k->events || !*k->events)
        return PROGRAMS;
    if (k->placement != KERNEL_SIMULATED)
        return FOLLOWED;
    if (k->start == KERNEL_FROM_MEMORY)
        return k->level == KERNEL_OBJECTS ? MEMORY_OBJECTS : MEMORY_PAGES;
    return k->level == KERNEL_OBJECTS ? SNAPSHOT_OBJECTS : k->level == KERNEL_PAGES ? SNAPSHOT_PAGES : SNAPSHOT_BLOCKS;
}

/* NULL: it is used. */
static const char *unused(const char *key, unsigned kind)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        size_t n = strlen(rules[i].key);
        bool fits = rules[i].key[n - 1] == '.' ? !strncmp(key, rules[i].key, n) : !strcmp(key, rules[i].key);
        if (fits && (rules[i].unused & kind || !rules[i].unused))
            return rules[i].unused ? rules[i].why : NULL;
    }
    return NULL;
}

static bool given(const struct config *c, size_t i, struct config_item *item)
{
    config_get(c, i, item);
    return !item->is_default && item->origin[0] != '@';
}

void kernel_tell_unused(const struct config *c, const char *label, FILE *to)
{
    const struct machine_root *root = config_root(c);
    unsigned kind = kind_of(&root->workload) | (root->m.memory.ageing.recipe == AGEING_NONE ? NOT_AGED : 0);
    const char *told[ARRAY_LEN(rules)];
    size_t n_told = 0, n = config_count(c);
    for (size_t i = 0; i < n; i++) {
        struct config_item item;
        const char *why = given(c, i, &item) ? unused(item.key, kind) : NULL;
        bool again = !why;
        for (size_t k = 0; k < n_told; k++)
            again |= told[k] == why;
        if (again)
            continue;
        told[n_told++] = why;
        fprintf(to, "mmulab %s: warning: %s", label, item.key);
        for (size_t k = i + 1; k < n; k++)
            if (given(c, k, &item)) {
                const char *same = unused(item.key, kind);
                if (same == why)
                    fprintf(to, ", %s", item.key);
            }
        fprintf(to, ": not used: %s\n", why);
    }
}
