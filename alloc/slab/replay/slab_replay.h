/*
 * A recorded kernel's objects played into a slab system: from the pointers of a recording to objects here. Memory goes with
 * the live objects. The traps of linux-mm 14.4 are handled and counted:
 *
 *   a free of a pointer that nobody allocated       unknown_frees (it is older than the recording, or came in bulk)
 *   an allocation of a pointer that is alive        missed_frees: freed first
 *   the second event of one large kmalloc           duplicates: same pointer, size and bytes one after the other
 *   kfree of a cache's object, and the reverse      by pointer only
 *
 * With debugging on (slab.sanity, red_zone, poison or store_user) freed pointers are remembered until they are handed
 * out again: a second free is a double free, and accesses (slab_replay_touch) find the objects they hit. Not thread-safe.
 */
#ifndef SLAB_SLAB_REPLAY_H
#define SLAB_SLAB_REPLAY_H

#include "slab/slab.h"

#define SLAB_REPLAY_STATS(X, G) \
    X(allocs, "records", "allocations of the trace") \
    X(frees, "records", "frees of the trace") \
    X(unknown_frees, "records", "... of pointers that the trace has not allocated") \
    X(missed_frees, "records", "allocations of a pointer that was alive: its free is not in the trace") \
    X(duplicates, "records", "second records of one large kmalloc, left out") \
    X(null_frees, "records", "kfree of NULL") \
    X(failures, "records", "allocations for which there was no memory here") \
    X(unnamed, "records", "allocations from a cache whose name the trace lacks (kernels before 6.13): a cache for each pair of sizes") \
    X(caches_made, "caches", "caches that the trace creates itself") \
    X(caches_again, "records", "... a name that was there already: left out") \
    X(caches_unknown, "records", "shrinks and destructions of a cache that the trace has not named before") \
    X(other_slot, "records", "allocations whose slot here is not of the size recorded (another design, flags or class)") \
    X(caches_refused, "caches", "caches of the trace that cannot be built here: their records were left out") \
    X(skipped, "records", "... and these are the records") \
    G(live, "objects", "pointers of the trace that are alive")
struct slab_replay_stats { SLAB_REPLAY_STATS(STAT_FIELD, STAT_FIELD) };

struct slab_replay;

struct slab_event {
    uint64_t record;    /* its number in the trace: findings name it */
    uint64_t pointer;   /* recorded */
    uint64_t call_site;
    uint64_t size, slot; /* allocation: bytes requested and allocated; slot 0: not known */
    gfp_t gfp;
    const char *cache;  /* kmem_cache's name, "" if the recording has none; NULL: kmalloc, kfree */
    unsigned cpu;
};

int slab_replay_new(struct slab_replay **out, struct slab_sys *s, struct err *err);
void slab_replay_free(struct slab_replay *r); /* NULL is fine; the system stays, and what lives in it */
/* The object's address here; SLAB_NONE if there was no memory or the record is a duplicate's. */
va_t slab_replay_alloc(struct slab_replay *r, const struct slab_event *e);
void slab_replay_release(struct slab_replay *r, const struct slab_event *e);
/* kmem_cache_create, shrink and destroy of the cache e->cache. Calls for a cache that was destroyed, and destroying one that has
 * objects, are findings. */
void slab_replay_create(struct slab_replay *r, const struct slab_event *e, const struct kmem_cache_args *args);
void slab_replay_shrink(struct slab_replay *r, const struct slab_event *e);
void slab_replay_destroy(struct slab_replay *r, const struct slab_event *e);
/* Each cache that the trace has made and not destroyed is a finding; the number of them. */
unsigned slab_replay_report_caches(struct slab_replay *r);
/* What debugging finds at the end of a trace: harm nobody has met yet, what is still alive, caches that are still there. */
void slab_replay_end(struct slab_replay *r);
/* An access to recorded memory, near or in an object of the trace; nothing without debugging. */
void slab_replay_touch(struct slab_replay *r, uint64_t record, uint64_t at, uint64_t len, bool write);
/* Where a recorded pointer lives here, SLAB_NONE if it does not. */
va_t slab_replay_find(const struct slab_replay *r, uint64_t pointer);
/* The bytes that it asked for, 0 if it does not. */
uint64_t slab_replay_size(const struct slab_replay *r, uint64_t pointer);
const struct slab_replay_stats *slab_replay_stats(const struct slab_replay *r);
void slab_replay_add_stats(const struct slab_replay *r, struct stats *tree); /* "slab.trace.*" */
/* Bytes of host memory that the map takes. */
size_t slab_replay_bytes(const struct slab_replay *r);

#endif
