#include "calls.h"

#include "../../record.h"
#include "../magic.h"
#include "exec.h"
#include "guest.h"
#include "producer.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/uio.h>
#include <unistd.h>

#define NONE (-1)
#define PATH_BYTES 4096
#define PIECE_BYTES 4096u /* of the list of mappings, an event */
#define MAX_ERRNO 4095    /* include/linux/err.h */
#define ATTACHED 256u     /* System V segments that are followed */
/* How long a thread waits for another one's word: by giving way, then by sleeping, about a second in all. */
#define AWAIT_SPINS 100u
#define AWAIT_STEP_US 200u
#define AWAIT_STEPS 5000u

/* QEMU's own negative results (linux-user/generic/target_errno_defs.h): the call will be made again; a signal handler has
 * returned, there is no result. */
enum { QEMU_ERESTARTSYS = 512, QEMU_ESIGRETURN = 513 };
enum { MAP_SHARED_ = 1, MAP_ANONYMOUS_ = 0x20, CLONE_VM_ = 0x100, CLONE_VFORK_ = 0x4000 };
enum { IPC_SHMAT = 21, IPC_SHMDT = 22, SHM_RDONLY_ = 010000 };

/* arch/x86/entry/syscalls/syscall_64.tbl, syscall_32.tbl */
#define CALLS(X)                                                                                                       \
    X(mmap, 9, NONE)                                                                                                   \
    X(mmap2, NONE, 192)                                                                                                \
    X(old_mmap, NONE, 90)                                                                                              \
    X(munmap, 11, 91)                                                                                                  \
    X(mremap, 25, 163)                                                                                                 \
    X(brk, 12, 45)                                                                                                     \
    X(mprotect, 10, 125)                                                                                               \
    X(madvise, 28, 219)                                                                                                \
    X(shmat, 30, 397)                                                                                                  \
    X(shmdt, 67, 398)                                                                                                  \
    X(ipc, NONE, 117)                                                                                                  \
    X(fork, 57, 2)                                                                                                     \
    X(vfork, 58, 190)                                                                                                  \
    X(clone, 56, 120)                                                                                                  \
    X(execve, 59, 11)                                                                                                  \
    X(execveat, 322, 358)                                                                                              \
    X(exit, 60, 1)                                                                                                     \
    X(exit_group, 231, 252)

enum call {
    CALL_other,
#define X(name, wide, narrow) CALL_##name,
    CALLS(X)
#undef X
};

static const struct {
    int wide, narrow;
} numbers[] = {
    {NONE, NONE},
#define X(name, wide, narrow) {wide, narrow},
    CALLS(X)
#undef X
};

/* What a thread is in the middle of. */
struct thread {
    int64_t number;
    enum call call;
    bool exclusive; /* holds calls.space */
    uint64_t a[6];
    uint32_t child_process, child_thread;
};

static struct {
    bool wide;
    uint64_t base;
    bool follows; /* this program was executed by a recorded one, in its process and thread */
    uint32_t first_thread;
    enum call by_number[512];
    pthread_mutex_t space; /* held over calls that change the address space, so that the trace has the kernel's order */
    struct {
        uint64_t addr, bytes;
    } attached[ATTACHED];
    struct thread thread[VCPUS];
} calls = {.space = PTHREAD_MUTEX_INITIALIZER};

static __thread unsigned current; /* the vcpu whose call this thread executes */

bool calls_wide(void)
{
    return calls.wide;
}

/* --- reading from the program and the kernel --- */

