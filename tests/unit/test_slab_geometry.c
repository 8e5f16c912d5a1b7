/*
 * Slab geometry against the kernel's: every row that linux-mm section 15 quotes, and every cache line of the recorded
 * slabinfo files (MMULAB_DATA/traces/kernel/NAME/{before,after}.slabinfo): order and objects follow from the slot's size
 * for all; the slot's size follows from the request where a recorded trace or the kmalloc name tells it.
 */
#include "unit/test_slab_util.h"

struct row { const char *name; uint32_t size, order, objects; };
static const struct row section15[] = {
    {"task_struct", 5888, 3, 5}, {"TCP", 2368, 3, 13}, {"kvm_vcpu", 51488, 4, 1}, {"ext4_inode_cache", 1128, 2, 14},
    {"mm_struct", 1600, 3, 20}, {"dentry", 192, 0, 21}, {"radix_tree_node", 584, 1, 14}, {"inode_cache", 624, 1, 13},
    {"shmem_inode", 752, 2, 21}, {"signal_cache", 1152, 2, 14}, {"sighand_cache", 2112, 3, 15}, {"biovec-max", 4096, 3, 8},
    {"msg_msg-8k", 8192, 3, 4}, {"kmalloc-512", 512, 1, 16}, {"kmalloc-1k", 1024, 2, 16}, {"kmalloc-2k", 2048, 3, 16},
    {"xfs_inode", 1024, 2, 16}, {"erofs_pcluster-257", 4232, 3, 7}, {"mem_cgroup", 2240, 3, 14},
    {"bdev_cache", 1536, 3, 21}, {"filp", 192, 0, 21}, {"taskstats", 560, 1, 14},
};

/* Requests and slots of caches as the recordings' kmem_cache_alloc events have them, with what explains the slot. */
static const struct { const char *name; uint32_t request, align, slot; unsigned flags; bool ctor; } layouts[] = {
    {"vm_area_struct", 192, 0, 192, SLAB_HWCACHE_ALIGN, false}, {"maple_node", 256, 256, 256, 0, false},
    {"names_cache", 4096, 0, 4096, SLAB_HWCACHE_ALIGN, false}, {"anon_vma_chain", 64, 0, 64, 0, false},
    {"buffer_head", 104, 0, 104, SLAB_RECLAIM_ACCOUNT, false}, {"lsm_file_cache", 24, 0, 24, 0, false},
    {"filp", 184, 0, 192, SLAB_HWCACHE_ALIGN, false}, {"anon_vma", 96, 0, 104, SLAB_TYPESAFE_BY_RCU, true},
    {"extent_status", 40, 0, 40, SLAB_RECLAIM_ACCOUNT, false}, {"pid", 184, 0, 192, SLAB_HWCACHE_ALIGN, false},
    {"dentry", 192, 0, 192, SLAB_RECLAIM_ACCOUNT, false}, {"ext4_inode_cache", 1120, 0, 1128, SLAB_RECLAIM_ACCOUNT, true},
    {"bio-184", 184, 0, 192, SLAB_HWCACHE_ALIGN, false}, {"radix_tree_node", 576, 0, 584, SLAB_RECLAIM_ACCOUNT, true},
    {"task_struct", 5888, 64, 5888, 0, false}, {"signal_cache", 1152, 0, 1152, SLAB_HWCACHE_ALIGN, false},
    {"sighand_cache", 2080, 0, 2112, SLAB_HWCACHE_ALIGN | SLAB_TYPESAFE_BY_RCU, true}, {"files_cache", 704, 0, 704, SLAB_HWCACHE_ALIGN, false},
    {"sigqueue", 80, 0, 80, 0, false}, {"seq_file", 120, 0, 120, 0, false}, {"inode_cache", 616, 0, 624, SLAB_RECLAIM_ACCOUNT, true},
    {"key_jar", 256, 0, 256, SLAB_HWCACHE_ALIGN, false}, {"proc_inode_cache", 688, 0, 696, SLAB_RECLAIM_ACCOUNT, true},
    {"mm_struct", 1568, 0, 1600, SLAB_HWCACHE_ALIGN, false}, {"biovec-128", 2048, 0, 2048, SLAB_HWCACHE_ALIGN, false},
    {"pool_workqueue", 512, 0, 512, 0, false}, {"iommu_iova_magazine", 1024, 0, 1024, SLAB_HWCACHE_ALIGN, false},
};

