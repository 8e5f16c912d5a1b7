#include "app/sweep/folder.h"

#include "app/result/json/json_out.h"
#include "app/result/json/result_json.h"
#include "app/sweep/must.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEMPORARY ".mmulab-tmp."

static int fail(struct err *err, const struct sweep_folder *f, const char *name, const char *what)
{
    int e = errno;
    err_set(err, ERR_RUN, "%s %.300s%s%.100s: %s", what, f->path, *name ? "/" : "", name, strerror(e));
    return err_remedy(err, e == ENOSPC ? "free some space; mmulab sweep goes on where it stopped" : "");
}

/* ---- opening ---- */

static bool is_ours(const char *name)
{
    static const char *const ours[] = {".", "..", "lock", "sweep.json", "host.json", "points", "failed", "old", "warm", "decoded"};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (!strcmp(name, ours[i]))
            return true;
    return !strncmp(name, TEMPORARY, sizeof TEMPORARY - 1);
}

/* A folder with a plan or what becomes of one that was killed at its start; a result folder has a host.json, too. */
static bool usable(int fd)
{
    if (faccessat(fd, "sweep.json", F_OK, 0) == 0)
        return true;
    bool lock = faccessat(fd, "lock", F_OK, 0) == 0, ok = true, empty = true;
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    for (struct dirent *e; d && (e = readdir(d));) {
        ok = ok && is_ours(e->d_name);
        empty = empty && e->d_name[0] == '.' && (!e->d_name[1] || (e->d_name[1] == '.' && !e->d_name[2]));
    }
    if (d)
        closedir(d);
    return empty || (ok && lock);
}

static int make_folders(const char *path)
{
    char *copy = must_dup(path);
    int rc = 0;
    for (char *p = copy + 1; rc == 0; p++) {
        char c = *p;
        if (c && c != '/')
            continue;
        *p = 0;
        if (mkdir(copy, 0777) && errno != EEXIST)
            rc = -1;
        *p = c;
        if (!c)
            break;
    }
    int e = errno;
    free(copy);
    errno = e;
    return rc;
}

/* Who only looks at a folder needs no right to write. */
static int open_lock(int at, bool create)
{
    int fd = openat(at, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    return fd < 0 && !create && (errno == EACCES || errno == EROFS) ? openat(at, "lock", O_RDONLY | O_CLOEXEC) : fd;
}

int folder_open(struct sweep_folder *f, const char *path, bool create, struct err *err)
{
    *f = (struct sweep_folder){.path = must_dup(path), .fd = -1, .lock = -1};
    size_t len = strlen(f->path);
    while (len > 1 && f->path[len - 1] == '/')
        f->path[--len] = 0;
    if (create && (!len || make_folders(f->path) < 0)) {
        errno = len ? errno : ENOENT;
        fail(err, f, "", "cannot make the folder");
    } else if ((f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
        fail(err, f, "", "cannot open the folder");
    } else if (create ? !usable(f->fd) : faccessat(f->fd, "sweep.json", F_OK, 0) != 0) {
        err_set(err, ERR_USAGE, create ? "%.300s holds something else" : "%.300s is no folder of a sweep", f->path);
        err_remedy(err, create ? "name another folder with -o" : "mmulab sweep CONFIG -o DIR makes one");
    } else if ((f->lock = open_lock(f->fd, create)) < 0) {
        fail(err, f, "lock", "cannot open");
    } else {
        return 0;
    }
    if (err)
        err->kind = ERR_USAGE;
    folder_close(f);
    return -1;
}

void folder_close(struct sweep_folder *f)
{
    if (f->lock >= 0)
        close(f->lock);
    if (f->fd >= 0)
        close(f->fd);
    free(f->path);
    *f = (struct sweep_folder){.fd = -1, .lock = -1};
}

/* ---- locks: of the open file, so that they end with the last process that has it ---- */

static int lock_byte(struct sweep_folder *f, off_t at, short type, struct err *err)
{
    struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
    if (fcntl(f->lock, F_OFD_SETLK, &l) == 0)
        return 1;
    if (errno == EAGAIN || errno == EACCES)
        return 0;
    if (errno == EBADF) /* opened for reading: open_lock */
        errno = EACCES;
    return fail(err, f, "lock", "cannot lock");
}

int folder_lock_plan(struct sweep_folder *f, enum folder_lock how, unsigned wait_ms, struct err *err)
{
    enum { STEP_MS = 20 };
    for (unsigned waited = 0;; waited += STEP_MS) {
        int got = lock_byte(f, 0, how == FOLDER_PLANNING ? F_WRLCK : F_RDLCK, err);
        if (got || waited >= wait_ms)
            return got;
        nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000}, NULL);
    }
}