static void send_maps(unsigned vcpu, enum wire_maps which)
{
    size_t n = 0, cap = 1u << 16;
    char *text = malloc(cap);
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    while (text && fd >= 0) {
        ssize_t k = read(fd, text + n, cap - n);
        if (k <= 0)
            break;
        n += (size_t)k;
        if (n == cap) {
            char *more = realloc(text, cap *= 2);
            if (!more)
                break;
            text = more;
        }
    }
    if (fd >= 0)
        close(fd);
    for (size_t i = 0; text && i <= n; i += PIECE_BYTES) {
        size_t k = n - i < PIECE_BYTES ? n - i : PIECE_BYTES;
        uint64_t w[2] = {which | (i + k == n ? (uint64_t)WIRE_MAPS_DONE : 0) | (calls.wide ? (uint64_t)WIRE_MAPS_WIDE : 0),
                         calls.base};
        producer_event(vcpu, WIRE_MAPS, w, 2, text + i, k);
        if (i + k == n)
            break;
    }
    free(text);
}

/* --- events --- */

static void send_call(unsigned vcpu, enum trace_kind kind, int64_t number, const uint64_t a[6], int64_t result)
{
    uint64_t w[9] = {kind, (uint64_t)number, a[0], a[1], a[2], a[3], a[4], a[5], (uint64_t)result};
    char link[64], path[PATH_BYTES];
    ssize_t n = 0;
    if (kind == TRACE_MMAP && (int32_t)a[4] >= 0 && !(a[3] & MAP_ANONYMOUS_) &&
        !(result < 0 && result >= -MAX_ERRNO)) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", (int32_t)a[4]);
        n = readlink(link, path, sizeof path);
    }
    producer_event(vcpu, WIRE_SYSCALL, w, 9, path, n > 0 ? (size_t)n : 0);
}

static uint64_t narrowed(uint64_t v)
{
    return calls.wide ? v : (uint32_t)v;
}

/* The call as x86-64 has it. */
static enum trace_kind canonical(struct thread *t)
{
    switch (t->call) {
    case CALL_old_mmap: {
        uint32_t w[6] = {0};
        guest_read(calls.base, w, t->a[0], sizeof w);
        for (int i = 0; i < 6; i++)
            t->a[i] = w[i];
        t->a[4] = (uint64_t)(int64_t)(int32_t)w[4];
        return TRACE_MMAP;
    }
    case CALL_mmap2:
        t->a[5] *= 4096;
        t->a[4] = (uint64_t)(int64_t)(int32_t)t->a[4];
        return TRACE_MMAP;
    case CALL_mmap:
        t->a[4] = (uint64_t)(int64_t)(int32_t)t->a[4];
        return TRACE_MMAP;
    case CALL_munmap:
        return TRACE_MUNMAP;
    case CALL_mremap:
        return TRACE_MREMAP;
    case CALL_brk:
        return TRACE_BRK;
    case CALL_mprotect:
        return TRACE_MPROTECT;
    case CALL_madvise:
        return TRACE_MADVISE;
    default:
        return TRACE_SYSCALL;
    }
}

static bool changes_space(const struct thread *t)
{
    return (t->call >= CALL_mmap && t->call <= CALL_shmdt) ||
           (t->call == CALL_ipc && (t->a[0] == IPC_SHMAT || t->a[0] == IPC_SHMDT));
}

/* System V segments: attaching is an mmap of anonymous shared memory to the trace, detaching a munmap. */
static void shm_call(unsigned vcpu, const struct thread *t, uint64_t result)
{
    bool attach = t->call == CALL_shmat || (t->call == CALL_ipc && t->a[0] == IPC_SHMAT);
    uint64_t addr = t->call == CALL_ipc ? (attach ? 0 : t->a[4]) : attach ? result : t->a[0], id = t->a[0], flags = t->a[2];
    struct shmid_ds ds;
    if (t->call == CALL_ipc && attach) {
        uint32_t at = 0;
        guest_read(calls.base, &at, t->a[3], sizeof at);
        addr = at;
        id = t->a[1];
        flags = t->a[2];
    }
    for (unsigned i = 0; i < ATTACHED; i++) {
        if (attach && !calls.attached[i].bytes && shmctl((int)id, IPC_STAT, &ds) == 0) {
            uint64_t a[6] = {0, (ds.shm_segsz + 4095) & ~(uint64_t)4095, flags & SHM_RDONLY_ ? 1 : 3,
                             MAP_SHARED_ | MAP_ANONYMOUS_, (uint64_t)-1, 0};
            calls.attached[i].addr = addr;
            calls.attached[i].bytes = a[1];
            send_call(vcpu, TRACE_MMAP, t->number, a, (int64_t)addr);
            return;
        }
        if (!attach && calls.attached[i].bytes && calls.attached[i].addr == addr) {
            uint64_t a[6] = {addr, calls.attached[i].bytes};
            calls.attached[i].bytes = 0;
            send_call(vcpu, TRACE_MUNMAP, t->number, a, 0);
            return;
        }
    }
}

