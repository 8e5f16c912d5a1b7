/*
 * How the MMU and the core call the operating system, and what the operating system answers.
 *
 * The handler decides at one instant; its effect on memory is a list of operations that the faulting core then performs
 * through its own caches (origin `os`): clearing a page is 64 line stores, a page-table entry one 8-byte store. An
 * entry's new value becomes visible when its store is performed. The operating system is entered by one core at a time
 * (the lock is held until the operations are done), so the tables it reads are always consistent.
 */
#ifndef MMU_FAULT_H
#define MMU_FAULT_H

#include "engine/types.h"

/* #PF error code bits (x86-hardware.md 2.6). */
enum {
    PF_PRESENT = 1, PF_WRITE = 2, PF_USER = 4, PF_RSVD = 8, PF_FETCH = 16,
};

enum os_op_kind {
    OS_CLEAR_PAGE, /* store zeros to every line of the 4 KiB frame at pa; its bytes are zero already */
    OS_STORE_PTE,  /* store `value` to the 8 bytes at pa */
    OS_COPY_PAGE,  /* read every line of the 4 KiB frame at pa and store it to the frame at address `value`; contents are not kept */
    /* Of work that has taken effect already (pages that a compaction moved): traffic and time, no change. */
    OS_TOUCH_PTE,  /* store to the 8 bytes at pa what stands there */
    OS_WAIT,       /* when all before is done: `value` core cycles */
};
struct os_op {
    pa_t pa;
    uint64_t value;
    enum os_op_kind kind;
};

enum fault_result {
    FAULT_RESOLVED, /* perform the operations, then repeat the access */
    FAULT_SPURIOUS, /* the tables already allow the access: repeat it */
    FAULT_SEGV,     /* the process may not do this: it ends */
    FAULT_OOM,      /* no frame could be had: the process is killed */
    FAULT_SPLIT,    /* a large page must be split first, wherever it is mapped; then repeat the access */
};

/* A 1 GiB page clears 512 * 512 frames: such runs are one operation with a count. */
enum { FAULT_MAX_OPS = 16 };
struct os_run {
    struct os_op op;
    uint32_t repeat; /* consecutive frames (OS_CLEAR_PAGE, OS_COPY_PAGE) or entries 8 bytes apart (OS_STORE_PTE), >= 1 */
};
struct fault_answer {
    enum fault_result result;
    uint32_t handler_cycles; /* software cost before the operations */
    bool replaces;           /* va's entry is present: before the operations it is cleared and its translation dropped in every core */
    uint32_t n;
    struct os_run ops[FAULT_MAX_OPS];
};

struct fault_ops {
    void *os;
    /* Address space `asid` had no valid translation for `va`. `error_code` is PF_* bits. */
    void (*fault)(void *os, uint32_t asid, va_t va, unsigned error_code, struct fault_answer *out);
};

#endif
