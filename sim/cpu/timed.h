/* The timed core's parts: each file one idea. docs/model/timing.md is the contract. */
#ifndef CPU_TIMED_H
#define CPU_TIMED_H

#include "cpu/core.h"
#include "cpu/machine/machine.h"

/* timed.c: the cycle, messages, hops */
cyc_t timed_next(struct core *c);
void timed_run(struct core *c, cyc_t limit);
tick_t timed_out(const struct core *c); /* arrival tick of a message sent now */

/* parts */
uint32_t part_new(struct core *c, enum part_kind kind, uint32_t owner, uint64_t order, va_t va);
void part_free(struct core *c, uint32_t p);
void plist_push(struct core *c, struct plist *l, uint32_t p);
uint32_t plist_pop(struct core *c, struct plist *l);

/* l1l2.c: caches in time */
void timed_put_modified(struct core *c, uint64_t line);
/* The cache access of a translated part at this instant: true done, false under way (part_served will be called). */
bool l1_access(struct core *c, uint32_t p, bool counted);
void l2_hop(struct core *c, uint32_t client);
void on_grant(struct core *c, uint64_t line, enum line_state state);
void walk_l2_access(struct core *c, uint32_t part);

/* walker.c: translation in time */
/* Translates at this instant: true with part->pa set, false under way (translated() will be called). */
bool translate(struct core *c, uint32_t p);
void stlb_hop(struct core *c, uint32_t p);
void ask_walk(struct core *c, uint32_t p);
void walk_read(struct core *c, uint32_t w);
void walk_go(struct core *c, uint32_t w);
void walk_served(struct core *c, uint32_t p); /* PART_WALK_READ, PART_WALK_WRITE */
void walks_restart(struct core *c, uint32_t asid);

/* os.c: faults and calls, the core's side */
void os_ask_fault(struct core *c, va_t va, unsigned error);
void os_ask_call(struct core *c);
void os_answer(struct core *c);
void os_begin(struct core *c);
void os_issue(struct core *c);
void os_served(struct core *c, uint32_t p);
void park(struct core *c, uint32_t p);

/* window.c and serial.c */
void window_cycle(struct core *c);
void window_count_hot(struct core *c); /* writes the counters that its tally keeps */
void serial_cycle(struct core *c);
void window_part_done(struct core *c, uint32_t p, cyc_t when);
void serial_part_done(struct core *c, uint32_t p, cyc_t when);
/* store_buffer.c */
void store_buffer_push(struct core *c, uint64_t line);
void store_buffer_drain(struct core *c); /* the drain phase */
void entry_woken(struct core *c, uint32_t e);
void part_done(struct core *c, uint32_t p, cyc_t when); /* a program part's completion is known */
/* A program part is translated: STORE is done, others access their cache. */
void translated(struct core *c, uint32_t p);
void part_served(struct core *c, uint32_t p); /* the cache access of a part is done at this instant */
/* kill.c: the process is gone: drops all that the core has under way for it. */
void core_drop_all(struct core *c, cyc_t when);
void dead_served(struct core *c, uint32_t p); /* a part of a process that has ended gets its line */
void walk_dead_served(struct core *c, uint32_t p);
void walks_drop(struct core *c);
unsigned part_access(const struct part *p);
static inline unsigned part_class(const struct part *p)
{
    return p->kind == PART_FETCH ? CLASS_FETCH : p->kind == PART_LOAD ? CLASS_READ : CLASS_WRITE;
}

#endif
