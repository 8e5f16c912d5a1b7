/* The events: what the recording says by itself, and the replay's choices and ends against the kernel's. */
#include "replay/validate/validate_rows.h"

#include "traces/input.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bounds of the comparisons; docs/kernel-replay.md says where each comes from. */
static const double frames_tolerance = 0.1, hard_tolerance = 1.0, lists_tolerance = 3.0; /* percent */
enum { fallback_least = 20 }; /* of fewer requests one is more than the tolerance allows for what is inferred */
static const double foreseen_tolerance = 2.0, place_tolerance = 10.0; /* percent: contents of pageblocks and heads of lists are partly inferred */
static const double isolated_tolerance = 1.0; /* percent: another CPU may take or free between the scanner's lock and its event */
static const double held_tolerance = 0.1, simulate_tolerance = 0.02, follow_tolerance = 0.02;
static const double contradicted_share = 1.0; /* percent: blocks that came back to the lists without an event */
static const double again_share = 1.0; /* percent of allocations that a recording may contradict itself in */

static bool is_text(const char *events) { return !strstr(events, "perf.data") && !strstr(events, ".mtr"); }

/* ---- reading, and what speaks against laying a difference to the model ---------------------------------------------------- */

static void doubts(struct validate_case *c)
{
    const struct replay_result *p = c->p;
    const struct recorded_stats *r = &p->recorded;
    const struct snapshot *b = c->snap[SNAP_BEFORE], *a = c->snap[SNAP_AFTER];
    if (p->lines.lost)
        validate_doubt(c->doubt, "%llu events were lost", (unsigned long long)p->lines.lost);
    if (p->lines.unparsed)
        validate_doubt(c->doubt, "%llu lines were not understood", (unsigned long long)p->lines.unparsed);
    if (!c->has_times)
        validate_doubt(c->doubt, "without times.json nothing says which events lie between the snapshots");
    if (c->has_times && p->last_ns < c->times.after_start)
        validate_doubt(c->doubt, "the recording ends %.3f s before the snapshot after it",
                       (double)(c->times.after_start - p->last_ns) / 1e9);
    if (c->has_times && p->first_ns > c->times.before_end)
        validate_doubt(c->doubt, "the recording begins %.3f s behind the snapshot before it",
                       (double)(p->first_ns - c->times.before_end) / 1e9);
    double again = validate_percent(r->alloc_again + r->free_again, r->allocs + r->frees);
    if (again > again_share)
        validate_doubt(c->doubt, "the recording contradicts itself in %.2f %% of its page events", again);
    if (c->has_times && b->has_vmstat && a->has_vmstat) {
        uint64_t freed = a->vmstat.pgfree - b->vmstat.pgfree;
        if (a->vmstat.pgfree < b->vmstat.pgfree || freed < p->freed_inner)
            validate_doubt(c->doubt, "vmstat counts fewer frees than the events show: the snapshots are not this recording's");
        else if (freed > p->freed_outer)
            validate_doubt(c->doubt, "vmstat counts %llu pages freed of which no event tells", (unsigned long long)(freed - p->freed_outer));
    }
    bool compacted = p->compactions || (b->has_vmstat && a->has_vmstat && a->vmstat.compact_isolated != b->vmstat.compact_isolated);
    if (compacted && !p->compact_ranges)
        validate_doubt(c->doubt, "memory was compacted, which takes free blocks without an event");
    else if (p->follow.isolated_unknown)
        validate_doubt(c->doubt, "of %llu free pages that compaction took it is not known which they were",
                       (unsigned long long)p->follow.isolated_unknown);
    if (!b->has_types)
        validate_doubt(c->doubt, "without pagetypeinfo the types of pageblocks are a guess");
    for (unsigned i = 0; i < b->zones && a->has_info; i++) {
        const struct snap_zone *z = &b->zone[i], *then = snapshot_zone(c->snap[SNAP_AFTER], z->node, z->name);
        if (z->has_info && then && then->has_info && then->managed != z->managed)
            validate_doubt(c->doubt, "zone %s went from %llu to %llu managed pages", z->name, (unsigned long long)z->managed,
                           (unsigned long long)then->managed);
        if (z->has_info && z->spanned && z->start_pfn + z->spanned > b->pages)
            validate_doubt(c->doubt, "the map before ends inside zone %s", z->name);
        if (z->capped)
            validate_doubt(c->doubt, "pagetypeinfo says only \">100000\" of zone %s", z->name);
    }
}