/* The call is made here, with the recorder around the new program; where that cannot be, QEMU makes it as it is told. */
static void send_exec(unsigned vcpu, uint64_t path_at, uint64_t argv_at, uint64_t envp_at)
{
    struct guest g = {calls.base, calls.wide};
    uint64_t w[1] = {(uint64_t)producer.pid};
    char *path = guest_string(&g, path_at);
    producer_event(vcpu, WIRE_EXEC, w, 1, path ? path : "", path ? strlen(path) : 0);
    producer_commit_all();
    if (path && producer.lane[vcpu] != &producer.nowhere)
        exec_follow(&g, path, argv_at, envp_at, producer.process, producer.lane[vcpu]->thread);
    free(path);
}

static void send_exit(unsigned vcpu, uint64_t status, bool process)
{
    uint64_t w[2] = {(uint32_t)status, process};
    if (process && producer.process == 0 && producer.wire->keep_maps)
        send_maps(vcpu, WIRE_MAPS_LAST);
    if (process)
        producer_commit_all();
    producer_event(vcpu, WIRE_EXIT, w, 2, NULL, 0);
    if (process)
        producer_process_ends();
    else
        producer_thread_ends(vcpu);
}

/* Until a word of the program is another: another thread is between a realloc and its event. In the end it is made 0. */
static void await_change(uint64_t addr, uint64_t value, uint64_t bytes)
{
    uint64_t now = 0, none = 0;
    for (unsigned i = 0; i < AWAIT_STEPS; i++) {
        if (bytes > sizeof now || !guest_read(calls.base, &now, addr, bytes) || now != value)
            return;
        if (i < AWAIT_SPINS)
            sched_yield();
        else
            usleep(AWAIT_STEP_US);
    }
    guest_write(calls.base, addr, &none, bytes);
}

static void on_call(qemu_plugin_id_t id, unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                    uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
    struct thread *t = &calls.thread[vcpu];
    (void)id, (void)a7, (void)a8;
    if (vcpu >= VCPUS)
        return;
    if (number == RECORD_MAGIC_CALL) {
        uint64_t w[5] = {narrowed(a1), narrowed(a2), narrowed(a3), narrowed(a4), narrowed(a5)};
        t->number = number;
        if (w[0] == RECORD_MAGIC_AWAIT) {
            await_change(w[1], w[2], w[3]);
            return;
        }
        if (producer.live > 1)
            producer_commit_all(); /* an object may be freed by another thread than the one that has it */
        producer_event(vcpu, WIRE_HEAP, w, 5, NULL, 0);
        if (producer.live > 1)
            producer_commit(vcpu);
        return;
    }
    *t = (struct thread){.number = number,
                         .a = {narrowed(a1), narrowed(a2), narrowed(a3), narrowed(a4), narrowed(a5), narrowed(a6)}};
    t->call = number >= 0 && number < 512 ? calls.by_number[number] : CALL_other;
    current = vcpu;
    if (changes_space(t) && producer.live > 1) {
        pthread_mutex_lock(&calls.space);
        t->exclusive = true;
        producer_commit_all();
    } else if (producer.wire->threads > 1) {
        producer_commit(vcpu);
    }
    switch (t->call) {
    case CALL_exit:
        send_exit(vcpu, t->a[0], producer.live <= 1);
        break;
    case CALL_exit_group:
        send_exit(vcpu, t->a[0], true);
        break;
    case CALL_execve:
        send_exec(vcpu, t->a[0], t->a[1], t->a[2]);
        break;
    case CALL_execveat:
        send_exec(vcpu, t->a[1], t->a[2], t->a[3]);
        break;
    case CALL_clone:
        if ((t->a[0] & CLONE_VM_) && !(t->a[0] & CLONE_VFORK_))
            break;
        __attribute__((fallthrough));
    case CALL_fork: /* QEMU makes a fork of a vfork */
    case CALL_vfork:
        if (!producer_new_process(&t->child_process, &t->child_thread))
            t->child_process = 0;
        break;
    default:
        break;
    }
}

