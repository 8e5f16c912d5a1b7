/*
 * The plug-in point of frame allocators. An allocator manages the free frames of one zone at a time; watermarks, the
 * order of zones and the books by use stay with frames.c. All state is in struct zone and struct frame; what else it keeps
 * must follow from them.
 *
 * To add one: a file that defines `const struct frame_alloc_ops NAME_frame_ops`, and one line below.
 */
#ifndef FRAMES_FRAME_ALLOC_H
#define FRAMES_FRAME_ALLOC_H

#include "frames/frames.h"

#define FRAME_ALLOCATORS(X) X(buddy) X(textbook) X(first_fit) X(best_fit) X(bitmap)

/* Where the last block of a refill came from, so that the next is looked for there first (enum rmqueue_mode). */
enum rmqueue_mode { RMQUEUE_NORMAL, RMQUEUE_CLAIM, RMQUEUE_STEAL };

struct frame_alloc_ops {
    const char *name;
    bool pcp;     /* per-CPU lists stand in front of it */
    bool reserve; /* it keeps pageblocks of type HIGHATOMIC apart */
    bool types;   /* it keeps migratetypes apart */
    /* For a structure beside the lists, frame_map's `index`: built with the map and ended with it. `rebuild`: the lists were
     * made or changed by others (start, a loaded state, a replayed snapshot). All three may be NULL. */
    int (*init)(struct frame_map *map, struct err *err);
    void (*fini)(struct frame_map *map);
    void (*rebuild)(struct frame_map *map);
    /* At boot, once for each range of z, ascending. Afterwards the range is free: it is in z's nr_free counts. */
    void (*add_range)(struct frame_map *map, struct zone *z, uint64_t start, uint64_t end, bool eager);
    /* When a request was admitted to z. The head of a free block of 2^order frames, taken off the books of free
     * memory, state FRAME_NONE; or PFN_NONE. `flags` are ALLOC_* bits; `mode` is kept over the blocks of one refill. */
    pfn_t (*alloc)(struct frame_map *map, struct zone *z, unsigned order, enum migratetype mt, unsigned flags,
                   enum rmqueue_mode *mode);
    /* When a block comes back: its head has state FRAME_NONE. */
    void (*free)(struct frame_map *map, struct zone *z, uint64_t pfn, unsigned order);
    /* In frames_check, for each zone, after the general books were found right: the allocator's own promises. */
    int (*check)(const struct frame_map *map, const struct zone *z, struct err *err);
};

enum frame_allocator {
#define FRAME_ALLOCATOR_ENUM(name) FRAME_ALLOCATOR_##name,
    FRAME_ALLOCATORS(FRAME_ALLOCATOR_ENUM)
#undef FRAME_ALLOCATOR_ENUM
        N_FRAME_ALLOCATORS
};

#define FRAME_ALLOCATOR_DECL(name) extern const struct frame_alloc_ops name##_frame_ops;
FRAME_ALLOCATORS(FRAME_ALLOCATOR_DECL)
#undef FRAME_ALLOCATOR_DECL

#endif
