/* Parameters of the cores and of the run; keys `cpu.*` and `sim.*`. */
#ifndef CPU_CPU_CONFIG_H
#define CPU_CPU_CONFIG_H

#include "engine/params.h"
#include "engine/types.h"

enum cpu_model { CPU_MODEL_WINDOW, CPU_MODEL_INORDER };
enum sim_mode { SIM_MODE_TIMED, SIM_MODE_FUNCTIONAL };
enum warmup_mode { WARMUP_SAME, WARMUP_FUNCTIONAL };

struct cpu_config {
    uint32_t count;
    int model; /* enum cpu_model */
    uint64_t frequency_hz;
    uint32_t width;        /* instructions dispatched and retired a cycle */
    uint32_t window;       /* instructions in flight */
    uint32_t store_buffer; /* retired stores not yet written */
    uint32_t switch_cycles; /* change of thread on a core */
};

struct sim_config {
    int mode; /* enum sim_mode */
    uint64_t seed;
    uint64_t warmup;   /* references before measuring */
    int warmup_mode;   /* enum warmup_mode */
    bool share_warmup; /* a sweep's points */
    bool share_decoding; /* ... */
    uint32_t share_points; /* of a sweep, by one decoder */
    char *checkpoint;  /* file or folder; NULL: none. Who runs the machine deals with it */
    uint64_t measure;  /* references measured after the warm-up; 0: to the end */
    uint64_t limit;    /* references after which the run ends; 0: the whole trace */
    uint64_t interval; /* references between rows of the series; 0: chosen */
    uint32_t window;   /* cycles a core may run in a round, 0: all that are exact */
    uint32_t quantum;  /* functional mode: references of a core before the next core's turn */
    bool checks;       /* the expensive ones */
};

extern const struct param cpu_params[], sim_params[];
extern const size_t cpu_params_n, sim_params_n;

/* Core period in ps, rounded to a whole number (3.2 GHz: 313 ps, off by 0.16 %). */
static inline uint64_t cpu_period_ps(const struct cpu_config *c)
{
    return (1000000000000u + c->frequency_hz / 2) / c->frequency_hz;
}

#endif