int folder_lock_point(struct sweep_folder *f, size_t index, struct err *err)
{
    return lock_byte(f, (off_t)index + 1, F_WRLCK, err);
}

void folder_unlock_point(struct sweep_folder *f, size_t index)
{
    struct err ignored;
    lock_byte(f, (off_t)index + 1, F_UNLCK, &ignored);
}

/* ---- files ---- */

static void temporary_name(char *buf, size_t size, const char *name)
{
    const char *slash = strrchr(name, '/');
    int folder = slash ? (int)(slash + 1 - name) : 0;
    snprintf(buf, size, "%.*s" TEMPORARY "%s", folder, name, name + folder);
}

char *folder_temporary(const struct sweep_folder *f, const char *name)
{
    char *path = NULL, tmp[200];
    size_t len = 0;
    temporary_name(tmp, sizeof tmp, name);
    FILE *to = must(open_memstream(&path, &len));
    fprintf(to, "%s/%s", f->path, tmp);
    return must_text(to, &path);
}

int folder_commit(struct sweep_folder *f, const char *temporary, const char *name, struct err *err)
{
    int fd = open(temporary, O_RDONLY | O_CLOEXEC);
    bool bad = fd < 0 || (fsync(fd) && errno != EINVAL && errno != EROFS);
    if (fd >= 0)
        close(fd);
    if (bad || renameat(AT_FDCWD, temporary, f->fd, name))
        return fail(err, f, name, "cannot write");
    fsync(f->fd);
    return 0;
}

int folder_write(struct sweep_folder *f, const char *name, const char *text, size_t len, struct err *err)
{
    char *tmp = folder_temporary(f, name);
    FILE *to = fopen(tmp, "we");
    bool bad = !to || fwrite(text, 1, len, to) != len;
    if (to && fclose(to))
        bad = true;
    int rc = bad ? fail(err, f, name, "cannot write") : folder_commit(f, tmp, name, err);
    if (rc < 0)
        unlink(tmp);
    free(tmp);
    return rc;
}

static DIR *list(const struct sweep_folder *f, const char *name)
{
    int fd = openat(f->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d && fd >= 0)
        close(fd);
    return d;
}

void folder_clean(struct sweep_folder *f)
{
    static const char *const where[] = {".", "failed"};
    for (size_t i = 0; i < 2; i++) {
        DIR *d = list(f, where[i]);
        for (struct dirent *e; d && (e = readdir(d));)
            if (!strncmp(e->d_name, TEMPORARY, sizeof TEMPORARY - 1))
                unlinkat(dirfd(d), e->d_name, 0);
        if (d)
            closedir(d);
    }
}

/* ---- points ---- */

char *folder_point_path(const struct sweep_folder *f, const struct sweep_point *pt, const char *name)
{
    char *path = NULL;
    size_t len = 0;
    FILE *to = must(open_memstream(&path, &len));
    fprintf(to, "%s/points/%s%s%s", f->path, pt->name, *name ? "/" : "", name);
    return must_text(to, &path);
}

static char *shared_path(const struct sweep_folder *f, const char *name)
{
    char *path = NULL;
    size_t len = 0;
    FILE *to = must(open_memstream(&path, &len));
    fprintf(to, "%s/%s/", f->path, name);
    return must_text(to, &path);
}

char *folder_warm_path(const struct sweep_folder *f) { return shared_path(f, "warm"); }
char *folder_decoded_path(const struct sweep_folder *f) { return shared_path(f, "decoded"); }

/* Removes the files whose names have one of the suffixes (or go on behind it: temporaries), then the folder. */
static void drop_shared(struct sweep_folder *f, const char *name, const char *const suffix[])
{
    DIR *d = list(f, name);
    for (struct dirent *e; d && (e = readdir(d));)
        for (size_t i = 0; suffix[i]; i++)
            if (strstr(e->d_name, suffix[i])) {
                unlinkat(dirfd(d), e->d_name, 0);
                break;
            }
    if (d)
        closedir(d);
    unlinkat(f->fd, name, AT_REMOVEDIR); /* refused while there is something else */
}

void folder_drop_warm(struct sweep_folder *f)
{
    drop_shared(f, "warm", (const char *const[]){".warm", NULL});
    drop_shared(f, "decoded", (const char *const[]){".mtr", ".lock", ".no", NULL});
}

