/* What the machine's files share with each other and with the cores: processes, the operating system's side, global actions. */
#ifndef CPU_MACHINE_INTERNAL_H
#define CPU_MACHINE_INTERNAL_H

#include "cpu/machine/machine.h"
#include "frames/ageing/ageing.h"
#include "slab/calls/calls.h"
#include "vm/migrate.h"

struct process { /* of the traces, by number */
    uint32_t asid; /* VM_ASID_NONE: not created */
    bool dead;
    bool exits; /* ends when the run ends (CORE_EXIT_LATER) */
};

enum action_kind { ACTION_CALL, ACTION_KILL, ACTION_SAMPLE, ACTION_WARMUP, ACTION_MARK, ACTION_FAULT, ACTION_REMAP,
                   ACTION_DAEMON_TIMER, ACTION_DAEMON_END };
struct action { /* global action of docs/model/timing.md section 1 */
    cyc_t when;
    unsigned core;
    enum action_kind kind;
    uint64_t number; /* ACTION_MARK: the record's, and its text, owned */
    char *text;
};

/* What compactions have done and nobody has paid for yet (machine_compact.c). */
struct compact_moved;
struct compact_entry;
struct compact_work {
    struct os_list list;
    struct compact_moved *moved; /* blocks of the present round */
    uint32_t n_moved, cap_moved;
    struct compact_entry *entry; /* that changed in this round */
    uint32_t n_entries, cap_entries;
    cyc_t *stall; /* of each core, for the interrupts that flush its TLBs */
};

struct oom_stats { uint64_t kills; };
struct sim_totals { uint64_t references, instructions, cycles; };

struct machine {
    struct machine_config cfg;
    struct stats *stats;
    struct sim_totals totals;
    struct oom_stats oom;
    struct frame_map *frames;
    struct phys_mem mem;
    struct vm *vm;
    struct compaction *compaction; /* NULL: off */
    struct vm_mover mover;
    struct compact_work compact;
    bool daemon_timer, daemon_runs, daemon_locked; /* kcompactd.c: a timer is set, a core has its work, it holds the lock */
    struct slab_sys *slab;       /* NULL without an MMU */
    struct slab_replay *objects; /* the kernel objects of the traces */
    struct slab_calls *calls;    /* ... and all other calls for memory; plays into `objects` */
    bool has_objects;            /* a record of theirs was met */
    bool has_calls;              /* a record of alloc_pages, vmalloc, kvmalloc or a mempool was met */
    struct calls_left_out { uint64_t records; } left_out; /* calls where there is no MMU, and so no memory to serve them from */
    bool objects_told;           /* ... and their statistics are registered */
    struct memsys *memsys;
    struct core *core;
    unsigned cores;
    tick_t period;
    struct process *process;
    uint32_t n_process;
    struct machine_hooks hooks;
    struct ageing_report aged; /* if memory.ageing has a recipe */
    uint32_t process_group; /* machine_set_process_groups() */
    const unsigned *order;
    /* operating system */
    bool os_locked;
    unsigned *os_queue; /* ring of cores that wait for the lock */
    unsigned os_head, os_n;
    struct action *action; /* sorted by (when, order made); marks of one cycle by core */
    uint32_t n_action, cap_action;
    /* run */
    uint64_t interval, next_sample, next_check;
    unsigned turn;       /* functional: the core whose turn it is */
    uint64_t turn_left;  /* references of its turn that are left */
    uint64_t untimed;    /* references of a functional warm-up before a timed part */
    bool begun, in_time; /* the start row was taken; the timed part runs */
    bool warm, limit_hit, interrupted, failed;
    struct err err;
    cyc_t action_cycle; /* of the global action that runs */
    tick_t last_tick;   /* of the last shared event */
};

enum { OS_EV_ASK = MEMSYS_EVENTS, OS_EV_RELEASE };

static inline uint32_t src_os(const struct machine *m) { return m->cores + 4; }

