#include "slab/slab_config.h"

#include <assert.h>
#include <string.h>

#define SLAB_DESIGN_NAME(name) #name,
static const char *const design_names[] = {SLAB_DESIGNS(SLAB_DESIGN_NAME) NULL};
#undef SLAB_DESIGN_NAME

#define AT(member) offsetof(struct slab_config, member)
static const struct param slab_params[] = {
    {.key = "design", .type = P_ENUM, .offset = AT(design), .def = SLAB_DESIGN_slub, .names = design_names,
     .help = "slub: per-CPU slabs (Linux today); slab: the classic design (until 6.7); slob: first-fit lists (until 6.3)"},
    {.key = "min_objects", .type = P_U32, .offset = AT(min_objects), .def = 0, .max = 65535,
     .help = "objects a slab should have at least (slub_min_objects); 0: 4 * (fls(cpu.count) + 1), linux-mm 5.3"},
    {.key = "min_order", .type = P_U32, .offset = AT(min_order), .def = 0, .max = 10,
     .help = "least order of a slab's pages (slub_min_order)"},
    {.key = "max_order", .type = P_U32, .offset = AT(max_order), .def = 3, .max = 10,
     .help = "order that a slab may have for the sake of more objects (slub_max_order 3); the classic design takes at most 1 "
             "of it (slab_max_order)"},
    {.key = "merge", .type = P_BOOL, .offset = AT(merge), .def = 1,
     .help = "caches of like size and flags become one (off: slab_nomerge), linux-mm 5.4"},
    {.key = "cpu_partial", .type = P_BOOL, .offset = AT(cpu_partial), .def = 1,
     .help = "slub: each CPU keeps partial slabs of its own (CONFIG_SLUB_CPU_PARTIAL)"},
    {.key = "cpu_partial_objects", .type = P_U32, .offset = AT(cpu_partial_objects), .def = 0, .max = 65535,
     .help = "slub: free objects those slabs should hold; 0: 6, 24, 52 or 120 by the object's size, linux-mm 5.3"},
    {.key = "min_partial", .type = P_U32, .offset = AT(min_partial), .def = 0, .max = 65535,
     .help = "slub: empty slabs are given back only while the node has at least so many partial ones; 0: ilog2(size) / 2 "
             "between 5 and 10"},
    {.key = "sheaf_capacity", .type = P_U32, .offset = AT(sheaf_capacity), .def = 32, .max = 1024,
     .help = "slub: objects in a sheaf of the caches of sheaf_caches (6.18: 32); 0: no sheaves"},
    {.key = "sheaf_caches", .type = P_STR_LIST, .offset = AT(sheaf_caches), .def_s = "[maple_node, vm_area_struct]",
     .help = "slub: caches of a replayed trace that have sheaves (6.18: these two)"},
    {.key = "barn_sheaves", .type = P_U32, .offset = AT(barn_sheaves), .def = 10, .max = 1024,
     .help = "slub: full sheaves, and as many empty ones, that a node's barn holds (10)"},
    {.key = "freelist_random", .type = P_BOOL, .offset = AT(freelist_random), .def = 0,
     .help = "a new slab's objects are handed out in random order (CONFIG_SLAB_FREELIST_RANDOM), from sim.seed"},
    {.key = "random_kmalloc", .type = P_BOOL, .offset = AT(random_kmalloc), .def = 0,
     .help = "16 copies of the normal kmalloc caches, chosen by call site (CONFIG_RANDOM_KMALLOC_CACHES)"},
    {.key = "memcg", .type = P_BOOL, .offset = AT(memcg), .def = 1,
     .help = "kmalloc-cg-* caches for __GFP_ACCOUNT, and kmalloc caches are not merged (CONFIG_MEMCG)"},
    {.key = "hardened_usercopy", .type = P_BOOL, .offset = AT(hardened_usercopy), .def = 1,
     .help = "caches with a usercopy region are not merged (CONFIG_HARDENED_USERCOPY)"},
    {.key = "array_limit", .type = P_U32, .offset = AT(slab_limit), .def = 0, .max = 65535,
     .help = "slab: objects in a CPU's array; 0: 120, 54, 24, 8 or 1 by the object's size, linux-mm 5.8"},
    {.key = "array_shared", .type = P_U32, .offset = AT(slab_shared), .def = 8, .max = 64,
     .help = "slab: the shared array holds so many batches (8); none with one CPU or above 4KiB"},
    {.key = "reap_interval", .type = P_TIME, .offset = AT(reap), .def = 2000000000000ull,
     .help = "slab: time between two visits of cache_reap at a CPU (REAPTIMEOUT_AC 2 s); the shared arrays are visited half "
             "as often"},
    {.key = "sanity", .type = P_BOOL, .offset = AT(sanity), .def = 0,
     .help = "slab_debug=F: check slabs and objects at every operation"},
    {.key = "red_zone", .type = P_BOOL, .offset = AT(red_zone), .def = 0,
     .help = "slab_debug=Z: bytes before and after each object show writes beyond it"},
    {.key = "poison", .type = P_BOOL, .offset = AT(poison), .def = 0,
     .help = "slab_debug=P: free objects are filled, so that writes to them show"},
    {.key = "store_user", .type = P_BOOL, .offset = AT(store_user), .def = 0,
     .help = "slab_debug=U: each object remembers who allocated and freed it last"},
    {.key = "direct_map", .type = P_ADDR, .offset = AT(direct_map), .def = 0xffff888000000000ull,
     .help = "linear address of physical address 0 (x86-64 without KASLR: 0xffff888000000000)"},
};
#undef AT

