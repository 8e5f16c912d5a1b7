/*
 * Where a replay starts that has no snapshot of its own: the machine's memory as memory.* and buddy.* say, aged or as a snapshot if asked for, with
 * direct compaction if buddy.compaction. And how that memory stands at the end, as statistics.
 */
#ifndef APP_KERNEL_MEMORY_H
#define APP_KERNEL_MEMORY_H

#include "app/machine_root.h"
#include "engine/stats.h"
#include "frames/ageing/ageing.h"
#include "frames/compact/compaction.h"

#define KERNEL_MEMORY_STATS(X) \
    X(free_pages, "pages", "free pages at the end") \
    X(free_2m, "areas", "2 MiB areas that are free as a whole") \
    X(could_2m, "areas", "... that hold nothing immovable: free or movable") \
    X(largest_run, "pages", "longest run of free pages") \
    X(blocks, "pageblocks", "pageblocks that have memory of the allocator's") \
    X(blocks_free, "pageblocks", "... that are free as a whole") \
    X(blocks_mixed, "pageblocks", "... that hold movable and immovable pages") \
    X(blocks_with_unmovable, "pageblocks", "... that hold any immovable page") \
    X(unusable_1, "thousandths", "unusable-free index of order 1, all zones together: free memory in smaller blocks") \
    X(unusable_2, "thousandths", "... of order 2") \
    X(unusable_3, "thousandths", "... of order 3") \
    X(unusable_4, "thousandths", "... of order 4") \
    X(unusable_5, "thousandths", "... of order 5") \
    X(unusable_6, "thousandths", "... of order 6") \
    X(unusable_7, "thousandths", "... of order 7") \
    X(unusable_8, "thousandths", "... of order 8") \
    X(unusable_9, "thousandths", "... of order 9, a block of 2 MiB") \
    X(unusable_10, "thousandths", "... of order 10")
struct kernel_memory_stats {
#define X(name, unit, help) uint64_t name;
    KERNEL_MEMORY_STATS(X)
#undef X
};

struct kernel_memory {
    struct frame_map *map; /* lives on in the replay */
    struct compaction *compaction; /* NULL: none */
    bool is_aged;
    struct ageing_report aged;
    uint64_t scan_cycles, move_cycles; /* of compaction: a page looked at, a page moved */
    struct kernel_memory_stats st;
};

/* `compacts`: with direct compaction if buddy.compaction says so; else that is the replay's. */
int kernel_memory_build(struct kernel_memory *m, const struct machine_root *root, bool compacts, struct err *err);
/* What compaction costs here, also one of the replay's own: a page looked at, a page moved. */
void kernel_memory_costs(struct kernel_memory *m, const struct machine_root *root);
uint64_t kernel_memory_cycles(const struct kernel_memory *m, const struct compact_cost *cost);
/* Core cycles that compaction took since the last call. */
uint64_t kernel_memory_stall(void *m);
/* "fragmentation.*" as it is now, and "compact.*". Before the tree is frozen. */
int kernel_memory_add_stats(struct kernel_memory *m, struct stats *tree, struct err *err);
/* Before the map goes. */
void kernel_memory_fini(struct kernel_memory *m);

#endif
