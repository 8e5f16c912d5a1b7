/*
 * Inside of the oracle. Everything is an event in one heap; every object lives in an arena until the run ends.
 * Readings of docs/model/timing.md that are not obvious stand in its section 9.
 */
#ifndef TESTS_ORACLE_PRIV_H
#define TESTS_ORACLE_PRIV_H

#include "oracle.h"

#include "engine/rng.h"
#include "mmu/paging.h"
#include "vm/migrate.h"
#include "vm/vm.h"

#include <stdarg.h>

/* --- events ---------------------------------------------------------------------------------------------------------- */

enum ev_class { CLASS_ACTION, CLASS_CORE, CLASS_SHARED }; /* order within a tick */
enum ev_phase { PHASE_MESSAGE, PHASE_HOP, PHASE_TICK };   /* TICK: retire, woken, drain, dispatch */

enum ev_kind {
    /* global action */
    EV_CALL, EV_KILL, EV_DECIDE, EV_REMAP, EV_DAEMON_TIMER, EV_DAEMON_END,
    /* messages to a core */
    EV_GRANT, EV_INV, EV_DOWN, EV_ANSWER,
    /* hops of a core */
    EV_STLB, EV_L2_LOOKUP, EV_WALK_READ, EV_WALK_GO, EV_WALK_AGAIN, EV_OS_BEGIN, EV_OS_NEXT, EV_OS_ANSWER,
    /* a core's cycle */
    EV_TICK,
    /* arrivals at the shared side */
    EV_GETS, EV_GETI, EV_GETM, EV_PUTM, EV_ACK, EV_FAULT, EV_SYSCALL, EV_RELEASE,
    /* shared */
    EV_FILL, EV_BUS,
};

struct event {
    tick_t tick;
    uint32_t cls, major, minor; /* class; core or source; phase */
    uint64_t seq;
    enum ev_kind kind;
    uint32_t core;
    void *p;
    uint64_t line, value;
};

struct heap {
    struct event *e;
    size_t n, cap;
};
void o_heap_push(struct heap *h, const struct event *e);
struct event o_heap_pop(struct heap *h);

/* --- a vector of pointers, used for every queue ---------------------------------------------------------------------- */

struct list {
    void **v;
    size_t n, cap;
};
void o_list_push(struct list *l, void *p);
void *o_list_take(struct list *l, size_t i); /* removes and returns element i, order kept */
void o_list_fini(struct list *l);

/* --- naive sets ------------------------------------------------------------------------------------------------------ */

struct naive_way {
    bool valid;
    uint64_t key;
    unsigned rrpv;
    /* payload of whoever owns the set */
    struct xlat xlat;      /* TLB */
    uint64_t table;        /* paging-structure cache */
    char state;            /* L2: M E S */
    bool writable, dirty;  /* L1D; LLC dirty */
    int owner;             /* LLC: -1 none */
    uint64_t sharers;      /* LLC */
};
struct naive {
    uint32_t sets, ways;
    int policy;
    struct naive_way *way;  /* [sets * ways] */
    uint32_t *order;        /* [sets * ways] way numbers, first to be thrown out first; n_order of them */
    uint32_t *n_order;      /* [sets] */
    uint8_t *bits;          /* [sets * ways] tree nodes 1 .. ways-1 */
    struct rng rng;
    bool plant_lru;
};
void naive_init(struct naive *s, uint32_t sets, uint32_t ways, int policy, uint64_t seed, const char *name);
void naive_fini(struct naive *s);
struct naive_way *naive_find(struct naive *s, uint64_t key); /* does not promote */
void naive_use(struct naive *s, struct naive_way *w);        /* a hit */
/* The way an insertion of `key` would take; random draws a number if the set is full. */
struct naive_way *naive_choose(struct naive *s, uint64_t key);
void naive_put(struct naive *s, struct naive_way *w, uint64_t key); /* inserts at the chosen way */
void naive_drop(struct naive *s, struct naive_way *w);

/* --- translation caches ---------------------------------------------------------------------------------------------- */

