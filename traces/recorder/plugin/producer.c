#include "producer.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WAIT_NS 200000000 /* between two looks whether the recorder still lives */

struct producer producer;

static void futex_wait(_Atomic uint32_t *word, uint32_t seen)
{
    struct timespec t = {.tv_nsec = WAIT_NS};
    syscall(SYS_futex, word, FUTEX_WAIT, seen, &t, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

static uint32_t mode(void)
{
    return atomic_load_explicit(&producer.wire->mode, memory_order_relaxed);
}

void producer_give_up(enum wire_fault why)
{
    uint32_t none = WIRE_FAULT_NONE;
    atomic_compare_exchange_strong(&producer.wire->fault, &none, why);
    atomic_store(&producer.wire->mode, WIRE_CLOSED);
}

void producer_lock(void)
{
    if (pthread_mutex_lock(&producer.wire->lock) == EOWNERDEAD) /* each step under the lock leaves things as they can be */
        pthread_mutex_consistent(&producer.wire->lock);
}

void producer_unlock(void)
{
    pthread_mutex_unlock(&producer.wire->lock);
}

/* Until the consumer has taken something. False: there is none any more. */
static bool wait_consumer(uint32_t seen)
{
    if (mode() == WIRE_CLOSED)
        return false;
    atomic_store(&producer.wire->producer_sleeps, 1);
    if (atomic_load(&producer.wire->tail) == seen)
        futex_wait(&producer.wire->tail, seen);
    if (kill(producer.wire->recorder_pid, 0) < 0 && errno == ESRCH)
        atomic_store(&producer.wire->mode, WIRE_CLOSED);
    return true;
}

static void push_locked(struct wire_entry e)
{
    uint32_t head = atomic_load_explicit(&producer.wire->head, memory_order_relaxed), tail;
    while (head - (tail = atomic_load(&producer.wire->tail)) == WIRE_QUEUE)
        if (!wait_consumer(tail))
            return;
    producer.wire->queue[head % WIRE_QUEUE] = e;
    atomic_store(&producer.wire->head, head + 1);
    if (atomic_load(&producer.wire->consumer_sleeps) && atomic_exchange(&producer.wire->consumer_sleeps, 0))
        futex_wake(&producer.wire->head);
}

static uint32_t lane_number(const struct wire_lane *l)
{
    return (uint32_t)(l - producer.wire->lane);
}

static void commit_locked(struct wire_lane *l, uint32_t flags)
{
    uint64_t to = atomic_load_explicit(&l->at, memory_order_acquire);
    if (l == &producer.nowhere || producer.ended || mode() == WIRE_CLOSED)
        return;
    if (to > l->done || flags)
        push_locked((struct wire_entry){(uint32_t)l->done, (uint32_t)to, lane_number(l), flags});
    l->done = to;
}

static uint64_t new_chunk_locked(void)
{
    uint32_t tail;
    for (;;) {
        tail = atomic_load(&producer.wire->tail);
        if (producer.wire->free_tail != atomic_load(&producer.wire->free_head))
            return (uint64_t)producer.wire->free_chunk[producer.wire->free_tail++ % WIRE_CHUNKS] * WIRE_CHUNK_WORDS;
        if (producer.wire->chunks < WIRE_CHUNKS && producer.wire->chunks < WIRE_CHUNKS_IDLE + 2 * (uint64_t)producer.wire->threads)
            return (uint64_t)producer.wire->chunks++ * WIRE_CHUNK_WORDS;
        if (!wait_consumer(tail))
            return 0;
    }
}

static void set_chunk(struct wire_lane *l, uint64_t start)
{
    l->start = l->done = start;
    atomic_store_explicit(&l->at, start, memory_order_release);
}

void producer_turn(unsigned vcpu)
{
    struct wire_lane *l = producer.lane[vcpu];
    if (l == &producer.nowhere) {
        atomic_store_explicit(&l->at, 0, memory_order_relaxed);
        return;
    }
    producer_lock();
    if (producer.ended || mode() == WIRE_CLOSED) {
        producer.lane[vcpu] = &producer.nowhere;
    } else if (mode() == WIRE_QUIET) {
        if (l->done == l->start) { /* nothing of it was handed over */
            set_chunk(l, l->start);
        } else {
            l->done = atomic_load(&l->at);
            commit_locked(l, WIRE_ENTRY_FREES);
            set_chunk(l, new_chunk_locked());
        }
    } else {
        for (unsigned i = 0; i < producer.live; i++) /* all of them, so that none falls far behind in the trace */
            if (producer.vcpu[i] != vcpu)
                commit_locked(producer.lane[producer.vcpu[i]], 0);
        commit_locked(l, WIRE_ENTRY_FREES);
        set_chunk(l, new_chunk_locked());
    }
    producer_unlock();
}

void producer_commit(unsigned vcpu)
{
    if (mode() != WIRE_RECORD)
        return;
    producer_lock();
    commit_locked(producer.lane[vcpu], 0);
    producer_unlock();
}

void producer_commit_all(void)
{
    if (mode() != WIRE_RECORD)
        return;
    producer_lock();
    for (unsigned i = 0; i < producer.live; i++)
        commit_locked(producer.lane[producer.vcpu[i]], 0);
    producer_unlock();
}

void producer_event(unsigned vcpu, enum wire_event e, const uint64_t *words, unsigned n, const void *bytes, size_t nbytes)
{
    struct wire_lane *l = producer.lane[vcpu];
    unsigned all = n + (unsigned)((nbytes + 7) / 8);
    if (l == &producer.nowhere)
        return;
    if (atomic_load(&l->at) + all + 1 >= l->start + WIRE_CHUNK_WORDS) { /* it stays in one piece */
        producer_turn(vcpu);
        l = producer.lane[vcpu];
        if (l == &producer.nowhere)
            return;
    }
    uint64_t at = atomic_load(&l->at), *w = producer.wire->word + at;
    bool quiet = mode() != WIRE_RECORD;
    if (quiet) { /* the references so far are not wanted */
        producer_lock();
        l->done = at;
        producer_unlock();
    }
    w[0] = (uint64_t)WIRE_EVENT << WIRE_TAG_SHIFT | (uint64_t)e << WIRE_EVENT_SHIFT | all;
    if (n)
        memcpy(w + 1, words, n * sizeof *w);
    if (nbytes) {
        w[all] = 0;
        memcpy(w + 1 + n, bytes, nbytes);
    }
    atomic_store_explicit(&l->at, at + all + 1, memory_order_release);
    if (quiet) {
        producer_lock();
        commit_locked(l, 0);
        producer_unlock();
    }
}

/* --- threads and processes --- */

int producer_attach(int fd, uint32_t process)
{
    void *p = mmap(NULL, sizeof(struct wire), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return -1;
    close(fd);
    producer.wire = p;
    if (producer.wire->magic != WIRE_MAGIC || producer.wire->bytes_header != offsetof(struct wire, queue))
        return -1;
    producer.process = process;
    producer.pid = getpid();
    for (unsigned i = 0; i < VCPUS; i++)
        producer.lane[i] = &producer.nowhere;
    producer_lock();
    producer.image = producer.wire->images++;
    producer_unlock();
    atomic_store(&producer.wire->ready, 1);
    return 0;
}

void producer_thread(unsigned vcpu, uint32_t thread)
{
    uint32_t i;
    if (vcpu >= VCPUS)
        return;
    producer_lock();
    for (i = 0; i < WIRE_LANES; i++)
        if (!atomic_load(&producer.wire->lane[(producer.wire->lane_hint + i) % WIRE_LANES].used))
            break;
    if (i == WIRE_LANES || producer.ended || mode() == WIRE_CLOSED) {
        if (i == WIRE_LANES)
            producer_give_up(WIRE_FAULT_LANES);
    } else {
        struct wire_lane *l = &producer.wire->lane[(producer.wire->lane_hint + i) % WIRE_LANES];
        producer.wire->lane_hint = (producer.wire->lane_hint + i + 1) % WIRE_LANES;
        l->process = producer.process;
        l->image = producer.image;
        l->thread = thread;
        l->pid = producer.pid;
        set_chunk(l, new_chunk_locked());
        atomic_store(&l->used, 1);
        producer.vcpu[producer.live++] = vcpu;
        producer.lane[vcpu] = l;
    }
    producer_unlock();
}

void producer_thread_ends(unsigned vcpu)
{
    struct wire_lane *l = producer.lane[vcpu];
    if (l == &producer.nowhere)
        return;
    producer_lock();
    if (mode() == WIRE_QUIET)
        l->done = atomic_load(&l->at);
    commit_locked(l, WIRE_ENTRY_FREES | WIRE_ENTRY_ENDS);
    producer.lane[vcpu] = &producer.nowhere;
    for (unsigned i = 0; i < producer.live; i++)
        if (producer.vcpu[i] == vcpu) {
            producer.vcpu[i] = producer.vcpu[--producer.live];
            break;
        }
    producer_unlock();
}

void producer_process_ends(void)
{
    while (producer.live == 1 && producer.lane[producer.vcpu[0]] != &producer.nowhere)
        producer_thread_ends(producer.vcpu[0]); /* its lane is free for others at once */
    producer_lock();
    for (unsigned i = 0; i < producer.live; i++)
        commit_locked(producer.lane[producer.vcpu[i]], 0);
    producer.ended = true; /* their lanes stay theirs: the threads may still write into them */
    producer_unlock();
}

uint32_t producer_new_thread(void)
{
    producer_lock();
    uint32_t t = producer.wire->threads++;
    producer_unlock();
    return t;
}

bool producer_new_process(uint32_t *process, uint32_t *thread)
{
    producer_lock();
    bool room = producer.wire->processes < WIRE_PROCESSES;
    if (room) {
        *process = producer.wire->processes++;
        *thread = producer.wire->threads++;
    } else {
        producer_give_up(WIRE_FAULT_PROCESSES);
    }
    producer_unlock();
    return room;
}

void producer_announce(uint32_t process)
{
    producer_commit_all();
    atomic_store(&producer.wire->announced[process], 1);
    futex_wake(&producer.wire->announced[process]);
}

void producer_forked(unsigned vcpu, uint32_t process, uint32_t thread)
{
    producer.pid = getpid();
    producer.process = process;
    producer.live = 0;
    for (unsigned i = 0; i < VCPUS; i++)
        producer.lane[i] = &producer.nowhere;
    while (!atomic_load(&producer.wire->announced[process]) && mode() != WIRE_CLOSED) {
        futex_wait(&producer.wire->announced[process], 0);
        if (kill(producer.wire->recorder_pid, 0) < 0 && errno == ESRCH)
            atomic_store(&producer.wire->mode, WIRE_CLOSED);
        if (getppid() == 1) /* the parent is gone without having told */
            break;
    }
    producer_thread(vcpu, thread);
}