static bool is_empty(const char *events)
{
    struct trace_input *in = NULL;
    struct err ignored = {0};
    const char *line;
    size_t len;
    bool any = is_text(events) && trace_input_open(&in, events, &ignored) == 0 && trace_input_line(in, &line, &len, &ignored) == 0;
    trace_input_close(in);
    return any;
}

int validate_events_read(struct validate_case *c, struct err *err)
{
    const struct snapshot *b = c->snap[SNAP_BEFORE];
    const struct snap_times *t = c->has_times ? &c->times : NULL;
    if (is_empty(c->events)) {
        err_set(err, ERR_RUN, "the file of events is empty");
        err_remedy(err, "record again, or take it out of the folder: what the snapshots say is compared without it");
        return err_at(err, c->events, 0, 0);
    }
    if (!b->has_map || !b->has_info)
        return 0;
    struct replay_request q = {.events = c->events, .before = b, .after = c->snap[SNAP_AFTER], .times = t, .recorded = true,
                               .predict = true, .simulate = true, .textbook = true};
    int rc = replay_run(&q, c->p, err);
    c->replayed = rc == 0;
    if (rc == 0 && is_text(c->events)) {
        rc = recount_text(&c->recount, c->events, t, c->snap[SNAP_AFTER], err);
        c->counted = rc == 0;
    }
    if (rc == 0)
        doubts(c);
    return c->p->ended_early ? 0 : rc;
}

/* ---- rows ---------------------------------------------------------------------------------------------------------------------- */

static void count_row(const struct validate_case *c, const char *metric, uint64_t model, uint64_t kernel)
{
    struct validate_row r = {.group = "events", .model = (double)model, .kernel = (double)kernel};
    snprintf(r.metric, sizeof r.metric, "%s", metric);
    validate_put(c, r);
}

static void whole_rows(const struct validate_case *c)
{
    const struct replay_result *p = c->p;
    const struct snapshot *b = c->snap[SNAP_BEFORE], *a = c->snap[SNAP_AFTER];
    struct validate_row r = {.group = "events", .metric = "events.lines_not_understood", .model = (double)p->lines.unparsed};
    validate_put(c, r);
    r = (struct validate_row){.group = "events", .metric = "events.lost", .model = (double)p->lines.lost};
    validate_put_unless(c, r, "the recorder lost events: what it has is not the whole truth");
    r = (struct validate_row){.group = "events", .metric = "events.pages_freed", .at_least = true, .model = (double)p->freed_outer,
                              .kernel = (double)(a->vmstat.pgfree - b->vmstat.pgfree)};
    if (!c->has_times || !b->has_vmstat || !a->has_vmstat || a->vmstat.pgfree < b->vmstat.pgfree)
        validate_skip(c, "events", r.metric, !c->has_times ? "no times.json" : "there are not two vmstats, the later one behind the earlier");
    else
        validate_put_unless(c, r, "vmstat counts more pages than the events: some are missing");
    if (!c->counted)
        return;
    count_row(c, "events.window.mm_page_alloc_zone_locked", p->window.zone_locked, c->recount.window_zone_locked);
    count_row(c, "events.window.mm_page_alloc", p->window.page_alloc, c->recount.window_page_alloc);
}