struct tlb_counts { uint64_t accesses, hits, misses, by_size[PAGE_SIZE_COUNT]; };
struct otlb {
    struct naive array[PAGE_SIZE_COUNT];
    int home[PAGE_SIZE_COUNT];
    struct tlb_counts st;
};
void otlb_init(struct otlb *t, const struct tlb_config *c, uint64_t seed, const char *name);
void otlb_fini(struct otlb *t);
struct xlat otlb_lookup(struct otlb *t, uint32_t asid, uint64_t va, const struct access_check *c);
bool otlb_has(struct otlb *t, uint32_t asid, uint64_t va, const struct access_check *c);
void otlb_insert(struct otlb *t, uint32_t asid, uint64_t va, struct xlat x);
void otlb_drop(struct otlb *t, uint32_t asid);
/* Every entry whose page in the tables meets [va, va + bytes). */
void otlb_drop_range(struct otlb *t, uint32_t asid, uint64_t va, uint64_t bytes);

struct opsc {
    struct naive level[PSC_MAX_LEVEL + 1];
    bool there[PSC_MAX_LEVEL + 1];
    uint64_t accesses, hits, misses, by_level[PSC_MAX_LEVEL + 1];
};
void opsc_init(struct opsc *p, const struct psc_config *c, uint64_t seed, const char *name);
void opsc_fini(struct opsc *p);
void opsc_start(struct opsc *p, uint32_t asid, struct walk *w);
void opsc_fill(struct opsc *p, uint32_t asid, const struct walk *w);
void opsc_drop(struct opsc *p, uint32_t asid);
void opsc_drop_va(struct opsc *p, uint32_t asid, uint64_t va);

/* --- private caches -------------------------------------------------------------------------------------------------- */

enum origin { ORIGIN_CPU, ORIGIN_WALK, ORIGIN_OS, ORIGINS };

struct cache_counts {
    uint64_t accesses, hits, misses, read_misses, write_misses, upgrades, mshr_merges, mshr_full, writebacks;
    uint64_t origin_accesses[ORIGINS], origin_misses[ORIGINS];
};

enum acc_kind { ACC_PART, ACC_STORE, ACC_WALK_READ, ACC_WALK_AD, ACC_OS };
struct acc { /* one access to one line */
    enum acc_kind kind;
    enum origin origin;
    bool write, dead;
    uint64_t line;
    void *who; /* struct part, struct owalk; the core for ACC_OS */
    uint64_t os_pa, os_value;
    bool os_pte;
};

struct level1;
struct mshr1 {
    struct level1 *l1;
    uint64_t line;
    struct list accs;
    bool busy;
};
struct level1 {
    struct naive tags;
    bool data; /* L1D */
    uint32_t latency;
    struct mshr1 *mshr;
    uint32_t mshrs;
    struct list fifo; /* acc */
    struct cache_counts st;
};
struct client2 { /* who asks the L2: an L1 MSHR or a walk's read */
    struct mshr1 *m;
    struct acc *walk;
};
struct mshr2 {
    uint64_t line;
    struct list clients;
    bool busy;
};
struct level2 {
    struct naive tags;
    uint32_t latency, mshrs;
    struct mshr2 *mshr;
    struct list fifo; /* client2 */
    struct cache_counts st;
};

/* --- cores ----------------------------------------------------------------------------------------------------------- */

enum part_kind { PART_FETCH, PART_LOAD, PART_STORE, PART_MODIFY };
struct entry;
struct part {
    enum part_kind kind;
    uint64_t va, pa, number; /* number: program order */
    struct entry *entry;     /* of the window */
    bool dead, parked, known;
    bool first; /* of its record, which is counted when it begins */
    unsigned error_code;
    cyc_t done; /* valid if known */
};
struct entry { /* an instruction */
    struct list fetch, data; /* struct part */
    uint8_t wr[2], rd[4];
    struct entry *producer[4];
    bool issued, retired;
    cyc_t issue;
};
struct owalk {
    uint64_t va, vpn;
    unsigned access;
    struct list parts;
    struct walk w, before;
    cyc_t start;
    uint64_t value;
    bool restart, dead;
};
/* What the operating system does on a core, one access or one wait a step. */
enum step_kind { STEP_READ, STEP_WRITE, STEP_ENTRY, STEP_WAIT };
struct step {
    enum step_kind kind;
    uint64_t pa, value; /* value: of the entry; cycles */
};
struct steps {
    struct step *v;
    size_t n, cap, at;
};
enum core_state { CORE_RUN, CORE_CALL, CORE_PAUSE, CORE_DONE };
/* kcompactd on a core: it is to run here; the core drains for it; the lock was asked for; the work is being done. */
enum daemon_state { DAEMON_NONE, DAEMON_DUE, DAEMON_DRAINS, DAEMON_ASKED, DAEMON_RUNS };
struct os_req;
struct ocore {
    uint32_t k, process, asid;
    const struct oracle_stream *s;
    size_t at;          /* next record */
    enum core_state state;
    cyc_t resume, finish, last_tick;
    bool ticked;        /* last_tick is valid */
    cyc_t next_tick;    /* the last one that was set */
    uint64_t sent, references, instructions, parts;

