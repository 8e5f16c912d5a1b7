/*
 * From the words of wire.h to trace records. Private to traces/recorder.
 *
 * A block's instructions are put out as its accesses name them, the rest when the next block is entered. QEMU splits
 * accesses into pieces of at most 8 bytes: pieces of one instruction that continue each other are joined up to
 * EXPAND_JOIN_BYTES, and a load and a store of the same bytes by one instruction become one load-and-store.
 */
#ifndef TRACES_RECORDER_EXPAND_H
#define TRACES_RECORDER_EXPAND_H

#include "traces/recorder/drain.h"
#include "traces/recorder/wire.h"

#define EXPAND_JOIN_BYTES 64u /* the widest vector register */
#define EXPAND_RECS 16384u    /* records that are gathered before the sink gets them */

struct expand_block {
    struct trace_rec *fetch; /* one an instruction */
    uint64_t pc, bytes, target;
    uint16_t insns;
    uint8_t flow;
};

struct expand_lane { /* what is known of the thread that has the lane */
    const struct expand_block *block;
    unsigned next; /* its first instruction that is not put out */
};

struct expand {
    struct record_sink sink;
    const uint8_t *code;
    uint64_t code_bytes;
    struct expand_block **block; /* by number, filled when met */
    struct expand_lane lane[WIRE_LANES];
    uint32_t process, thread; /* of what is gathered */
    size_t n, access; /* elements; where the current instruction's accesses begin */
    struct trace_rec rec[EXPAND_RECS + 2 * WIRE_BLOCK_INSNS];
};

int expand_init(struct expand *x, const uint8_t *code, uint64_t code_bytes, struct record_sink sink, struct err *err);
void expand_fini(struct expand *x);
/* From here on the records belong to this thread. */
int expand_thread(struct expand *x, uint32_t process, uint32_t thread, struct err *err);
/* Takes words up to the first event; *used says how many. */
int expand_words(struct expand *x, uint32_t lane, const uint64_t *w, size_t n, size_t *used, struct err *err);
/* What is left of the lane's block has been executed (an event follows, or nothing). */
int expand_rest(struct expand *x, uint32_t lane, struct err *err);
/* A record that is no reference. */
int expand_put(struct expand *x, struct trace_rec r, const uint64_t *words, unsigned n, const char *string, struct err *err);
int expand_flush(struct expand *x, struct err *err);

#endif
