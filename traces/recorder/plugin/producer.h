/*
 * The plugin's side of wire.h. One set of threads a process; after a fork the child starts its own (producer_forked).
 * Functions whose name ends in _locked are called with wire->lock held.
 */
#ifndef RECORDER_PRODUCER_H
#define RECORDER_PRODUCER_H

#include "../wire.h"

#include <stdbool.h>
#include <stddef.h>

#define VCPUS 65536u /* of a process, QEMU's numbers */

struct producer {
    struct wire *wire;
    uint32_t process, image;
    int pid;
    bool ended;            /* the process's EXIT is out: nothing follows */
    _Atomic unsigned live; /* lanes in use */
    struct wire_lane *lane[VCPUS];
    struct wire_lane nowhere; /* takes the words of threads that have no lane */
    unsigned vcpu[WIRE_LANES]; /* those that have a lane, `live` of them */
};
extern struct producer producer;

int producer_attach(int fd, uint32_t process);
void producer_lock(void);
void producer_unlock(void);
/* Something has run out: the recording ends, the program goes on. */
void producer_give_up(enum wire_fault why);
/* A lane for vcpu, as `thread` of the process. */
void producer_thread(unsigned vcpu, uint32_t thread);
void producer_thread_ends(unsigned vcpu);
/* The process ends: what its threads do from now on is not told. */
void producer_process_ends(void);
/* Numbers for a new thread, or a new process with its thread. */
uint32_t producer_new_thread(void);
bool producer_new_process(uint32_t *process, uint32_t *thread);
/* In the child of a fork: only vcpu goes on, as this process and thread. Returns when the parent's FORK record is out. */
void producer_forked(unsigned vcpu, uint32_t process, uint32_t thread);
void producer_announce(uint32_t process);
/* An event with its words, then bytes padded to words. */
void producer_event(unsigned vcpu, enum wire_event e, const uint64_t *words, unsigned n, const void *bytes, size_t nbytes);
void producer_commit(unsigned vcpu);
void producer_commit_all(void);
/* The chunk is full. */
void producer_turn(unsigned vcpu);

static inline void producer_put(unsigned vcpu, uint64_t word)
{
    struct wire_lane *l = producer.lane[vcpu];
    uint64_t i = atomic_load_explicit(&l->at, memory_order_relaxed);
    producer.wire->word[i++] = word;
    atomic_store_explicit(&l->at, i, memory_order_release);
    if (__builtin_expect(!(i & (WIRE_CHUNK_WORDS - 1)), 0))
        producer_turn(vcpu);
}

#endif
