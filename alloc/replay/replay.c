#include "replay/replay.h"

#include "frames/frame_alloc.h"
#include "replay/before/memory.h"
#include "replay/pass/marks.h"
#include "replay/pass/noted.h"
#include "traces/input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_EVENTS = 64 };

struct pass {
    const struct replay_request *q;
    struct replay_result *out;
    enum replay_part part;
    uint64_t began_ns, now_ns;
    uint8_t *witnessed; /* a byte a pageblock: type + 1 that an event before the snapshot showed */
    size_t pageblocks;
    unsigned shift;
    struct recorded *recorded;
    struct follow *follow;
    struct lists *lists;
    struct zone_choice *zones;
    struct compactions *compactions;
    struct simulate *simulate;
    struct requests *requests;
    struct objects *objects;
    struct trace_rec *sites; /* those that were told before the state stood, with their payloads */
    size_t n_sites, cap_sites;
    uint64_t events;
    struct frame_map *memory; /* the request's, until `objects` or `requests` has it */
    struct marks marks;
    uint64_t nearest; /* pages by which the best moment of AFTER so far misses the kernel's counts */
};

/* ---- the parts -------------------------------------------------------------------------------------------------------- */

static void witness(struct pass *p, uint64_t pfn, uint64_t mt)
{
    if (mt < MIGRATE_TYPES && pfn >> p->shift < p->pageblocks)
        p->witnessed[pfn >> p->shift] = (uint8_t)(mt + 1);
}

static const struct frame_map *state_of(const struct pass *p)
{
    return p->objects ? objects_map(p->objects) : p->requests ? requests_map(p->requests) : p->simulate ? simulate_map(p->simulate) : p->follow ? p->follow->map : NULL;
}

static unsigned cpus_of(const struct snapshot *s)
{
    unsigned cpus = 1;
    for (unsigned i = 0; i < s->zones; i++)
        cpus = s->zone[i].pcps > cpus ? s->zone[i].pcps : cpus;
    return cpus;
}

/* Call sites are named once in a recording, maybe before the state stands: kept until then. */
static int keep_site(struct pass *p, const struct trace_rec *r, struct err *err)
{
    size_t n = 1u + r->slots;
    if (p->n_sites + n > p->cap_sites) {
        size_t cap = (p->n_sites + n) * 2;
        struct trace_rec *more = realloc(p->sites, cap * sizeof *more);
        if (!more)
            return err_set(err, ERR_RUN, "out of memory");
        p->sites = more;
        p->cap_sites = cap;
    }
    memcpy(p->sites + p->n_sites, r, n * sizeof *r);
    p->n_sites += n;
    return 0;
}

static int site(struct pass *p, const struct trace_rec *r, struct err *err)
{
    if (!p->q->objects || p->part == REPLAY_POST)
        return 0;
    if (!p->objects)
        return keep_site(p, r, err);
    objects_site(p->objects, r);
    return 0;
}

/* The memory of a kernel of ours, whole, as the snapshot's or as it was given. */
static int whole_memory(struct pass *p, struct buddy_config *buddy, struct frame_map **out, struct err *err)
{
    const struct replay_request *q = p->q;
    struct memory_start start;
    *out = p->memory;
    p->memory = NULL;
    frames_config_defaults(NULL, buddy);
    if (q->buddy)
        *buddy = *q->buddy;
    if (*out)
        return 0;
    struct snapshot *s = (struct snapshot *)(uintptr_t)q->before; /* changed only where it has no map */
    buddy->cpus = cpus_of(s);
    struct memory_options o = {.buddy = buddy, .policy = q->policy, .seed = q->seed, .as_recorded = true, .witnessed = p->witnessed};
    if (image_check(s, err) < 0 || memory_from_snapshot(out, s, &o, &start, err) < 0)
        return -1;
    p->out->image = start.image;
    return 0;
}

static int begin_pages(struct pass *p, struct err *err)
{
    const struct replay_request *q = p->q;
    struct buddy_config buddy;
    struct frame_map *map;
    if (whole_memory(p, &buddy, &map, err) < 0)
        return -1;
    struct requests_options o = {.from_snapshot = q->before != NULL, .buddy = &buddy, .copy_cycles = q->copy_cycles};
    if (requests_new(&p->requests, map, &o, err) < 0)
        return -1;
    p->out->pages = p->requests;
    return 0;
}

