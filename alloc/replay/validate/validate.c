#include "replay/validate/validate.h"

#include "replay/recount.h"
#include "replay/validate/validate_rows.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Bounds of the comparisons; docs/kernel-replay.md says where each comes from. */
static const double frames_tolerance = 0.1, hard_tolerance = 1.0, lists_tolerance = 3.0; /* percent */
static const double held_tolerance = 0.1, simulate_tolerance = 0.02, follow_tolerance = 0.02;
static const double contradicted_share = 1.0; /* percent: blocks that came back to the lists without an event */
static const double again_share = 1.0; /* percent of allocations that a recording may contradict itself in */

void validate_put(const struct validate_sink *sink, struct validate_row r)
{
    if (r.verdict != VALIDATE_SKIPPED) {
        double over = r.at_least ? r.kernel - r.model : fabs(r.model - r.kernel);
        r.verdict = over <= r.tolerance ? VALIDATE_OK : VALIDATE_OFF;
    }
    sink->row(sink->self, &r);
}

void validate_skip(const struct validate_sink *sink, const char *group, const char *metric, const char *reason)
{
    struct validate_row r = {.group = group, .verdict = VALIDATE_SKIPPED, .reason = reason};
    snprintf(r.metric, sizeof r.metric, "%s", metric);
    validate_put(sink, r);
}

/* ---- the files of a folder ------------------------------------------------------------------------------------------ */

static bool ends(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n > k && !strcmp(s + n - k, end);
}

static bool looks_like_events(const char *name)
{
    static const char *const kinds[] = {".perf", ".perf.txt", ".ftrace", ".ftrace.txt", "perf.data", ".mtr"};
    static const char *const packed[] = {"", ".zst", ".xz", ".gz", ".bz2"};
    char want[32];
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        for (size_t k = 0; k < sizeof packed / sizeof packed[0]; k++) {
            snprintf(want, sizeof want, "%s%s", kinds[i], packed[k]);
            if (ends(name, want) || !strcmp(name, want))
                return true;
        }
    return false;
}

/* The file of events, allocated: the first by name if there are several; NULL. */
static char *find_events(const char *folder)
{
    struct dirent **list;
    char *path = NULL;
    int n = scandir(folder, &list, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (!path && looks_like_events(list[i]->d_name) && asprintf(&path, "%s/%s", folder, list[i]->d_name) < 0)
            path = NULL;
        free(list[i]);
    }
    if (n >= 0)
        free(list);
    return path;
}

bool validate_is_recording(const char *path)
{
    char name[4096];
    struct stat st;
    snprintf(name, sizeof name, "%s/times.json", path);
    if (stat(name, &st) == 0)
        return true;
    char *events = find_events(path);
    free(events);
    return events != NULL;
}

/* ---- events --------------------------------------------------------------------------------------------------------- */

static double percent(uint64_t part, uint64_t whole) { return whole ? 100.0 * (double)part / (double)whole : 0.0; }

static void count_row(const struct validate_sink *sink, const char *metric, uint64_t model, uint64_t kernel)
{
    struct validate_row r = {.group = "events", .model = (double)model, .kernel = (double)kernel};
    snprintf(r.metric, sizeof r.metric, "%s", metric);
    validate_put(sink, r);
}

static void recorded_rows(const struct validate_sink *sink, const struct replay_result *p, const struct recount *c, bool has_map)
{
    const struct recorded_stats *s = &p->recorded;
    struct validate_row r = {.group = "recorded", .metric = "recorded.allocated_again", .model = (double)s->alloc_again,
                             .kernel = (double)c->alloc_again,
                             .reason = "allocations of a frame whose free is not in the recording: pages also go back without an event"};
    validate_put(sink, r);
    snprintf(r.metric, sizeof r.metric, "recorded.freed_again");
    r.model = (double)s->free_again;
    r.kernel = (double)c->free_again;
    r.reason = "frees of a frame whose allocation is not in the recording: alloc_pages_bulk has no event";
    validate_put(sink, r);
    r = (struct validate_row){.group = "recorded", .metric = "recorded.contradictions_percent", .decimals = 3,
                              .model = percent(s->alloc_again + s->free_again, s->allocs + s->frees), .kernel = 0,
                              .tolerance = again_share, .reason = "more than untraced paths explain would mean lost events"};
    validate_put(sink, r);
    if (!has_map || !c->last_allocated || !c->last_freed) {
        validate_skip(sink, "recorded", "recorded.last_allocated_held_percent", "no map of frames after the events, or no events in the window");
        return;
    }
    r = (struct validate_row){.group = "recorded", .metric = "recorded.last_allocated_held_percent", .decimals = 3, .at_least = true,
                              .model = percent(s->allocated_held, s->last_allocated), .kernel = percent(c->allocated_held, c->last_allocated),
                              .tolerance = held_tolerance, .base = {.null = percent(s->allocated_null, s->last_allocated), .has_null = true},
                              .reason = "frames whose last event is an allocation and that the map at the end does not call free"};
    validate_put(sink, r);
    snprintf(r.metric, sizeof r.metric, "recorded.last_freed_held_percent");
    r.model = percent(s->freed_held, s->last_freed);
    r.kernel = percent(c->freed_held, c->last_freed);
    r.base.null = percent(s->freed_null, s->last_freed);
    r.reason = "frames whose last event is a free and that the map at the end calls free or other";
    validate_put(sink, r);
}