    struct level1 l1i, l1d;
    struct level2 l2;
    struct otlb itlb, dtlb, stlb;
    struct opsc pwc;
    struct list running, queued; /* owalk */
    uint64_t walks, walk_cycles, pte_reads, merges, ad_assists, faults, completed[PAGE_SIZE_COUNT];

    struct entry *cur;    /* serial: being executed; window: fetch going on */
    size_t cur_part;
    struct part *waiting; /* the part the core waits for */
    cyc_t count_cycle;
    uint32_t count;
    struct list window;   /* entry, oldest first */
    struct list buffer;   /* part, oldest first */
    bool draining;        /* the head's access is going on */

    struct list parked;   /* part */
    bool handling;
    uint64_t fault_va; /* that is being handled */
    struct steps steps;
    uint32_t outstanding;
    bool in_pump, next_hop;
    cyc_t stall; /* interrupts keep it from dispatching until then */
    enum daemon_state daemon;
    struct os_req *daemon_asked;
    bool dead;   /* its process ended while kcompactd was to run here */
};

/* --- shared side ------------------------------------------------------------------------------------------------------ */

struct req {
    uint32_t core;
    enum ev_kind kind;
    enum origin origin;
    uint64_t line;
    tick_t arrival;
};
enum tx_kind { TX_DRAM, TX_SNOOP, TX_EVICT };
struct tx {
    enum tx_kind kind;
    uint64_t line, pending;
    struct req *req;
    bool dirty, old_present;
    int old;
    struct list fifo; /* req */
};
struct dram_req {
    uint64_t line;
    bool write;
    struct tx *tx;
    enum origin origin;
};
struct os_req {
    struct ocore *core;
    bool fault, daemon, dead; /* dead: nobody wants the answer any more */
    va_t va;
    unsigned error_code;
};

struct world {
    const struct machine_config *m;
    enum oracle_plant plant;
    uint64_t P, OUT, IN;
    tick_t now, last_shared;
    cyc_t cycle; /* of the core event that runs */
    struct heap heap;
    struct list arena, arena_lists;
    uint64_t next_seq;  /* messages and hops */
    uint64_t n_events, n_inboxed;
    uint32_t n;
    struct ocore *core;

    struct list *bus_fifo; /* [n] req */
    bool bus_pending;
    tick_t bus_free;
    int bus_last;
    uint64_t *grants, *wait_ps;
    struct naive llc;
    struct cache_counts llc_st;
    uint64_t writebacks_in, snoops, back_invalidations;
    struct list txs, stall, dram_fifo;
    uint32_t llc_used;
    struct dram *dram;
    uint64_t seq_fill, seq_llc, seq_bus;
    uint32_t plant_n;

    struct frame_map *frames;
    struct phys_mem mem;
    struct vm *vm;
    struct compaction *compaction; /* NULL: off */
    struct vm_mover mover;
    struct list round;  /* o_move */
    struct steps gathered;
    uint64_t entry;     /* that the present move changed; 0 none */
    uint32_t entry_asid;
    cyc_t *lost;        /* [n] cycles that cores lose to interrupts */
    bool lock;
    struct list os_fifo; /* os_req */
    struct o_node *node; /* daemon.c */
    bool timer, daemon_busy, daemon_releases; /* a timer is set; a core has the work; the next release is its */

    struct oracle_arrival *arrival;
    size_t n_arrivals, cap_arrivals;
    struct err *err;
    bool failed;
};

