/* Private to drain.c (the queue) and drain_events.c (what events leave in the trace). */
#ifndef TRACES_RECORDER_DRAIN_INTERNAL_H
#define TRACES_RECORDER_DRAIN_INTERNAL_H

#include "traces/recorder/drain.h"
#include "traces/recorder/expand.h"
#include "traces/recorder/files.h"

struct drain_exec { /* an execve that has not come back */
    uint32_t process, thread, lane;
    int pid;
    char *path;
};

struct drain_maps { /* pieces of a list of mappings so far */
    uint32_t lane;
    char *text;
    size_t n;
};

struct drain {
    struct wire *wire;
    int fd;
    uint64_t qemu_inode[2], qemu_device[2];
    struct drain_options opt;
    struct drain_result result;
    struct record_files files;
    struct drain_maps *maps;
    size_t nmaps;
    struct drain_exec *exec;
    size_t nexec, exec_cap;
    char *became;
    uint8_t *ended; /* by process: its EXIT is in the trace */
    unsigned steps;
    struct expand x;
};

/* One event: w[0] its head, n the words behind it. */
int drain_event(struct drain *d, uint32_t lane, const uint64_t *w, unsigned n, struct err *err);
/* Those whose process is another program now, or gone. */
int drain_execs(struct drain *d, struct err *err);
/* Gives a lane's chunk and the lane itself back. */
void drain_free_lane(struct drain *d, struct wire_lane *l);
int drain_exit(struct drain *d, uint32_t process, uint32_t thread, uint64_t status, struct err *err);

#endif
