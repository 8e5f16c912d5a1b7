/*
 * The root of the configuration: which section stands where. Each section's table lives beside its struct in the
 * library that uses it; this file only lists them.
 */
#include "app/machine_start.h"
#include "app/machine_root.h"
#include "app/cmd_config.h"
#include "app/result/cmd_stats.h"

#include "cpu/machine/machine.h"

#include <assert.h>
#include <string.h>
#include <threads.h>

static const struct param process_params[] = {
    {.key = "trace", .type = P_PATH, .offset = offsetof(struct workload_process, trace), .flags = PARAM_REQUIRED,
     .help = "trace file of the process (any known format, compressed or not)"},
    {.key = "core", .type = P_I64, .offset = offsetof(struct workload_process, core), .def = UINT64_MAX,
     .help = "core that runs all its threads; -1: thread t of trace i runs on core (i + t) modulo cpu.count"},
};
static const struct param_elem process_elem = {.table = process_params, .n = ARRAY_LEN(process_params),
                                               .size = sizeof(struct workload_process)};
static const struct param workload_params[] = {
    {.key = "processes", .type = P_OBJECT_LIST, .offset = offsetof(struct workload_config, processes),
     .elem = &process_elem, .help = "programs to replay, a trace each; -t TRACE on the command line adds to them"},
};

static const char *const placement_names[] = {"recorded", "predict", "simulated", NULL};
static const char *const start_names[] = {"snapshot", "memory", NULL};
static const char *const level_names[] = {"blocks", "pages", "objects", NULL};
static const struct param kernel_params[] = {
    {.key = "events", .type = P_PATH, .offset = offsetof(struct workload_kernel, events),
     .help = "recorded events of a kernel (text of perf script or ftrace, perf.data, .mtr): replayed instead of programs"},
    {.key = "before", .type = P_PATH, .offset = offsetof(struct workload_kernel, before),
     .help = "the snapshot to start from: what stands before .buddyinfo, .zoneinfo, .pfnmap and so on; none: before, beside the events"},
    {.key = "placement", .type = P_ENUM, .offset = offsetof(struct workload_kernel, placement), .def = KERNEL_PREDICT,
     .names = placement_names,
     .help = "recorded: the kernel's own frames; predict: our allocator's choice against each of them; simulated: our allocator chooses"},
    {.key = "level", .type = P_ENUM, .offset = offsetof(struct workload_kernel, level), .def = 0, .names = level_names,
     .help = "simulated: blocks that left the kernel's buddy lists; pages that its callers asked for, by a whole kernel with "
             "lists, marks and slow path; or its objects, by slab.design"},
    {.key = "start", .type = P_ENUM, .offset = offsetof(struct workload_kernel, start), .def = KERNEL_FROM_SNAPSHOT, .names = start_names,
     .help = "pages, objects: from the snapshot, or from the machine's memory as memory.* has it, aged if memory.ageing says so"},
};

static const struct param output_params[] = {
    {.key = "memory_rows", .type = P_U64, .offset = offsetof(struct output_config, memory_rows), .def = 32, .max = 100000,
     .help = "rows of fragmentation.csv and memory_map.csv, up to twice as many; each costs a walk over memory; 0: none"},
    {.key = "page_users", .type = P_BOOL, .offset = offsetof(struct output_config, page_users), .def = 0,
     .help = "proc/page_users, at the end and at marks: a line an allocated block of frames, with all who map it"},
    {.key = "mark_events", .type = P_U64_LIST, .offset = offsetof(struct output_config, mark_events), .min = 1,
     .help = "a recorded kernel or made-up calls: proc/marks/NNN-event-N has the files of proc/ as they are behind so many events"},
    {.key = "mark_times", .type = P_TIME_LIST, .offset = offsetof(struct output_config, mark_times),
     .help = "... as they are so long after the first record; marks in the trace (MARK, ftrace's trace_marker) need no key"},
};

/* A program's trace brings its own marks. */
static void check_marks(const struct machine_root *r, struct config_checker *ck)
{
    bool kernel = r->workload.calls.count || (r->workload.kernel.events && *r->workload.kernel.events);
    if (!kernel && r->output.mark_events.n)
        config_fail(ck, "output.mark_events workload.kernel.events", "only a recorded kernel or made-up calls are marked by number");
    if (!kernel && r->output.mark_times.n)
        config_fail(ck, "output.mark_times workload.kernel.events", "only a recorded kernel or made-up calls are marked by time");
}

