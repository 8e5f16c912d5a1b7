/*
 * One core: translation structures, private caches, and the machinery that moves references through them in time.
 * docs/model/timing.md is the contract; docs/model/core.md explains. State changes are written once, in priv.c and the mmu
 * library; functional.c calls them directly, the timed files wrap them in hops and messages.
 */
#ifndef CPU_CORE_H
#define CPU_CORE_H

#include "cpu/cpu_config.h"
#include "cpu/hot.h"
#include "cpu/machine/machine_config.h"
#include "engine/inbox.h"
#include "engine/stats.h"
#include "engine/wheel.h"
#include "frames/phys_mem.h"
#include "memory/memsys.h"
#include "mmu/fault.h"
#include "mmu/psc.h"
#include "mmu/segment.h"
#include "mmu/tlb.h"
#include "traces/trace.h"

#define NIL UINT32_MAX

enum { L1D_WRITABLE = 1, L1D_DIRTY = 2 }; /* flags of an L1D line; the L2 keeps enum line_state */

enum part_kind {
    PART_FETCH, PART_LOAD, PART_STORE, PART_MODIFY, /* of the program: kinds of reference */
    PART_DRAIN,      /* the store buffer's oldest store writes */
    PART_WALK_READ, PART_WALK_WRITE, /* the walker: owner is the walk */
    PART_OS, PART_OS_READ, /* a store, a read of the fault handler: owner is the operation */
};

struct part { /* a reference's share of one line, while it is under way */
    uint64_t order; /* program order within the core */
    va_t va;
    pa_t pa;        /* once translated */
    uint32_t next;  /* the list it waits in */
    uint32_t sibling; /* window core: next store of the entry */
    uint32_t owner; /* window entry, walk, operation */
    uint32_t error; /* PF_* of the walk that faulted */
    uint8_t kind;   /* enum part_kind */
    bool ready;      /* a store of the window core that only waits for retirement */
    bool live, dead; /* in use; its process ended while it was under way */
};

struct plist { uint32_t head, tail; }; /* of parts, by .next */

struct client { /* who asks the L2: MSHRs of L1I and L1D, walks that go to the L2 directly; lines in client_line */
    struct plist parts;
    uint32_t next; /* waiting in an L2 MSHR or in the L2's FIFO */
    bool write;
    uint8_t origin;
    uint8_t cache; /* 0 L1I, 1 L1D, 2 none */
};

struct l2_mshr { uint32_t head, tail; }; /* waiting clients; lines in l2_line */

enum { CLASS_FETCH, CLASS_READ, CLASS_WRITE, CLASS_COUNT };

enum { WALK_BUCKETS = 256 }; /* walks under way by page and kind of access: a window full of misses asks hundreds */

struct walk_run {
    struct walk w;
    struct plist parts; /* that wait for it */
    uint64_t vpn;
    cyc_t start;
    uint32_t next; /* list of running or queued */
    uint32_t chain; /* walks of one bucket */
    uint32_t client;
    uint64_t value;
    uint8_t class;
    bool assisted; /* the entry's A or D bit has been set: judge it anew from `before` */
    bool restart;  /* the tables have changed */
    bool live, dead;
    struct walk before;
};

#define WALKER_STATS(X)                                                                                                 \
    X(walks, "walks", "page walks started")                                                                             \
    X(merges, "parts", "references that joined a walk to the same page")                                                \
    X(cycles, "cycles", "sum over walks of their duration")                                                             \
    X(pte_reads, "reads", "page-table entries read")                                                                    \
    X(ad_assists, "assists", "accessed or dirty bits set")                                                              \
    X(faults, "walks", "walks that ended in a page fault")                                                              \
    X(walk_completed_4k, "walks", "walks that found a 4 KiB page")                                                      \
    X(walk_completed_2m, "walks", "walks that found a 2 MiB page")                                                      \
    X(walk_completed_1g, "walks", "walks that found a 1 GiB page")
struct walker_stats {
    WALKER_STATS(STAT_FIELD)
};

#define CORE_STATS(X)                                                                                                   \
    X(references, "references", "instruction fetches, loads, stores; a load-and-store is one")                          \
    X(instructions, "instructions", "instructions begun")                                                               \
    X(fetches, "references", "instruction fetches")                                                                     \
    X(loads, "references", "loads")                                                                                     \
    X(stores, "references", "stores")                                                                                   \
    X(modifies, "references", "load-and-stores")                                                                        \
    X(cycles, "cycles", "cycle in which the core was last active")                                                      \
    X(switches, "switches", "changes of thread")                                                                        \
    X(dropped, "references", "references of a process that had ended")                                                  \
    X(segment_faults, "references", "references that segmentation refused (#GP or #SS: not canonical, ...), not performed")
struct core_stats {
    CORE_STATS(STAT_FIELD)
};

/* Where a core's records come from: 1 a batch, 0 the end, -1 error. */
struct ref_source {
    void *self;
    int (*next)(void *self, struct trace_batch *out);
};

enum hop_kind { HOP_L2, HOP_STLB, HOP_WALK_READ, HOP_WALK_GO, HOP_WOKEN, HOP_OS_ANSWER, HOP_OS_BEGIN, HOP_OS_ISSUE, HOP_RESUME };
enum { MSG_OS_ANSWER = MSG_MEMORY_KINDS };

