#include "traces/gen/calls.h"

#include "engine/types.h"

#include <stddef.h>
#include <string.h>

#define CALLS_NAME(name) #name,
static const char *const allocator_names[] = {CALLS_ALLOCATORS(CALLS_NAME) NULL};
#undef CALLS_NAME
static const char *const block_names[] = {"kmalloc", "pages", "vmalloc", "kvmalloc", NULL};
static const char *const free_names[] = {"same", "any", NULL};

#define MS 1000000000ull /* of picoseconds */
#define SECOND (1000 * MS)
#define DAY (86400 * SECOND)
#define AT(member) offsetof(struct calls_config, member)
const struct param calls_params[] = {
    {.key = "name", .type = P_STR, .offset = AT(name), .help = "a name for this load, for the axis of a sweep over several keys at once"},
    {.key = "count", .type = P_U64, .offset = AT(count), .def = 0, .max = 100000000,
     .help = "connections in all; 0: no made-up calls are replayed"},
    {.key = "seed", .type = P_U64, .offset = AT(seed), .def = 1, .help = "of sizes, arrivals, lifetimes and CPUs, each drawn apart"},
    {.key = "connections", .type = P_ENUM, .offset = AT(connections), .def = CALLS_kmalloc, .names = allocator_names,
     .help = "who serves connection objects; cache: a cache for each size; mempool: a pool for each, over such a cache"},
    {.key = "blocks", .type = P_ENUM, .offset = AT(blocks), .def = CALLS_kmalloc, .names = block_names, .help = "who serves database blocks"},
    {.key = "connection_interval", .type = P_TIME, .offset = AT(connection_interval), .def = MS, .min = 1000, .max = DAY,
     .help = "mean time between two connections (Poisson arrivals)"},
    {.key = "connection_life", .type = P_TIME, .offset = AT(connection_life), .def = 2 * SECOND, .min = 1000, .max = DAY,
     .help = "mean life of a connection (exponential)"},
    {.key = "connection_min", .type = P_SIZE, .offset = AT(connection_min), .def = 300, .min = 1, .max = 4u << 20,
     .help = "smallest connection object"},
    {.key = "connection_max", .type = P_SIZE, .offset = AT(connection_max), .def = 5000, .min = 1, .max = 4u << 20,
     .help = "largest connection object"},
    {.key = "connection_sizes", .type = P_U32, .offset = AT(connection_sizes), .def = 6, .min = 1, .max = 64,
     .help = "how many sizes there are, evenly spaced by ratio, each as likely"},
    {.key = "long_share", .type = P_F64, .offset = AT(long_share), .def_f = 0, .min_f = 0, .max_f = 1,
     .help = "share of the connections that live long"},
    {.key = "long_life", .type = P_TIME, .offset = AT(long_life), .def = 60 * SECOND, .min = 1000, .max = DAY,
     .help = "mean life of those (exponential)"},
    {.key = "wave", .type = P_F64, .offset = AT(wave), .def_f = 0, .min_f = 0, .max_f = 1,
     .help = "arrivals of connections swing by this share of their mean rate (sine)"},
    {.key = "wave_period", .type = P_TIME, .offset = AT(wave_period), .def = 10 * SECOND, .min = 1000000, .max = DAY,
     .help = "time of one swing"},
    {.key = "block_interval", .type = P_TIME, .offset = AT(block_interval), .def = 0, .min = 1000, .max = DAY, .flags = PARAM_OR_ZERO,
     .help = "mean time between two database blocks (Poisson arrivals); 0: none"},
    {.key = "block_life", .type = P_TIME, .offset = AT(block_life), .def = 20 * SECOND, .min = 1000, .max = DAY,
     .help = "mean life of a block (exponential)"},
    {.key = "block_min", .type = P_SIZE, .offset = AT(block_min), .def = 64u << 10, .min = 1, .max = 1u << 30, .help = "smallest block"},
    {.key = "block_max", .type = P_SIZE, .offset = AT(block_max), .def = 4u << 20, .min = 1, .max = 1u << 30, .help = "largest block"},
    {.key = "block_sizes", .type = P_U32, .offset = AT(block_sizes), .def = 7, .min = 1, .max = 64,
     .help = "how many sizes there are, evenly spaced by ratio, each as likely"},
    {.key = "tail", .type = P_TIME, .offset = AT(tail), .def = 0, .max = DAY,
     .help = "time that goes on after the last arrival: what ends until then is freed"},
    {.key = "reserve", .type = P_U32, .offset = AT(reserve), .def = 16, .min = 1, .max = 1000000,
     .help = "mempool: elements in the reserve of each pool"},
    {.key = "power_of_two", .type = P_BOOL, .offset = AT(power_of_two), .def = 0,
     .help = "connections ask for the next power of two of their size"},
    {.key = "chunk", .type = P_SIZE, .offset = AT(chunk), .def = 0, .max = 4u << 20,
     .help = "connections are cut from chunks of this size, one behind the other, each CPU from its own; a chunk is freed when all in it ended; 0: "
             "each is a request"},
    {.key = "pool", .type = P_U32, .offset = AT(pool), .def = 0, .max = 10000000,
     .help = "objects of each size that are allocated at the start and never freed; connections take them first; 0: none"},
    {.key = "together", .type = P_U32, .offset = AT(together), .def = 1, .min = 1, .max = 1000000,
     .help = "so many consecutive connections of a CPU end together, the last one first, when the first one's life is over"},
    {.key = "free_cpu", .type = P_ENUM, .offset = AT(free_cpu), .def = CALLS_FREE_SAME, .names = free_names,
     .help = "same: the CPU that allocated frees; any: a random one"},
};
#undef AT
const size_t calls_params_n = ARRAY_LEN(calls_params);

int calls_check(const struct calls_config *c, char keys[64], struct err *err)
{
    const char *which = NULL;
    int rc = 0;
    if (c->connection_min > c->connection_max) {
        which = "connection_min connection_max";
        rc = err_set(err, ERR_USAGE, "the smallest connection object is larger than the largest");
    } else if (c->block_min > c->block_max) {
        which = "block_min block_max";
        rc = err_set(err, ERR_USAGE, "the smallest block is larger than the largest");
    } else if (c->chunk && c->chunk < (c->power_of_two ? 2 * c->connection_max - 1 : c->connection_max)) {
        which = "chunk connection_max";
        rc = err_set(err, ERR_USAGE, "a chunk must hold the largest connection object");
    } else if (c->chunk && c->pool) {
        which = "chunk pool";
        rc = err_set(err, ERR_USAGE, "objects come from chunks or from a pool, not from both");
    } else if (c->chunk && c->connections >= CALLS_cache) {
        which = "chunk connections";
        rc = err_set(err, ERR_USAGE, "chunks come from kmalloc, pages, vmalloc or kvmalloc");
    }
    if (which)
        memcpy(keys, which, strlen(which) + 1);
    return rc;
}
