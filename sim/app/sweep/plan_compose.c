/* The texts of sweep.json and host.json. */
#include "app/code_hash.h"
#include "app/result/json/json_out.h"
#include "app/sweep/must.h"
#include "app/sweep/plan.h"

#include "traces/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

struct compose {
    struct sweep_file *file;
    size_t n;
};

/* ---- files ---- */

static int hash_bytes(XXH3_state_t *h, const char *path, struct err *err)
{
    enum { CHUNK = 1 << 20 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *buf = must_alloc(CHUNK, 1);
    ssize_t n = fd < 0 ? -1 : 0;
    while (fd >= 0 && (n = read(fd, buf, CHUNK)) > 0)
        XXH3_64bits_update(h, buf, (size_t)n);
    int e = errno;
    free(buf);
    if (fd >= 0)
        close(fd);
    return n < 0 ? err_set(err, ERR_USAGE, "%.400s: %s", path, strerror(e)) : 0;
}

static int hash_file(struct sweep_file *s, struct err *err)
{
    struct trace *t;
    struct trace_info info = {0};
    struct err ignored; /* what is no trace fails as a point */
    if (trace_open(&t, s->path, NULL, &ignored) == 0) {
        trace_get_info(t, &info);
        trace_close(t);
    }
    uint64_t hash = info.hash;
    if (!hash) {
        char maps[4200];
        XXH3_state_t *h = must(XXH3_createState());
        XXH3_64bits_reset(h);
        int rc = hash_bytes(h, s->path, err);
        snprintf(maps, sizeof maps, "%.4096s.maps.txt", s->path);
        if (rc == 0 && access(maps, R_OK) == 0)
            rc = hash_bytes(h, maps, err);
        hash = XXH3_64bits_digest(h);
        XXH3_freeState(h);
        if (rc < 0)
            return -1;
    }
    snprintf(s->hash, sizeof s->hash, "%016" PRIx64, hash);
    return 0;
}

/* `path` with its folder made absolute; NULL: the folder is not there. */
static char *absolute_prefix(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = must_dup(path), *real, *out = NULL;
    size_t len = 0;
    folder[slash ? slash - path : 0] = 0;
    real = realpath(*folder ? folder : slash ? "/" : ".", NULL);
    if (real) {
        FILE *f = must(open_memstream(&out, &len));
        fprintf(f, "%s/%s", strcmp(real, "/") ? real : "", slash ? slash + 1 : path);
        must_text(f, &out);
    }
    free(folder);
    free(real);
    return out;
}

static int add_file(struct compose *c, const char *path, struct sweep_file s)
{
    const char *slash = strrchr(path, '/');
    s.name = must_dup(slash ? slash + 1 : path);
    s.beside = -1;
    c->file = must_grow(c->file, c->n, sizeof *c->file);
    c->file[c->n] = s;
    return (int)c->n++;
}

static int known_file(const struct compose *c, const char *real)
{
    for (size_t i = 0; i < c->n; i++)
        if (!strcmp(c->file[i].path, real))
            return (int)i;
    return -1;
}

/* The number of a snapshot, -1 if there is none of that prefix. */
static int group_number(struct compose *c, const char *prefix)
{
    char *real = absolute_prefix(prefix);
    struct sweep_file s = {.path = real, .group = true};
    uint64_t hash;
    int known = real ? known_file(c, real) : -1;
    if (known < 0 && real && plan_group(real, &hash, &s.size, &s.mtime_ns)) {
        snprintf(s.hash, sizeof s.hash, "%016" PRIx64, hash);
        return add_file(c, prefix, s);
    }
    free(real);
    return known;
}

/* The number of a file that the value of `key` names, -1 if it cannot be read. */
static int file_number(struct compose *c, const char *key, const char *path, struct err *err)
{
    struct stat st;
    int n;
    if (!strcmp(key, "workload.kernel.before")) {
        if ((n = group_number(c, path)) < 0)
            err_set(err, ERR_USAGE, "%.400s: there is no snapshot of that name (%.200s.buddyinfo and so on)", path, path);
        return n;
    }
    char *real = realpath(path, NULL);
    if (!real || stat(real, &st) || access(real, R_OK)) {
        err_set(err, ERR_USAGE, "the file that \"%.100s\" names cannot be read: %s", key, strerror(errno));
        err_at(err, path, 0, 0);
        free(real);
        return err_remedy(err, "paths in a configuration are relative to it, those of the command line to the current folder");
    }
    if ((n = known_file(c, real)) >= 0) {
        free(real);
        return n;
    }
    n = add_file(c, path, (struct sweep_file){.path = real, .size = (uint64_t)st.st_size,
                           .mtime_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec});
    if (!S_ISREG(st.st_mode)) {
        err_set(err, ERR_USAGE, "what \"%.100s\" names is no file", key);
        if (S_ISDIR(st.st_mode))
            err_remedy(err, "of a trace in a folder make one: mmulab trace convert FOLDER NAME.mtr");
        return err_at(err, path, 0, 0);
    }
    if (hash_file(&c->file[n], err) < 0)
        return -1;
    if (!strcmp(key, "workload.kernel.events")) { /* kernel/kernel_run.c starts from it unless another is named */
        size_t folder = (size_t)(strrchr(c->file[n].path, '/') + 1 - c->file[n].path);
        char *before = must(malloc(folder + sizeof "before"));
        memcpy(before, c->file[n].path, folder);
        memcpy(before + folder, "before", sizeof "before");
        int beside = group_number(c, before);
        c->file[n].beside = beside;
        free(before);
    }
    return n;
}

/* ---- sweep.json ---- */

static int put_axis(struct json_out *j, struct compose *c, const struct sweep_axis *x, struct err *err)
{
    static const char *const kinds[] = AXIS_KINDS;
    json_begin_object(j, NULL);
    json_str(j, "kind", kinds[x->kind]);
    json_begin_array(j, "keys");
    for (size_t k = 0; k < x->n_keys; k++)
        json_str(j, NULL, x->key[k]);
    json_end(j);
    json_begin_array(j, "values"); /* value after value, key after key */
    bool files = false;
    for (size_t i = 0; i < x->n_values * x->n_keys; i++) {
        json_str(j, NULL, x->text[i]);
        files = files || x->path[i];
    }
    json_end(j);
    if (files) {
        json_begin_array(j, "files");
        for (size_t i = 0; i < x->n_values * x->n_keys; i++) {
            int f = x->path[i] ? file_number(c, x->key[i % x->n_keys], x->path[i], err) : -1;
            if (x->path[i] && f < 0)
                return -1;
            json_i64(j, NULL, f);
        }
        json_end(j);
    }
    json_end(j);
    return 0;
}

static void put_exclude(struct json_out *j, const struct sweep_axes *a)
{
    json_begin_array(j, "exclude");
    for (size_t i = 0; i < a->n_exclude; i++) {
        json_begin_object(j, NULL);
        for (size_t k = 0; k < a->exclude[i].n; k++) {
            const struct sweep_match *m = &a->exclude[i].match[k];
            char axis[24];
            snprintf(axis, sizeof axis, "%zu", m->axis); /* of the list "axes"; values by their number, too */
            json_begin_array(j, axis);
            for (size_t v = 0; v < a->axis[m->axis].n_values; v++)
                if (m->hit[v])
                    json_u64(j, NULL, v);
            json_end(j);
        }
        json_end(j);
    }
    json_end(j);
}

static int put_sweep(struct json_out *j, struct compose *c, struct config *config, const struct sweep_axes *a, struct err *err)
{
    json_begin_object(j, NULL);
    json_begin_object(j, "sweep");
    json_str(j, "tool", "mmulab");
    struct config_item seed;
    char text[24];
    json_str(j, "version", MMULAB_VERSION);
    json_str(j, "code", code_hash);
    snprintf(text, sizeof text, "%" PRIu64, config_find(config, "sim.seed", &seed) ? *(const uint64_t *)seed.at : 0);
    json_str(j, "seed", text); /* of points that have no configuration */
    json_u64(j, "schema", 1);
    json_begin_array(j, "axes");
    for (size_t i = 0; i < a->n; i++)
        if (put_axis(j, c, &a->axis[i], err) < 0)
            return -1;
    json_end(j);
    put_exclude(j, a);
    json_begin_array(j, "paths");
    for (struct config_path it = {0}; config_path_next(config, &it);) {
        int f = file_number(c, it.key, *it.at, err);
        if (f < 0)
            return -1;
        json_begin_object(j, NULL);
        json_str(j, "key", it.key);
        json_u64(j, "element", it.element);
        json_i64(j, "file", f);
        json_end(j);
    }
    json_end(j);
    json_begin_array(j, "files");
    for (size_t i = 0; i < c->n; i++) {
        json_begin_object(j, NULL);
        json_str(j, "name", c->file[i].name);
        json_str(j, "hash", c->file[i].hash);
        if (c->file[i].group)
            json_bool(j, "group", true);
        if (c->file[i].beside >= 0)
            json_i64(j, "beside", c->file[i].beside);
        json_end(j);
    }
    json_end_document(j);
    return 0;
}

/* ---- host.json ---- */

static void put_decimal(struct json_out *j, const char *key, uint64_t v)
{
    char buf[24];
    snprintf(buf, sizeof buf, "%" PRIu64, v); /* as text: cJSON reads numbers as doubles */
    json_str(j, key, buf);
}

static char *host_text(const struct compose *c, const char *plan, int argc, char **argv)
{
    char *text = NULL, digest[20], *folder = realpath(".", NULL);
    size_t len = 0;
    FILE *f = must(open_memstream(&text, &len));
    struct json_out j;
    json_out_init(&j, f, false);
    json_begin_object(&j, NULL);
    json_str(&j, "tool", "mmulab");
    snprintf(digest, sizeof digest, "%016" PRIx64, (uint64_t)XXH3_64bits(plan, strlen(plan)));
    json_str(&j, "plan", digest);
    json_begin_array(&j, "command");
    for (int i = 0; i < argc; i++)
        json_str(&j, NULL, argv[i]);
    json_end(&j);
    json_str(&j, "folder", folder ? folder : ".");
    json_begin_array(&j, "files");
    for (size_t i = 0; i < c->n; i++) {
        json_begin_object(&j, NULL);
        json_str(&j, "path", c->file[i].path);
        put_decimal(&j, "size", c->file[i].size);
        put_decimal(&j, "mtime_ns", c->file[i].mtime_ns);
        json_end(&j);
    }
    json_end_document(&j);
    free(folder);
    return must_text(f, &text);
}

int plan_compose(struct config *config, const struct sweep_axes *axes, int argc, char **argv, char **text, char **host,
                 struct err *err)
{
    struct compose c = {0};
    char *more = NULL;
    size_t len = 0;
    FILE *f = must(open_memstream(&more, &len));
    struct json_out j;
    *text = *host = NULL;
    json_out_init(&j, f, false);
    int rc = put_sweep(&j, &c, config, axes, err);
    must_text(f, &more);
    if (rc == 0) { /* "{\n  "sweep": ...\n}\n" without the outermost braces */
        more[len - 3] = 0;
        f = must(open_memstream(text, &len));
        config_write_frozen(config, more + 2, f);
        *host = host_text(&c, must_text(f, text), argc, argv);
    }
    for (size_t i = 0; i < c.n; i++) {
        free(c.file[i].name);
        free(c.file[i].path);
    }
    free(c.file);
    free(more);
    return rc;
}
