/*
 * Frames of processes that move: the reverse map says which entry names a frame, the entry gets the new address, its translation is
 * dropped. What a compaction asks of the owner of mapped frames (frames/compact).
 */
#ifndef VM_MIGRATE_H
#define VM_MIGRATE_H

#include "frames/compact/compaction.h"
#include "vm/vm.h"

struct vm_mover {
    struct vm *vm;
    struct vm_shootdown drop; /* TLBs must drop the old translation */
    /* The contents are copied, `pages` frames; the memory hierarchy may see it. NULL is fine. */
    void *self;
    void (*copied)(void *self, pfn_t from, pfn_t to, uint64_t pages);
};
/* The mover outlives what it is given to. All operations of faults must have been performed, as for any call (vm.h). */
struct compact_owner vm_owner(struct vm_mover *mover);

#endif
