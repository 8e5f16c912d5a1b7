#include "app/result/result.h"

#include "engine/state.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define TMP_PREFIX ".mmulab-tmp."
#define NAME_MAX_LEN 200
#define PROC_DEPTH 4 /* folders in each other below proc */

struct result {
    char *dir;
    int fd; /* of dir; its lock keeps a second run out */
    char **names;
    size_t n_names, cap_names;
    char **created; /* folders that result_open made, outermost first */
    size_t n_created;
    FILE *events;
    struct json_out event;
    uint64_t n_events;
    bool event_open;
};

const char *result_dir(const struct result *r) { return r->dir; }

/* ---- names ---- */

char *result_safe_name(char *buf, size_t size, const char *text)
{
    size_t n = 0;
    for (; text[n] && n + 1 < size; n++) {
        char c = text[n];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                  (c == '.' && n);
        buf[n] = ok ? c : '_';
    }
    if (!n && size > 1)
        buf[n++] = '_';
    buf[n] = '\0';
    return buf;
}

static bool name_ok(const char *name)
{
    size_t len = strlen(name);
    if (!len || len > NAME_MAX_LEN || (strchr(name, '/') && strncmp(name, "proc/", 5)))
        return false;
    for (const char *part = name;; part++) {
        size_t n = strcspn(part, "/");
        char copy[NAME_MAX_LEN + 1], safe[NAME_MAX_LEN + 1];
        memcpy(copy, part, n);
        copy[n] = '\0';
        if (strcmp(result_safe_name(safe, sizeof safe, copy), copy))
            return false;
        part += n;
        if (!*part)
            return true;
    }
}

/* "proc/12/maps" -> "proc/12/.mmulab-tmp.maps" */
static void tmp_name(char *buf, size_t size, const char *name)
{
    const char *slash = strrchr(name, '/');
    int folder = slash ? (int)(slash + 1 - name) : 0;
    snprintf(buf, size, "%.*s" TMP_PREFIX "%s", folder, name, name + folder);
}

static int fail(struct err *err, const char *dir, const char *name, const char *what)
{
    int e = errno;
    err_set(err, ERR_RUN, "%s %s/%s: %s", what, dir, name, strerror(e));
    return err_remedy(err, e == ENOSPC ? "free some space or name another folder with -o" : "");
}

/* ---- opening ---- */

static bool has_mark(int dirfd, const char *name)
{
    int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    char head[4096];
    ssize_t n = read(fd, head, sizeof head);
    close(fd);
    static const char mark[] = "\"tool\": \"mmulab\"";
    return n > 0 && memmem(head, (size_t)n, mark, sizeof mark - 1);
}

enum folder { FOLDER_EMPTY, FOLDER_OURS, FOLDER_SWEEP, FOLDER_FOREIGN };

static DIR *list_at(int dirfd, const char *name)
{
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d && fd >= 0)
        close(fd);
    return d;
}

/* Nothing but what a run that was killed leaves, folders in it likewise. */
static bool only_temporaries(int at, const char *name, unsigned depth)
{
    DIR *d = list_at(at, name);
    bool only = d != NULL;
    for (struct dirent *e; only && (e = readdir(d));)
        only = !strncmp(e->d_name, TMP_PREFIX, sizeof TMP_PREFIX - 1) || !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
               (depth && only_temporaries(dirfd(d), e->d_name, depth - 1));
    if (d)
        closedir(d);
    return only;
}

static enum folder look(int dirfd)
{
    if (faccessat(dirfd, "sweep.json", F_OK, 0) == 0)
        return FOLDER_SWEEP; /* it has a host.json, too */
    if (has_mark(dirfd, "stats.json") || has_mark(dirfd, "host.json"))
        return FOLDER_OURS;
    enum folder is = FOLDER_EMPTY;
    DIR *d = list_at(dirfd, ".");
    for (struct dirent *e; d && is != FOLDER_OURS && (e = readdir(d));) {
        if (!strncmp(e->d_name, TMP_PREFIX, sizeof TMP_PREFIX - 1))
            is = FOLDER_OURS; /* a run that was killed here */
        else if (!strcmp(e->d_name, "proc") && only_temporaries(dirfd, "proc", PROC_DEPTH))
            is = is == FOLDER_EMPTY ? FOLDER_OURS : is; /* ... when it tidied up behind another */
        else if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            is = FOLDER_FOREIGN;
    }
    if (d)
        closedir(d);
    return is;
}

