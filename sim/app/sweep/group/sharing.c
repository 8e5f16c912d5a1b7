#include "app/sweep/group/sharing.h"

#include "app/checkpoint/checkpoint.h"
#include "app/kernel/kernel_run.h"
#include "app/machine_root.h"

#include "traces/native/mtr.h"

#include <sys/stat.h>

/*
 * What sim.share_points 0 stands for. Processor time of recorded programs, alone over in fours (docs/sweep.md): functional 1.10 to 1.16,
 * eights a little more; timed 1.03 to 1.05 for a native trace, which is not worth four times the memory and the wait after Ctrl-C;
 * other forms take longer to decode.
 */
enum { POINTS = 4 };
enum { LOOK = 4096 }; /* jobs that are looked at for a group: more than any axis behind the trace is long, mostly */

/* The one file that the point replays, if it is one. */
static const char *only_trace(const struct machine_root *root, const struct sweep_point *pt)
{
    const struct workload_process *w = root->workload.processes.o;
    size_t n = root->workload.processes.n + (pt->trace_path != NULL);
    const char *path = n != 1 ? NULL : pt->trace_path ? pt->trace_path : w[0].trace;
    struct stat st;
    return path && stat(path, &st) == 0 && S_ISREG(st.st_mode) ? path : NULL;
}

static bool is_native(const char *path)
{
    char magic[sizeof MTR_MAGIC - 1];
    FILE *f = fopen(path, "rbe");
    bool is = f && fread(magic, 1, sizeof magic, f) == sizeof magic && !memcmp(magic, MTR_MAGIC, sizeof magic);
    if (f)
        fclose(f);
    return is;
}

struct sharing sharing_of(const struct sweep_plan *p, const struct sweep_point *pt)
{
    struct sharing s = {0};
    if (!pt->config)
        return s;
    const struct machine_root *root = config_root(pt->config);
    const struct sim_config *sim = &root->m.sim;
    s.warm = sim->share_warmup && plan_shares_warm_up(p);
    if (!sim->share_decoding)
        return s;
    /* Not for a part of a trace, which may be short; not with a warm-up, whose state may be kept beyond the sweep. */
    s.decoded = !sim->limit && !sim->measure && !sim->warmup && plan_shares_decoding(p);
    bool jumps = sim->checkpoint || (s.warm && !checkpoint_impossible(&root->m));
    if (pt->reason || jumps || root->m.cpu.count != 1 || kernel_wanted(pt->config))
        return s;
    s.trace = only_trace(root, pt);
    if (s.trace)
        s.group = sim->share_points ? sim->share_points
                  : sim->mode == SIM_MODE_TIMED && (s.decoded || is_native(s.trace)) ? 1 : POINTS;
    return s;
}

static bool together(const struct sweep_point *a, const struct sweep_point *b)
{
    return a->group > 1 && b->group > 1 && a->decoded == b->decoded && !strcmp(a->trace, b->trace);
}

size_t group_pick(const struct sweep_point *point, const size_t *of, const unsigned char *alone, size_t *queue, size_t n,
                  size_t most)
{
    const struct sweep_point *first = &point[of[queue[0]]];
    size_t got = 1, look = n < LOOK ? n : LOOK;
    if (alone && alone[queue[0]])
        return 1;
    most = most < first->group ? most : first->group;
    for (size_t i = 1; i < look && got < most; i++) {
        size_t job = queue[i];
        const struct sweep_point *pt = &point[of[job]];
        if ((alone && alone[job]) || !together(first, pt) || pt->group <= got)
            continue;
        most = most < pt->group ? most : pt->group;
        memmove(&queue[got + 1], &queue[got], (i - got) * sizeof *queue);
        queue[got++] = job;
    }
    return got;
}
