/* `mmulab validate`: the model against recorded kernels, one table a recording; scripts/validate calls it. */
#include "app/cmd_validate.h"

#include "app/cmd_error.h"
#include "app/result/json/json_out.h"
#include "replay/validate/validate.h"
#include "traces/io/outfile.h"

#include <dirent.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct group { const char *name; unsigned rows, ok, off, skipped; };
enum { GROUPS_MOST = 32 };

struct table {
    FILE *json;
    struct json_out j;
    bool all;
    char **name; /* of the recordings so far, the last is the present one's */
    size_t names;
    struct group group[GROUPS_MOST];
    unsigned groups;
    unsigned rows, off, skipped, broken;
};

static void help(FILE *f)
{
    fputs("usage: mmulab validate [--json FILE] [--all] PATH...\n\n"
          "Holds the model against recorded kernels. PATH is a folder with a recording's files, or a folder of such folders:\n"
          "events (NAME.perf, perf.txt, NAME.ftrace, trace.txt or perf.data, also compressed), times.json, and before.* and\n"
          "after.* with buddyinfo, pagetypeinfo, zoneinfo, meminfo, slabinfo, unusable_index, extfrag_index and pfnmap. What is\n"
          "missing is skipped, saying so.\n\n"
          "      --json FILE  every comparison as an array of objects: case, metric, model, kernel, tolerance, verdict, reason\n"
          "      --all        a line for each comparison, not only for the interesting ones and those that are off\n"
          "  -h, --help       this page\n\n"
          "Exit code: 0 all within tolerance; 1 something is off or broken, or nothing could be compared; 2 usage. docs/kernel-replay.md explains each line.\n", f);
}

/* ---- output -------------------------------------------------------------------------------------------------------- */

static const char *const verdicts[] = {[VALIDATE_OK] = "ok", [VALIDATE_OFF] = "off", [VALIDATE_SKIPPED] = "skipped"};

static const char *text_of(char *buf, size_t size, double v, unsigned decimals)
{
    snprintf(buf, size, "%.*f", (int)decimals, v);
    return buf;
}

/* The tolerance has its own digits: 0.02 percent of a number that has none. */
static const char *tolerance_text(char *buf, size_t size, double v) { return snprintf(buf, size, "%g", v), buf; }

/* With the model's digits. */
static const char *guess(char *buf, size_t size, bool has, double v, unsigned decimals)
{
    if (has)
        snprintf(buf, size, "%.*f", (int)decimals, v);
    else
        snprintf(buf, size, "-");
    return buf;
}

static struct group *group_of(struct table *t, const char *name)
{
    for (unsigned i = 0; i < t->groups; i++)
        if (!strcmp(t->group[i].name, name))
            return &t->group[i];
    if (t->groups == GROUPS_MOST)
        return &t->group[0];
    t->group[t->groups] = (struct group){.name = name};
    return &t->group[t->groups++];
}

/* Groups of many equal rows are told in one line. */
static bool is_bulk(const struct validate_row *r)
{
    static const char *const bulk[] = {"indices", "watermarks", "lowmem_reserve", "stat_threshold", "per_cpu", "meminfo", "slab", "map", "events"};
    for (size_t i = 0; i < sizeof bulk / sizeof bulk[0]; i++)
        if (!strcmp(r->group, bulk[i]))
            return true;
    return r->reason == NULL;
}

static void line(const struct validate_row *r)
{
    char a[32], b[32], c[32], d[3][16];
    if (r->verdict == VALIDATE_SKIPPED && !r->undecided) {
        printf("  %-42s %12s %12s %9s %8s %8s %8s  skipped: %s\n", r->metric, "-", "-", "-", "-", "-", "-", r->reason ? r->reason : "");
        return;
    }
    printf("  %-42s %12s %12s %9s %8s %8s %8s  %s%s\n", r->metric, text_of(a, sizeof a, r->model, r->decimals),
           text_of(b, sizeof b, r->kernel, r->decimals), tolerance_text(c, sizeof c, r->tolerance),
           guess(d[0], sizeof d[0], r->base.has_next, r->base.next, r->decimals),
           guess(d[1], sizeof d[1], r->base.has_textbook, r->base.textbook, r->decimals),
           guess(d[2], sizeof d[2], r->base.has_null, r->base.null, r->decimals), verdicts[r->verdict], r->undecided ? ":" : "");
    if (r->undecided)
        printf("%*s%s\n", 4, "", r->reason);
}

