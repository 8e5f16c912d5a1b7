#include "app/decoded.h"

#include "traces/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { LEVEL = 1 }; /* of zstd: read a few times and thrown away */

static int trouble(struct err *err, const char *path)
{
    int e = errno;
    err_set(err, ERR_RUN, "cannot write %s: %s", path, strerror(e));
    return err_remedy(err, e == ENOSPC ? "free some space, or turn sim.share_decoding off" : "");
}

/* FOLDER/HASH.SUFFIX; the hash is of the file's place, size and time: a file that was changed has another name. */
static char *name(const char *folder, const char *trace, const struct stat *st, const char *suffix)
{
    char *real = realpath(trace, NULL), *path = NULL;
    XXH3_state_t *x = XXH3_createState();
    uint64_t v[3] = {(uint64_t)st->st_size, (uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec};
    if (real && x) {
        XXH3_64bits_reset(x);
        XXH3_64bits_update(x, real, strlen(real));
        XXH3_64bits_update(x, v, sizeof v);
        if (asprintf(&path, "%s%016" PRIx64 ".%s", folder, (uint64_t)XXH3_64bits_digest(x), suffix) < 0)
            path = NULL;
    }
    XXH3_freeState(x);
    free(real);
    return path;
}

/* Is it worth it? Not for what is native already. */
static bool foreign(const char *trace)
{
    struct trace *t = NULL;
    struct trace_info info;
    struct err err;
    if (trace_open(&t, trace, &(struct trace_options){0}, &err) < 0)
        return false; /* the run tells what is wrong */
    trace_get_info(t, &info);
    trace_close(t);
    return strcmp(info.format, "mtr") != 0;
}

/* 1: `to` is there; 0: the trace is broken or may have been longer, so runs read it themselves and say so. */
static int convert(const char *trace, const char *to, struct err *err)
{
    struct trace *t = NULL;
    struct trace_writer *w = NULL;
    struct trace_batch b;
    struct trace_info info;
    struct err ignored;
    int got = 0, rc = -1;
    if (trace_open(&t, trace, &(struct trace_options){.ahead = true}, &ignored) < 0)
        return 0;
    if (trace_writer_open_with(&w, to, &(struct trace_writer_options){.level = LEVEL}, err) < 0)
        goto done;
    while ((got = trace_next(t, &b, &ignored)) > 0)
        if (trace_writer_put(w, b.process, b.thread, b.rec, b.n, err) < 0)
            goto done;
    trace_get_info(t, &info);
    if (got < 0 || info.incomplete) {
        rc = 0;
        goto done;
    }
    rc = trace_writer_close(w, err) < 0 ? -1 : 1;
    w = NULL;
done:
    trace_writer_abort(w);
    trace_close(t);
    return rc;
}

int decoded_share(const char *folder, const char *trace, char **out, struct err *err)
{
    struct stat st;
    *out = NULL;
    if (stat(trace, &st) < 0 || !S_ISREG(st.st_mode) || !foreign(trace))
        return 0;
    char *mtr = name(folder, trace, &st, "mtr"), *lock = name(folder, trace, &st, "lock"), *no = name(folder, trace, &st, "no");
    int rc = 0, fd = -1;
    if (!mtr || !lock || !no) {
        rc = err_set(err, ERR_RUN, "out of host memory");
        goto done;
    }
    if (mkdir(folder, 0777) < 0 && errno != EEXIST) {
        rc = trouble(err, folder);
        goto done;
    }
    if (access(mtr, R_OK) != 0 && access(no, F_OK) != 0) {
        fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        int locked;
        do
            locked = fd < 0 ? -1 : flock(fd, LOCK_EX);
        while (locked < 0 && fd >= 0 && errno == EINTR);
        if (locked < 0) {
            rc = trouble(err, lock);
            goto done;
        }
        if (access(mtr, R_OK) != 0 && access(no, F_OK) != 0) {
            rc = convert(trace, mtr, err);
            if (rc == 0) {
                int mark = open(no, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
                rc = mark < 0 ? trouble(err, no) : 0;
                if (mark >= 0)
                    close(mark);
            }
        }
    }
    if (rc >= 0) {
        rc = 0;
        if (access(mtr, R_OK) == 0) {
            *out = mtr;
            mtr = NULL;
        }
    }
done:
    if (fd >= 0)
        close(fd);
    free(mtr);
    free(lock);
    free(no);
    return rc;
}
