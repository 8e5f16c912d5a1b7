#include "memory/cache_config.h"

#define CACHE_BYTES_MAX (16ull << 30) /* far beyond any part; the tag arrays of one cache take an eighth of it */

#define LEVEL(name, on, bytes, nways, lat, nmshr, what)                                                                 \
    const struct param name[] = {                                                                                       \
        {.key = "enabled", .type = P_BOOL, .offset = offsetof(struct cache_config, enabled), .def = on,                 \
         .help = what ": present"},                                                                                     \
        {.key = "size", .type = P_SIZE, .offset = offsetof(struct cache_config, size_bytes), .def = bytes, .min = 64,   \
         .max = CACHE_BYTES_MAX, .help = "capacity in bytes; a multiple of ways times the 64-byte line"},               \
        {.key = "ways", .type = P_U32, .offset = offsetof(struct cache_config, ways), .def = nways, .min = 1,           \
         .max = 65536, .help = "lines in a set"},                                                                       \
        {.key = "latency", .type = P_CYC, .offset = offsetof(struct cache_config, latency_cycles), .def = lat,          \
         .min = 1, .max = 1000000, .flags = PARAM_NOT_WARM, .help = "core cycles of a hit, load to use; LLC: from the bus grant (x86-hardware.md 3.4)"}, \
        {.key = "mshrs", .type = P_U32, .offset = offsetof(struct cache_config, mshrs), .def = nmshr, .min = 1,         \
         .max = 1024, .flags = PARAM_NOT_WARM, .help = "miss-status holding registers: lines outstanding at once (x86-hardware.md 5)"},          \
        {.key = "replacement", .type = P_ENUM, .offset = offsetof(struct cache_config, replacement),                    \
         .def = REPL_lru, .names = repl_policy_names, .help = "replacement policy"},                                    \
    }

/* x86-hardware.md 3.4, column Skylake-SP; MSHRs: L1D 12 line-fill buffers, L2 16..32, LLC ChampSim's 64. */
LEVEL(cache_l1i_params, 1, 32 << 10, 8, 4, 8, "level-1 instruction cache");
LEVEL(cache_l1d_params, 1, 32 << 10, 8, 4, 12, "level-1 data cache");
LEVEL(cache_l2_params, 1, 1 << 20, 16, 14, 32, "private level-2 cache");
LEVEL(cache_llc_params, 1, 32 << 20, 16, 30, 64, "last-level cache shared by the cores");
const size_t cache_level_params_n = ARRAY_LEN(cache_l1i_params);

static const char *const straddle_names[] = {"split", "cachegrind", NULL};
static const char *const modify_names[] = {"write", "read", NULL};
static const char *const arbiter_names[] = {"round_robin", "fixed_priority", NULL};

const struct param caches_params[] = {
    {.key = "llc_inclusive", .type = P_BOOL, .offset = offsetof(struct caches_config, llc_inclusive), .def = 1,
     .help = "a line that leaves the last-level cache leaves the private caches too"},
    {.key = "coherence", .type = P_BOOL, .offset = offsetof(struct caches_config, coherence), .def = 1,
     .help = "MESI through the last-level cache's directory; false: any present line may be written (functional mode, "
             "one core)"},
    {.key = "write_back", .type = P_BOOL, .offset = offsetof(struct caches_config, write_back), .def = 1,
     .help = "dirty victims are written to the next level; false drops them (functional mode only)"},
    {.key = "straddle", .type = P_ENUM, .offset = offsetof(struct caches_config, straddle), .def = STRADDLE_SPLIT,
     .names = straddle_names,
     .help = "an access over two lines: split (two accesses) or cachegrind (one access, one miss at most)"},
    {.key = "modify_counts", .type = P_ENUM, .offset = offsetof(struct caches_config, modify_counts),
     .def = MODIFY_COUNTS_WRITE, .names = modify_names, .help = "a load-and-store counts as a write or as a read"},
};
const size_t caches_params_n = ARRAY_LEN(caches_params);

const struct param bus_params[] = {
    {.key = "request_latency", .type = P_CYC, .offset = offsetof(struct bus_config, request_latency_cycles), .def = 8,
     .min = 1, .max = 1000000, .flags = PARAM_NOT_WARM, .help = "core cycles from a core to the shared side; chosen so that an LLC hit takes the 60 to 70 of real parts"},
    {.key = "response_latency", .type = P_CYC, .offset = offsetof(struct bus_config, response_latency_cycles),
     .def = 8, .min = 1, .max = 1000000, .flags = PARAM_NOT_WARM, .help = "core cycles from the shared side to a core; see request_latency"},
    {.key = "occupancy", .type = P_CYC, .offset = offsetof(struct bus_config, occupancy_cycles), .def = 1, .min = 1,
     .max = 1000000, .flags = PARAM_NOT_WARM, .help = "core cycles between two grants: one request a cycle"},
    {.key = "arbiter", .type = P_ENUM, .offset = offsetof(struct bus_config, arbiter), .def = ARBITER_ROUND_ROBIN,
     .names = arbiter_names, .flags = PARAM_NOT_WARM, .help = "who is granted when several masters wait"},
};
const size_t bus_params_n = ARRAY_LEN(bus_params);