/* What an mm_page_free means to those who look at pages, not at lists. */
static void given_back(void *self, uint64_t cpu, uint64_t pfn, unsigned order, bool none)
{
    struct pass *p = self;
    if (p->recorded && p->part < REPLAY_AFTER)
        none ? recorded_returned(p->recorded, pfn, order) : recorded_freed(p->recorded, pfn, order);
    if (p->requests)
        none ? requests_returned(p->requests) : requests_freed(p->requests, cpu, pfn, order, p->part == REPLAY_WINDOW);
}

/* The snapshot's state is built when its time has come: what was seen before helps. */
static int begin_sync(struct pass *p, struct err *err)
{
    const struct replay_request *q = p->q;
    struct image_info info;
    struct frame_map *map;
    struct image_options opt = {.witnessed = p->witnessed};
    if (q->predict) {
        opt.users = true;
        if (image_build(&map, q->before, &opt, &p->out->image, err) < 0 || follow_new(&p->follow, map, p->witnessed, err) < 0 ||
            lists_new(&p->lists, p->follow, err) < 0 || zone_choice_new(&p->zones, p->follow, p->lists, q->before, err) < 0)
            return -1;
    }
    if (q->simulate) {
        opt.allocator = q->allocator;
        opt.users = false;
        if (image_build(&map, q->before, &opt, q->predict ? &info : &p->out->image, err) < 0 ||
            simulate_new(&p->simulate, map, err) < 0)
            return -1;
        opt.allocator = FRAME_ALLOCATOR_textbook;
        if (q->textbook && (image_build(&map, q->before, &opt, &info, err) < 0 || simulate_beside(p->simulate, map, err) < 0))
            return -1;
    }
    if (q->pages && begin_pages(p, err) < 0)
        return -1;
    struct compactions_options c = {.follow = p->follow, .lists = p->lists, .simulate = p->simulate, .recorded = p->recorded,
                                    .freed = given_back, .self = p};
    if ((p->follow || p->recorded) && compactions_new(&p->compactions, &c, err) < 0)
        return -1;
    if (q->objects) {
        struct buddy_config buddy;
        bool own = !p->memory; /* else who gave it has seen to compaction */
        if (whole_memory(p, &buddy, &map, err) < 0 ||
            objects_new(&p->objects, map, q->objects, q->before ? cpus_of(q->before) : q->cpus, q->seed, err) < 0 ||
            (own && objects_compact(p->objects, &buddy, err) < 0))
            return -1;
        for (size_t i = 0; i < p->n_sites; i += 1u + p->sites[i].slots)
            objects_site(p->objects, &p->sites[i]);
        p->out->objects = p->objects;
    }
    if (q->begin && state_of(p))
        q->begin(q->self, state_of(p));
    return 0;
}

static void keep_free(uint64_t out[FRAME_ZONES][FRAME_ORDERS], const struct frame_map *map)
{
    for (unsigned i = 0; i < map->n_zones; i++)
        memcpy(out[i], map->zones[i].nr_free, sizeof map->zones[i].nr_free);
}

static void keep_all_free(struct pass *p)
{
    if (p->follow) {
        keep_free(p->out->follow_free, p->follow->map);
        zone_choice_reserves(p->zones, p->out->reserve);
    }
    if (p->simulate)
        keep_free(p->out->simulate_free, simulate_map(p->simulate));
    if (p->simulate && simulate_other(p->simulate))
        keep_free(p->out->textbook_free, simulate_map(simulate_other(p->simulate)));
    if (p->requests)
        keep_free(p->out->simulate_free, requests_map(p->requests));
    p->out->counted_ns = p->now_ns;
}

static void end_window(struct pass *p)
{
    keep_all_free(p);
    p->out->ns = p->now_ns - p->began_ns;
    if (p->follow) {
        p->out->follow = p->follow->st;
        p->out->lists = *lists_stats(p->lists);
        p->out->zones = *zone_choice_stats(p->zones);
        zone_choice_crossings(p->zones, p->out->crossing);
        p->follow->counting = false;
    }
    if (p->simulate)
        p->out->simulate = *simulate_stats(p->simulate);
    if (p->simulate && simulate_other(p->simulate))
        p->out->textbook = *simulate_stats(simulate_other(p->simulate));
    if (p->requests)
        p->out->requests = *requests_stats(p->requests);
    if (p->objects) {
        objects_time(p->objects, p->out->ns);
        p->out->objects_left = *objects_stats(p->objects);
    }
    if (p->recorded)
        recorded_window(p->recorded, false);
}

