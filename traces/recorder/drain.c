#include "traces/recorder/drain_internal.h"

#include "engine/types.h"
#include "traces/input.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define STEP_ENTRIES 256u /* taken by one drain_step at most */
#define EXECS_EACH 64u    /* steps between two looks at processes that are in an execve */

static int lock_init(struct wire *w)
{
    pthread_mutexattr_t a;
    int rc = pthread_mutexattr_init(&a);
    if (!rc)
        rc = pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
    if (!rc)
        rc = pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    return rc ? rc : pthread_mutex_init(&w->lock, &a);
}

/* A value as QEMU's options have it: a comma is written twice. */
static void quote(char out[WIRE_PATH_BYTES], const char *s)
{
    size_t n = 0;
    for (; *s && n + 2 < WIRE_PATH_BYTES; s++) {
        out[n++] = *s;
        if (*s == ',')
            out[n++] = ',';
    }
    out[n] = '\0';
}

static int wire_new(struct drain *d, int *fd, struct err *err)
{
    *fd = memfd_create("mmulab-record", MFD_CLOEXEC);
    if (*fd < 0 || ftruncate(*fd, sizeof(struct wire)) < 0) {
        err_set(err, ERR_RUN, "cannot make %llu MiB of shared memory: %s", (unsigned long long)sizeof(struct wire) >> 20,
                strerror(errno));
        return err_remedy(err, "it is touched only as far as needed; look at the limits (ulimit -v, -f)");
    }
    void *p = mmap(NULL, sizeof(struct wire), PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    if (p == MAP_FAILED)
        return err_set(err, ERR_RUN, "cannot map the shared memory: %s", strerror(errno));
    struct wire *w = d->wire = p;
    d->fd = *fd;
    if (lock_init(w) != 0)
        return err_set(err, ERR_RUN, "there are no shared locks on this system");
    w->magic = WIRE_MAGIC;
    w->bytes_header = offsetof(struct wire, queue);
    w->recorder_pid = getpid();
    w->fd = *fd;
    for (int i = 0; i < 2; i++) {
        struct stat st;
        if (!d->opt.qemu[i] || stat(d->opt.qemu[i], &st) < 0)
            continue;
        d->qemu_inode[i] = st.st_ino;
        d->qemu_device[i] = st.st_dev;
        snprintf(w->qemu[i], sizeof w->qemu[i], "%s", d->opt.qemu[i]);
    }
    quote(w->plugin, d->opt.plugin);
    snprintf(w->cpu, sizeof w->cpu, "%s", d->opt.cpu);
    w->keep_maps = d->opt.keep_maps != NULL;
    w->processes = 1;
    w->chunks = 1;    /* chunk 0 takes what nobody wants */
    w->code_used = 16; /* so that no block has number 0 */
    return 0;
}

int drain_new(struct drain **out, int *fd, const struct drain_options *opt, struct record_sink sink, struct err *err)
{
    struct drain *d = calloc(1, sizeof *d);
    *fd = -1;
    if (!d || !(d->ended = calloc(WIRE_PROCESSES, 1))) {
        free(d);
        return err_set(err, ERR_RUN, "out of memory");
    }
    d->opt = *opt;
    d->fd = -1;
    if (wire_new(d, fd, err) < 0 || expand_init(&d->x, d->wire->code, WIRE_CODE_BYTES, sink, err) < 0 ||
        expand_put(&d->x, (struct trace_rec){.kind = TRACE_MARK}, NULL, 0, opt->mark, err) < 0) {
        drain_free(d);
        return -1;
    }
    *out = d;
    return 0;
}

const char *drain_plugin(const struct drain *d)
{
    return d->wire->plugin;
}

void drain_free(struct drain *d)
{
    if (!d)
        return;
    if (d->wire)
        atomic_store(&d->wire->mode, WIRE_CLOSED);
    expand_fini(&d->x);
    if (d->wire)
        munmap(d->wire, sizeof(struct wire));
    for (size_t i = 0; i < d->nexec; i++)
        free(d->exec[i].path);
    free(d->exec);
    for (size_t i = 0; i < d->nmaps; i++)
        free(d->maps[i].text);
    free(d->maps);
    record_files_fini(&d->files);
    if (d->fd >= 0)
        close(d->fd);
    free(d->became);
    free(d->ended);
    free(d);
}

/* A committed range of a lane's words. */
static int take_range(struct drain *d, uint32_t lane, uint64_t from, uint64_t to, struct err *err)
{
    const struct wire_lane *l = &d->wire->lane[lane];
    const uint64_t *w = d->wire->word + from, *end = d->wire->word + to;
    if (d->ended[l->process])
        return 0;
    if (expand_thread(&d->x, l->process, l->thread, err) < 0)
        return -1;
    while (w < end) {
        size_t used;
        if (expand_words(&d->x, lane, w, (size_t)(end - w), &used, err) < 0)
            return -1;
        w += used;
        if (w == end)
            break;
        unsigned n = (unsigned)(*w & 0xffff);
        if (n >= (size_t)(end - w))
            return err_set(err, ERR_RUN, "the plugin's event is cut off");
        if (expand_rest(&d->x, lane, err) < 0 || drain_event(d, lane, w, n, err) < 0)
            return -1;
        w += n + 1;
    }
    return 0;
}

static void free_chunk(struct wire *w, uint32_t chunk)
{
    uint32_t at = atomic_load(&w->free_head);
    w->free_chunk[at % WIRE_CHUNKS] = chunk;
    atomic_store(&w->free_head, at + 1);
}

void drain_free_lane(struct drain *d, struct wire_lane *l)
{
    d->x.lane[l - d->wire->lane].block = NULL;
    free_chunk(d->wire, (uint32_t)(l->start / WIRE_CHUNK_WORDS));
    atomic_store(&l->used, 0);
}

static int take_entry(struct drain *d, const struct wire_entry *e, struct err *err)
{
    const uint32_t words = WIRE_CHUNKS * WIRE_CHUNK_WORDS;
    if (e->lane >= WIRE_LANES || e->from > e->to || e->to > words || e->to - e->from > WIRE_CHUNK_WORDS)
        return err_set(err, ERR_RUN, "the plugin's queue is damaged");
    if (e->to > e->from && take_range(d, e->lane, e->from, e->to, err) < 0)
        return -1;
    if ((e->flags & WIRE_ENTRY_FREES) && e->to)
        free_chunk(d->wire, (e->to - 1) / WIRE_CHUNK_WORDS);
    if (e->flags & WIRE_ENTRY_ENDS) {
        if (expand_rest(&d->x, e->lane, err) < 0)
            return -1;
        atomic_store(&d->wire->lane[e->lane].used, 0);
    }
    return 0;
}

static void sleep_on(_Atomic uint32_t *word, uint32_t seen, int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L};
    syscall(SYS_futex, word, FUTEX_WAIT, seen, &t, NULL, 0);
}