static void recorded_rows(const struct validate_case *c)
{
    const struct recorded_stats *s = &c->p->recorded;
    const struct recount *n = &c->recount;
    if (!c->counted) {
        validate_skip(c, "recorded", "recorded", "a plain recount needs the events as text");
        return;
    }
    struct validate_row r = {.group = "recorded", .metric = "recorded.allocated_again", .model = (double)s->alloc_again_lines,
                             .kernel = (double)n->alloc_again,
                             .reason = "allocations of a frame whose free is not in the recording: pages also go back without an event"};
    validate_put(c, r);
    snprintf(r.metric, sizeof r.metric, "recorded.freed_again");
    r.model = (double)s->free_again_lines;
    r.kernel = (double)n->free_again;
    r.reason = "frees of a frame whose allocation is not in the recording: alloc_pages_bulk has no event";
    validate_put(c, r);
    r = (struct validate_row){.group = "recorded", .metric = "recorded.contradictions_percent", .decimals = 3,
                              .model = validate_percent(s->alloc_again + s->free_again, s->allocs + s->frees), .kernel = 0,
                              .tolerance = again_share, .reason = "more than untraced paths explain would mean lost events"};
    validate_put_unless(c, r, "events are missing, or much came through alloc_pages_bulk");
    if (!c->snap[SNAP_AFTER]->has_map || !n->last_allocated || !n->last_freed) {
        const char *why = c->snap[SNAP_AFTER]->has_map ? "no page was allocated and freed in the window" : "no map of frames after the events";
        validate_skip(c, "recorded", "recorded.last_allocated_held_percent", why);
        validate_skip(c, "recorded", "recorded.last_freed_held_percent", why);
        return;
    }
    r = (struct validate_row){.group = "recorded", .metric = "recorded.last_allocated_held_percent", .decimals = 3, .at_least = true,
                              .model = validate_percent(s->allocated_held, s->last_allocated), .kernel = validate_percent(n->allocated_held, n->last_allocated),
                              .tolerance = held_tolerance, .base = {.null = validate_percent(s->allocated_null, s->last_allocated), .has_null = true},
                              .reason = "frames whose last event is an allocation and that the map at the end does not call free"};
    validate_put(c, r);
    snprintf(r.metric, sizeof r.metric, "recorded.last_freed_held_percent");
    r.model = validate_percent(s->freed_held, s->last_freed);
    r.kernel = validate_percent(n->freed_held, n->last_freed);
    r.base.null = validate_percent(s->freed_null, s->last_freed);
    r.reason = "frames whose last event is a free and that the map at the end calls free or other";
    validate_put(c, r);
}

static void predict_rows(const struct validate_case *c)
{
    const struct replay_result *p = c->p;
    const struct follow_stats *f = &p->follow;
    const struct lists_stats *l = &p->lists;
    struct validate_row r = {.group = "predict", .metric = "predict.blocks_known_percent", .decimals = 4, .kernel = 100,
                             .model = validate_percent(f->new_right, f->new_blocks), .tolerance = frames_tolerance, .at_least = true,
                             .base = {validate_percent(f->new_next, f->new_blocks), validate_percent(f->new_textbook, f->new_blocks),
                                      validate_percent(f->new_null, f->new_blocks), true, true, true},
                             .reason = "blocks out of blocks that were split or freed in the window: our frame is the kernel's"};
    if (f->new_blocks)
        validate_put_unless(c, r, c->doubt);
    else
        validate_skip(c, "predict", r.metric, p->has_buddy ? "no block came out of a block that was split or freed in the window"
                                                           : "mm_page_alloc_zone_locked is not in the recording");
    uint64_t hard = f->new_blocks - f->new_next;
    snprintf(r.metric, sizeof r.metric, "predict.blocks_not_next_percent");
    r.model = validate_percent(f->new_right - f->new_next_right, hard);
    r.tolerance = hard_tolerance;
    r.base = (struct validate_baselines){.textbook = validate_percent(f->hard_textbook, hard), .null = validate_percent(f->hard_null, hard),
                                         .has_next = true, .has_textbook = true, .has_null = true};
    r.reason = "of these, those that are not simply the frame behind the previous one";
    if (hard)
        validate_put_unless(c, r, c->doubt);
    else
        validate_skip(c, "predict", r.metric, f->new_blocks ? "every such block lies behind the previous one" : "there is no such block");
    snprintf(r.metric, sizeof r.metric, "predict.lists_percent");
    r.model = validate_percent(l->right, l->known);
    r.tolerance = lists_tolerance;
    r.base = (struct validate_baselines){.next = validate_percent(l->known_next, l->known), .has_next = true};
    r.reason = "pages from per-CPU lists whose head is known";
    if (l->known && p->has_lists)
        validate_put_unless(c, r, c->doubt);
    else
        validate_skip(c, "predict", r.metric, p->window.page_alloc == 0 ? "no page was allocated in the window"
                                              : p->has_lists           ? "no page came from a list whose head is known"
                                                                       : "the events do not say their CPU");
    r = (struct validate_row){.group = "predict", .metric = "predict.blocks_contradicted", .model = (double)(f->not_free + f->inside),
                              .kernel = 0, .tolerance = floor((double)f->allocs * contradicted_share / 100),
                              .reason = "blocks that the kernel took and that are not the beginning of a free block here"};
    validate_put_unless(c, r, c->doubt);
}