/* Somewhere in this time the kernel counted its free blocks: the moment whose state fits its counts best stands for it. Which
 * moment is judged by the kernel's own frames if they are followed, not by ours. The state now stood until `until`. */
static void compare_free(struct pass *p, uint64_t until)
{
    if (p->part != REPLAY_AFTER)
        return;
    const struct frame_map *map = p->follow ? p->follow->map : p->simulate ? simulate_map(p->simulate) : NULL;
    const struct snap_read *when = &p->q->times->buddy[SNAP_AFTER]; /* without times there is no AFTER */
    uint64_t off = 0;
    if (!map || until < when->start || p->now_ns > when->end)
        return;
    for (unsigned i = 0; i < map->n_zones; i++) {
        const struct snap_zone *z = image_snap_zone(p->q->after, &map->zones[i]);
        for (unsigned o = 0; z && z->has_buddy && o < FRAME_ORDERS; o++)
            off += (uint64_t)llabs((long long)(map->zones[i].nr_free[o] - z->nr_free[o])) << o;
    }
    if (off >= p->nearest)
        return;
    p->nearest = off;
    keep_all_free(p);
}

static enum replay_part part_at(const struct replay_request *q, uint64_t ns)
{
    if (!q->times)
        return REPLAY_WINDOW;
    return ns < q->times->map[SNAP_BEFORE].start ? REPLAY_PRE : ns <= q->times->before_end ? REPLAY_SYNC
           : ns < q->times->after_start ? REPLAY_WINDOW : q->after && ns <= q->times->after_end ? REPLAY_AFTER : REPLAY_POST;
}

static int move_on(struct pass *p, enum replay_part to, struct err *err)
{
    while (p->part < to) {
        if (p->compactions)
            compactions_part(p->compactions);
        p->part++;
        if (p->part == REPLAY_SYNC && begin_sync(p, err) < 0)
            return -1;
        if (p->part == REPLAY_WINDOW) {
            if (p->follow)
                p->follow->counting = true;
            if (p->recorded)
                recorded_window(p->recorded, true);
        }
        if (p->part == REPLAY_AFTER) {
            end_window(p);
            p->nearest = UINT64_MAX;
        }
    }
    return 0;
}

/* ---- events ------------------------------------------------------------------------------------------------------------ */

static void page_alloc(struct pass *p, const struct trace_rec *r, const uint64_t *w)
{
    unsigned order = r->size > 63 ? 63 : r->size;
    bool counting = p->part == REPLAY_WINDOW;
    if (p->compactions && r->addr && order <= FRAME_MAX_ORDER)
        compactions_alloc(p->compactions, r->addr, order);
    if (p->recorded && p->part < REPLAY_AFTER)
        recorded_alloc(p->recorded, r->addr, order);
    if (r->addr == 0) {
        if (p->zones)
            zone_choice_failed(p->zones, w[2], order, (gfp_t)w[0], counting);
        return;
    }
    if (p->part == REPLAY_PRE && lists_has_order(order) && r->addr >> p->shift < p->pageblocks &&
        !p->witnessed[r->addr >> p->shift] && w[1] < MIGRATE_TYPES)
        p->witnessed[r->addr >> p->shift] = (uint8_t)((w[1] + 1) | IMAGE_WEAK);
    if (p->zones)
        zone_choice_alloc(p->zones, w[2], r->addr, order, (gfp_t)w[0], counting);
    if (p->lists && lists_has_order(order))
        lists_alloc(p->lists, w[2], r->addr, order, (unsigned)(w[1] > 63 ? 63 : w[1]), counting);
    p->out->has_lists |= w[2] != TRACE_CPU_UNKNOWN;
    if (p->requests)
        requests_alloc(p->requests, w[2], r->addr, order, (gfp_t)w[0]);
    if (p->follow) {
        follow_other(p->follow, w[2]);
        follow_used(p->follow, r->addr, order, w[1] == MIGRATE_MOVABLE);
    }
}

