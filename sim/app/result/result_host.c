/* host.json: everything that may differ between two equal runs. */
#include "app/result/result.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#ifndef MMULAB_BUILD_TYPE
#define MMULAB_BUILD_TYPE "unknown"
#endif
#ifndef MMULAB_BUILD_FLAGS
#define MMULAB_BUILD_FLAGS "unknown"
#endif
#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

static void put_path(struct json_out *j, const char *key, const char *path)
{
    char *real = realpath(path, NULL);
    json_str(j, key, real ? real : path);
    free(real);
}

static void put_cpu_model(struct json_out *j)
{
    char line[512];
    FILE *f = fopen("/proc/cpuinfo", "re");
    if (!f)
        return;
    while (fgets(line, sizeof line, f)) {
        char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) || !value)
            continue;
        value += 1 + strspn(value + 1, " \t");
        value[strcspn(value, "\n")] = '\0';
        json_str(j, "cpu", value);
        break;
    }
    fclose(f);
}

static uint64_t micros(struct timeval t) { return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_usec; }

struct host_job {
    const struct result_host *h;
    const char *dir;
};

static int put_host(FILE *f, void *ctx, struct err *err)
{
    (void)err;
    const struct host_job *job = ctx;
    const struct result_host *h = job->h;
    struct json_out j;
    json_out_init(&j, f, false);
    json_begin_object(&j, NULL);
    json_str(&j, "tool", "mmulab");
    json_str(&j, "version", h->version);

    struct rusage use = {0};
    getrusage(RUSAGE_SELF, &use);
    json_ratio(&j, "wall_seconds", h->wall_ns, 1000000000u, 1, 6);
    json_ratio(&j, "user_seconds", micros(use.ru_utime), 1000000u, 1, 6);
    json_ratio(&j, "system_seconds", micros(use.ru_stime), 1000000u, 1, 6);
    json_u64(&j, "references", h->references);
    json_ratio(&j, "references_per_second", h->references, h->wall_ns, 1000000000u, 0);
    json_u64(&j, "peak_rss_bytes", (uint64_t)use.ru_maxrss * 1024u);
    if (h->warm_up)
        json_str(&j, "warm_up", h->warm_up);
    if (h->shared_decoding)
        json_str(&j, "decoding", "shared");
    char when[32] = "";
    time_t now = time(NULL);
    struct tm tm;
    if (gmtime_r(&now, &tm))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    json_str(&j, "finished", when);

    json_begin_object(&j, "build");
    json_str(&j, "compiler", COMPILER);
    json_str(&j, "type", MMULAB_BUILD_TYPE);
    json_str(&j, "flags", MMULAB_BUILD_FLAGS);
    json_end(&j);

    struct utsname uts;
    json_begin_object(&j, "host");
    if (!uname(&uts)) {
        json_str(&j, "name", uts.nodename);
        json_str(&j, "kernel", uts.release);
        json_str(&j, "machine", uts.machine);
    }
    put_cpu_model(&j);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (cpus > 0)
        json_u64(&j, "cpus", (uint64_t)cpus);
    json_end(&j);

    json_begin_array(&j, "command");
    for (int i = 0; i < h->argc; i++)
        json_str(&j, NULL, h->argv[i]);
    json_end(&j);
    put_path(&j, "folder", ".");
    put_path(&j, "output", job->dir);
    json_begin_array(&j, "inputs");
    for (size_t i = 0; i < h->n_inputs; i++)
        put_path(&j, NULL, h->inputs[i]);
    json_end_document(&j);
    return 0;
}

int result_write_host(struct result *r, const struct result_host *h, struct err *err)
{
    struct host_job job = {h, result_dir(r)};
    return result_write(r, "host.json", put_host, &job, err);
}