/* Memory of other types: our rule's answer before each mm_page_alloc_extfrag. A recording without one has no such rows. */
static void fallback_rows(const struct validate_case *c)
{
    const struct follow_stats *f = &c->p->follow;
    const struct { const char *metric, *reason; uint64_t part, whole; double tolerance; } rows[] = {
        {"fallback.foreseen_percent", "requests that got another type's memory: their own type's lists had nothing here either", f->foreseen,
         f->extfrags, foreseen_tolerance},
        {"fallback.rule_percent", "of these: a pageblock claimed whole, claimed in part, or not claimed, as the kernel did", f->foreseen_kind,
         f->foreseen, foreseen_tolerance},
        {"fallback.block_percent", "of these: out of a block of the same order and type", f->foreseen_block, f->foreseen, place_tolerance},
        {"fallback.frame_percent", "of those whose block's list position is known: our frame is the kernel's", f->foreseen_frame,
         f->foreseen_known, place_tolerance}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct validate_row r = {.group = "fallback", .decimals = 3, .kernel = 100, .model = validate_percent(rows[i].part, rows[i].whole),
                                 .tolerance = rows[i].tolerance, .at_least = true, .reason = rows[i].reason};
        snprintf(r.metric, sizeof r.metric, "%s", rows[i].metric);
        char few[96];
        snprintf(few, sizeof few, "%" PRIu64 " of %" PRIu64 " such requests: fewer than %d tell no percentage", rows[i].part, rows[i].whole,
                 fallback_least);
        if (rows[i].whole >= fallback_least)
            validate_put_unless(c, r, c->doubt);
        else if (f->extfrags)
            validate_skip(c, "fallback", r.metric, rows[i].whole ? few : "there is no such request");
    }
}

/* Compaction: the pages that its free scanner takes are those that are free here where it looked. */
static void compaction_rows(const struct validate_case *c)
{
    const struct replay_result *p = c->p;
    const struct follow_stats *f = &p->follow;
    const struct snapshot *b = c->snap[SNAP_BEFORE], *a = c->snap[SNAP_AFTER];
    const char *none = "memory was compacted, but mm_compaction_isolate_freepages is not in the recording";
    if (!p->compactions && !p->compact_ranges)
        return;
    struct validate_row r = {.group = "compaction", .metric = "compaction.isolated_known_percent", .decimals = 3, .kernel = 100, .at_least = true,
                             .model = validate_percent(f->isolated - f->isolated_unknown, f->isolated), .tolerance = isolated_tolerance};
    snprintf(r.why, sizeof r.why, "%" PRIu64 " of %" PRIu64 " free pages that compaction took, in %" PRIu64 " ranges: what is free there here is as much",
             f->isolated - f->isolated_unknown, f->isolated, f->isolations);
    if (f->isolated >= fallback_least)
        validate_put(c, r);
    else
        validate_skip(c, "compaction", r.metric, f->isolated ? "fewer than 20 pages tell no percentage" : p->compact_ranges ? "compaction took no free page" : none);
    r = (struct validate_row){.group = "compaction", .metric = "compaction.isolated_pages", .at_least = true, .model = (double)p->isolated_outer,
                              .kernel = (double)(a->vmstat.compact_isolated - b->vmstat.compact_isolated),
                              .reason = "pages that the events say compaction took, free or to be moved; vmstat"};
    if (p->compact_ranges && c->has_times && b->has_vmstat && a->has_vmstat && a->vmstat.compact_isolated >= b->vmstat.compact_isolated)
        validate_put_unless(c, r, "vmstat counts more than the events: some are missing");
    else
        validate_skip(c, "compaction", r.metric, p->compact_ranges ? "no times.json, or not two vmstats, the later one behind the earlier" : none);
}

/* ---- free blocks at the end ------------------------------------------------------------------------------------------------- */

unsigned validate_zone_number(const struct snapshot *s, const struct snap_zone *z)
{
    static const char *const names[2][N_ZONES] = {{"DMA", "DMA32", "Normal", "Movable"}, {"DMA", "Normal", "HighMem", "Movable"}};
    bool x32 = false;
    for (unsigned i = 0; i < s->zones; i++)
        x32 |= !strcmp(s->zone[i].name, "HighMem");
    for (unsigned n = 0; n < s->nodes && n < FRAME_NODES; n++)
        for (unsigned t = 0; t < N_ZONES; t++)
            if (s->node[n] == z->node && !strcmp(names[x32][t], z->name))
                return n * N_ZONES + t;
    return FRAME_ZONES;
}

/* Free blocks of each order when the kernel counted them: the model's and, where there is one, the textbook buddy's. */
typedef uint64_t free_blocks[FRAME_ZONES][FRAME_ORDERS];

static uint64_t pages_off(uint64_t a, uint64_t b, unsigned order) { return (a > b ? a - b : b - a) << order; }

