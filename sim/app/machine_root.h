/* The root struct of a run's configuration: the machine and its workload. */
#ifndef APP_MACHINE_ROOT_H
#define APP_MACHINE_ROOT_H

#include "cpu/machine/machine_config.h"
#include "traces/gen/calls.h"

struct workload_process {
    char *trace;
    int64_t core; /* -1: by the rule */
};
enum kernel_placement { KERNEL_RECORDED, KERNEL_PREDICT, KERNEL_SIMULATED };
enum kernel_level { KERNEL_BLOCKS, KERNEL_PAGES, KERNEL_OBJECTS };
enum kernel_start { KERNEL_FROM_SNAPSHOT, KERNEL_FROM_MEMORY };
struct workload_kernel {
    char *events, *before; /* "": none */
    int placement, level;  /* enum kernel_placement, enum kernel_level */
    int start;             /* enum kernel_start */
};
struct workload_config {
    struct param_list processes; /* of struct workload_process */
    struct workload_kernel kernel;
    struct calls_config calls; /* made up, in place of kernel.events; count 0: none */
};
struct output_config {
    uint64_t memory_rows;
    bool page_users;
    struct param_list mark_events, mark_times; /* of kernel runs */
};
struct machine_root {
    struct machine_config m;
    struct workload_config workload;
    struct output_config output;
};

#endif