/* The head of a result's stats.json: 1 complete, 0 not, -1 there is none. */
static int head_of(const struct sweep_folder *f, const struct sweep_point *pt, char *head, size_t size)
{
    char name[POINT_NAME + 32];
    snprintf(name, sizeof name, "points/%s/stats.json", pt->name);
    int fd = openat(f->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -1 : read(fd, head, size - 1);
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return -1;
    head[n] = 0;
    return strstr(head, "\"complete\": true") != NULL;
}

static char *failure(const struct sweep_folder *f, const struct sweep_point *pt)
{
    struct json_flat j;
    struct err ignored;
    char *path = NULL, *reason = NULL;
    size_t len = 0;
    FILE *to = must(open_memstream(&path, &len));
    fprintf(to, "%s/failed/%s.json", f->path, point_hash(pt));
    must_text(to, &path);
    if (access(path, F_OK) == 0) {
        const char *text = NULL;
        if (json_flat_load(&j, path, &ignored) == 0) {
            text = json_flat_get(&j, "reason");
            reason = must_dup(text ? text : "");
            json_flat_free(&j);
        } else {
            reason = must_dup("");
        }
    }
    free(path);
    return reason;
}

enum point_state folder_state(const struct sweep_folder *f, const struct sweep_point *pt, char **reason)
{
    char head[2048], *why = NULL;
    enum point_state state = POINT_MISSING;
    int complete = head_of(f, pt, head, sizeof head);
    if (complete > 0) {
        state = POINT_OK;
    } else if (pt->reason || (why = failure(f, pt))) {
        state = POINT_FAILED;
        why = why ? why : must_dup(pt->reason);
    } else if (complete == 0) {
        state = POINT_PARTIAL;
        why = must_dup("interrupted");
    }
    if (reason)
        *reason = why;
    else
        free(why);
    return state;
}

int folder_set_failed(struct sweep_folder *f, const struct sweep_point *pt, const char *reason, struct err *err)
{
    char *text = NULL, name[64];
    size_t len = 0;
    struct json_out j;
    FILE *to = must(open_memstream(&text, &len));
    json_out_init(&j, to, false);
    json_begin_object(&j, NULL);
    json_str(&j, "tool", "mmulab");
    json_str(&j, "reason", reason);
    json_end_document(&j);
    must_text(to, &text);
    if (mkdirat(f->fd, "failed", 0777) && errno != EEXIST) {
        free(text);
        return fail(err, f, "failed", "cannot make");
    }
    snprintf(name, sizeof name, "failed/%s.json", point_hash(pt));
    int rc = folder_write(f, name, text, len, err);
    free(text);
    return rc;
}

void folder_clear_failed(struct sweep_folder *f, const struct sweep_point *pt)
{
    char name[64];
    snprintf(name, sizeof name, "failed/%s.json", point_hash(pt));
    unlinkat(f->fd, name, 0);
    unlinkat(f->fd, "failed", AT_REMOVEDIR); /* refused while there are others */
}

/* ---- arranging ---- */

struct found {
    char name[POINT_NAME + 16];
    bool old, claimed;
};
struct found_list {
    struct found *v;
    size_t n;
};

static void look(const struct sweep_folder *f, const char *where, bool old, struct found_list *l)
{
    DIR *d = list(f, where);
    for (struct dirent *e; d && (e = readdir(d));) {
        const char *dash = strchr(e->d_name, '-');
        if (e->d_name[0] == '.' || !dash || strlen(e->d_name) >= POINT_NAME + 16)
            continue;
        l->v = must_grow(l->v, l->n, sizeof *l->v);
        struct found *x = &l->v[l->n++];
        *x = (struct found){.old = old};
        snprintf(x->name, sizeof x->name, "%.*s", POINT_NAME + 15, e->d_name);
    }
    if (d)
        closedir(d);
}

static int by_hash(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    int c = strncmp(strchr(x->name, '-'), strchr(y->name, '-'), POINT_HASH + 1);
    return c ? c : x->old != y->old ? (int)x->old - (int)y->old : strcmp(x->name, y->name);
}

/* The first with this hash. */
static size_t first_of(const struct found_list *l, const char *hash)
{
    size_t low = 0, high = l->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (strncmp(strchr(l->v[mid].name, '-') + 1, hash, POINT_HASH) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool has_hash(const struct found_list *l, size_t i, const char *hash)
{
    return i < l->n && !strncmp(strchr(l->v[i].name, '-') + 1, hash, POINT_HASH);
}

static int move(struct sweep_folder *f, const struct found *x, bool old, const char *name, struct err *err)
{
    char from[POINT_NAME + 32], to[POINT_NAME + 32];
    snprintf(from, sizeof from, "%s/%s", x->old ? "old" : "points", x->name);
    snprintf(to, sizeof to, "%s/%s", old ? "old" : "points", name);
    if (renameat(f->fd, from, f->fd, to) == 0)
        return 0;
    if (old && (errno == ENOTEMPTY || errno == EEXIST)) /* the same point is there already: this one is as good */
        for (unsigned k = 1; k < 1000; k++) {
            snprintf(to, sizeof to, "old/%s.%u", name, k);
            if (renameat(f->fd, from, f->fd, to) == 0)
                return 0;
        }
    return fail(err, f, to, "cannot move a point to");
}

static int arrange(struct sweep_folder *f, const struct sweep_plan *p, const struct sweep_point *point,
                   struct found_list *l, struct err *err)
{
    if (l->n)
        qsort(l->v, l->n, sizeof *l->v, by_hash);
    bool *there = must_alloc(p->n, sizeof *there);
    int rc = 0;
    for (size_t i = 0; i < p->n; i++)
        for (size_t k = first_of(l, point_hash(&point[i])); has_hash(l, k, point_hash(&point[i])) && !there[i]; k++)
            if (!l->v[k].old && !strcmp(l->v[k].name, point[i].name))
                there[i] = l->v[k].claimed = true;
    for (size_t i = 0; i < p->n && rc == 0; i++)
        for (size_t k = first_of(l, point_hash(&point[i])); has_hash(l, k, point_hash(&point[i])) && !there[i] && rc == 0; k++)
            if (!l->v[k].claimed) {
                rc = move(f, &l->v[k], false, point[i].name, err);
                there[i] = l->v[k].claimed = true;
            }
    for (size_t k = 0; k < l->n && rc == 0; k++)
        if (!l->v[k].claimed && !l->v[k].old) {
            mkdirat(f->fd, "old", 0777);
            rc = move(f, &l->v[k], true, l->v[k].name, err);
        }
    free(there);
    return rc;
}

static int compare_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* Failures of points that are in the plan no more. */
static void forget_failures(struct sweep_folder *f, const struct sweep_plan *p, const struct sweep_point *point)
{
    DIR *d = list(f, "failed");
    if (!d)
        return;
    const char **hash = must_alloc(p->n, sizeof *hash);
    for (size_t i = 0; i < p->n; i++)
        hash[i] = point_hash(&point[i]);
    qsort(hash, p->n, sizeof *hash, compare_text);
    for (struct dirent *e; (e = readdir(d));) {
        char name[POINT_HASH + 1];
        const char *key = name;
        if (e->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%.*s", POINT_HASH, e->d_name);
        if (!bsearch(&key, hash, p->n, sizeof *hash, compare_text))
            unlinkat(dirfd(d), e->d_name, 0);
    }
    closedir(d);
    unlinkat(f->fd, "failed", AT_REMOVEDIR);
    free(hash);
}

int folder_arrange(struct sweep_folder *f, const struct sweep_plan *p, const struct sweep_point *point, size_t *kept,
                   struct err *err)
{
    struct found_list l = {0};
    if (mkdirat(f->fd, "points", 0777) && errno != EEXIST)
        return fail(err, f, "points", "cannot make");
    look(f, "points", false, &l);
    look(f, "old", true, &l);
    int rc = arrange(f, p, point, &l, err);
    *kept = 0;
    for (size_t i = 0; i < l.n; i++)
        *kept += !l.v[i].claimed;
    free(l.v);
    if (rc == 0)
        forget_failures(f, p, point);
    unlinkat(f->fd, "old", AT_REMOVEDIR);
    return rc;
}

void folder_find(struct sweep_folder *f, const struct sweep_plan *p, struct sweep_point *point)
{
    struct found_list l = {0};
    look(f, "points", false, &l);
    if (l.n)
        qsort(l.v, l.n, sizeof *l.v, by_hash);
    for (size_t i = 0; i < p->n; i++) {
        size_t at = first_of(&l, point_hash(&point[i])), k = at;
        while (has_hash(&l, k, point_hash(&point[i])) && strcmp(l.v[k].name, point[i].name) != 0)
            k++;
        if (has_hash(&l, at, point_hash(&point[i])) && !has_hash(&l, k, point_hash(&point[i])) && strlen(l.v[at].name) < POINT_NAME)
            memcpy(point[i].name, l.v[at].name, strlen(l.v[at].name) + 1);
    }
    free(l.v);
}

int plan_load(struct sweep_plan *out, const char *dir, struct err *err)
{
    char *text = NULL, *host = NULL, name[4200];
    size_t len;
    snprintf(name, sizeof name, "%.4000s/host.json", dir);
    int rc = result_text_load(&host, &len, name, err);
    snprintf(name, sizeof name, "%.4000s/sweep.json", dir);
    if (rc == 0 && (rc = result_text_load(&text, &len, name, err)) == 0)
        rc = plan_parse(out, text, host, name, err);
    free(text);
    free(host);
    return rc;
}