/* The process of a trace, created at first sight; NULL if it could not be (no frame): then it counts as killed. */
struct process *machine_process(struct machine *m, uint32_t number);
void machine_tell(struct machine *m, const char *kind, const struct core *c, uint64_t va, uint64_t pages);
/* Performs an address-space record (drops what the TLBs of all cores know of it) or one of a kernel object; the core's
 * cycles. */
cyc_t machine_call(struct machine *m, struct core *c, const struct trace_rec *r);
void machine_kill(struct machine *m, struct core *c);
/* A process has ended: no core runs it any more, nothing remembers its translations. */
void machine_bury(struct machine *m, uint32_t number);
/* If a fault's answer asks for it before its operations: va's entry is cleared, or its large page split; every core forgets. */
void machine_remap(struct machine *m, uint32_t asid, va_t va, const struct fault_answer *a);
static inline bool machine_remaps(const struct fault_answer *a) { return a->replaces || a->result == FAULT_SPLIT; }
/* The core has reached mark_at references: the machine samples, or ends the warm-up, at the next cycle. */
void machine_mark(struct machine *m, struct core *c);
struct action *machine_add_action(struct machine *m, cyc_t when, unsigned core, enum action_kind kind);
/* A MARK record, for whoever listens (struct machine_hooks). */
void machine_note_mark(struct core *c, const struct trace_rec *r);
void core_bind_process(struct core *c, uint32_t process);
bool is_call(const struct trace_rec *r);
static inline void core_take_batch(struct core *c, const struct trace_batch *b)
{
    c->rec = c->counted = b->rec;
    c->rec_end = b->rec + b->n;
    c->counted_record = b->first_record;
}
/* A record that is neither a reference nor a call. */
void core_note(struct core *c, const struct trace_rec *r);
/* machine_slab.c: the kernel's objects. */
int machine_slab_build(struct machine *m, struct err *err);
/* buddy.compaction: the slow path of allocations moves frames. */
int machine_compact_build(struct machine *m, struct err *err);
void machine_compact_free(struct machine *m);
/* After an allocation that may have compacted: the core performs the copies and stores, functional mode at once, in time with the
 * next operations it is given (c->work); cores whose TLBs were flushed stand still. Or nobody does: the process is killed. */
void machine_compact_pay(struct machine *m, struct core *c);
void machine_compact_discard(struct machine *m);
/* kcompactd.c: compaction in the background. */
void machine_daemon_functional(struct machine *m, struct core *c); /* if it is wanted or due: at once, on c */
uint64_t machine_daemon_due_references(const struct machine *m);   /* UINT64_MAX: never */
void machine_daemon_begin(struct machine *m);                      /* of the timed part */
void machine_daemon_look(struct machine *m, cyc_t now);            /* in a global action: a core gets the work */
void machine_daemon_timer(struct machine *m, cyc_t now);
cyc_t machine_daemon_run(struct machine *m, struct core *c, cyc_t now);
void machine_daemon_end(struct machine *m, cyc_t now);
void os_list_add(struct os_list *l, enum os_op_kind kind, pa_t pa, uint64_t value, uint32_t repeat);
void machine_forget_asid(struct machine *m, uint32_t asid); /* every TLB and paging-structure cache */
bool is_slab_record(const struct trace_rec *r);
/* Plays the record; core cycles that it takes. */
cyc_t machine_slab_record(struct machine *m, struct core *c, const struct trace_rec *r);
/* At the run's end: what is left alive, when debugging. */
void machine_slab_end(struct machine *m);
void machine_totals(struct machine *m);
void machine_sample(struct machine *m); /* totals, checks, the hook */

/* core.c */
int core_init(struct core *c, struct machine *m, unsigned id, struct err *err);
void core_fini(struct core *c);
void core_set_timed(struct core *c, bool timed); /* between references of a core that has nothing under way */
void core_add_stats(struct core *c, struct stats *s);
bool core_refill(struct core *c); /* the next batch; false at the end */
int machine_run_timed(struct machine *m);

#endif
