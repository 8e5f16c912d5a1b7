/*
 * Frames of processes that move: the reverse map says which entry names a frame, the entry gets the new address, its translation is
 * dropped. Movable ballast of an aged machine (frames/ageing) is in no table and is only copied. What a compaction asks of the owner
 * of frames (frames/compact).
 */
#ifndef VM_MIGRATE_H
#define VM_MIGRATE_H

#include "frames/compact/compaction.h"
#include "vm/vm.h"

struct vm_mover {
    struct vm *vm;
    struct vm_shootdown drop; /* TLBs must drop the old translation */
    /* The contents are copied, `pages` frames; the memory hierarchy may see it. NULL is fine. */
    bool alone; /* pages that several map stay where they are */
    void *self;
    void (*copied)(void *self, pfn_t from, pfn_t to, uint64_t pages);
    void (*batch)(void *self, uint64_t scanned); /* as struct compact_owner's; NULL is fine */
};
/* The mover outlives what it is given to. All operations of faults must have been performed, as for any call (vm.h). */
struct compact_owner vm_owner(struct vm_mover *mover);

#endif