enum { CPUS = 2 }; /* of the recording machine */

/* A machine big enough that no cache of the test merges with another. */
static struct slab_sys *system_without_merging(struct frame_map *map, unsigned cpus)
{
    struct slab_config cfg = slab_defaults(SLAB_DESIGN_slub);
    cfg.merge = false;
    return slab_of(map, &cfg, cpus);
}

static struct slab_cache_info of_slot(struct slab_sys *s, const char *name, uint32_t slot)
{
    struct kmem_cache_args a = {.name = name, .size = slot, .slot = slot};
    struct kmem_cache *c = kmem_cache_create(s, &a);
    ck_assert_msg(c != NULL, "%s cannot be built", name);
    struct slab_cache_info i = kmem_cache_info(c);
    ck_assert(kmem_cache_destroy(c));
    return i;
}

START_TEST(rows_of_section_15)
{
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_sys *s = system_without_merging(map, CPUS);
    for (size_t i = 0; i < ARRAY_LEN(section15); i++) {
        const struct row *r = &section15[i];
        struct slab_cache_info g = of_slot(s, r->name, r->size);
        ck_assert_msg(g.size == r->size && g.order == r->order && g.objects == r->objects,
                      "%s %u: order %u, %u objects; the kernel has %u, %u", r->name, r->size, g.order, g.objects, r->order,
                      r->objects);
    }
    /* cpu_partial and min_partial at the edges of their rules (linux-mm 5.3). */
    static const struct { uint32_t size, min_partial, cpu_partial, slabs; } partial[] = {
        {8, 5, 120, 1}, {248, 5, 120, 15}, {256, 5, 52, 7}, {1016, 5, 52, 7}, {1024, 5, 24, 3}, {4096, 6, 6, 2},
        {8192, 6, 6, 3}, {1u << 20, 10, 6, 12},
    };
    for (size_t i = 0; i < ARRAY_LEN(partial); i++) {
        struct slab_cache_info g = of_slot(s, "partial", partial[i].size);
        ck_assert_uint_eq(g.min_partial, partial[i].min_partial);
        ck_assert_uint_eq(g.cpu_partial, partial[i].cpu_partial);
        ck_assert_msg(g.cpu_partial_slabs == partial[i].slabs, "%u: %u slabs", partial[i].size, g.cpu_partial_slabs);
    }
    printf("section 15: %zu rows equal\n", ARRAY_LEN(section15));
    all_back(s, map);
}
END_TEST

START_TEST(slots_of_recorded_requests)
{
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_sys *s = system_without_merging(map, CPUS);
    for (size_t i = 0; i < ARRAY_LEN(layouts); i++) {
        struct kmem_cache_args a = {.name = layouts[i].name, .size = layouts[i].request, .align = layouts[i].align,
                                    .flags = layouts[i].flags, .ctor = layouts[i].ctor};
        struct kmem_cache *c = kmem_cache_create(s, &a);
        ck_assert_msg(kmem_cache_info(c).size == layouts[i].slot, "%s %u: slot of %u, the kernel has %u", layouts[i].name,
                      layouts[i].request, kmem_cache_info(c).size, layouts[i].slot);
    }
    printf("slots: %zu caches equal\n", ARRAY_LEN(layouts));
    all_back(s, map);
}
END_TEST