static void json_row(struct table *t, const struct validate_row *r)
{
    char buf[64];
    if (!t->json)
        return;
    json_begin_object(&t->j, NULL);
    json_str(&t->j, "case", t->name[t->names - 1]);
    json_str(&t->j, "metric", r->metric);
    if (r->verdict == VALIDATE_SKIPPED && !r->undecided) {
        json_null(&t->j, "model");
        json_null(&t->j, "kernel");
        json_null(&t->j, "tolerance");
    } else {
        json_number(&t->j, "model", text_of(buf, sizeof buf, r->model, r->decimals));
        json_number(&t->j, "kernel", text_of(buf, sizeof buf, r->kernel, r->decimals));
        json_number(&t->j, "tolerance", tolerance_text(buf, sizeof buf, r->tolerance));
    }
    json_str(&t->j, "verdict", verdicts[r->verdict]);
    json_str(&t->j, "reason", r->reason ? r->reason : "");
    if (r->base.has_next)
        json_number(&t->j, "next_frame", text_of(buf, sizeof buf, r->base.next, 4));
    if (r->base.has_textbook)
        json_number(&t->j, "textbook", text_of(buf, sizeof buf, r->base.textbook, 4));
    if (r->base.has_null)
        json_number(&t->j, "unchanged", text_of(buf, sizeof buf, r->base.null, 4));
    json_end(&t->j);
}

static void on_row(void *self, const struct validate_row *r)
{
    struct table *t = self;
    struct group *g = group_of(t, r->group);
    t->rows++;
    t->off += r->verdict == VALIDATE_OFF;
    t->skipped += r->verdict == VALIDATE_SKIPPED;
    g->rows++;
    g->ok += r->verdict == VALIDATE_OK;
    g->off += r->verdict == VALIDATE_OFF;
    g->skipped += r->verdict == VALIDATE_SKIPPED;
    json_row(t, r);
    if (t->all || r->verdict != VALIDATE_OK || !is_bulk(r))
        line(r);
}

static void on_broken(void *self, const struct err *why)
{
    struct table *t = self;
    t->broken++;
    fflush(stdout);
    cmd_error("validate", why);
}

/* ---- one recording ---------------------------------------------------------------------------------------------------- */

static bool name_taken(const struct table *t, const char *name)
{
    for (size_t i = 0; i < t->names; i++)
        if (!strcmp(t->name[i], name))
            return true;
    return false;
}

/* The last `parts` of a path. */
static const char *last_parts(const char *path, unsigned parts)
{
    const char *at = path + strlen(path);
    while (at > path && (at[-1] != '/' || --parts))
        at--;
    return at;
}

/* A recording's case: its folder's name, with as many folders above it as tell it from those before; "NAME #2" of the same again. */
static int name_case(struct table *t, const char *path, struct err *err)
{
    char *whole = strdup(path), *name = NULL, **more = realloc(t->name, (t->names + 1) * sizeof *more);
    const char *end = "";
    bool ok = more && whole;
    if (more)
        t->name = more;
    for (size_t n = ok ? strlen(whole) : 0; n > 1 && whole[n - 1] == '/'; n--)
        whole[n - 1] = '\0';
    if (ok && (!strcmp(last_parts(whole, 1), ".") || !strcmp(last_parts(whole, 1), ".."))) {
        char *full = realpath(whole, NULL);
        if (full) {
            free(whole);
            whole = full;
        }
    }
    for (unsigned parts = 1; ok && end != whole; parts++) {
        end = last_parts(whole, parts);
        free(name);
        name = strdup(end);
        ok = name != NULL;
        if (ok && !name_taken(t, name))
            break;
    }
    for (unsigned k = 2; ok && name && name_taken(t, name); k++) {
        free(name);
        ok = asprintf(&name, "%s #%u", last_parts(whole, 1), k) >= 0;
    }
    free(whole);
    if (!ok)
        return err_set(err, ERR_RUN, "out of memory");
    t->name[t->names++] = name;
    return 0;
}

static int one(struct table *t, const char *path, struct err *err)
{
    if (name_case(t, path, err) < 0)
        return -1;
    t->groups = 0;
    printf("%s\n  %-42s %12s %12s %9s %8s %8s %8s  verdict\n", path, "metric", "model", "kernel", "tolerance", "next", "textbook",
           "nothing");
    struct validate_sink sink = {t, on_row, on_broken};
    int rc = validate_folder(path, &sink, err);
    for (unsigned i = 0; i < t->groups && !t->all; i++) {
        const struct group *g = &t->group[i];
        if (g->rows >= 4)
            printf("  %-42s %u of %u comparisons ok%s\n", g->name, g->ok, g->rows - g->skipped, g->off ? ", the others above" : "");
    }
    putchar('\n');
    return rc;
}