/* Removes files below `name` (depth folders deep): temporaries, or everything but temporaries; then empty folders. */
static void sweep(int at, const char *name, bool temporaries, unsigned depth)
{
    DIR *d = list_at(at, name);
    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        struct stat st;
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW))
            continue;
        if (S_ISDIR(st.st_mode)) {
            if (depth) {
                sweep(dirfd(d), e->d_name, temporaries, depth - 1);
                unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR); /* refused unless empty, as it should be */
            }
        } else if (temporaries == !strncmp(e->d_name, TMP_PREFIX, sizeof TMP_PREFIX - 1)) {
            unlinkat(dirfd(d), e->d_name, 0);
        }
    }
    closedir(d);
}

/* Those beside proc are the last: by them the folder is known as ours if this is killed. */
static void drop_temporaries(int dirfd)
{
    sweep(dirfd, "proc", true, PROC_DEPTH);
    unlinkat(dirfd, "proc", AT_REMOVEDIR);
    sweep(dirfd, ".", true, 0);
}

/* mkdir -p, remembering what it made. */
static int make_folders(struct result *r, struct err *err)
{
    size_t len = strlen(r->dir), parts = 1;
    for (size_t i = 0; i < len; i++)
        parts += r->dir[i] == '/';
    r->created = calloc(parts, sizeof *r->created);
    if (!r->created)
        return err_set(err, ERR_RUN, "out of memory");
    for (size_t i = 1; i <= len; i++) {
        if (r->dir[i] != '/' && r->dir[i])
            continue;
        char *part = strndup(r->dir, i);
        if (!part)
            return err_set(err, ERR_RUN, "out of memory");
        if (!mkdir(part, 0777)) {
            r->created[r->n_created++] = part;
            continue;
        }
        int e = errno;
        struct stat st;
        bool there = !stat(part, &st) && S_ISDIR(st.st_mode);
        if (!there) {
            err_set(err, ERR_USAGE, "cannot make the folder \"%s\": %s", part,
                    e == EEXIST ? "a file of that name exists" : strerror(e));
            err_remedy(err, "name another folder with -o");
        }
        free(part);
        if (!there)
            return -1;
    }
    return 0;
}

static int open_tmp(struct result *r, const char *name, FILE **f, struct err *err);

int result_open(struct result **out, const char *dir, struct err *err)
{
    *out = NULL;
    if (!*dir) {
        err_set(err, ERR_USAGE, "the name of the result folder is empty");
        return err_remedy(err, "write -o FOLDER");
    }
    struct result *r = calloc(1, sizeof *r);
    if (!r || !(r->dir = strdup(dir))) {
        free(r);
        return err_set(err, ERR_RUN, "out of memory");
    }
    r->fd = -1;
    for (size_t n = strlen(r->dir); n > 1 && r->dir[n - 1] == '/'; n--)
        r->dir[n - 1] = '\0';
    if (make_folders(r, err))
        goto bad;
    r->fd = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->fd < 0 || faccessat(r->fd, ".", W_OK | X_OK, AT_EACCESS)) {
        err_set(err, ERR_USAGE, "cannot write into the folder \"%s\": %s", r->dir, strerror(errno));
        err_remedy(err, "name another folder with -o");
        goto bad;
    }
    /* Some network file systems have no locks on folders: then nothing keeps two runs apart, as usual there. */
    if (flock(r->fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) {
        err_set(err, ERR_USAGE, "another run is writing into \"%s\"", r->dir);
        err_remedy(err, "name another folder with -o, or wait for it");
        goto bad;
    }
    enum folder is = look(r->fd);
    if (is == FOLDER_FOREIGN || is == FOLDER_SWEEP) {
        err_set(err, ERR_USAGE, is == FOLDER_SWEEP ? "the folder \"%s\" holds a sweep"
                                                   : "the folder \"%s\" exists and holds files that are no mmulab result", r->dir);
        err_remedy(err, "name a new folder with -o, or empty this one");
        goto bad;
    }
    drop_temporaries(r->fd);
    if (open_tmp(r, "events.jsonl", &r->events, err))
        goto bad;
    *out = r;
    return 0;
bad:
    result_free(r);
    return -1;
}

