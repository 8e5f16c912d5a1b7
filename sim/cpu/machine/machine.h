/*
 * A simulated machine: built from a configuration, fed by one source of records a core, run in timed or functional
 * mode, asked for statistics. Owns everything; several machines can live in one process.
 *
 *   machine_new(&m, &cfg, &err);
 *   machine_set_source(m, k, source);              for each core
 *   machine_set_sampler(m, fn, ctx);               optional: rows of a time series
 *   reason = machine_run(m, &err);
 *   stats = machine_stats(m);
 *   machine_free(m);
 */
#ifndef CPU_MACHINE_H
#define CPU_MACHINE_H

#include "cpu/core.h"
#include "cpu/machine/machine_config.h"
#include "engine/windows.h"
#include "slab/calls/calls.h"
#include "slab/slab.h"
#include "vm/vm.h"

/*
 * Size of an EXIT record whose process has threads on several cores: nothing orders the threads in a replay, so the
 * process ends with the run, when all of them have been replayed. workload.c makes it out of a process's EXIT.
 */
enum { CORE_EXIT_LATER = 2 };
enum { MACHINE_PROCESSES = 1 << 20 }; /* numbers of processes are below: a fork of a higher one is not made */
/* Kind of a record that workload.c makes out of a reference to kernel addresses when slab debugging is on: it is an access
 * to an object, not simulated as a reference. */
enum { CORE_KIND_TOUCH = 255 };

enum machine_end {
    MACHINE_END_TRACE,       /* every source has ended */
    MACHINE_END_LIMIT,       /* sim.limit reached */
    MACHINE_END_INTERRUPTED, /* *stop was set */
    MACHINE_END_ERROR,       /* a source or a check failed; err says how */
};

/* What happened that a person wants to read of: goes to events.jsonl. */
struct ageing_report;
struct machine_event {
    tick_t time;
    uint64_t references, instructions; /* simulated so far, over all cores */
    const char *kind;   /* "oom_kill", "segfault", "process_exit" */
    unsigned core;
    uint32_t process;
    uint64_t va;
    uint64_t pages; /* resident pages of the process, 4 KiB */
    const struct slab_finding *slab; /* "slab_double_free", ...: what was found; else NULL */
    const struct ageing_report *aged; /* "aged", "snapshot": how memory stands at the start; else NULL */
};

struct machine_hooks {
    void *self;
    void (*event)(void *self, const struct machine_event *e);                         /* may be NULL */
    void (*sample)(void *self, struct machine *m);                                    /* may be NULL */
    /* A MARK record has been reached; called when no core has anything half done. May be NULL. */
    void (*mark)(void *self, struct machine *m, uint64_t number, const char *text);
    void (*arrival)(void *self, tick_t tick, const struct mem_req *r);                /* may be NULL: tests */
    bool (*interrupted)(void *self);                                                  /* may be NULL */
};

int machine_new(struct machine **out, const struct machine_config *cfg, struct err *err);
/* ... with memory that the caller has built for cfg (and cfg->cpu.count CPUs): it becomes the machine's, also on error. `report`: how
 * it stands, for the event "snapshot"; may be NULL. */
struct frame_map;
int machine_new_with(struct machine **out, const struct machine_config *cfg, struct frame_map *memory,
                     const struct ageing_report *report, struct err *err);
void machine_free(struct machine *m);
void machine_set_source(struct machine *m, unsigned core, struct ref_source src);
void machine_set_hooks(struct machine *m, const struct machine_hooks *h);
/* Numbers of processes come in groups of n (a trace's): the child that a fork names is of its parent's group, and none if
 * the number is not below n. 0, the default: numbers are the machine's own. */
void machine_set_process_groups(struct machine *m, uint32_t n);
/* For tests: the order in which cores are visited within a round. */
void machine_set_order(struct machine *m, const unsigned *order);

/*
 * The warm-up alone, if it is one without time (functional mode, or sim.warmup_mode = functional): true if it came to its
 * end, the machine's state can then be saved. machine_run goes on from there, and does the warm-up itself otherwise.
 */
bool machine_warm_up(struct machine *m);
bool machine_has_functional_warm_up(const struct machine *m);
enum machine_end machine_run(struct machine *m, struct err *err);
/*
 * The state at the end of such a warm-up, as bytes. Loading: the machine is new, built from a configuration that differs at
 * most in PARAM_NOT_WARM values, its sources stand where they stood (the batch that a core had begun comes again).
 * The state is verified with all checks; after a failure (state_close tells) the machine can only be freed.
 */
struct state_io;
void machine_state(struct machine *m, struct state_io *io);
/* References of a functional warm-up before a timed part, once it is over; 0 before and without. */
uint64_t machine_untimed_references(const struct machine *m);
/* Time passes now: not in functional mode, not in a functional warm-up. */
bool machine_in_time(const struct machine *m);
/* All checks that `sim.checks` asks for, and those of every run's end. */
int machine_check(struct machine *m, struct err *err);

struct stats *machine_stats(struct machine *m);
const struct machine_config *machine_cfg(const struct machine *m);
struct frame_map *machine_frames(struct machine *m);
struct slab_sys *machine_slab(struct machine *m); /* NULL without an MMU */
bool machine_has_objects(const struct machine *m); /* the traces had kernel objects */
const struct slab_calls *machine_calls(const struct machine *m); /* NULL: the traces had no alloc_pages, vmalloc, kvmalloc, mempool */
struct vm *machine_vm(struct machine *m);
/* The number in the traces of the process that has an address space. */
#define MACHINE_NO_PROCESS UINT32_MAX
uint32_t machine_process_of(const struct machine *m, uint32_t asid);
struct memsys *machine_memsys(struct machine *m);
struct core *machine_core(struct machine *m, unsigned k);
uint64_t machine_references(const struct machine *m);     /* at the last sample or at the end */
uint64_t machine_references_now(const struct machine *m); /* cores may be at different times within a window */
tick_t machine_time(const struct machine *m);   /* functional: 0 */
cyc_t machine_finish(const struct machine *m, unsigned core);
uint64_t machine_sample_interval(const struct machine *m); /* references; cycles with several timed cores */
void machine_set_sample_interval(struct machine *m, uint64_t interval);
/* Tells why a source ended early; the run ends with MACHINE_END_ERROR. */
void machine_fail(struct machine *m, const struct err *err);
/* Fails because of a reference that no program makes. */
void core_refuse(struct core *c, const struct trace_rec *r);

#endif