static void check_calls(const struct machine_root *r, struct config_checker *ck)
{
    char few[64], keys[256] = "";
    struct err err = {0};
    if (r->workload.calls.count && r->workload.kernel.events && *r->workload.kernel.events)
        config_fail(ck, "workload.calls.count workload.kernel.events", "a run replays made-up calls or recorded events, not both");
    if (calls_check(&r->workload.calls, few, &err) == 0)
        return;
    size_t n = 0;
    for (const char *key = few; *key; key += *key == ' ') {
        size_t len = strcspn(key, " ");
        n += (size_t)snprintf(keys + n, sizeof keys - n, "%sworkload.calls.%.*s", n ? " " : "", (int)len, key);
        key += len;
    }
    config_fail(ck, keys, "%s", err.message);
}

/* A snapshot gives what these keys would. */
static void check_snapshot(const struct machine_root *r, struct config_checker *ck)
{
    const struct memory_config *m = &r->m.memory;
    struct memory_config d;
    if (!m->ageing.snapshot)
        return;
    frames_config_defaults(&d, NULL);
    const struct { const char *keys; bool given; } gives[] = {
        {"memory.size memory.ageing.snapshot", m->size_bytes != d.size_bytes},
        {"memory.zones memory.ageing.snapshot", m->zones != d.zones},
        {"memory.nodes memory.ageing.snapshot", m->nodes != d.nodes},
        {"memory.node_sizes memory.ageing.snapshot", m->node_sizes.n != 0},
        {"memory.kernelcore memory.ageing.snapshot", m->kernelcore_bytes != d.kernelcore_bytes},
        {"memory.movablecore memory.ageing.snapshot", m->movablecore_bytes != d.movablecore_bytes},
        {"memory.boot_reserved memory.ageing.snapshot", m->boot_reserved_bytes != d.boot_reserved_bytes},
        {"memory.min_free memory.ageing.snapshot", m->min_free_bytes != d.min_free_bytes},
        {"memory.reserved memory.ageing.snapshot", m->reserved.n != 0}};
    for (size_t i = 0; i < ARRAY_LEN(gives); i++)
        if (gives[i].given)
            config_fail(ck, gives[i].keys, "the snapshot says how large memory is and how it is laid out: leave out the other key");
    if (m->ageing.recipe != AGEING_NONE)
        config_fail(ck, "memory.ageing.recipe memory.ageing.snapshot", "memory starts aged by a recipe or as a snapshot, not both");
    if (r->workload.kernel.events && r->workload.kernel.start == KERNEL_FROM_SNAPSHOT)
        config_fail(ck, "memory.ageing.snapshot workload.kernel.events",
                    "a recorded kernel starts from its own snapshot; workload.kernel.before names another");
}