void *o_arena(struct world *w, size_t bytes); /* zeroed */
void o_arena_list(struct world *w, struct list *l); /* a list inside an object of the arena: freed with it */
/* Our own invariant is broken: the first one stays in w->err, with a dump of the state on stderr if asked for. */
void o_broken(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void o_dump_world(const struct world *w);
void o_check_line(struct world *w, uint64_t line);
void o_check_all(struct world *w);

void o_hop(struct ocore *c, struct world *w, cyc_t delay, enum ev_kind kind, void *p); /* delay >= 1 */
void o_tick_at(struct world *w, struct ocore *c, cyc_t cycle);
void o_send_shared(struct world *w, struct ocore *c, enum ev_kind kind, uint64_t line, uint64_t value, void *p);
/* A message that the shared side sends at `when`. */
void o_send_core(struct world *w, uint32_t core, enum ev_kind kind, tick_t when, uint64_t line, uint64_t value, void *p);
void o_global_action(struct world *w, enum ev_kind kind, tick_t when, uint32_t core, void *p);

void o_l1_access(struct world *w, struct ocore *c, struct level1 *l1, struct acc *a, bool count);
void o_l2_lookup(struct world *w, struct ocore *c, struct client2 *cl, bool count);
void o_l2_grant(struct world *w, struct ocore *c, uint64_t line, char state);
void o_snoop(struct world *w, struct ocore *c, uint64_t line, bool inv);
void o_acc_served(struct world *w, struct ocore *c, struct acc *a);

void o_count_record(struct ocore *c, const struct part *p);
void o_part_begin(struct world *w, struct ocore *c, struct part *p);
void o_part_stlb(struct world *w, struct ocore *c, struct part *p);
void o_part_translated(struct world *w, struct ocore *c, struct part *p);
void o_part_done(struct world *w, struct ocore *c, struct part *p, cyc_t at);
void o_ask_walk(struct world *w, struct ocore *c, struct part *p);
void o_walk_read(struct world *w, struct ocore *c, struct owalk *k);
void o_walk_go(struct world *w, struct ocore *c, struct owalk *k, bool again);
void o_walk_value(struct world *w, struct ocore *c, struct owalk *k); /* the line of the entry is here */
void o_walk_ad_done(struct world *w, struct ocore *c, struct owalk *k);

struct entry *o_next_instruction(struct world *w, struct ocore *c); /* NULL: end of stream or a call comes */
bool o_at_call(const struct world *w, const struct ocore *c);
void o_end_or_call(struct world *w, struct ocore *c); /* the core is drained and has no instruction next */
void o_core_tick(struct world *w, struct ocore *c);
void o_serial_dispatch(struct world *w, struct ocore *c);
bool o_is_serial(const struct world *w);
void o_drain(struct world *w, struct ocore *c);
void o_store_done(struct world *w, struct ocore *c);

void o_send_fault(struct world *w, struct ocore *c, struct part *p);
void o_os_answer(struct world *w, struct ocore *c, struct fault_answer *a);
void o_os_pump(struct world *w, struct ocore *c);
void o_os_store_done(struct world *w, struct ocore *c, struct acc *a);
void o_os_arrival(struct world *w, const struct event *e);
void o_step(struct steps *s, enum step_kind kind, uint64_t pa, uint64_t value);
void o_drop_all(struct world *w, uint32_t asid); /* translations of an address space, in every core */
int o_compact_init(struct world *w, struct err *err);
void o_compact_fini(struct world *w);
void o_compact_discard(struct world *w);
void o_compact_pay(struct world *w, struct ocore *c); /* the steps become the core's */
void o_os_action(struct world *w, const struct event *e);
void o_daemon_init(struct world *w);
void o_daemon_look(struct world *w); /* in a global action: a core gets the work, if there is any */
bool o_daemon_late(const struct world *w); /* a timer has nothing to do any more */
void o_daemon_timer(struct world *w);
void o_daemon_ask(struct world *w, struct ocore *c);
void o_daemon_run(struct world *w, struct ocore *c);
void o_daemon_done(struct world *w, struct ocore *c);
void o_daemon_end(struct world *w);
void o_daemon_killed(struct world *w, struct ocore *c);

void o_bus_arrival(struct world *w, const struct event *e);
void o_bus_grant(struct world *w);
void o_llc_ack(struct world *w, const struct event *e);
void o_llc_fill(struct world *w, struct tx *t);
void o_dram_step(struct world *w, tick_t at);

#endif