START_TEST(recorded_slabinfo)
{
    static const char *const workloads[] = {"compile", "filetree", "fragstress", "procs"};
    static const char *const moments[] = {"before", "after"};
    const char *data = getenv("MMULAB_DATA");
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_sys *s = system_without_merging(map, CPUS);
    unsigned files = 0, compared = 0, kmalloc = 0, slots = 0, request_unknown = 0;
    for (size_t w = 0; w < ARRAY_LEN(workloads); w++)
        for (size_t m = 0; m < ARRAY_LEN(moments); m++) {
            char path[4096], line[512];
            snprintf(path, sizeof path, "%s/traces/kernel/%s/%s.slabinfo", data ? data : MMULAB_SOURCE_DIR "/../shared",
                     workloads[w], moments[m]);
            FILE *f = fopen(path, "r");
            if (!f)
                continue;
            files++;
            while (fgets(line, sizeof line, f)) {
                char name[SLAB_NAME];
                unsigned long active, objects, slabs;
                unsigned size, per, pages;
                if (sscanf(line, "%63s %lu %lu %u %u %u : tunables %*u %*u %*u : slabdata %*u %lu", name, &active, &objects,
                           &size, &per, &pages, &slabs) != 7)
                    continue;
                struct slab_cache_info g = of_slot(s, name, size);
                ck_assert_msg(g.objects == per && 1u << g.order == pages, "%s/%s %s %u: %u objects on %u pages, the kernel has "
                              "%u on %u", workloads[w], moments[m], name, size, g.objects, 1u << g.order, per, pages);
                compared++;
                bool known = false;
                struct kmem_cache *c = slab_find_cache(s, name);
                if (c) { /* kmalloc's own */
                    struct slab_cache_info k = kmem_cache_info(c);
                    ck_assert_uint_eq(k.size, size);
                    ck_assert_uint_eq(k.objects, per);
                    kmalloc++;
                    known = true;
                }
                for (size_t i = 0; i < ARRAY_LEN(layouts); i++)
                    if (strcmp(layouts[i].name, name) == 0) {
                        ck_assert_uint_eq(layouts[i].slot, size);
                        slots++;
                        known = true;
                    }
                request_unknown += !known;
            }
            fclose(f);
        }
    if (files)
        printf("slabinfo: %u files, order and objects of %u lines equal; slot size from the request equal in %u kmalloc lines "
               "and %u others, in %u lines the request is not recorded\n", files, compared, kmalloc, slots, request_unknown);
    else
        printf("slabinfo: SKIPPED, no recorded data\n");
    ck_assert(!files || (compared == files * 235 && kmalloc == files * 52));
    all_back(s, map);
}
END_TEST

/* Every cache of a running kernel, 235 of them: all that /sys/kernel/slab says of a cache's shape, from the size of its objects, its
 * alignment and flags. */