static void check_machine(const void *root, struct config_checker *ck)
{
    const struct machine_root *r = root;
    const struct caches_config *c = &r->m.cache;
    bool timed = r->m.sim.mode == SIM_MODE_TIMED;
    struct err err;
    const struct workload_kernel *k = &r->workload.kernel;
    if (k->level == KERNEL_OBJECTS && k->placement != KERNEL_SIMULATED)
        config_fail(ck, "workload.kernel.level workload.kernel.placement", "objects need the placement \"simulated\"");
    else if (k->level == KERNEL_PAGES && k->placement != KERNEL_SIMULATED)
        config_fail(ck, "workload.kernel.level workload.kernel.placement", "pages served by a whole kernel need the placement \"simulated\"");
    if (k->start == KERNEL_FROM_MEMORY && (k->level == KERNEL_BLOCKS || k->placement != KERNEL_SIMULATED))
        config_fail(ck, "workload.kernel.start workload.kernel.placement workload.kernel.level",
                    "only pages or objects that are simulated can start from the machine's memory: it needs the placement "
                    "\"simulated\" and the level \"pages\" or \"objects\"");
    check_calls(r, ck);
    check_marks(r, ck);
    const struct slab_config *slab = &r->m.slab;
    if (slab->design == SLAB_DESIGN_slob && (slab->red_zone || slab->poison || slab->store_user))
        config_fail(ck, "slab.design slab.red_zone slab.poison slab.store_user",
                    "slob has no debugging: take slub or slab, or slab.sanity alone");
    if (timed && !c->l2.enabled)
        config_fail(ck, "cache.l2.enabled sim.mode", "a machine without level-2 cache needs sim.mode \"functional\"");
    if (timed && !c->llc_inclusive)
        config_fail(ck, "cache.llc_inclusive sim.mode", "timed mode needs an inclusive last-level cache");
    if (timed && !c->coherence)
        config_fail(ck, "cache.coherence sim.mode", "timed mode needs coherence");
    if (timed && !c->write_back)
        config_fail(ck, "cache.write_back sim.mode", "timed mode needs write-back");
    if (timed && c->straddle != STRADDLE_SPLIT)
        config_fail(ck, "cache.straddle sim.mode", "timed mode splits accesses at lines");
    if (timed && c->l2.latency_cycles <= c->l1d.latency_cycles)
        config_fail(ck, "cache.l2.latency cache.l1d.latency", "the level-2 cache must be slower than the level-1 data cache");
    if (timed && c->l2.latency_cycles <= c->l1i.latency_cycles)
        config_fail(ck, "cache.l2.latency cache.l1i.latency",
                    "the level-2 cache must be slower than the level-1 instruction cache");
    if (!c->l1i.enabled || !c->l1d.enabled || !c->llc.enabled)
        config_fail(ck, "cache.l1i.enabled cache.l1d.enabled cache.llc.enabled", "only cache.l2 can be left out");
    if (r->m.cpu.count > 1 && (!c->coherence || !c->llc_inclusive))
        config_fail(ck, "cpu.count cache.coherence cache.llc_inclusive",
                    "several cores need coherence and an inclusive last-level cache");
    if (c->straddle == STRADDLE_CACHEGRIND && (r->m.mmu.enabled || c->l2.enabled || c->coherence || c->write_back))
        config_fail(ck, "cache.straddle mmu.enabled cache.l2.enabled cache.coherence cache.write_back",
                    "cachegrind's rule for straddling accesses needs the other four to be false");
    if (c->modify_counts == MODIFY_COUNTS_READ && c->coherence)
        config_fail(ck, "cache.modify_counts cache.coherence", "counting a load-and-store as a read needs coherence false");
    static const struct { const char *size, *ways; size_t at; } level[] = {
        {"cache.l1i.size", "cache.l1i.ways", offsetof(struct caches_config, l1i)},
        {"cache.l1d.size", "cache.l1d.ways", offsetof(struct caches_config, l1d)},
        {"cache.l2.size", "cache.l2.ways", offsetof(struct caches_config, l2)},
        {"cache.llc.size", "cache.llc.ways", offsetof(struct caches_config, llc)},
    };
    for (size_t i = 0; i < ARRAY_LEN(level); i++) {
        const struct cache_config *l = (const struct cache_config *)((const char *)c + level[i].at);
        char keys[120];
        snprintf(keys, sizeof keys, "%s %s", level[i].size, level[i].ways);
        if (l->size_bytes == 0 || l->size_bytes % ((uint64_t)l->ways * LINE_BYTES))
            config_fail(ck, keys, "the size is not a multiple of ways times the 64-byte line");
        else if (l->replacement == REPL_tree_plru && (l->ways & (l->ways - 1)))
            config_fail(ck, keys, "tree_plru needs a power of two of ways");
    }
    if (timed && r->m.memory.size_bytes > dram_capacity(&r->m.dram)) {
        struct dram_config one = r->m.dram; /* a channel with all ranks it can have */
        one.channels = 1;
        one.ranks = 0;
        config_fail(ck, "memory.size dram.channels dram.ranks",
                    "the DRAM holds %llu MiB; for this much take dram.channels=%llu and dram.ranks=0, or sim.mode=functional, which has no DRAM",
                    (unsigned long long)(dram_capacity(&r->m.dram) >> 20),
                    (unsigned long long)((r->m.memory.size_bytes + dram_capacity(&one) - 1) / dram_capacity(&one)));
    }
    if (r->m.memory.ageing.recipe != AGEING_NONE && r->workload.kernel.events && k->start == KERNEL_FROM_SNAPSHOT)
        config_fail(ck, "memory.ageing.recipe workload.kernel.start",
                    "a recorded kernel starts from its own snapshot, which cannot be aged; the start \"memory\" takes the machine's memory");
    check_snapshot(r, ck);
    if (mmu_config_check(&r->m.mmu, &err) < 0)
        config_fail_err(ck, &err);
}