static void predict_rows(const struct validate_sink *sink, const struct replay_result *p)
{
    const struct follow_stats *f = &p->follow;
    const struct lists_stats *l = &p->lists;
    struct validate_row r = {.group = "predict", .metric = "predict.blocks_known_percent", .decimals = 4, .kernel = 100,
                             .model = percent(f->new_right, f->new_blocks), .tolerance = frames_tolerance, .at_least = true,
                             .base = {percent(f->new_next, f->new_blocks), percent(f->new_textbook, f->new_blocks),
                                      percent(f->new_null, f->new_blocks), true, true, true},
                             .reason = "blocks out of blocks that were split or freed in the window: our frame is the kernel's"};
    if (f->new_blocks)
        validate_put(sink, r);
    else
        validate_skip(sink, "predict", r.metric, p->has_buddy ? "no block came out of a block that was split or freed in the window"
                                                              : "mm_page_alloc_zone_locked was not recorded");
    uint64_t hard = f->new_blocks - f->new_next;
    snprintf(r.metric, sizeof r.metric, "predict.blocks_not_next_percent");
    r.model = percent(f->new_right - f->new_next_right, hard);
    r.tolerance = hard_tolerance;
    r.base = (struct validate_baselines){.has_next = true};
    r.reason = "of these, those that are not simply the frame behind the previous one";
    if (hard)
        validate_put(sink, r);
    else
        validate_skip(sink, "predict", r.metric, "every such block lies behind the previous one");
    snprintf(r.metric, sizeof r.metric, "predict.lists_percent");
    r.model = percent(l->right, l->known);
    r.tolerance = lists_tolerance;
    r.base = (struct validate_baselines){.next = percent(l->known_next, l->known), .has_next = true};
    r.reason = "pages from per-CPU lists whose head is known";
    if (l->known && p->has_lists)
        validate_put(sink, r);
    else
        validate_skip(sink, "predict", r.metric, p->has_lists ? "no such page" : "the events do not say their CPU");
    r = (struct validate_row){.group = "predict", .metric = "predict.blocks_contradicted", .model = (double)(f->not_free + f->inside),
                              .kernel = 0, .tolerance = floor((double)f->allocs * contradicted_share / 100),
                              .reason = "blocks that the kernel took and that are not the beginning of a free block here"};
    validate_put(sink, r);
}

