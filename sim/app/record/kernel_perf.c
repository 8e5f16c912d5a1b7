/* Driving perf: a recording of all CPUs that is switched on and off, and its text. */
#include "app/record/kernel.h"

#include "app/record/record.h"
#include "engine/types.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

/* What a replay needs (linux-mm 14.3): allocations and frees of pages and objects, movements between per-CPU lists and
 * zones, fallbacks, compaction. */
static const char *const events[] = {
    "kmem:mm_page_alloc", "kmem:mm_page_free", "kmem:mm_page_free_batched", "kmem:mm_page_alloc_zone_locked",
    "kmem:mm_page_pcpu_drain", "kmem:mm_page_alloc_extfrag", "kmem:kmalloc", "kmem:kfree", "kmem:kmem_cache_alloc",
    "kmem:kmem_cache_free", "compaction:mm_compaction_begin", "compaction:mm_compaction_end",
    "compaction:mm_compaction_isolate_freepages", "compaction:mm_compaction_fast_isolate_freepages",
    "compaction:mm_compaction_isolate_migratepages", "compaction:mm_compaction_migratepages"};
/* Before 6.0 allocations of a given node were events of their own. */
static const char *const old_events[] = {"kmem:kmalloc_node", "kmem:kmem_cache_alloc_node"};

static bool has_event(const char *name)
{
    static const char *const roots[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
    char path[200];
    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        const char *colon = strchr(name, ':');
        snprintf(path, sizeof path, "%s/events/%.*s/%s", roots[i], (int)(colon - name), name, colon + 1);
        if (access(path, F_OK) == 0)
            return true;
    }
    return false;
}

static bool of_slabs(const char *name) { return !strncmp(name, "kmem:k", 6); }

