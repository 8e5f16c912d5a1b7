/* A small machine that uses every kind of parameter, for the tests of the configuration. */
#ifndef TEST_CONFIG_SCHEMA_H
#define TEST_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

struct toy_tlb {
    uint32_t entries, ways, latency;
};
struct toy_process {
    char *trace;
    uint32_t core;
    int64_t adj;
    uint64_t limit;
};
struct toy {
    struct {
        int mode;
        uint64_t seed;
        bool checks;
        double ratio;
        char *label;
        uint64_t interval;
    } sim;
    struct toy_tlb dtlb, stlb;
    struct {
        uint64_t size, start, latency, frequency;
        struct param_list pages;
        struct param_list counts;
        struct param_list times;
    } memory;
    struct {
        struct param_list processes, traces, tags;
    } workload;
    struct {
        char *dir;
    } output;
};

static const char *const toy_modes[] = {"timed", "functional", NULL};
static const struct param toy_sim[] = {
    {"mode", P_ENUM, offsetof(struct toy, sim.mode), .names = toy_modes, .help = "What is simulated."},
    {"seed", P_U64, offsetof(struct toy, sim.seed), .def = 1, .help = "Seed of all random numbers."},
    {"checks", P_BOOL, offsetof(struct toy, sim.checks), .help = "Expensive checks."},
    {"ratio", P_F64, offsetof(struct toy, sim.ratio), .def_f = 0.5, .min_f = 0, .max_f = 1, .help = "A share."},
    {"label", P_STR, offsetof(struct toy, sim.label), .help = "Free text."},
    {"interval", P_TIME, offsetof(struct toy, sim.interval), .def = 0, .min = 1000, .flags = PARAM_OR_ZERO,
     .help = "Time between samples."},
};
static const struct param toy_tlb_params[] = {
    {"entries", P_U32, offsetof(struct toy_tlb, entries), .def = 64, .min = 1, .max = 65536, .help = "Total entries."},
    {"ways", P_U32, offsetof(struct toy_tlb, ways), .def = 4, .min = 1, .max = 64, .flags = PARAM_POW2,
     .help = "Ways of a set."},
    {"latency", P_CYC, offsetof(struct toy_tlb, latency), .def = 1, .max = 1000, .help = "Cycles of a hit."},
};
static const struct param toy_memory[] = {
    {"size", P_SIZE, offsetof(struct toy, memory.size), .def = 1ull << 30, .min = 1 << 20, .max = 1ull << 46,
     .help = "Main memory."},
    {"start", P_ADDR, offsetof(struct toy, memory.start), .def = 0x1000, .help = "First address."},
    {"latency", P_TIME, offsetof(struct toy, memory.latency), .def = 40000, .help = "Time of a read."},
    {"frequency", P_FREQ, offsetof(struct toy, memory.frequency), .def = 3200000000, .min = 1, .help = "Bus clock."},
    {"pages", P_SIZE_LIST, offsetof(struct toy, memory.pages), .def_s = "[4KiB, 2MiB]", .flags = PARAM_POW2,
     .help = "Page sizes."},
    {"counts", P_U64_LIST, offsetof(struct toy, memory.counts), .max = 100, .help = "Numbers."},
    {"times", P_TIME_LIST, offsetof(struct toy, memory.times), .max = 1000000, .help = "Times."},
};
static const struct param toy_process_params[] = {
    {"trace", P_PATH, offsetof(struct toy_process, trace), .flags = PARAM_REQUIRED, .help = "The trace."},
    {"core", P_U32, offsetof(struct toy_process, core), .max = 7, .help = "Where it runs."},
    {"oom_score_adj", P_I64, offsetof(struct toy_process, adj), .min = (uint64_t)-1000, .max = 1000,
     .help = "As in /proc."},
    {"limit", P_SIZE, offsetof(struct toy_process, limit), .def = 1 << 20, .help = "Most memory."},
};
static const struct param_elem toy_process_elem = {
    toy_process_params, sizeof toy_process_params / sizeof toy_process_params[0], sizeof(struct toy_process)};
static const struct param toy_workload[] = {
    {"processes", P_OBJECT_LIST, offsetof(struct toy, workload.processes), .elem = &toy_process_elem,
     .help = "What runs."},
    {"traces", P_PATH_LIST, offsetof(struct toy, workload.traces), .help = "More traces."},
    {"tags", P_STR_LIST, offsetof(struct toy, workload.tags), .help = "Words."},
};
static const struct param toy_output[] = {
    {"dir", P_PATH, offsetof(struct toy, output.dir), .def_s = "out", .flags = PARAM_NO_HASH, .help = "Result folder."},
};

#define TOY_GROUP(path, table, base, help) {path, table, sizeof(table) / sizeof((table)[0]), base, help}
static const struct param_group toy_groups[] = {
    TOY_GROUP("sim", toy_sim, 0, "The run."),
    TOY_GROUP("mmu.dtlb", toy_tlb_params, offsetof(struct toy, dtlb), "First-level data TLB."),
    TOY_GROUP("mmu.stlb", toy_tlb_params, offsetof(struct toy, stlb), "Second-level TLB."),
    TOY_GROUP("memory", toy_memory, 0, "Main memory."),
    TOY_GROUP("workload", toy_workload, 0, "What is run."),
    TOY_GROUP("output", toy_output, 0, "Results."),
};

static void toy_check_tlb(const void *root, struct config_checker *ck)
{
    const struct toy *t = root;
    if (t->stlb.entries % t->stlb.ways)
        config_fail(ck, "mmu.stlb.ways mmu.stlb.entries", "mmu.stlb: %u ways do not divide %u entries", t->stlb.ways,
                    t->stlb.entries);
}
static const config_check_fn toy_checks[] = {toy_check_tlb};

#define TOY_PRESET(name, help, text) {name, help, text, sizeof(text) - 1}
static const struct config_preset toy_presets[] = {
    TOY_PRESET("big-tlb", "A large TLB.", "// A large TLB.\n{\"mmu\": {\"stlb\": {\"entries\": 1536, \"ways\": 8}}}\n"),
    TOY_PRESET("bad", "Does not work.", "{\n  \"mmu\": {\"entries\": 1}}\n"),
    TOY_PRESET("huge", "Builds on big-tlb.", "{\"extends\": \"@big-tlb\", \"memory\": {\"size\": \"64GiB\"}}"),
};
static const char *const toy_free[] = {"sweep"};

static const struct config_schema toy_schema = {
    .title = "Toy machine",
    .groups = toy_groups,
    .n = sizeof toy_groups / sizeof toy_groups[0],
    .root_size = sizeof(struct toy),
    .presets = toy_presets,
    .n_presets = sizeof toy_presets / sizeof toy_presets[0],
    .checks = toy_checks,
    .n_checks = 1,
    .free_sections = toy_free,
    .n_free_sections = 1,
};

#endif
