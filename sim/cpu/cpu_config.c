#include "cpu/cpu_config.h"

#include "memory/memsys.h"

static const char *const model_names[] = {"window", "inorder", NULL};
static const char *const warmup_names[] = {"same", "functional", NULL};
static const char *const mode_names[] = {"timed", "functional", NULL};

const struct param cpu_params[] = {
    {.key = "count", .type = P_U32, .offset = offsetof(struct cpu_config, count), .def = 1, .min = 1,
     .max = MEMSYS_MAX_CORES, .help = "cores; at most the bits of a directory word"},
    {.key = "model", .type = P_ENUM, .offset = offsetof(struct cpu_config, model), .def = CPU_MODEL_WINDOW,
     .names = model_names, .flags = PARAM_NOT_WARM, .help = "window: out of order over a window of instructions; inorder: one after the other"},
    {.key = "frequency", .type = P_FREQ, .offset = offsetof(struct cpu_config, frequency_hz), .def = 4000000000u,
     .min = 1000000, .max = 100000000000u, .flags = PARAM_NOT_WARM, .help = "core clock; the period is rounded to whole picoseconds; 4 GHz is a round number near the turbo clocks of such parts"},
    {.key = "width", .type = P_U32, .offset = offsetof(struct cpu_config, width), .def = 4, .min = 1, .max = 64,
     .flags = PARAM_NOT_WARM, .help = "instructions dispatched, and retired, in a cycle (Skylake: 4)"},
    {.key = "window", .type = P_U32, .offset = offsetof(struct cpu_config, window), .def = 224, .min = 1, .max = 4096,
     .flags = PARAM_NOT_WARM, .help = "instructions in flight (Skylake: 224); 1 executes one at a time, stores included"},
    {.key = "store_buffer", .type = P_U32, .offset = offsetof(struct cpu_config, store_buffer), .def = 56, .min = 1,
     .max = 4096, .flags = PARAM_NOT_WARM, .help = "retired stores that wait for the cache (Skylake: 56)"},
    {.key = "switch_cycles", .type = P_CYC, .offset = offsetof(struct cpu_config, switch_cycles), .def = 3000, .min = 0,
     .max = 100000000, .flags = PARAM_NOT_WARM, .help = "cost of a change of thread on a core (x86-hardware.md 9)"},
};
const size_t cpu_params_n = ARRAY_LEN(cpu_params);

const struct param sim_params[] = {
    {.key = "mode", .type = P_ENUM, .offset = offsetof(struct sim_config, mode), .def = SIM_MODE_TIMED,
     .names = mode_names, .help = "timed: cycles; functional: the same state without time"},
    {.key = "seed", .type = P_U64, .offset = offsetof(struct sim_config, seed), .def = 1,
     .help = "of all random choices"},
    {.key = "warmup", .type = P_U64, .offset = offsetof(struct sim_config, warmup), .def = 0,
     .help = "references that are simulated before measuring begins"},
    {.key = "warmup_mode", .type = P_ENUM, .offset = offsetof(struct sim_config, warmup_mode), .def = WARMUP_SAME,
     .names = warmup_names, .help = "same: the warm-up is simulated as sim.mode says; functional: without time, which is fast, "
                                    "and which points of a sweep that differ in times alone can share"},
    {.key = "checkpoint", .type = P_PATH, .offset = offsetof(struct sim_config, checkpoint), .flags = PARAM_NO_HASH | PARAM_NOT_WARM,
     .help = "file, or folder of files, that keeps the state at the end of a functional warm-up: loaded if it is there, else made; "
             "absent: a run keeps none, a sweep shares by itself (docs/checkpoints.md)"},
    {.key = "share_warmup", .type = P_BOOL, .offset = offsetof(struct sim_config, share_warmup), .def = 1,
     .flags = PARAM_NO_HASH | PARAM_NOT_WARM,
     .help = "points of a sweep whose functional warm-up is the same do it once; same results, less time"},
    {.key = "share_decoding", .type = P_BOOL, .offset = offsetof(struct sim_config, share_decoding), .def = 1,
     .flags = PARAM_NO_HASH | PARAM_NOT_WARM,
     .help = "a sweep decodes a trace once for several points; same results, less time (docs/sweep.md)"},
    {.key = "share_points", .type = P_U32, .offset = offsetof(struct sim_config, share_points), .def = 0, .max = 64,
     .flags = PARAM_NO_HASH | PARAM_NOT_WARM,
     .help = "points of a sweep that one decoder feeds at most, each in a process with its own memory; 1: each point decodes for "
             "itself; 0: 4, but 1 for points in timed mode of a native trace, which gain least (docs/sweep.md)"},
    {.key = "measure", .type = P_U64, .offset = offsetof(struct sim_config, measure), .def = 0,
     .flags = PARAM_NOT_WARM, .help = "references that are measured after the warm-up, then the run ends; 0 is to the end"},
    {.key = "limit", .type = P_U64, .offset = offsetof(struct sim_config, limit), .def = 0,
     .flags = PARAM_NOT_WARM, .help = "references after which the run ends; 0 is the whole trace"},
    {.key = "interval", .type = P_U64, .offset = offsetof(struct sim_config, interval), .def = 0,
     .help = "references between two rows of series.csv; 0 chooses from the trace's length"},
    {.key = "window", .type = P_U32, .offset = offsetof(struct sim_config, window), .def = 0,
     .flags = PARAM_NOT_WARM, .help = "cycles a core may run in one round; 0 is as many as are exact; results do not depend on it"},
    {.key = "quantum", .type = P_U32, .offset = offsetof(struct sim_config, quantum), .def = 1000, .min = 1,
     .help = "functional mode with several cores: references a core replays before the next core has its turn"},
    {.key = "checks", .type = P_BOOL, .offset = offsetof(struct sim_config, checks), .def = 0,
     .flags = PARAM_NOT_WARM, .help = "verify frame owners, free lists, TLB contents and the directory now and then and at the end"},
};
const size_t sim_params_n = ARRAY_LEN(sim_params);