/* A recording, or a folder of recordings, by name. */
static int one_path(struct table *t, const char *path, struct err *err)
{
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
        err_set(err, ERR_USAGE, "this is no folder");
        return err_at(err, path, 0, 0);
    }
    if (validate_is_recording(path))
        return one(t, path, err);
    struct dirent **list;
    int n = scandir(path, &list, NULL, alphasort), rc = 0, found = 0;
    for (int i = 0; i < n; i++) {
        char *sub = NULL;
        if (rc == 0 && list[i]->d_name[0] != '.' && asprintf(&sub, "%s/%s", path, list[i]->d_name) >= 0 &&
            validate_is_recording(sub)) {
            found++;
            rc = one(t, sub, err);
        }
        free(sub);
        free(list[i]);
    }
    if (n >= 0)
        free(list);
    if (!found) {
        err_set(err, ERR_USAGE, "there is no recording in this folder");
        err_remedy(err, "a recording has events (NAME.perf.zst, perf.data, ...) or times.json; see mmulab validate --help");
        return err_at(err, path, 0, 0);
    }
    return rc;
}

int cmd_validate(int argc, char **argv)
{
    static const struct option options[] = {{"json", required_argument, NULL, 'j'}, {"all", no_argument, NULL, 'a'},
                                            {"help", no_argument, NULL, 'h'}, {0}};
    struct table t = {0};
    const char *json = NULL;
    int got;
    optind = 0;
    while ((got = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (got == 'j') {
            json = optarg;
        } else if (got == 'a') {
            t.all = true;
        } else {
            help(got == 'h' ? stdout : stderr);
            return got == 'h' ? 0 : 2;
        }
    }
    struct err err = {0};
    if (optind == argc) {
        fputs("mmulab validate: error: which recordings? see mmulab validate --help\n", stderr);
        return 2;
    }
    char *text = NULL;
    size_t length = 0;
    struct outfile file;
    if (json) {
        if (outfile_open(&file, json, false, &err) < 0)
            return cmd_error("validate", &err);
        t.json = open_memstream(&text, &length);
        if (!t.json) {
            outfile_abort(&file, true);
            err_set(&err, ERR_RUN, "out of memory");
            return cmd_error("validate", &err);
        }
        json_out_init(&t.j, t.json, false);
        json_begin_array(&t.j, NULL);
    }
    int rc = 0;
    for (int i = optind; i < argc && rc == 0; i++)
        rc = one_path(&t, argv[i], &err);
    int code = rc < 0 ? cmd_error("validate", &err) : 0;
    if (json) {
        json_end_document(&t.j);
        bool whole = fclose(t.json) == 0;
        if (!whole)
            err_set(&err, ERR_RUN, "out of memory");
        if (!whole || outfile_write(&file, text, length, &err) < 0) {
            outfile_abort(&file, true);
            rc = -1;
        } else {
            rc = outfile_commit(&file, &err) < 0 ? -1 : rc;
        }
        if (rc < 0 && err.kind && code == 0)
            code = cmd_error("validate", &err);
        free(text);
    }
    for (size_t i = 0; i < t.names; i++)
        free(t.name[i]);
    free(t.name);
    bool nothing = code == 0 && t.rows == t.skipped && !t.broken;
    if (code == 0 && (t.off || t.broken || nothing))
        code = 1;
    if (nothing)
        printf("FAIL: nothing could be compared, %u skipped; a recording has snapshots before.* and after.* beside its events\n", t.skipped);
    else if (code && t.broken)
        printf("FAIL: %u of %u comparisons are off, %u skipped, %u file%s broken\n", t.off, t.rows - t.skipped, t.skipped, t.broken,
               t.broken == 1 ? " is" : "s are");
    else if (code)
        printf("FAIL: %u of %u comparisons are off%s\n", t.off, t.rows - t.skipped, rc < 0 ? ", and not all could be made" : "");
    else
        printf("PASS: %u comparisons ok, %u skipped\n", t.rows - t.skipped, t.skipped);
    return fflush(stdout) == 0 ? code : 1;
}