/* An instruction in the window. Most hit everything and are done with when they are dispatched: they need no more than this. */
struct rob_head {
    cyc_t known; /* its completion; CYC_NEVER while that is not known */
    uint16_t n_stores, n_faulted;
    uint8_t n_lines; /* its first stores, translated at once: rob_rest.line */
    bool issued;
    bool rest; /* the other fields of its rob_rest are in use */
};
enum { ROB_LINES = 2 };
struct rob_rest {
    uint64_t line[ROB_LINES];
    cyc_t done, ready;
    uint32_t pending;    /* parts that are not complete */
    uint32_t unknown;    /* producers whose completion is not known */
    struct plist wait;   /* parts that execute at issue */
    struct plist stores; /* behind those of `line`; by .sibling */
    uint32_t deps;       /* consumers that wait for this one */
};
struct dep_link { uint32_t consumer, next; };

struct os_list { struct os_run *run; uint32_t n, cap; };

/* References that hit what their sets used last (hot.h), of the window core: their counters are written when it pauses. */
struct hot_tally { uint32_t fetches, fetch_lines, loads, stores; };

enum os_state { OS_IDLE, OS_ASKED, OS_COST, OS_OPS };

struct machine;

struct core {
    unsigned id;
    struct machine *machine;
    const struct machine_config *cfg;
    bool timed, mmu_on, serial, window_one;
    struct seg_state seg;
    cyc_t now, next;
    cyc_t l1i_lat, l1d_lat, l2_extra_i, l2_extra_d;
    /* translation */
    uint32_t asid;
    uint32_t process;
    bool process_dead;
    struct paging_root root;
    struct access_check check[CLASS_COUNT];
    struct tlb itlb, dtlb, stlb;
    struct psc psc;
    struct phys_mem *mem;
    /* private caches */
    struct cache l1i, l1d, l2;
    bool has_l2;
    /* instruction supply */
    struct ref_source source;
    const struct trace_rec *rec, *rec_end;
    uint32_t thread;
    bool has_thread, ended;
    uint64_t stop_at; /* references after which it takes no more records */
    uint64_t mark_at; /* references at which the machine wants to know */
    struct hot *hot;     /* what is hit without a change; NULL: nothing is known to be (serial cores in time) */
    struct hot *hot_mem; /* its memory, NULL if this core can have none */
    /* timed */
    struct wheel wheel;
    struct inbox inbox;
    struct part *part;
    uint32_t part_n, part_cap, part_free;
    struct client *client;
    uint64_t *client_line, *l2_line; /* ASSOC_EMPTY: free */
    uint32_t n_client, l1d_client0, walk_client0;
    uint32_t l1_free[2], l2_free; /* MSHRs */
    struct plist l1_fifo[2];
    struct l2_mshr *l2_mshr;
    uint32_t l2_fifo_head, l2_fifo_tail;
    struct walk_run *walk;
    uint32_t walk_n, walk_cap, walk_free, walks_running, run_head, queue_head, queue_tail;
    uint32_t walk_bucket[WALK_BUCKETS];
    struct stat_hist walk_latency;
    /* window core */
    struct rob_head *rob;
    struct rob_rest *rob_rest;
    uint64_t rob_mask;
    struct hot_tally tally;
    uint64_t head_seq, tail_seq, order;
    struct dep_link *dep;
    uint32_t dep_n, dep_cap, dep_free;
    uint64_t writer[256]; /* seq + 1 of the last instruction that writes a register */
    uint32_t *woken;
    uint32_t n_woken, cap_woken;
    uint64_t *sb; /* store buffer: ring of lines */
    uint32_t sb_head, sb_n, sb_cap, sb_ring;
    bool sb_waiting;
    bool fe_waiting;      /* a fetch part is under way */
    uint64_t fe_addr, fe_end;
    bool fe_busy;         /* an instruction's fetch has begun, its entry not yet */
    uint32_t parked;      /* faulted parts */
    struct plist parked_list;
    bool daemon_due, daemon_asked; /* kcompactd is to run here; the question to the operating system is its */
    bool draining;        /* waits for an empty window to make a call or to change the thread */
    bool finished;
    struct trace_batch held; /* of another thread, until the core has drained */
    bool has_held;
    /* serial core */
    uint32_t slot;        /* instructions begun in slot_cycle */
    cyc_t slot_cycle;
    bool part_busy;
    uint64_t s_addr, s_end; /* what is left of the present reference */
    uint8_t s_kind;         /* enum part_kind */
    cyc_t resume;
    bool s_alone;           /* data records are instructions of their own */
    uint32_t pending_store; /* serial: translated store that waits for room */
    /* operating system calls of this core */
    enum os_state os;
    bool os_sent;   /* asked, and the operating system has not decided yet */
    uint32_t os_ignore; /* questions in flight of a process that has ended */
    uint32_t epoch; /* counts the processes that ended under way: older wake-ups are void */
    struct fault_answer answer;
    struct os_list work;     /* to be performed before the answer's operations: what a compaction moved */
    const struct os_run *ops; /* being performed */
    uint32_t n_ops;
    cyc_t stall;             /* nothing is dispatched before: interrupts that flushed the TLBs were served */
    va_t os_va;
    unsigned os_error;
    bool os_is_call;
    const struct trace_rec *counted; /* its number in the trace is counted_record (machine_slab.c) */
    uint64_t counted_record;
    const struct trace_rec *call; /* NULL: bind the held batch's process */
    uint32_t op_i, op_rep, op_line, ops_out;
    bool op_hop;
    /* statistics */
    struct core_stats st;
    struct walker_stats wst;
};

#endif