static char *event_list(bool slabs, struct err *err)
{
    char *list = NULL;
    size_t len;
    FILE *f = open_memstream(&list, &len);
    unsigned n = 0;
    if (!f) {
        err_set(err, ERR_RUN, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_LEN(events) + ARRAY_LEN(old_events); i++) {
        const char *name = i < ARRAY_LEN(events) ? events[i] : old_events[i - ARRAY_LEN(events)];
        if ((slabs || !of_slabs(name)) && has_event(name))
            fprintf(f, "%s%s", n++ ? "," : "", name);
    }
    fclose(f);
    if (n && has_event(events[0]) && has_event(events[1]))
        return list;
    free(list);
    err_set(err, ERR_USAGE, "this kernel shows no events kmem:mm_page_alloc and kmem:mm_page_free");
    err_remedy(err, "mount tracefs (mount -t tracefs tracefs /sys/kernel/tracing) and be root; the kernel needs CONFIG_TRACEPOINTS");
    return NULL;
}

/* What perf says goes to a file beside its data: shown if something goes wrong. */
static void child(const struct perf_session *p, const char *list, unsigned pages, const int fds[4])
{
    char control[64], size[16];
    record_child_prepare();
    setpgid(0, 0); /* a Ctrl-C is ours; we stop it in order */
    snprintf(control, sizeof control, "fd:%d,%d", fds[0], fds[3]);
    snprintf(size, sizeof size, "%u", pages);
    dup2(p->said, 1);
    dup2(p->said, 2);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    execlp(p->perf, p->perf, "record", "-q", "-a", "-k", "CLOCK_MONOTONIC", "-m", size, "-c", "1", "-e", list, "-o", p->data, "-D", "-1",
           "--control", control, (char *)NULL);
    dprintf(2, "cannot run %s: %s\n", p->perf, strerror(errno));
    _exit(127);
}

/* The last lines of what perf said. */
static int perf_says(const struct perf_session *p, const char *what, struct err *err)
{
    char text[900];
    off_t size = lseek(p->said, 0, SEEK_END);
    off_t from = size > 800 ? size - 800 : 0;
    ssize_t n = pread(p->said, text, sizeof text - 1, from);
    text[n > 0 ? n : 0] = '\0';
    for (char *c = text; *c; c++)
        if (*c == '\n')
            *c = c[1] ? ';' : '\0';
    err_set(err, ERR_RUN, "%s%s%s", what, *text ? ": " : "", text);
    return err_remedy(err, "perf must be installed (Debian: linux-perf), and only root may record all CPUs");
}

int perf_begin(struct perf_session *p, const char *data, uint64_t buffer_bytes, bool slabs, struct err *err)
{
    long page = sysconf(_SC_PAGESIZE);
    int fds[4];
    char *list = event_list(slabs, err), said[4200];
    *p = (struct perf_session){.perf = "perf", .pid = -1, .control = -1, .ack = -1, .said = -1};
    if (!list)
        return -1;
    snprintf(said, sizeof said, "%.4096s.log", data);
    p->data = strdup(data);
    p->said = open(said, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    unlink(said); /* it lives as long as it is open */
    if (!p->data || p->said < 0 || pipe(fds) < 0 || pipe(fds + 2) < 0) {
        free(list);
        return err_set(err, ERR_RUN, "cannot prepare perf: %s", strerror(errno));
    }
    p->pid = fork();
    if (p->pid == 0) {
        close(fds[1]);
        close(fds[2]);
        child(p, list, (unsigned)(buffer_bytes / (uint64_t)page), fds);
    }
    free(list);
    close(fds[0]);
    close(fds[3]);
    p->control = fds[1];
    p->ack = fds[2];
    fcntl(p->control, F_SETFD, FD_CLOEXEC);
    fcntl(p->ack, F_SETFD, FD_CLOEXEC);
    return p->pid < 0 ? err_set(err, ERR_RUN, "cannot start perf: %s", strerror(errno)) : 0;
}

enum { ANSWER_MS = 60000 }; /* a perf that says nothing for a minute hangs */

static int order(struct perf_session *p, const char *word, struct err *err)
{
    char answer[64];
    struct pollfd wait = {.fd = p->ack, .events = POLLIN};
    if (write(p->control, word, strlen(word)) != (ssize_t)strlen(word))
        return perf_says(p, "perf has ended early", err);
    int n;
    do
        n = poll(&wait, 1, ANSWER_MS);
    while (n < 0 && errno == EINTR);
    if (n <= 0 || read(p->ack, answer, sizeof answer) <= 0)
        return perf_says(p, n == 0 ? "perf does not answer" : "perf has ended early", err);
    return 0;
}

int perf_enable(struct perf_session *p, struct err *err) { return order(p, "enable\n", err); }

static void close_all(struct perf_session *p)
{
    if (p->control >= 0)
        close(p->control);
    if (p->ack >= 0)
        close(p->ack);
    if (p->said >= 0)
        close(p->said);
    p->control = p->ack = p->said = -1;
}

int perf_end(struct perf_session *p, struct err *err)
{
    int status = 0;
    if (order(p, "disable\n", err))
        return -1;
    kill(p->pid, SIGINT);
    while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
        ;
    p->pid = -1;
    if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 130))
        return 0;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGINT)
        return 0;
    return perf_says(p, "perf could not write its recording", err);
}

void perf_kill(struct perf_session *p)
{
    if (p->pid > 0) {
        kill(p->pid, SIGKILL);
        waitpid(p->pid, NULL, 0);
    }
    p->pid = -1;
    close_all(p);
    if (p->data)
        unlink(p->data);
    free(p->data);
    p->data = NULL;
}

/* ---- the text ---- */