void result_free(struct result *r)
{
    if (!r)
        return;
    if (r->events)
        fclose(r->events);
    if (r->fd >= 0) {
        if (r->n_names)
            drop_temporaries(r->fd);
        close(r->fd);
    }
    for (size_t i = 0; i < r->n_names; i++)
        free(r->names[i]);
    for (size_t i = r->n_created; i-- > 0;) {
        rmdir(r->created[i]); /* refused unless empty */
        free(r->created[i]);
    }
    free(r->created);
    free(r->names);
    free(r->dir);
    free(r);
}

/* ---- writing ---- */

static int make_proc_folders(struct result *r, const char *name, struct err *err)
{
    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        char part[NAME_MAX_LEN + 1];
        snprintf(part, sizeof part, "%.*s", (int)(slash - name), name);
        if (mkdirat(r->fd, part, 0777) && errno != EEXIST)
            return fail(err, r->dir, part, "cannot make the folder");
    }
    return 0;
}

/* Opens the temporary of `name` and remembers the name. */
static int open_tmp(struct result *r, const char *name, FILE **f, struct err *err)
{
    char tmp[NAME_MAX_LEN + 32];
    if (!name_ok(name))
        return err_set(err, ERR_RUN, "internal error: \"%s\" is no name for a file of a result", name);
    if (make_proc_folders(r, name, err))
        return -1;
    bool known = false;
    for (size_t i = 0; i < r->n_names && !known; i++)
        known = !strcmp(r->names[i], name);
    if (!known) {
        if (r->n_names == r->cap_names) {
            size_t cap = r->cap_names ? r->cap_names * 2 : 32;
            char **names = reallocarray(r->names, cap, sizeof *names);
            if (!names)
                return err_set(err, ERR_RUN, "out of memory");
            r->names = names;
            r->cap_names = cap;
        }
        if (!(r->names[r->n_names] = strdup(name)))
            return err_set(err, ERR_RUN, "out of memory");
        r->n_names++;
    }
    tmp_name(tmp, sizeof tmp, name);
    int fd = openat(r->fd, tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0 || !(*f = fdopen(fd, "w"))) {
        fail(err, r->dir, name, "cannot write");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return 0;
}

/* Flushes and closes; an error of an earlier write shows here or in sync_written. */
static int close_written(struct result *r, const char *name, FILE *f, struct err *err)
{
    errno = 0;
    bool bad = ferror(f) || fflush(f);
    int e = errno;
    if (fclose(f) && !bad) {
        bad = true;
        e = errno;
    }
    struct statvfs fs;
    if (bad && !e) /* a write that failed earlier kept no errno */
        e = fstatvfs(r->fd, &fs) == 0 && fs.f_bavail == 0 ? ENOSPC : EIO;
    errno = e;
    return bad ? fail(err, r->dir, name, "cannot write") : 0;
}

int result_write(struct result *r, const char *name, result_writer fn, void *ctx, struct err *err)
{
    FILE *f;
    if (open_tmp(r, name, &f, err))
        return -1;
    if (fn(f, ctx, err)) {
        if (ferror(f)) /* the device's reason, not the writer's */
            return close_written(r, name, f, err);
        fclose(f);
        return -1;
    }
    return close_written(r, name, f, err);
}

static int put_text(FILE *f, void *ctx, struct err *err)
{
    (void)err;
    fputs(ctx, f);
    return 0;
}

int result_write_text(struct result *r, const char *name, const char *text, struct err *err)
{
    char *copy = strdup(text);
    if (!copy)
        return err_set(err, ERR_RUN, "out of memory");
    int rc = result_write(r, name, put_text, copy, err);
    free(copy);
    return rc;
}

static int put_series(FILE *f, void *ctx, struct err *err)
{
    (void)err;
    const struct series *const *s = ctx;
    series_write_csv(*s, f);
    return 0;
}

int result_write_series(struct result *r, const char *name, const struct series *series, struct err *err)
{
    return result_write(r, name, put_series, &series, err);
}

struct json_out *result_event(struct result *r, uint64_t time_ps, const char *kind)
{
    assert(!r->event_open);
    r->event_open = true;
    /* Past the bound the writer has no file and the members go nowhere. */
    bool kept = r->n_events++ < RESULT_EVENTS_MAX;
    json_out_init(&r->event, kept ? r->events : NULL, true);
    json_begin_object(&r->event, NULL);
    json_u64(&r->event, "time_ps", time_ps);
    json_str(&r->event, "kind", kind);
    return &r->event;
}

/* The bytes of a file that is being written, or was. */
static void save_bytes(int fd, uint64_t left, struct state_io *io)
{
    unsigned char part[4096];
    state_u64(io, &left);
    for (uint64_t at = 0; left && !state_bad(io);) {
        ssize_t got = pread(fd, part, left < sizeof part ? (size_t)left : sizeof part, (off_t)at);
        if (got <= 0) {
            state_fail(io, "a file of the result cannot be read back");
            return;
        }
        state_bytes(io, part, (size_t)got);
        left -= (uint64_t)got;
        at += (uint64_t)got;
    }
}

static int load_bytes(FILE *f, void *ctx, struct err *err)
{
    struct state_io *io = ctx;
    unsigned char part[4096];
    uint64_t left = 0;
    state_u64(io, &left);
    while (left && !state_bad(io)) {
        size_t n = left < sizeof part ? (size_t)left : sizeof part;
        state_bytes(io, part, n);
        if (!state_bad(io) && fwrite(part, 1, n, f) != n)
            return err_set(err, ERR_RUN, "cannot write a file of the result");
        left -= n;
    }
    return 0;
}

static void save_file(struct result *r, const char *name, struct state_io *io)
{
    char tmp[NAME_MAX_LEN + 32];
    struct stat st;
    uint32_t len = (uint32_t)strlen(name);
    tmp_name(tmp, sizeof tmp, name);
    int fd = openat(r->fd, tmp, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    state_u32(io, &len);
    state_bytes(io, (char *)name, len); /* NOLINT: saving only reads it */
    if (fd < 0 || fstat(fd, &st) < 0)
        state_fail(io, "a file of the result cannot be read back");
    else
        save_bytes(fd, (uint64_t)st.st_size, io);
    if (fd >= 0)
        close(fd);
}

static void load_file(struct result *r, struct state_io *io)
{
    char name[NAME_MAX_LEN + 1] = "";
    uint32_t len = 0;
    struct err err;
    state_u32(io, &len);
    if (!state_check(io, len > 0 && len < sizeof name, "a file of the result has an impossible name"))
        return;
    state_bytes(io, name, len);
    if (state_check(io, strlen(name) == len && strncmp(name, "proc/", 5) == 0, "a file of the result has an impossible name") &&
        result_write(r, name, load_bytes, io, &err) < 0)
        state_fail(io, "%s", err.message);
}

void result_state(struct result *r, struct state_io *io)
{
    struct err err;
    uint64_t files = r->n_names - 1; /* all but events.jsonl, the first */
    state_mark(io, "files");
    state_u64(io, &files);
    for (uint64_t i = 0; i < files && !state_bad(io); i++) {
        if (io->loading)
            load_file(r, io);
        else
            save_file(r, r->names[i + 1], io);
    }
    state_mark(io, "events");
    state_u64(io, &r->n_events);
    if (state_bad(io))
        return;
    if (io->loading) {
        if (load_bytes(r->events, io, &err) < 0)
            state_fail(io, "%s", err.message);
        return;
    }
    fflush(r->events);
    save_bytes(fileno(r->events), (uint64_t)ftello(r->events), io);
}

void result_event_end(struct result *r)
{
    assert(r->event_open);
    json_end_document(&r->event);
    r->event_open = false;
}

/* ---- commit ---- */

static bool written(const struct result *r, const char *name)
{
    for (size_t i = 0; i < r->n_names; i++)
        if (!strcmp(r->names[i], name))
            return true;
    return false;
}

/*
 * All files reach the disk before any gets its name. First their writing is started, then each is waited for: the journal is
 * written once for all of them, where a sync after each file writes it as often as there are files (2 ms against 9 a result on ext4).
 */
static int sync_written(struct result *r, struct err *err)
{
    for (size_t k = 0; k < 2 * r->n_names; k++) {
        bool start = k < r->n_names;
        const char *name = r->names[start ? k : k - r->n_names];
        char tmp[NAME_MAX_LEN + 32];
        tmp_name(tmp, sizeof tmp, name);
        int fd = openat(r->fd, tmp, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        bool bad = fd < 0;
        if (!bad && start)
            sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
        else if (!bad)
            bad = fsync(fd) && errno != EINVAL && errno != EROFS;
        int e = errno;
        if (fd >= 0)
            close(fd);
        errno = e;
        if (bad)
            return fail(err, r->dir, name, "cannot write");
    }
    return 0;
}

static int put_in_place(struct result *r, const char *name, struct err *err)
{
    char tmp[NAME_MAX_LEN + 32];
    tmp_name(tmp, sizeof tmp, name);
    return renameat(r->fd, tmp, r->fd, name) ? fail(err, r->dir, name, "cannot rename to") : 0;
}

int result_commit(struct result *r, struct err *err)
{
    if (r->n_events > RESULT_EVENTS_MAX) {
        json_out_init(&r->event, r->events, true);
        json_begin_object(&r->event, NULL);
        json_str(&r->event, "kind", "events_dropped");
        json_u64(&r->event, "count", r->n_events - RESULT_EVENTS_MAX);
        json_end_document(&r->event);
    }
    FILE *events = r->events;
    r->events = NULL;
    if (close_written(r, "events.jsonl", events, err) || sync_written(r, err))
        return -1;

    /* From here until stats.json is back the folder shows no result; a kill in between leaves temporaries, by which
     * the next run knows the folder as ours. */
    static const char *const ours[] = {"stats.json", "config.json", "series.csv", "fragmentation.csv",
                                       "memory_map.csv", "host.json"};
    unlinkat(r->fd, "stats.json", 0);
    for (size_t i = 1; i < ARRAY_LEN(ours); i++)
        if (!written(r, ours[i]))
            unlinkat(r->fd, ours[i], 0);
    sweep(r->fd, "proc", false, PROC_DEPTH);
    unlinkat(r->fd, "proc", AT_REMOVEDIR); /* stays if this run wrote into it */
    for (size_t i = 0; i < r->n_names; i++)
        if (strcmp(r->names[i], "stats.json") && put_in_place(r, r->names[i], err))
            return -1;
    fsync(r->fd);
    if (written(r, "stats.json") && put_in_place(r, "stats.json", err))
        return -1;
    fsync(r->fd);
    for (size_t i = 0; i < r->n_names; i++)
        free(r->names[i]);
    r->n_names = 0;
    for (size_t i = 0; i < r->n_created; i++)
        free(r->created[i]);
    r->n_created = 0;
    return 0;
}
