#include "app/checkpoint/checkpoint.h"
#include "app/code_hash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

const char *checkpoint_impossible(const struct machine_config *m)
{
    const struct sim_config *s = &m->sim;
    if (!s->warmup)
        return "there is no warm-up: sim.warmup is 0";
    if (s->mode == SIM_MODE_TIMED && s->warmup_mode != WARMUP_FUNCTIONAL)
        return "the warm-up is timed, and what is under way in it cannot be saved: set sim.warmup_mode to functional";
    if (s->limit && s->limit <= s->warmup)
        return "the run ends before its warm-up does: sim.limit is not above sim.warmup";
    return NULL;
}

char *checkpoint_warm(const struct config *c, const char *const *trace_hash, uint64_t interval, uint64_t memory_interval)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    if (!f)
        return NULL;
    fprintf(f, "mmulab %s %s\nstate %d-%zu-%zu-%zu\n", MMULAB_VERSION, code_hash, CHECKPOINT_FORMAT, sizeof(struct core), sizeof(struct frame_map),
            sizeof(struct vm_stats));
    for (size_t i = 0; trace_hash[i]; i++)
        fprintf(f, "trace%zu %s\n", i, trace_hash[i]);
    fprintf(f, "series.interval %" PRIu64 "\nmemory_series.interval %" PRIu64 "\n", interval, memory_interval);
    for (size_t i = 0; i < config_count(c); i++) {
        struct config_item v;
        config_get(c, i, &v);
        if ((v.param->flags & (PARAM_NOT_WARM | PARAM_NO_HASH)) || !strncmp(v.key, "workload.", strlen("workload.")))
            continue; /* what is replayed stands above */
        char *value = config_value_text(c, i);
        fprintf(f, "%s %s\n", v.key, value ? value : "?");
        free(value);
    }
    bool bad = ferror(f);
    if (fclose(f) != 0 || bad) {
        free(text);
        return NULL;
    }
    return text;
}

void checkpoint_name(const char *warm, char name[CHECKPOINT_NAME])
{
    XXH128_hash_t h = XXH3_128bits(warm, strlen(warm));
    snprintf(name, CHECKPOINT_NAME, "%016" PRIx64 "%016" PRIx64 ".warm", (uint64_t)h.high64, (uint64_t)h.low64);
}

static void run_state(void *self, struct state_io *io)
{
    const struct checkpoint_run *r = self;
    state_mark(io, "warm");
    workload_state(r->workload, r->machine, io);
    if (!state_bad(io))
        machine_state(r->machine, io);
    if (!state_bad(io))
        series_state(r->series, io);
    if (!state_bad(io))
        memory_series_state(r->memory, io);
    state_u64(io, r->events);
    state_u64(io, r->marks);
    if (!state_bad(io))
        result_state(r->result, io);
    state_mark(io, "end");
}

/* The file's path, to be freed. */
static char *file_in(const char *place, const char *warm, bool *folder)
{
    struct stat st;
    size_t n = strlen(place);
    char *path = malloc(n + CHECKPOINT_NAME + 2), name[CHECKPOINT_NAME];
    *folder = n == 0 || place[n - 1] == '/' || (stat(place, &st) == 0 && S_ISDIR(st.st_mode));
    if (path && *folder) {
        checkpoint_name(warm, name);
        snprintf(path, n + CHECKPOINT_NAME + 2, "%s%s%s", place, n && place[n - 1] == '/' ? "" : "/", name);
    } else if (path) {
        snprintf(path, n + 1, "%s", place);
    }
    return path;
}

/* Whoever holds it makes the file; the lock ends with its owner. -1: there are no locks here, the work may be done twice. */
static int take_lock(const char *path, bool (*interrupted)(void))
{
    size_t n = strlen(path) + 8;
    char *name = malloc(n), *slash;
    if (!name)
        return -1;
    snprintf(name, n, "%s", path);
    for (slash = strchr(name + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(name, 0777);
        *slash = '/';
    }
    snprintf(name, n, "%s.lock", path);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    while (fd >= 0 && flock(fd, LOCK_EX) < 0)
        if (errno != EINTR || (interrupted && interrupted()))
            break;
    free(name);
    return fd;
}

/* 1: loaded; 0: there is nothing to load; -1: an error. */
static int load(struct checkpoint_run *run, const char *path, bool folder, const char *warm, struct err *err)
{
    struct checkpoint_file f;
    enum checkpoint_found found = checkpoint_open(&f, path, warm, err);
    int r = 0;
    if (found == CHECKPOINT_FITS) {
        r = checkpoint_read(&f, run_state, run, err) < 0 ? -1 : 1;
        if (r < 0 && folder)
            unlink(path); /* nobody else shall meet it */
    } else if (found != CHECKPOINT_ABSENT && !folder)
        r = -1;
    checkpoint_close(&f);
    return r;
}

int checkpoint_warm_up(const struct checkpoint_run *run, const char *place, const char *warm, enum checkpoint_how *how,
                       struct err *err)
{
    struct checkpoint_run copy = *run;
    bool folder;
    *how = CHECKPOINT_NONE;
    char *path = file_in(place, warm, &folder);
    if (!path)
        return err_set(err, ERR_RUN, "out of host memory for a checkpoint");
    int r = load(&copy, path, folder, warm, err);
    if (r == 0) { /* whoever makes it is waited for */
        int lock = take_lock(path, run->interrupted);
        r = load(&copy, path, folder, warm, err);
        if (r == 0 && machine_warm_up(run->machine)) {
            r = checkpoint_write(path, warm, run_state, &copy, err);
            *how = r < 0 ? CHECKPOINT_UNSAVED : CHECKPOINT_SAVED;
        }
        if (lock >= 0)
            close(lock);
    }
    if (r == 1)
        *how = CHECKPOINT_LOADED;
    free(path);
    return r < 0 ? -1 : 0;
}