START_TEST(caches_of_a_running_kernel)
{
    FILE *f = fopen(MMULAB_SOURCE_DIR "/traces/samples/slab/caches.txt", "r");
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_sys *s = system_without_merging(map, CPUS);
    char line[512], name[SLAB_NAME];
    unsigned caches = 0;
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof line, f)) {
        unsigned object, user, align, slot, order, objects, min_partial, cpu_partial, hwcache, reclaim, rcu, dma, sheaf, ctor;
        if (line[0] == '#')
            continue;
        ck_assert_int_eq(sscanf(line, "%63s %u %u %u %u %u %u %u %u %u %u %u %u %u %u", name, &object, &user, &align, &slot, &order,
                                &objects, &min_partial, &cpu_partial, &hwcache, &reclaim, &rcu, &dma, &sheaf, &ctor), 15);
        /* The maker of this one chose a place in the object for the free list's link (use_freeptr_offset). */
        bool link_inside = strcmp(name, "vm_area_struct") == 0;
        struct kmem_cache_args a = {.name = name, .size = object, .align = align, .ctor = ctor != 0, .usersize = user,
                                    .sheaf_capacity = sheaf,
                                    .flags = (hwcache ? SLAB_HWCACHE_ALIGN : 0u) | (reclaim ? SLAB_RECLAIM_ACCOUNT : 0u) |
                                             (dma ? SLAB_CACHE_DMA : 0u) | (rcu && !link_inside ? SLAB_TYPESAFE_BY_RCU : 0u)};
        struct kmem_cache *c = kmem_cache_create(s, &a);
        ck_assert_msg(c != NULL, "%s cannot be built", name);
        struct slab_cache_info g = kmem_cache_info(c);
        ck_assert_msg(g.align == align && g.size == slot && g.order == order && g.objects == objects &&
                          g.min_partial == min_partial && g.cpu_partial == cpu_partial,
                      "%s: align %u, slot %u, order %u, %u objects, partial %u %u; the kernel has %u, %u, %u, %u, %u %u", name,
                      g.align, g.size, g.order, g.objects, g.min_partial, g.cpu_partial, align, slot, order, objects, min_partial,
                      cpu_partial);
        caches++;
        ck_assert(kmem_cache_destroy(c));
    }
    fclose(f);
    printf("/sys/kernel/slab: alignment, slot, order, objects, min_partial and cpu_partial of %u caches equal\n", caches);
    ck_assert_uint_eq(caches, 235);
    all_back(s, map);
}
END_TEST