static void forked(unsigned vcpu, struct thread *t, int64_t result)
{
    if (getpid() != producer.pid) {
        pthread_mutex_init(&calls.space, NULL);
        producer_forked(vcpu, t->child_process, t->child_thread);
        return;
    }
    if (result > 0) {
        producer_event(vcpu, WIRE_FORK, (uint64_t[]){t->child_process, t->child_thread}, 2, NULL, 0);
        producer_announce(t->child_process);
    }
}

static void on_return(qemu_plugin_id_t id, unsigned vcpu, int64_t number, int64_t result)
{
    struct thread *t = &calls.thread[vcpu];
    (void)id;
    if (vcpu >= VCPUS || number != t->number || number == RECORD_MAGIC_CALL)
        return;
    bool failed = result < 0 && result >= -MAX_ERRNO;
    if (!calls.wide && !failed)
        result = (int64_t)(uint32_t)result;
    if (t->child_process)
        forked(vcpu, t, result);
    if (t->call == CALL_execve || t->call == CALL_execveat)
        producer_event(vcpu, WIRE_EXEC_FAILED, NULL, 0, NULL, 0);
    bool made = !failed && (t->call == CALL_fork || t->call == CALL_vfork || t->call == CALL_clone);
    if (result == -QEMU_ESIGRETURN)
        send_call(vcpu, TRACE_SYSCALL, number, t->a, 0);
    else if (result != -QEMU_ERESTARTSYS && !made)
        send_call(vcpu, canonical(t), number, t->a, result);
    if (!failed && changes_space(t) && canonical(t) == TRACE_SYSCALL)
        shm_call(vcpu, t, (uint64_t)result);
    if (t->exclusive) {
        producer_commit(vcpu);
        pthread_mutex_unlock(&calls.space);
    }
    t->number = NONE;
}

static void on_thread(qemu_plugin_id_t id, unsigned vcpu)
{
    (void)id;
    bool first = producer.live == 0;
    uint32_t thread = first && calls.follows ? calls.first_thread : producer_new_thread();
    if (!first) { /* made by the call that this thread executes: its record stands before all of the new thread's */
        producer_event(current, WIRE_CLONE, (uint64_t[]){thread}, 1, NULL, 0);
        producer_commit(current);
    }
    producer_thread(vcpu, thread);
}

static void on_thread_gone(qemu_plugin_id_t id, unsigned vcpu)
{
    (void)id;
    if (vcpu < VCPUS)
        producer_thread_ends(vcpu);
}

void calls_begin(uint64_t base)
{
    calls.base = base;
    send_maps(producer.vcpu[0], WIRE_MAPS_FIRST);
}

void calls_install(qemu_plugin_id_t id, bool wide, bool follows, uint32_t thread)
{
    calls.wide = wide;
    calls.follows = follows;
    calls.first_thread = thread;
    for (unsigned i = 1; i < sizeof numbers / sizeof numbers[0]; i++) {
        int n = wide ? numbers[i].wide : numbers[i].narrow;
        if (n >= 0)
            calls.by_number[n] = (enum call)i;
    }
    qemu_plugin_register_vcpu_init_cb(id, on_thread);
    qemu_plugin_register_vcpu_exit_cb(id, on_thread_gone);
    qemu_plugin_register_vcpu_syscall_cb(id, on_call);
    qemu_plugin_register_vcpu_syscall_ret_cb(id, on_return);
}