#define AT(member) offsetof(struct slab_cost_config, member)
#define CYC(key_, def_, help_) \
    {.key = #key_, .type = P_CYC, .offset = AT(key_), .def = def_, .max = 100000000, .help = help_}
static const struct param cost_params[] = {
    CYC(fast, 25, "allocation from the CPU's own list: half of 46 cycles a pair, Brouer 2015 (assumed)"),
    CYC(free_fast, 21, "free to the CPU's current slab: the other half of that pair (assumed)"),
    CYC(slow, 62, "leaving the fast path, and a slab's own list changed by a locked CMPXCHG: 2 x 31, x86-hardware.md 9"),
    CYC(node_lock, 62, "a node's list locked and unlocked: 2 locked operations of 31, x86-hardware.md 9 (uncontended)"),
    CYC(list_move, 20, "a slab moved from list to list: its descriptor's line and two neighbours in the L2 (assumed)"),
    CYC(sheaf, 12, "push or pop in a per-CPU sheaf (assumed: half of the fast path, no CMPXCHG)"),
    CYC(array, 14, "push or pop in a per-CPU array of the classic design, interrupts off (assumed)"),
    CYC(per_object, 5, "an object of a new slab put on the free list: one store (assumed)"),
    CYC(slob_step, 6, "slob: one free block looked at (assumed: dependent load from the L1 and compare)"),
    CYC(debug, 250, "checks and tracking of one operation with debugging on (assumed)"),
    CYC(ctor, 40, "the constructor of one object (assumed)"),
    CYC(page_alloc, 230, "a block of frames from the page allocator, order 0: Brouer 2016 (assumed)"),
    CYC(page_order, 60, "... and for each order above 0: buddy lists instead of the CPU's (assumed)"),
    CYC(page_slow, 1500, "... when no zone has enough above its low mark: kswapd woken, all zones asked again (assumed)"),
    CYC(copy_page, 700, "... and compaction moves a page: its bytes (assumed: 64 lines read and written); beside buddy.migrate_cycles"),
    CYC(page_free, 150, "a block of frames given back (assumed)"),
    CYC(reserve, 40, "mempool: the reserve locked, an element taken or put (assumed: one locked operation and the line)"),
    CYC(large, 40, "kmalloc and kfree above 8KiB, without the page allocator (assumed)"),
    CYC(vmalloc, 700, "search of the tree of free ranges, descriptor, list, one area (assumed)"),
    CYC(vmalloc_page, 120, "one page of an area by the bulk allocator (assumed: half of page_alloc)"),
    CYC(pte, 8, "one page-table entry written or cleared (assumed)"),
    CYC(purge, 2000, "a purge of lazily freed areas: TLB flush on all CPUs (assumed: one IPI round)"),
    CYC(wait, 16500000, "mempool: one sleep for an element (assumed: 5 ms at 3.3 GHz; the kernel waits 5 s at most)"),
};
#undef AT

#define AT(member) offsetof(struct vmalloc_config, member)
static const struct param vmalloc_params[] = {
    {.key = "start", .type = P_ADDR, .offset = AT(start), .def = 0xffffc90000000000ull,
     .help = "first address of vmalloc space (4-level x86-64 without KASLR), a multiple of a page"},
    {.key = "size", .type = P_SIZE, .offset = AT(bytes), .def = 32ull << 40, .min = 1u << 20, .max = 12800ull << 40,
     .help = "length of vmalloc space (4-level x86-64: 32TiB; 32-bit: 128MiB)"},
    {.key = "lazy_max", .type = P_SIZE, .offset = AT(lazy_bytes), .def = 32u << 20, .max = 1ull << 40,
     .help = "freed areas wait unflushed until they are fls(CPUs) times this, linux-mm 7.3"},
    {.key = "bulk_pages", .type = P_U32, .offset = AT(bulk_pages), .def = 100, .min = 1, .max = 65536,
     .help = "order-0 pages asked of the page allocator in one call, linux-mm 7.2"},
    {.key = "pool_pages", .type = P_U32, .offset = AT(pool_pages), .def = 256, .max = 65536,
     .help = "address ranges up to this size go to a pool a CPU after a purge (since 6.9: 256); 0: no pools"},
    {.key = "block_pages", .type = P_U32, .offset = AT(block_pages), .def = 1024, .min = 64, .max = 1024,
     .flags = PARAM_POW2, .help = "pages of a vmap block, from which vm_map_ram serves up to 64 pages (VMAP_BBMAP_BITS)"},
    {.key = "guard", .type = P_BOOL, .offset = AT(guard), .def = 1,
     .help = "an unmapped page behind every area (without: VM_NO_GUARD)"},
};
#undef AT

const struct param_group slab_param_groups[] = {
    {.path = "slab", .table = slab_params, .n = ARRAY_LEN(slab_params), .base = 0, .help = "The kernel's object allocator."},
    {.path = "slab.cost", .table = cost_params, .n = ARRAY_LEN(cost_params), .base = offsetof(struct slab_config, cost),
     .help = "What its paths cost."},
    {.path = "slab.vmalloc", .table = vmalloc_params, .n = ARRAY_LEN(vmalloc_params),
     .base = offsetof(struct slab_config, vmalloc), .help = "Virtually contiguous memory."},
};
const size_t slab_n_param_groups = ARRAY_LEN(slab_param_groups);

static const char *const default_sheaf_caches[] = {"maple_node", "vm_area_struct"};

void slab_config_defaults(struct slab_config *c)
{
    memset(c, 0, sizeof *c);
    param_group_defaults(slab_param_groups, slab_n_param_groups, c);
    c->sheaf_caches = (struct param_list){.s = (char **)(uintptr_t)default_sheaf_caches, .n = ARRAY_LEN(default_sheaf_caches)}; /* constants */
}