/* Orders without a per-CPU list go straight to the buddy lists; no event but this says so. */
static void page_free(struct pass *p, const struct trace_rec *r, const uint64_t *w)
{
    unsigned order = r->size > 63 ? 63 : r->size;
    bool counting = p->part == REPLAY_WINDOW, direct = !lists_has_order(order);
    if (p->follow) {
        follow_other(p->follow, w[0]);
        zone_choice_other(p->zones, w[0]);
    }
    if (p->follow && !direct)
        follow_used(p->follow, r->addr, order, false);
    if (p->follow && direct)
        follow_back(p->follow, r->addr, order, MIGRATE_TYPES, counting);
    else if (p->lists)
        lists_freed(p->lists, w[0], r->addr, order, counting);
    if (!p->compactions || !compactions_freed(p->compactions, w[0], r->addr, order))
        given_back(p, w[0], r->addr, order, false);
    if (p->simulate && direct)
        simulate_freed(p->simulate, r->addr, order);
}

static void zone_locked(struct pass *p, const struct trace_rec *r, const uint64_t *w)
{
    unsigned order = r->size > 63 ? 63 : r->size;
    bool counting = p->part == REPLAY_WINDOW;
    enum migratetype mt = w[0] < MIGRATE_TYPES ? (enum migratetype)w[0] : MIGRATE_TYPES;
    p->out->has_buddy = true;
    if (p->part == REPLAY_PRE)
        witness(p, r->addr, w[0]);
    bool free_before = p->follow && follow_is_free(p->follow, r->addr);
    if (p->zones)
        zone_choice_taken(p->zones, w[2]);
    if (p->simulate && (counting || !p->follow || free_before))
        simulate_alloc(p->simulate, r->addr, order, (unsigned)mt);
    if (p->follow)
        follow_taken(p->follow, w[2], r->addr, order, mt, counting);
    if (p->lists && w[1] && lists_has_order(order))
        lists_refill(p->lists, w[2], r->addr, order, (unsigned)mt, counting);
}

static void drain(struct pass *p, const struct trace_rec *r, const uint64_t *w)
{
    unsigned order = r->size > 63 ? 63 : r->size;
    bool counting = p->part == REPLAY_WINDOW;
    enum migratetype mt = w[0] < MIGRATE_TYPES ? (enum migratetype)w[0] : MIGRATE_TYPES;
    if (p->part == REPLAY_PRE)
        witness(p, r->addr, w[0]);
    if (p->lists)
        lists_drained(p->lists, w[1], r->addr, order, counting);
    if (p->simulate)
        simulate_freed(p->simulate, r->addr, order);
    if (p->follow) {
        follow_other(p->follow, w[1]);
        zone_choice_other(p->zones, w[1]);
        follow_back(p->follow, r->addr, order, mt, counting);
    }
}

static void extfrag(struct pass *p, const struct trace_rec *r, const uint64_t *w)
{
    unsigned order = r->size > 63 ? 63 : r->size;
    enum migratetype wanted = w[1] < MIGRATE_TYPES ? (enum migratetype)w[1] : MIGRATE_TYPES;
    if (p->part == REPLAY_PRE) /* claimed, or stolen and still of the other type */
        witness(p, r->addr, w[3] ? w[1] : w[2]);
    bool free_before = p->follow && follow_is_free(p->follow, r->addr);
    if (p->simulate && free_before)
        simulate_alloc(p->simulate, r->addr, order, (unsigned)wanted);
    if (p->zones)
        zone_choice_taken(p->zones, w[4]);
    if (p->follow)
        follow_extfrag(p->follow, &(struct follow_foreign){
                                      .cpu = w[4], .pfn = r->addr, .order = order, .block_order = (unsigned)(w[0] > 63 ? 63 : w[0]), .wanted = wanted,
                                      .from = w[2] < MIGRATE_TYPES ? (enum migratetype)w[2] : MIGRATE_TYPES, .owner = w[3] != 0,
                                      .sure = p->part == REPLAY_WINDOW});
    if (p->lists && free_before && lists_has_order(order))
        lists_refill(p->lists, w[4], r->addr, order, (unsigned)wanted, p->part == REPLAY_WINDOW);
}

static void compaction(struct pass *p, const struct trace_rec *r, const uint64_t *w, unsigned cpu)
{
    if (!p->compactions)
        return;
    uint64_t none = compactions_event(p->compactions, r, w, cpu);
    if (p->zones)
        zone_choice_other(p->zones, cpu);
    noted_none(p->out, p->q, p->now_ns, none);
}

