#include "replay/validate/validate.h"

#include "replay/before/folder.h"
#include "replay/validate/validate_rows.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *const validate_moments[2] = {"before", "after"};

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

void validate_put_unless(const struct validate_case *c, struct validate_row r, const char *doubt)
{
    if (r.verdict != VALIDATE_SKIPPED) {
        double over = r.at_least ? r.kernel - r.model : fabs(r.model - r.kernel);
        r.verdict = over <= r.tolerance ? VALIDATE_OK : VALIDATE_OFF;
        if (r.verdict == VALIDATE_OFF && doubt && *doubt) {
            r.verdict = VALIDATE_SKIPPED;
            r.undecided = true;
            snprintf(r.why, sizeof r.why, "cannot be decided: %s", doubt);
        }
    }
    if (r.why[0])
        r.reason = r.why;
    c->sink->row(c->sink->self, &r);
}

void validate_put(const struct validate_case *c, struct validate_row r) { validate_put_unless(c, r, NULL); }

void validate_skip(const struct validate_case *c, const char *group, const char *metric, const char *reason)
{
    struct validate_row r = {.group = group, .verdict = VALIDATE_SKIPPED, .reason = reason};
    snprintf(r.metric, sizeof r.metric, "%s", metric);
    validate_put(c, r);
}

void validate_equal(const struct validate_case *c, const char *group, double model, double kernel, const char *reason,
                    const char *fmt, ...)
{
    struct validate_row r = {.group = group, .model = model, .kernel = kernel, .reason = reason};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r.metric, sizeof r.metric, fmt, ap);
    va_end(ap);
    validate_put(c, r);
}

void validate_doubt(char doubt[VALIDATE_DOUBTS], const char *fmt, ...)
{
    size_t n = strlen(doubt);
    va_list ap;
    if (n)
        n += (size_t)snprintf(doubt + n, VALIDATE_DOUBTS - n, "; ");
    if (n >= VALIDATE_DOUBTS)
        return;
    va_start(ap, fmt);
    vsnprintf(doubt + n, VALIDATE_DOUBTS - n, fmt, ap);
    va_end(ap);
}

const char *validate_label(const struct snap_zone *z, char buf[ZONE_LABEL])
{
    if (z->node)
        snprintf(buf, ZONE_LABEL, "node%u.%.15s", z->node, z->name);
    else
        snprintf(buf, ZONE_LABEL, "%.15s", z->name);
    return buf;
}

double validate_percent(uint64_t part, uint64_t whole) { return whole ? 100.0 * (double)part / (double)whole : 0.0; }

/* ---- the files of a folder ------------------------------------------------------------------------------------------ */

bool validate_is_recording(const char *path)
{
    static const char *const files[] = {"times.json", "before.zoneinfo", "before.buddyinfo", "after.zoneinfo", "after.buddyinfo"};
    char name[4096];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(name, sizeof name, "%s/%s", path, files[i]);
        char *found = snapshot_find(name);
        free(found);
        if (found)
            return true;
    }
    char *events = recording_events(path);
    free(events);
    return events != NULL;
}

/* ---- a folder ------------------------------------------------------------------------------------------------------------ */

static void file_broken(struct validate_case *c, const char *metric, const struct err *why)
{
    struct validate_row r = {.group = "files", .verdict = VALIDATE_SKIPPED};
    snprintf(r.metric, sizeof r.metric, "%s", metric);
    snprintf(r.why, sizeof r.why, "the file is broken: %.400s", why->message);
    validate_put(c, r);
    c->sink->broken(c->sink->self, why);
}

struct reading { struct validate_case *c; unsigned moment; };

static void on_broken(void *self, const char *what, const struct err *why)
{
    const struct reading *r = self;
    char metric[64];
    snprintf(metric, sizeof metric, "file.%s.%s", validate_moments[r->moment], what);
    file_broken(r->c, metric, why);
}

static void read_times(struct validate_case *c, const char *path)
{
    char name[4096];
    struct err why = {0};
    snprintf(name, sizeof name, "%s/times.json", path);
    char *found = snapshot_find(name);
    c->has_times = found && snapshot_read_times(&c->times, found, &why) == 0;
    if (found && !c->has_times)
        file_broken(c, "file.times.json", &why);
    free(found);
}

int validate_folder(const char *path, const struct validate_sink *sink, struct err *err)
{
    char name[4096];
    struct validate_case c = {.sink = sink, .events = recording_events(path), .p = calloc(1, sizeof *c.p)};
    int rc = c.p ? 0 : err_set(err, ERR_RUN, "out of memory");
    for (unsigned i = 0; i < 2 && rc == 0; i++) {
        struct reading r = {&c, i};
        snprintf(name, sizeof name, "%s/%s", path, validate_moments[i]);
        rc = snapshot_read_whole_files(&c.snap[i], name, on_broken, &r, err);
    }
    if (rc == 0) {
        struct err why = {0};
        read_times(&c, path);
        if (c.events && validate_events_read(&c, &why) < 0)
            file_broken(&c, "file.events", &why);
        for (unsigned i = 0; i < 2; i++) {
            validate_snapshot(&c, i);
            validate_marks(&c, i);
        }
        validate_events(&c);
    }
    snapshot_free(c.snap[0]);
    snapshot_free(c.snap[1]);
    free(c.events);
    free(c.p);
    return rc;
}