/* Built once, constant ever after: the tables' lengths are known to their own libraries only. */
enum { MAX_GROUPS = 64 };
static struct schema_store {
    struct param_group group[MAX_GROUPS];
    struct config_schema schema;
} store;
static once_flag built = ONCE_FLAG_INIT;
static const config_check_fn checks[] = {check_machine};
static const char *const free_sections[] = {"sweep"};

static void add(const char *path, const struct param *t, size_t n, size_t base, const char *help)
{
    assert(store.schema.n < MAX_GROUPS);
    store.group[store.schema.n++] = (struct param_group){.path = path, .table = t, .n = n, .base = base, .help = help};
}

static void add_all(const struct param_group *g, size_t n, size_t base)
{
    for (size_t i = 0; i < n; i++)
        add(g[i].path, g[i].table, g[i].n, base + g[i].base, g[i].help);
}

static void build(void)
{
#define AT(member) offsetof(struct machine_root, m.member)
    add("sim", sim_params, sim_params_n, AT(sim), "The run.");
    add("cpu", cpu_params, cpu_params_n, AT(cpu), "The cores.");
    add_all(mmu_param_groups, mmu_n_param_groups, AT(mmu));
    add("cache", caches_params, caches_params_n, AT(cache), "What all caches share.");
    add("cache.l1i", cache_l1i_params, cache_level_params_n, AT(cache.l1i), "Level-1 instruction cache, one a core.");
    add("cache.l1d", cache_l1d_params, cache_level_params_n, AT(cache.l1d), "Level-1 data cache, one a core.");
    add("cache.l2", cache_l2_params, cache_level_params_n, AT(cache.l2), "Level-2 cache, one a core.");
    add("cache.llc", cache_llc_params, cache_level_params_n, AT(cache.llc), "Last-level cache, shared.");
    add("bus", bus_params, bus_params_n, AT(bus), "The bus between cores and shared side.");
    add("dram", dram_params, dram_params_count, AT(dram), "Memory controller and DRAM.");
    add("memory", memory_params, ARRAY_LEN(memory_params), AT(memory), "Physical memory.");
    add("memory.ageing", ageing_params, ARRAY_LEN(ageing_params), AT(memory.ageing), "Memory that has been in use before the run.");
    add("buddy", buddy_params, ARRAY_LEN(buddy_params), AT(buddy), "The frame allocator.");
    add_all(slab_param_groups, slab_n_param_groups, AT(slab));
    add_all(vm_param_groups, vm_n_param_groups, AT(vm));
    add("workload", workload_params, ARRAY_LEN(workload_params), offsetof(struct machine_root, workload),
        "What is replayed.");
    add("workload.kernel", kernel_params, ARRAY_LEN(kernel_params), offsetof(struct machine_root, workload.kernel),
        "A recorded kernel.");
    add("workload.calls", calls_params, calls_params_n, offsetof(struct machine_root, workload.calls),
        "Made-up calls of the kernel's allocators, replayed over the machine's memory instead of programs (docs/trace-generators.md).");
    add("output", output_params, ARRAY_LEN(output_params), offsetof(struct machine_root, output), "What is written.");
#undef AT
    store.schema.title = "mmulab configuration";
    store.schema.groups = store.group;
    store.schema.root_size = sizeof(struct machine_root);
    store.schema.checks = checks;
    store.schema.n_checks = ARRAY_LEN(checks);
    store.schema.free_sections = free_sections;
    store.schema.n_free_sections = ARRAY_LEN(free_sections);
}

const struct config_schema *machine_config_schema(void)
{
    call_once(&built, build);
    return &store.schema;
}

int machine_config_try(const struct config *c, struct err *err)
{
    const struct machine_root *root = config_root(c);
    struct machine *m = NULL;
    int rc = machine_start(&m, &root->m, err);
    machine_free(m);
    return rc;
}

int machine_list_stats(struct machine **out, struct err *err)
{
    struct machine_config cfg;
    machine_config_defaults(&cfg);
    return machine_new(out, &cfg, err);
}