static void end_rows(struct validate_case *c, const char *group, free_blocks model, free_blocks book, double tolerance, const char *doubt,
                     const char *reason)
{
    struct snapshot *before = c->snap[SNAP_BEFORE], *after = c->snap[SNAP_AFTER];
    uint64_t off = 0, off_book = 0, off_null = 0, free_pages = 0;
    char label[ZONE_LABEL];
    for (unsigned i = 0; i < after->zones; i++) {
        const struct snap_zone *z = &after->zone[i], *b = snapshot_zone(before, z->node, z->name);
        unsigned n = b ? validate_zone_number(before, b) : FRAME_ZONES;
        for (unsigned o = 0; n < FRAME_ZONES && z->has_buddy && o < SNAP_ORDERS; o++) {
            off += pages_off(model[n][o], z->nr_free[o], o);
            off_book += book ? pages_off(book[n][o], z->nr_free[o], o) : 0;
            off_null += pages_off(b->nr_free[o], z->nr_free[o], o);
            free_pages += z->nr_free[o] << o;
        }
    }
    struct validate_row r = {.group = group, .decimals = 4, .kernel = 0, .tolerance = tolerance, .reason = reason};
    snprintf(r.metric, sizeof r.metric, "%s.free_blocks_off_percent", group);
    r.model = validate_percent(off, free_pages);
    r.base = (struct validate_baselines){.textbook = validate_percent(off_book, free_pages), .null = validate_percent(off_null, free_pages),
                                         .has_textbook = book != NULL, .has_null = before->has_buddy};
    if (!free_pages) {
        validate_skip(c, group, r.metric, "buddyinfo after the events has no free memory in a zone of the snapshot before");
        return;
    }
    validate_put_unless(c, r, doubt);
    for (unsigned i = 0; i < after->zones; i++) {
        const struct snap_zone *z = &after->zone[i], *b = snapshot_zone(before, z->node, z->name);
        unsigned n = b && b->has_info && b->spanned ? validate_zone_number(before, b) : FRAME_ZONES;
        for (unsigned o = 0; n < FRAME_ZONES && z->has_buddy && o < SNAP_ORDERS; o++) {
            r = (struct validate_row){.group = group, .model = (double)model[n][o], .kernel = (double)z->nr_free[o],
                                      .tolerance = floor((double)free_pages * tolerance / 100),
                                      .base = {.textbook = book ? (double)book[n][o] : 0, .null = (double)b->nr_free[o],
                                               .has_textbook = book != NULL, .has_null = b->has_buddy}};
            snprintf(r.metric, sizeof r.metric, "%s.%s.free_blocks.%u", group, validate_label(z, label), o);
            validate_put_unless(c, r, doubt);
        }
    }
}

void validate_events(struct validate_case *c)
{
    const struct snapshot *b = c->snap[SNAP_BEFORE], *a = c->snap[SNAP_AFTER];
    if (!c->events)
        validate_skip(c, "events", "events", "there is no file of events (NAME.perf, perf.txt, NAME.ftrace, trace.txt, perf.data, also compressed)");
    else if (!b->has_map || !b->has_info)
        validate_skip(c, "events", "events", "no page map and zoneinfo before the events: nothing to start from");
    else if (c->p->ended_early)
        validate_skip(c, "events", "events", "the recording ends before the snapshot was taken");
    else if (!c->replayed)
        validate_skip(c, "events", "events", "the file of events is empty or broken");
    if (!c->replayed)
        return;
    whole_rows(c);
    recorded_rows(c);
    predict_rows(c);
    fallback_rows(c);
    validate_zones(c);
    compaction_rows(c);
    if (a->has_buddy && c->p->has_buddy) {
        end_rows(c, "follow", c->p->follow_free, NULL, follow_tolerance, c->doubt,
                 "the kernel's own frames: sum over orders of the difference in free blocks, in pages, of all free pages");
        end_rows(c, "simulated", c->p->simulate_free, c->p->textbook_free, simulate_tolerance,
                 c->doubt[0] || !c->p->follow.isolated ? c->doubt : "what the kernel compacted are its frames, not those of our choice",
                 "our allocator's frames: sum over orders of the difference in free blocks, in pages, of all free pages");
    } else {
        const char *why = a->has_buddy ? "no events of the buddy lists" : "no buddyinfo after the events";
        validate_skip(c, "follow", "follow.free_blocks_off_percent", why);
        validate_skip(c, "simulated", "simulated.free_blocks_off_percent", why);
    }
}