int drain_step(struct drain *d, int timeout_ms, struct err *err)
{
    struct wire *w = d->wire;
    uint32_t tail = atomic_load_explicit(&w->tail, memory_order_relaxed), head = atomic_load(&w->head);
    if (d->nexec && (d->steps++ % EXECS_EACH == 0 || head == tail) && drain_execs(d, err) < 0)
        return -1;
    if (head == tail && timeout_ms > 0) {
        atomic_store(&w->consumer_sleeps, 1);
        if (atomic_load(&w->head) == head)
            sleep_on(&w->head, head, timeout_ms);
        atomic_store(&w->consumer_sleeps, 0);
        head = atomic_load(&w->head);
    }
    if (head == tail)
        return 0;
    for (unsigned i = 0; i < STEP_ENTRIES && tail != head; i++) {
        if (take_entry(d, &w->queue[tail % WIRE_QUEUE], err) < 0)
            return -1;
        atomic_store(&w->tail, ++tail);
        if (atomic_load(&w->producer_sleeps) && atomic_exchange(&w->producer_sleeps, 0))
            syscall(SYS_futex, &w->tail, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
    }
    return 1;
}

void drain_quiet(struct drain *d)
{
    uint32_t record = WIRE_RECORD;
    atomic_compare_exchange_strong(&d->wire->mode, &record, WIRE_QUIET);
}

/*
 * With the lock held no producer hands anything over. Producers that hold it may wait for us; those of processes that outlive
 * process 0 never stop by themselves, so the lock comes before the queue is empty.
 */
static int lock_and_take_all(struct drain *d, struct err *err)
{
    enum { WAIT_NS = 1000000 };
    int rc, got;
    do {
        struct timespec until;
        if (drain_step(d, 0, err) < 0)
            return -1;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += WAIT_NS;
        if (until.tv_nsec >= 1000000000L)
            until.tv_sec++, until.tv_nsec -= 1000000000L;
        rc = pthread_mutex_timedlock(&d->wire->lock, &until);
        if (rc == EOWNERDEAD)
            rc = pthread_mutex_consistent(&d->wire->lock);
    } while (rc != 0);
    while ((got = drain_step(d, 0, err)) > 0)
        ;
    if (got < 0)
        pthread_mutex_unlock(&d->wire->lock);
    return got;
}

/* Where a lane's events are whole: a killed process may have left one half written. */
static uint64_t whole(const struct wire *w, const struct wire_lane *l, uint64_t to)
{
    uint64_t at = l->done;
    while (at < to) {
        unsigned n = w->word[at] >> WIRE_TAG_SHIFT == WIRE_EVENT ? (unsigned)(w->word[at] & 0xffff) : 0;
        if (at + n + 1 > to)
            break;
        at += n + 1u;
    }
    return at;
}

int drain_finish(struct drain *d, int status, struct err *err)
{
    struct wire *w = d->wire;
    bool quiet = atomic_load(&w->mode) == WIRE_QUIET;
    int rc = lock_and_take_all(d, err);
    if (rc < 0)
        return -1;
    uint32_t last_thread = 0;
    for (uint32_t i = 0; i < WIRE_LANES && rc == 0; i++) {
        struct wire_lane *l = &w->lane[i];
        if (!atomic_load(&l->used) || d->ended[l->process])
            continue;
        uint64_t to = atomic_load_explicit(&l->at, memory_order_acquire);
        if (to > l->start + WIRE_CHUNK_WORDS)
            to = l->start + WIRE_CHUNK_WORDS;
        if (!quiet)
            rc = take_range(d, i, l->done, whole(w, l, to), err);
        if (rc == 0)
            rc = expand_rest(&d->x, i, err);
        if (l->process == 0)
            last_thread = l->thread;
    }
    atomic_store(&w->mode, WIRE_CLOSED);
    pthread_mutex_unlock(&w->lock);
    d->result.ended = d->ended[0];
    if (rc < 0 || drain_execs(d, err) < 0)
        return -1;
    if (atomic_load(&w->ready) && !d->ended[0] && drain_exit(d, 0, last_thread, (uint64_t)status, err) < 0)
        return -1;
    return expand_flush(&d->x, err);
}

void drain_get_result(const struct drain *d, struct drain_result *out)
{
    static const char *const why[] = {
        [WIRE_FAULT_CODE] = "the program makes more code than can be followed",
        [WIRE_FAULT_LANES] = "more threads are alive than can be followed",
        [WIRE_FAULT_PROCESSES] = "there are more processes than can be followed",
    };
    uint32_t fault = atomic_load(&d->wire->fault);
    *out = d->result;
    out->started = atomic_load(&d->wire->ready);
    out->became = d->became;
    out->lost = fault < ARRAY_LEN(why) ? why[fault] : NULL;
}