/* Free blocks of each order at the window's end, against the kernel's a moment later. */
static void end_rows(const struct validate_sink *sink, const char *group, uint64_t model[N_ZONES][FRAME_ORDERS],
                     struct snapshot *before, struct snapshot *after, double tolerance, const char *reason)
{
    static const char *const names[N_ZONES] = {"DMA", "DMA32", "Normal", "Movable"};
    uint64_t off = 0, off_null = 0, free_pages = 0;
    for (unsigned i = 0; i < N_ZONES; i++) {
        const struct snap_zone *z = snapshot_zone(after, after->zone[0].node, names[i]);
        const struct snap_zone *b = snapshot_zone(before, before->zone[0].node, names[i]);
        for (unsigned o = 0; z && z->has_buddy && o < SNAP_ORDERS; o++) {
            uint64_t d = (uint64_t)llabs((long long)(model[i][o] - z->nr_free[o]));
            off += d << o;
            off_null += b ? (uint64_t)llabs((long long)(b->nr_free[o] - z->nr_free[o])) << o : 0;
            free_pages += z->nr_free[o] << o;
        }
    }
    struct validate_row r = {.group = group, .decimals = 4, .kernel = 0, .tolerance = tolerance, .reason = reason};
    snprintf(r.metric, sizeof r.metric, "%s.free_blocks_off_percent", group);
    r.model = percent(off, free_pages);
    r.base = (struct validate_baselines){.null = percent(off_null, free_pages), .has_null = true};
    validate_put(sink, r);
    for (unsigned i = 0; i < N_ZONES; i++) {
        const struct snap_zone *z = snapshot_zone(after, after->zone[0].node, names[i]);
        for (unsigned o = 0; z && z->has_buddy && z->spanned && o < SNAP_ORDERS; o++) {
            r = (struct validate_row){.group = group, .model = (double)model[i][o], .kernel = (double)z->nr_free[o],
                                      .tolerance = floor((double)free_pages * tolerance / 100), .reason = NULL};
            snprintf(r.metric, sizeof r.metric, "%s.%s.free_blocks.%u", group, z->name, o);
            validate_put(sink, r);
        }
    }
}

static int event_rows(const struct validate_sink *sink, const char *events, struct snapshot *before, struct snapshot *after,
                      const struct snap_times *times, struct err *err)
{
    struct replay_request q = {.events = events, .before = before, .after = after, .times = times, .recorded = true,
                               .predict = true, .simulate = true};
    struct replay_result p;
    struct recount c;
    bool text = !strstr(events, "perf.data") && !strstr(events, ".mtr");
    if (replay_run(&q, &p, err) < 0 || (text && recount_text(&c, events, times, after, err) < 0))
        return -1;
    struct validate_row r = {.group = "events", .metric = "events.lines_not_understood", .model = (double)p.lines.unparsed};
    validate_put(sink, r);
    snprintf(r.metric, sizeof r.metric, "events.lost");
    r.model = (double)p.lines.lost;
    validate_put(sink, r);
    if (text) {
        count_row(sink, "events.window.mm_page_alloc_zone_locked", p.window.zone_locked, c.window_zone_locked);
        count_row(sink, "events.window.mm_page_alloc", p.window.page_alloc, c.window_page_alloc);
        recorded_rows(sink, &p, &c, after->has_map);
    } else {
        validate_skip(sink, "recorded", "recorded", "a plain recount needs the events as text");
    }
    predict_rows(sink, &p);
    if (after->has_buddy && p.has_buddy) {
        end_rows(sink, "follow", p.follow_free, before, after, follow_tolerance,
                 "the kernel's own frames: sum over orders of the difference in free blocks, in pages, of all free pages");
        end_rows(sink, "simulated", p.simulate_free, before, after, simulate_tolerance,
                 "our allocator's frames: sum over orders of the difference in free blocks, in pages, of all free pages");
    } else {
        validate_skip(sink, "simulated", "simulated.free_blocks_off_percent", "no buddyinfo after the events, or no events of the buddy lists");
    }
    return 0;
}

/* ---- a folder ------------------------------------------------------------------------------------------------------------ */

int validate_folder(const char *path, const struct validate_sink *sink, struct err *err)
{
    char name[4096];
    struct snapshot *s[2] = {NULL, NULL};
    struct snap_times times;
    int rc = -1;
    static const char *const moments[2] = {"before", "after"};
    char *events = find_events(path);
    for (unsigned i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s/%s", path, moments[i]);
        if (snapshot_read(&s[i], name, err) < 0)
            goto done;
        validate_snapshot(sink, moments[i], s[i]);
    }
    snprintf(name, sizeof name, "%s/times.json", path);
    char *found = snapshot_find(name);
    if (found && snapshot_read_times(&times, found, err) < 0) {
        free(found);
        goto done;
    }
    rc = 0;
    if (!events)
        validate_skip(sink, "events", "events", "there is no file of events (NAME.perf, NAME.ftrace, perf.data, also compressed)");
    else if (!s[0]->has_map || !s[0]->has_info)
        validate_skip(sink, "events", "events", "no page map and zoneinfo before the events: nothing to start from");
    else
        rc = event_rows(sink, events, s[0], s[1], found ? &times : NULL, err);
    free(found);
done:
    snapshot_free(s[0]);
    snapshot_free(s[1]);
    free(events);
    return rc;
}
