/*
 * Valgrind's lackey text (valgrind --tool=lackey --trace-mem=yes [--trace-syscalls=yes] --log-file=FILE),
 * private to the reader: lackey.c has the references, lackey_syscall.c the system calls.
 */
#ifndef TRACES_LACKEY_H
#define TRACES_LACKEY_H

#include "traces/readers/calls.h"
#include "traces/readers/maps.h"
#include "traces/trace.h"

#define LACKEY_THREADS_MAX 65536u /* Valgrind thread numbers; its own default limit is 500 */
#define LACKEY_CALL_MAX 16384u    /* bytes of one system call's text, over all its lines */
#define LACKEY_PID_NONE UINT64_MAX

struct lackey_thread {
    uint32_t dense; /* thread number in the trace */
    bool known, alive;
    struct call call; /* between its first line and its result ("[async]") */
    bool waits;       /* it waits for its result */
};

struct lackey {
    struct trace_maps maps;
    size_t maps_put;
    struct calls calls;
    struct lackey_thread *thread; /* by Valgrind's thread number */
    size_t nthreads;
    uint32_t next_thread, next_process; /* next dense numbers */
    uint64_t pid;
    bool forked;
    size_t ntext;               /* 0: none */
    char text[LACKEY_CALL_MAX]; /* a call whose text goes on in the next line */
};

/* What a line was. */
enum lackey_taken { LACKEY_BAD = -1, LACKEY_DONE = 0, LACKEY_NOT_MINE = 1 };

/*
 * A line that is no reference. LACKEY_DONE: understood (records may have been put, at most some ten);
 * LACKEY_NOT_MINE: no system call; LACKEY_BAD: err is set.
 */
enum lackey_taken lackey_syscall_line(struct lackey *l, struct trace_input *in, struct trace_sink *sink,
                                      const char *line, size_t len, struct err *err);
/* The program ends or is replaced (a new banner): puts what an execve without a result line left open. */
void lackey_exec_done(struct lackey *l, struct trace_sink *sink);
/* The lines that follow are thread `dense`'s, which Valgrind calls tid; false if that is out of all reason. */
bool lackey_thread(struct lackey *l, struct trace_sink *sink, uint32_t dense, uint64_t tid);
void lackey_syscall_close(struct lackey *l);
/* A reference line at *s ("I  0401ab70,3", " L 1fff,8"); moves *s past its size. */
bool lackey_scan_ref(const char **s, const char *end, struct trace_rec *out);
/* The error for a file into which two processes wrote. */
int lackey_mixed(const struct trace_input *in, const char *line, size_t len, struct err *err);

#endif
