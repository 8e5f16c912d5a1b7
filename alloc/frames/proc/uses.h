/* What memory is used for, as /proc/zoneinfo and /proc/meminfo tell it: counted block by block, and which of it nobody knows. */
#ifndef FRAMES_USES_H
#define FRAMES_USES_H

#include "frames/frames.h"

/*
 * What frames do not tell by themselves. Lines whose number nobody knows are left out, never 0 (docs/model/zones.md says which).
 *   reclaimable  is this block (use FRAME_TAG_SLAB) of a cache that the kernel counts as reclaimable? NULL: nobody knows
 *   gigantic     1 GiB pages of a pool: some of the anonymous memory may be of them, which the kernel counts apart
 *   guessed      what blocks are used for was guessed from their type (a recorded kernel): no line about uses
 *   vmalloc_bytes  length of vmalloc space; 0: nobody knows
 */
enum uses_slab { USES_SLAB_UNKNOWN, USES_SLAB_RECLAIMABLE, USES_SLAB_UNRECLAIMABLE };
struct uses_more {
    void *self;
    enum uses_slab (*slab)(void *self, pfn_t block);
    uint64_t gigantic, vmalloc_bytes;
    bool guessed;
};

/* In pages; `huge`: anonymous blocks of 2 MiB. */
struct uses { uint64_t tag[N_FRAME_TAGS], huge, reclaimable, unknown_slabs; };
/* Of each node. Walks over all blocks. `more`: not NULL. */
void uses_count(const struct frame_map *map, const struct uses_more *more, struct uses node[FRAME_NODES]);

/* Which of the numbers are the kernel's. */
struct uses_known {
    bool all, slabs, user; /* any use; slabs; memory of programs and files */
    bool anon;             /* ... anonymous memory */
    bool no_shmem, no_files; /* there is none */
};
struct uses_known uses_known(const struct uses *u, const struct uses_more *more);

#endif