static void event(struct pass *p, const struct trace_rec *r, unsigned cpu)
{
    static const uint64_t none[4];
    const uint64_t *w = r->slots ? (const uint64_t *)(r + 1) : none;
    bool in = p->part == REPLAY_WINDOW;
    p->out->records[p->part]++;
    if (p->out->kmem_pages && in) {
        if (r->kind == TRACE_PAGE_ALLOC)
            kmem_pages_event_alloc(p->out->kmem_pages, r->addr, r->size > 63 ? 63 : r->size, (unsigned)(w[1] > 63 ? 63 : w[1]), w[0]);
        else if (r->kind == TRACE_PAGE_FREE)
            kmem_pages_event_free(p->out->kmem_pages, r->addr, r->size > 63 ? 63 : r->size);
    }
    if (p->objects && p->part < REPLAY_AFTER)
        objects_event(p->objects, r, p->events, cpu, p->now_ns - p->began_ns);
    switch (r->kind) {
    case TRACE_PAGE_ALLOC: p->out->window.page_alloc += in; page_alloc(p, r, w); break;
    case TRACE_PAGE_FREE: p->out->window.page_free += in; page_free(p, r, w); break;
    case TRACE_PAGE_ZONE_LOCKED: p->out->window.zone_locked += in; zone_locked(p, r, w); break;
    case TRACE_PAGE_DRAIN: p->out->window.drain += in; drain(p, r, w); break;
    case TRACE_PAGE_EXTFRAG: p->out->window.extfrag += in; extfrag(p, r, w); break;
    case TRACE_KMALLOC: p->out->window.kmalloc += in; break;
    case TRACE_KFREE: p->out->window.kfree += in; break;
    case TRACE_CACHE_ALLOC: p->out->window.cache_alloc += in; break;
    case TRACE_CACHE_FREE: p->out->window.cache_free += in; break;
    case TRACE_COMPACT_BEGIN: case TRACE_COMPACT_END: case TRACE_COMPACT_FREE: case TRACE_COMPACT_MOVED:
        p->out->compactions += in && r->kind == TRACE_COMPACT_BEGIN;
        p->out->compact_ranges += in && r->kind == TRACE_COMPACT_FREE;
        p->out->window.other += in;
        compaction(p, r, w, cpu);
        break;
    default: p->out->window.other += in; break;
    }
    compare_free(p, p->now_ns);
}

/* ---- records ------------------------------------------------------------------------------------------------------------ */

/* What stands at a mark; NULL: there is no state yet, or no longer. */
static const struct frame_map *marked(const struct pass *p)
{
    return p->part >= REPLAY_SYNC && p->part < REPLAY_AFTER ? state_of(p) : NULL;
}

static int one_record(struct pass *p, const struct trace_rec *r, unsigned cpu, struct err *err)
{
    switch (r->kind) {
    case TRACE_CLOCK:
        p->began_ns = p->now_ns = p->out->first_ns = r->addr;
        return move_on(p, part_at(p->q, p->now_ns), err);
    case TRACE_TIME:
        if (unlikely(r->addr >= p->marks.next_ns))
            marks_of_time(&p->marks, r->addr, p->events, marked(p));
        compare_free(p, p->began_ns + r->addr); /* the kernel may have counted between two events */
        p->now_ns = p->began_ns + r->addr;
        if (p->simulate)
            frames_tick(simulate_map(p->simulate), r->addr * PS_A_NS);
        if (p->requests)
            requests_time(p->requests, r->addr * PS_A_NS);
        return move_on(p, part_at(p->q, p->now_ns), err);
    case TRACE_SITE:
        return site(p, r, err);
    case TRACE_MARK:
        marks_of_recording(&p->marks, r, marked(p));
        return 0;
    case TRACE_TASK:
        return 0;
    default:
        break;
    }
    if (unlikely(p->part == REPLAY_PRE && !p->q->times) && move_on(p, REPLAY_WINDOW, err) < 0)
        return -1;
    noted(p->out, p->q, p->now_ns, r);
    if (p->part == REPLAY_POST) {
        p->out->records[REPLAY_POST]++;
        return 0;
    }
    event(p, r, cpu);
    p->events++;
    if (unlikely(p->events == p->marks.next_event))
        marks_of_event(&p->marks, p->events, marked(p));
    if (p->events % TICK_EVENTS == 0 && p->q->tick)
        p->out->stopped = p->q->tick(p->q->self, p->events, p->now_ns - p->began_ns) != 0;
    return 0;
}

