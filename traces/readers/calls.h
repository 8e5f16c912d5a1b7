/*
 * Finished x86-64 Linux system calls, as the readers of recorded programs meet them (lackey, qtrace): the records they
 * leave in a trace, and the files behind the descriptors. Private to traces/readers.
 */
#ifndef TRACES_CALLS_H
#define TRACES_CALLS_H

#include "traces/input.h"

#define CALL_FDS_MAX 65536u   /* descriptors whose file is remembered */
#define CALL_FILES_MAX 65536u /* files with an id; the mappings of more get id 0 (unknown) */

/* x86-64 system call numbers (arch/x86/entry/syscalls/syscall_64.tbl) */
enum {
    NR_open = 2,
    NR_close = 3,
    NR_mmap = 9,
    NR_mprotect = 10,
    NR_munmap = 11,
    NR_brk = 12,
    NR_mremap = 25,
    NR_madvise = 28,
    NR_dup = 32,
    NR_dup2 = 33,
    NR_clone = 56,
    NR_fork = 57,
    NR_vfork = 58,
    NR_execve = 59,
    NR_exit = 60,
    NR_fcntl = 72,
    NR_creat = 85,
    NR_arch_prctl = 158,
    NR_exit_group = 231,
    NR_openat = 257,
    NR_dup3 = 292,
    NR_execveat = 322,
    NR_clone3 = 435,
    NR_close_range = 436,
    NR_openat2 = 437,
};

/* A file that descriptors refer to; it gets an id when it is first mapped. Counted references. */
struct call_file {
    uint32_t refs, id; /* 0: no id yet */
    uint64_t hash;     /* of the path, to find equal ones quickly */
    size_t len;
    char path[];
};

struct call {
    uint64_t number, arg[6];
    struct call_file *path; /* of open, openat, creat, execve; owned; NULL unknown */
};

struct calls {
    struct call_file **file; /* file with id i+1 */
    size_t nfiles, files_cap;
    struct call_file **fd; /* by descriptor */
    size_t nfds;
};

/* A zero byte ends the path early. NULL without memory: an unknown file. */
struct call_file *call_file_new(const char *path, size_t len);
void call_reset(struct call *c); /* empty again */

/* Id of a file by its path; puts the FILEID record when it is new. 0 where no id is left. */
uint32_t calls_put_file(struct calls *l, struct trace_sink *sink, const char *path, size_t len);
/* Descriptor fd is that file from now on (NULL: closed or unknown). */
void calls_set_fd(struct calls *l, uint64_t fd, struct call_file *f);

/* Whether a clone that succeeded made a thread of the same process. */
bool call_makes_thread(const struct call *c);
/*
 * Puts the record of a call that has its result (negative errno for failure). What makes threads and processes is only
 * told: the caller knows their numbers and puts CLONE or FORK.
 */
enum call_effect { CALL_PLAIN, CALL_MADE_THREAD, CALL_MADE_PROCESS, CALL_THREAD_EXITED };
enum call_effect calls_done(struct calls *l, struct trace_sink *sink, const struct call *c, int64_t result);
void calls_put_exec(struct trace_sink *sink, const struct call *c);
void calls_fini(struct calls *l);

#endif
