#include "app/sweep/point.h"

#include "app/kernel/kernel_run.h"
#include "app/machine_root.h"
#include "app/sweep/group/sharing.h"
#include "app/sweep/must.h"

static void failed(struct sweep_folder *f, const struct sweep_point *pt, struct point_report *out, const char *reason)
{
    out->end = folder_set_failed(f, pt, reason, &out->err) < 0 ? POINT_TROUBLE : POINT_FAILS;
    out->reason = must_dup(reason);
}

static void simulate_point(struct sweep_folder *f, const struct sweep_plan *p, const struct sweep_point *pt,
                           const struct point_job *job, struct point_report *out)
{
    char *path = folder_point_path(f, pt, ""), label[32], reason[2400];
    struct workload_trace trace = {.path = pt->trace_path, .core = -1};
    struct simulated r;
    struct sharing share = sharing_of(p, pt);
    char *warm = share.warm ? folder_warm_path(f) : NULL, *decoded = share.decoded ? folder_decoded_path(f) : NULL;
    snprintf(label, sizeof label, "point %zu", pt->index);
    struct simulation s = {.config = pt->config, .trace = &trace, .n_trace = pt->trace_path ? 1 : 0, .output = path,
                           .label = label, .quiet = job->quiet, .status = job->status, .inline_decoding = true,
                           .checkpoints = warm, .decoded = decoded, .share = job->share,
                           .argc = job->argc, .argv = job->argv};
    if (plan_check_files(p, pt, &out->err) < 0) {
        failed(f, pt, out, simulated_reason(&out->err, reason, sizeof reason));
        free(path);
        free(warm);
        free(decoded);
        return;
    }
    bool kernel = pt->config && kernel_wanted(pt->config);
    switch (kernel ? kernel_simulate(&s, &r, false) : simulate(&s, &r)) {
    case SIMULATED_WHOLE:
        out->end = POINT_SIMULATED;
        folder_clear_failed(f, pt);
        break;
    case SIMULATED_INTERRUPTED:
        out->end = POINT_INTERRUPTED;
        out->sig = r.sig;
        break;
    case SIMULATED_PART:
    case SIMULATED_NOT:
        failed(f, pt, out, simulated_reason(&r.err, reason, sizeof reason));
        break;
    case SIMULATED_UNWRITTEN:
        out->end = POINT_TROUBLE;
        out->err = r.err;
        break;
    }
    simulated_fini(&r);
    free(path);
    free(warm);
    free(decoded);
}

enum point_end point_run(struct sweep_folder *f, const struct sweep_plan *p, const struct point_job *job,
                         struct point_report *out)
{
    struct sweep_point pt;
    *out = (struct point_report){.end = POINT_TROUBLE};
    int got = folder_lock_point(f, job->index, &out->err);
    if (got <= 0)
        return out->end = got ? POINT_TROUBLE : POINT_BUSY;
    plan_point(p, job->index, &pt);
    switch (folder_state(f, &pt, &out->reason)) {
    case POINT_OK:
        out->end = POINT_THERE;
        break;
    case POINT_FAILED:
        out->end = POINT_FAILS;
        if (!job->retry || pt.reason)
            break;
        /* fall through */
    case POINT_PARTIAL:
    case POINT_MISSING:
        free(out->reason);
        out->reason = NULL;
        simulate_point(f, p, &pt, job, out);
        break;
    }
    plan_point_free(&pt);
    folder_unlock_point(f, job->index);
    return out->end;
}