static int made(void *pass, uint32_t thread, const struct trace_rec *rec, size_t n, struct err *err)
{
    struct pass *p = pass;
    for (size_t i = 0; i < n && !p->out->stopped; i += 1u + rec[i].slots)
        if (one_record(p, &rec[i], thread, err) < 0)
            return -1;
    return p->out->stopped ? -1 : 0;
}

static int all_records(struct pass *p, struct trace *t, struct err *err)
{
    struct trace_batch b;
    int got = 1;
    if (p->q->make) {
        got = p->q->make(p->q->self, made, p, err) < 0 && !p->out->stopped ? -1 : 0;
    } else {
        while (!p->out->stopped && (got = trace_next(t, &b, err)) > 0)
            for (size_t i = 0; i < b.n && !p->out->stopped; i += 1u + b.rec[i].slots)
                if (one_record(p, &b.rec[i], b.thread, err) < 0)
                    return -1;
        struct trace_info info;
        trace_get_info(t, &info);
        p->out->lines = info.kernel;
        if (got == 0 && info.incomplete)
            snprintf(p->out->incomplete, sizeof p->out->incomplete, "%s", info.why ? info.why : "there may have been more");
    }
    p->out->ended_early = p->part == REPLAY_PRE;
    if (p->part == REPLAY_PRE && got >= 0) {
        if (p->out->last_ns || p->out->lines.other) {
            err_set(err, ERR_RUN, "the recording ends before the snapshot was taken, by what times.json says");
            err_remedy(err, "is it whole, and do recording and snapshot belong together?");
        } else {
            err_set(err, ERR_USAGE, "this holds no events of a kernel");
            err_remedy(err, "they are recorded with mmulab record --kernel; programs' traces are replayed with -t");
        }
        return err_at(err, p->q->events, 0, 0);
    }
    if (p->compactions)
        compactions_part(p->compactions);
    compare_free(p, UINT64_MAX);
    if (p->part < REPLAY_AFTER)
        end_window(p);
    marks_end(&p->marks);
    return got < 0 ? -1 : 0;
}

static void size_pageblocks(struct pass *p)
{
    const struct snapshot *s = p->q->before;
    if (!s) {
        p->shift = p->memory->pageblock_order;
        p->pageblocks = (size_t)(p->memory->n_frames >> p->shift) + 2;
        return;
    }
    p->shift = s->pageblock_order;
    p->pageblocks = (size_t)(s->pages >> p->shift) + 2;
    for (unsigned i = 0; i < s->zones; i++) { /* zones may reach beyond the map */
        size_t end = (size_t)((s->zone[i].start_pfn + s->zone[i].spanned) >> p->shift) + 2;
        p->pageblocks = end > p->pageblocks ? end : p->pageblocks;
    }
}

int replay_run(const struct replay_request *q, struct replay_result *out, struct err *err)
{
    struct pass p = {.q = q, .out = out, .memory = q->memory};
    struct trace_options opt = {.ahead = true};
    struct trace *t = NULL;
    int rc = -1;
    *out = (struct replay_result){0};
    size_pageblocks(&p);
    marks_begin(&p.marks, q, out);
    if (!(p.witnessed = image_sparse(p.pageblocks)))
        err_set(err, ERR_RUN, "out of memory");
    else if ((q->make || trace_open(&t, q->events, &opt, err) == 0) && (!q->kmem_pages || kmem_pages_new(&out->kmem_pages, err) == 0) &&
             (q->recorded ? recorded_new(&p.recorded, q->before, err) : 0) == 0 && (q->before || move_on(&p, REPLAY_WINDOW, err) == 0))
        rc = all_records(&p, t, err);
    if (p.recorded)
        recorded_end(p.recorded, q->after, &out->recorded);
    if (q->end && state_of(&p))
        q->end(q->self, state_of(&p), rc, err);
    trace_close(t);
    zone_choice_free(p.zones);
    compactions_free(p.compactions);
    lists_free(p.lists);
    follow_free_all(p.follow);
    simulate_free(p.simulate);
    out->pages = NULL;
    requests_free(p.requests);
    out->objects = NULL;
    kmem_pages_free(out->kmem_pages);
    out->kmem_pages = NULL;
    objects_free(p.objects);
    free(p.sites);
    recorded_free(p.recorded);
    frame_map_free(p.memory);
    image_sparse_free(p.witnessed, p.pageblocks);
    return rc;
}