START_TEST(min_objects_by_cpus)
{
    static const struct { unsigned cpus, min_objects, order_of_256; } t[] = {
        {1, 8, 0}, {2, 12, 0}, {4, 16, 0}, {8, 20, 1}, {16, 24, 1}, {32, 28, 1}, {64, 32, 1}, {128, 36, 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct frame_map *map = map_sized(64 * MIB);
        struct slab_sys *s = system_without_merging(map, t[i].cpus);
        struct slab_cache_info g = of_slot(s, "x", 256);
        ck_assert_msg(g.order == t[i].order_of_256, "%u CPUs: order %u", t[i].cpus, g.order);
        ck_assert_uint_ge(g.objects, t[i].min_objects);
        all_back(s, map);
    }
}
END_TEST

START_TEST(kmalloc_classes)
{
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_config cfg = slab_defaults(SLAB_DESIGN_slub);
    struct slab_sys *s = slab_of(map, &cfg, CPUS);
    static const uint32_t bytes[] = {8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192};
    static const struct { gfp_t gfp; const char *prefix; } kinds[] = {
        {GFP_KERNEL, "kmalloc-"}, {GFP_KERNEL_ACCOUNT, "kmalloc-cg-"}, {GFP_KERNEL | __GFP_RECLAIMABLE, "kmalloc-rcl-"},
        {GFP_KERNEL | __GFP_RECLAIMABLE | __GFP_ACCOUNT, "kmalloc-rcl-"}, {GFP_KERNEL_ACCOUNT | __GFP_DMA, "dma-kmalloc-"},
    };
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
        for (uint32_t n = 1, i = 0; n <= 8192; n++) {
            char want[SLAB_NAME];
            if (n > bytes[i])
                i++;
            if (bytes[i] < 1024)
                snprintf(want, sizeof want, "%s%u", kinds[k].prefix, bytes[i]);
            else
                snprintf(want, sizeof want, "%s%uk", kinds[k].prefix, bytes[i] / 1024);
            struct slab_cache_info g = kmem_cache_info(slab_kmalloc_cache(s, n, kinds[k].gfp, 0));
            ck_assert_str_eq(g.name, want);
            ck_assert_uint_eq(g.align, bytes[i] & -bytes[i]);
            ck_assert_uint_eq(slab_kmalloc_size_roundup(s, n), bytes[i]);
        }
    ck_assert_ptr_null(slab_kmalloc_cache(s, 8193, GFP_KERNEL, 0));
    ck_assert_uint_eq(slab_kmalloc_size_roundup(s, 8193), 16384);
    ck_assert_uint_eq(slab_kmalloc_size_roundup(s, 0), 0);
    ck_assert_uint_eq(slab_kmalloc_size_roundup(s, 4 * MIB), 4 * MIB);
    /* The list as /proc/slabinfo has it: kinds newest first, within a kind 8k .. 8, then 192 and 96. */
    const char *first[] = {"kmalloc-cg-8k", "kmalloc-cg-4k"};
    struct kmem_cache *c = slab_first_cache(s);
    for (size_t i = 0; i < ARRAY_LEN(first); i++, c = slab_next_cache(c))
        ck_assert_str_eq(kmem_cache_info(c).name, first[i]);
    all_back(s, map);
}
END_TEST

START_TEST(merging)
{
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_config cfg = slab_defaults(SLAB_DESIGN_slub);
    struct slab_sys *s = slab_of(map, &cfg, CPUS);
    struct kmem_cache *a = kmem_cache_create(s, &(struct kmem_cache_args){.name = "a", .size = 120});
    struct kmem_cache *b = kmem_cache_create(s, &(struct kmem_cache_args){.name = "b", .size = 116});
    ck_assert_ptr_eq(a, b);
    ck_assert_ptr_eq(slab_find_cache(s, "b"), a);
    ck_assert_uint_eq(kmem_cache_info(a).refcount, 2);
    ck_assert_ptr_ne(kmem_cache_create(s, &(struct kmem_cache_args){.name = "c", .size = 112}), a); /* 8 bytes smaller */
    ck_assert_ptr_ne(kmem_cache_create(s, &(struct kmem_cache_args){.name = "d", .size = 120, .ctor = true}), a);
    ck_assert_ptr_ne(kmem_cache_create(s, &(struct kmem_cache_args){.name = "e", .size = 120, .flags = SLAB_ACCOUNT}), a);
    ck_assert_ptr_ne(kmem_cache_create(s, &(struct kmem_cache_args){.name = "f", .size = 120, .usersize = 8}), a);
    ck_assert_ptr_ne(kmem_cache_create(s, &(struct kmem_cache_args){.name = "g", .size = 120, .align = 16}), a);
    ck_assert_ptr_ne(kmem_cache_create(s, &(struct kmem_cache_args){.name = "h", .size = 120, .flags = SLAB_NO_MERGE}), a);
    ck_assert_ptr_ne(kmem_cache_create(s, &(struct kmem_cache_args){.name = "i", .size = 120, .flags = SLAB_TYPESAFE_BY_RCU}), a);
    ck_assert(kmem_cache_destroy(b)); /* one user less */
    ck_assert_ptr_eq(slab_find_cache(s, "a"), a);
    ck_assert(kmem_cache_destroy(a));
    ck_assert_ptr_null(slab_find_cache(s, "a"));
    ck_assert_ptr_null(slab_find_cache(s, "b"));
    all_back(s, map);
    map = map_sized(64 * MIB);
    cfg.merge = false;
    s = slab_of(map, &cfg, CPUS);
    a = kmem_cache_create(s, &(struct kmem_cache_args){.name = "a", .size = 120});
    ck_assert_ptr_ne(kmem_cache_create(s, &(struct kmem_cache_args){.name = "b", .size = 120}), a);
    all_back(s, map);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("slab_geometry");
    TCase *t = tcase_create("geometry");
    tcase_add_test(t, rows_of_section_15);
    tcase_add_test(t, slots_of_recorded_requests);
    tcase_add_test(t, recorded_slabinfo);
    tcase_add_test(t, caches_of_a_running_kernel);
    tcase_add_test(t, min_objects_by_cpus);
    tcase_add_test(t, kmalloc_classes);
    tcase_add_test(t, merging);
    suite_add_tcase(s, t);
    return run_suite(s);
}