/* Drops leading blanks and makes one blank of several up to the event's name; returns the new length. */
static size_t squeeze(char *line, size_t n)
{
    size_t to = 0, from = strspn(line, " \t");
    const char *text = strstr(line, ": kmem:");
    text = text ? text : strstr(line, ": compaction:");
    if (!text) /* perf pads between the time's colon and the event */
        for (const char *c = line; (c = strchr(c, ':')) && !text; c++) {
            const char *event = c + 1 + strspn(c + 1, " ");
            if (event > c + 1 && (!strncmp(event, "kmem:", 5) || !strncmp(event, "compaction:", 11)))
                text = event;
        }
    size_t head = text ? (size_t)(text - line) : n;
    for (; from < n; from++) {
        if (from < head && line[from] == ' ' && to && line[to - 1] == ' ')
            continue;
        line[to++] = line[from];
    }
    line[to] = '\0';
    return to;
}

struct packer {
    ZSTD_CStream *z;
    FILE *f;
    char out[1 << 17];
};

static int pack(struct packer *k, const char *text, size_t len, ZSTD_EndDirective end)
{
    ZSTD_inBuffer in = {text, len, 0};
    size_t left;
    do {
        ZSTD_outBuffer out = {k->out, sizeof k->out, 0};
        left = ZSTD_compressStream2(k->z, &out, &in, end);
        if (ZSTD_isError(left) || fwrite(k->out, 1, out.pos, k->f) != out.pos)
            return -1;
    } while (end == ZSTD_e_end ? left != 0 : in.pos < in.size);
    return 0;
}

static uint64_t lost_in(const char *line)
{
    const char *at = strstr(line, "PERF_RECORD_LOST");
    if (!at)
        return 0;
    const char *n = strstr(at, "lost ");
    uint64_t v = n ? strtoull(n + 5, NULL, 10) : 1;
    return v ? v : 1;
}

static int copy_text(FILE *from, struct packer *k, struct perf_text *out)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    int rc = 0;
    while (!rc && (n = getline(&line, &cap, from)) > 0) {
        uint64_t lost = lost_in(line);
        out->lost += lost;
        if (lost || strspn(line, " \t\n") == (size_t)n)
            continue;
        size_t len = squeeze(line, (size_t)n);
        rc = pack(k, line, len, ZSTD_e_continue);
        out->events++;
        out->bytes += len;
    }
    free(line);
    return rc ? rc : pack(k, NULL, 0, ZSTD_e_end);
}

int perf_write_text(const struct perf_session *p, const char *path, struct perf_text *out, struct err *err)
{
    enum { LEVEL = 12 };
    int fds[2], status = 0;
    *out = (struct perf_text){0};
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_set(err, ERR_RUN, "cannot read perf's text: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0) {
        record_child_prepare();
        dup2(fds[1], 1);
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(p->said, 2);
        execlp(p->perf, p->perf, "script", "-i", p->data, "--ns", "--show-lost-events", "-F", "comm,tid,cpu,time,event,trace", (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    struct packer *k = calloc(1, sizeof *k);
    FILE *from = fdopen(fds[0], "r");
    int rc = -1;
    if (k && from && pid > 0) {
        k->z = ZSTD_createCStream();
        k->f = fopen(path, "we");
        if (k->z && k->f) {
            ZSTD_CCtx_setParameter(k->z, ZSTD_c_compressionLevel, LEVEL);
            ZSTD_CCtx_setParameter(k->z, ZSTD_c_checksumFlag, 1);
            rc = copy_text(from, k, out);
        }
        if (k->f && (fflush(k->f) || fsync(fileno(k->f))) && errno != EINVAL)
            rc = -1;
        if (rc)
            err_set(err, ERR_RUN, "%s: cannot write: %s", path, strerror(errno));
        if (k->f)
            fclose(k->f);
        ZSTD_freeCStream(k->z);
    } else {
        err_set(err, ERR_RUN, "cannot run perf script: %s", strerror(errno));
    }
    if (from)
        fclose(from);
    free(k);
    if (pid > 0)
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
    if (!rc && (!WIFEXITED(status) || WEXITSTATUS(status)))
        return perf_says(p, "perf script failed", err);
    return rc;
}
