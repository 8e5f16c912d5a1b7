/*
 * A kernel's own account of its memory: the files of a folder such as traces/samples/kernel/NAME, of which each stands
 * for one moment ("before", "after"): buddyinfo, pagetypeinfo, zoneinfo, meminfo (/proc), unusable_index, extfrag_index
 * (debugfs), slabinfo, and the map of all frames (pfnmap, from /proc/kpageflags). Each may be compressed. Formats: linux-mm 1.9, 3.1.
 */
#ifndef REPLAY_SNAPSHOT_H
#define REPLAY_SNAPSHOT_H

#include "engine/err.h"
#include "frames/frames.h"

enum { SNAP_ZONES = 64, SNAP_CPUS = 8192, SNAP_RESERVES = 8, SNAP_ORDERS = FRAME_ORDERS };

/* What zoneinfo of this kernel has: older ones lack some lines. */
enum {
    SNAP_HAS_BOOST = 1, SNAP_HAS_PROMO = 2, SNAP_HAS_THRESHOLD = 4, SNAP_HAS_START = 8, SNAP_HAS_PRESENT = 16,
    SNAP_HAS_MARKS = 32, SNAP_HAS_BATCH = 64, SNAP_HAS_HIGH_MIN = 128, SNAP_HAS_HIGH_MAX = 256, SNAP_HAS_MANAGED = 512
};
struct snap_pcp { uint32_t cpu; unsigned have; uint64_t count, high, batch, high_min, high_max; }; /* have: SNAP_HAS_ */

struct snap_zone {
    unsigned node;
    char name[16];
    bool has_buddy, has_types, has_blocks, has_info, has_unusable, has_extfrag;
    uint64_t nr_free[SNAP_ORDERS];                   /* buddyinfo */
    uint64_t nr_free_mt[SNAP_ORDERS][MIGRATE_TYPES]; /* pagetypeinfo; ">100000" is read as 100000 and sets capped */
    bool capped;
    unsigned have;                                   /* SNAP_HAS_ */
    uint64_t blocks[MIGRATE_TYPES];                  /* pagetypeinfo: pageblocks of each type */
    int unusable[SNAP_ORDERS], extfrag[SNAP_ORDERS]; /* thousandths, as printed */
    uint64_t free, boost, wmark[N_WMARKS], spanned, present, managed, start_pfn; /* zoneinfo; wmark with boost */
    uint64_t reserve[SNAP_RESERVES]; /* protection */
    unsigned reserves, threshold;    /* vm stats threshold */
    struct snap_pcp *pcp;
    unsigned pcps;
};

struct snap_slab { char name[48]; uint64_t active, objects, size, per_slab, pages, limit; }; /* limit: of SLAB's per-CPU arrays */

/* /proc/meminfo, KiB. `have`: one bit a line, by its place here. */
#define SNAP_MEM_LINES(X) \
    X(total, "MemTotal") X(free, "MemFree") X(available, "MemAvailable") X(active_file, "Active(file)") X(inactive_file, "Inactive(file)") \
    X(reclaimable, "KReclaimable") X(swap, "SwapTotal") X(hugetlb, "Hugetlb") X(commit_limit, "CommitLimit")
enum {
#define X(name, text) SNAP_MEM_##name,
    SNAP_MEM_LINES(X)
#undef X
    N_SNAP_MEM
};
struct snap_mem { uint64_t v[N_SNAP_MEM]; unsigned have; };

/* What a frame is used for. OTHER includes the per-CPU lists. */
#define FRAME_CLASSES(X) \
    X(NONE, "none") X(FREE, "free") X(SLAB, "slab") X(PGTABLE, "pgtable") X(ANON, "anon") X(HUGE, "huge") X(FILE, "file") \
    X(RESERVED, "reserved") X(OTHER, "other")
enum frame_class {
#define X(name, text) CLASS_##name,
    FRAME_CLASSES(X)
#undef X
    N_FRAME_CLASSES
};
struct snap_run { uint64_t pfn, pages; enum frame_class class; };

struct snapshot {
    char *prefix; /* FOLDER/before */
    struct snap_zone zone[SNAP_ZONES];
    unsigned zones, node[FRAME_NODES], nodes; /* nodes: those that zones name, ascending; above FRAME_NODES: only counted */
    bool has_buddy, has_types, has_info, has_unusable, has_extfrag, has_map, has_slab, has_vmstat, has_mem;
    unsigned pageblock_order;
    struct { uint64_t pgfree, compact_isolated, pgmigrate_success; } vmstat; /* pages since boot */
    struct snap_mem mem;
    struct snap_slab *slab;
    size_t slabs;
    struct snap_run *run; /* ascending, disjoint */
    size_t runs;
    uint64_t pages; /* end of the last run */
};

/* Reads what exists of PREFIX.buddyinfo and so on (also with .zst, .xz, .gz, .bz2): a file that is missing is no error, a
 * broken one is. */
int snapshot_read(struct snapshot **out, const char *prefix, struct err *err);
/* ... with each broken file left out, told to `broken`. -1: out of memory. */
typedef void snapshot_broken(void *self, const char *what, const struct err *why);
int snapshot_read_whole_files(struct snapshot **out, const char *prefix, snapshot_broken *broken, void *self, struct err *err);
void snapshot_free(struct snapshot *s); /* NULL is fine */
struct snap_zone *snapshot_zone(struct snapshot *s, unsigned node, const char *name); /* NULL if there is none */
const char *frame_class_name(enum frame_class c);
/* NAME or NAME.zst and so on if it exists, allocated; NULL. */
char *snapshot_find(const char *name);

/* One parser a file, also for fuzzing; `in` is read to its end. */
struct trace_input;
int snapshot_parse_buddyinfo(struct snapshot *s, struct trace_input *in, struct err *err);
int snapshot_parse_pagetypeinfo(struct snapshot *s, struct trace_input *in, struct err *err);
int snapshot_parse_zoneinfo(struct snapshot *s, struct trace_input *in, struct err *err);
int snapshot_parse_unusable(struct snapshot *s, struct trace_input *in, struct err *err);
int snapshot_parse_extfrag(struct snapshot *s, struct trace_input *in, struct err *err);
int snapshot_parse_slabinfo(struct snapshot *s, struct trace_input *in, struct err *err);
int snapshot_parse_vmstat(struct snapshot *s, struct trace_input *in, struct err *err);
int snapshot_parse_meminfo(struct snapshot *s, struct trace_input *in, struct err *err);
int snapshot_parse_pfnmap(struct snapshot *s, struct trace_input *in, struct err *err);

/* times.json: CLOCK_MONOTONIC nanoseconds. When single files were read, where it says so, else the whole snapshot's. */
enum { SNAP_BEFORE, SNAP_AFTER };
struct snap_read { uint64_t start, end; };
struct snap_times {
    uint64_t before_start, before_end, after_start, after_end;
    struct snap_read map[2], buddy[2], vmstat[2];
    bool files; /* times.json has those of single files */
};
int snapshot_read_times(struct snap_times *out, const char *path, struct err *err);
int snapshot_parse_times(struct snap_times *out, const char *text, size_t n);

#endif
