#include "traces/io/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TMP_TRIES 1000u

static int failed(const struct outfile *f, struct err *err, const char *what)
{
    int e = errno;
    err_set(err, ERR_RUN, "cannot %s: %s", what, strerror(e));
    err_remedy(err, e == ENOSPC || e == EDQUOT ? "free some space, or write the file elsewhere"
                    : e == EFBIG ? "the file system or `ulimit -f` allows no larger file; write it elsewhere, or less of it" : "");
    return err_at(err, f->path, 0, 0);
}

int outfile_open(struct outfile *f, const char *path, bool live, struct err *err)
{
    struct stat st;
    bool exists = stat(path, &st) == 0;

    *f = (struct outfile){.fd = -1, .live = live};
    if (!strcmp(path, "-")) {
        f->path = strdup("(standard output)");
        f->keep = true;
        f->fd = dup(STDOUT_FILENO);
        return f->fd < 0 ? failed(f, err, "write to standard output") : 0;
    }
    f->path = exists ? realpath(path, NULL) : strdup(path); /* through a symbolic link, not over it */
    if (!f->path)
        return err_set(err, ERR_RUN, "out of memory");
    if (exists && !S_ISREG(st.st_mode)) {
        f->keep = true;
        f->fd = open(f->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    } else {
        size_t room = strlen(f->path) + 48;
        f->tmp = malloc(room);
        for (unsigned i = 0; f->tmp && f->fd < 0 && i < TMP_TRIES; i++) {
            snprintf(f->tmp, room, "%s.tmp%ld.%u", f->path, (long)getpid(), i);
            f->fd = open(f->tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
            if (f->fd < 0 && errno != EEXIST)
                break;
        }
    }
    if (f->fd < 0) {
        failed(f, err, "create the file");
        free(f->path);
        free(f->tmp);
        *f = (struct outfile){.fd = -1};
        if (err)
            err->kind = ERR_USAGE;
        return err_at(err, path, 0, 0);
    }
    return 0;
}

int outfile_write(struct outfile *f, const void *data, size_t n, struct err *err)
{
    const char *p = data;

    while (n) {
        ssize_t k = write(f->fd, p, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return failed(f, err, "write");
        p += k;
        n -= (size_t)k;
        f->pos += (uint64_t)k;
    }
    return 0;
}

int outfile_rewrite(struct outfile *f, uint64_t pos, const void *data, size_t n, struct err *err)
{
    return pwrite(f->fd, data, n, (off_t)pos) == (ssize_t)n ? 0 : failed(f, err, "write");
}

int outfile_show(struct outfile *f, struct err *err)
{
    if (!f->live || !f->tmp)
        return 0;
    if (rename(f->tmp, f->path) < 0)
        return failed(f, err, "give the file its name");
    free(f->tmp);
    f->tmp = NULL;
    return 0;
}

static void forget(struct outfile *f)
{
    if (f->fd >= 0)
        close(f->fd);
    free(f->path);
    free(f->tmp);
    *f = (struct outfile){.fd = -1};
}

int outfile_commit(struct outfile *f, struct err *err)
{
    int r = 0, fd = f->fd;

    if (!f->keep && fsync(fd) < 0)
        r = failed(f, err, "write");
    f->fd = -1;
    if (close(fd) < 0 && r == 0)
        r = failed(f, err, "write");
    if (r == 0 && f->tmp && rename(f->tmp, f->path) < 0)
        r = failed(f, err, "rename the finished file");
    if (r < 0 && f->tmp)
        unlink(f->tmp);
    forget(f);
    return r;
}

void outfile_abort(struct outfile *f, bool remove_live)
{
    if (f->tmp)
        unlink(f->tmp);
    else if (remove_live && !f->keep && f->path)
        unlink(f->path);
    forget(f);
}
