#include "replay/pages/requests.h"

#include "replay/before/image.h"

#include <stdlib.h>

enum { OURS = 1 }; /* flag of a block that a recorded request got here */
#define GONE UINT32_MAX          /* where: freed */
#define NOT_HAD (UINT32_MAX - 1) /* ... its request failed */
static const uint64_t RECORDED_MOST = 1ull << 28; /* frames of 1 TiB, as many as memory.size may be */

struct requests {
    struct frame_map *map;
    struct compaction *compaction;
    bool from_snapshot, daemons;
    uint32_t *where; /* by the kernel's frame: ours + 1; 0: as the snapshot has it, or unknown; GONE, NOT_HAD */
    uint64_t n;
    struct requests_stats st;
    struct requests_compaction time;
    uint64_t scan_cycles, move_cycles; /* a page looked at; a page moved */
};

/* ---- where a recorded frame lies ------------------------------------------------------------------------------------------ */

/* Head of the allocated block that holds a frame; NULL: none does. */
static struct frame *block_of(const struct requests *q, uint64_t at)
{
    for (unsigned o = 0; o <= q->map->max_order; o++) {
        struct frame *f = &q->map->frames[at & ~((1ull << o) - 1)];
        if (f->state != FRAME_NONE && f->order >= o)
            return f->state == FRAME_ALLOCATED ? f : NULL;
    }
    return NULL;
}

static uint64_t index_of(const struct requests *q, const struct frame *f) { return (uint64_t)(f - q->map->frames); }

/* The recorded frame that lies at a block's head. What was there before keeps its own until it moves. */
static uint64_t recorded_at(const struct requests *q, const struct frame *f)
{
    return f->vpn ? f->vpn - 1 : q->from_snapshot ? index_of(q, f) : UINT64_MAX;
}

/* The block that holds recorded frame `pfn`, and where in it; NULL: it lies nowhere. */
static struct frame *find(const struct requests *q, uint64_t pfn, uint64_t *at)
{
    uint32_t w = q->where[pfn];
    if (w == GONE || w == NOT_HAD || (!w && (!q->from_snapshot || pfn >= q->map->n_frames)))
        return NULL;
    *at = w ? w - 1u : pfn;
    struct frame *f = block_of(q, *at);
    return f && recorded_at(q, f) + (*at - index_of(q, f)) == pfn ? f : NULL;
}

pfn_t requests_place(const struct requests *q, uint64_t pfn)
{
    uint64_t at;
    if (pfn >= q->n || !find(q, pfn, &at))
        return PFN_NONE;
    return (pfn_t){at};
}

/* ---- compaction ----------------------------------------------------------------------------------------------------------- */

static bool on_move(void *self, pfn_t from, pfn_t to, unsigned order, struct compact_cost *cost)
{
    struct requests *q = self;
    struct frame *t = frame_at(q->map, to);
    (void)cost;
    q->st.moved++;
    q->st.moved_before += !(t->flags & OURS);
    if (!t->vpn && !q->from_snapshot)
        return true; /* memory that no recorded frame stands for */
    uint64_t pfn = t->vpn ? t->vpn - 1 : from.v;
    t->vpn = pfn + 1;
    for (uint64_t i = 0; i < 1ull << order; i++)
        q->where[pfn + i] = (uint32_t)(to.v + i) + 1;
    return true;
}

static int attach_compaction(struct requests *q, const struct buddy_config *b, struct err *err)
{
    struct compact_config c = compact_config_of(b);
    if (compaction_new(&q->compaction, q->map, &c, err) < 0)
        return -1;
    q->compaction->owner = (struct compact_owner){.self = q, .move = on_move};
    compaction_attach(q->compaction);
    q->daemons = b->kcompactd;
    if (q->daemons)
        compact_background_attach(q->compaction, 0);
    return 0;
}

/* Since the last call. */
static uint64_t compaction_cycles(struct requests *q)
{
    if (!q->compaction)
        return 0;
    struct compact_cost cost = compact_take_cost(q->compaction);
    return cost.scanned * q->scan_cycles + cost.pages * q->move_cycles;
}

void requests_time(struct requests *q, tick_t now)
{
    frames_tick(q->map, now);
    if (!q->daemons || (!compact_background_wanted(q->compaction) && now < compact_background_due(q->compaction)))
        return;
    compact_background(q->compaction, now);
    q->time.daemon_cycles += compaction_cycles(q);
}

/* ---- giving back ---------------------------------------------------------------------------------------------------------- */

/* Blocks that the snapshot shows one by one were one: their records become one, so that it goes back as one. */
static bool join(struct requests *q, uint64_t pfn, uint64_t at, unsigned order)
{
    struct frame *f = frame_at(q->map, (pfn_t){at});
    uint64_t pages = 1ull << order;
    if (at & (pages - 1) || at + pages > q->map->n_frames)
        return false;
    for (uint64_t i = 0; i < pages; i++)
        if (f[i].state != FRAME_ALLOCATED || f[i].order || f[i].flags & OURS || recorded_at(q, &f[i]) != pfn + i)
            return false;
    for (uint64_t i = 1; i < pages; i++) {
        frames_retag(q->map, (pfn_t){at + i}, (enum frame_tag)f->tag);
        f[i] = (struct frame){0};
    }
    f->order = (uint8_t)order;
    q->st.joined_frees++;
    return true;
}

/* One page out of a larger block, which comes apart. */
static bool give_page(struct requests *q, uint64_t pfn, bool *ours)
{
    uint64_t at;
    struct frame *f = find(q, pfn, &at);
    if (!f)
        return false;
    *ours = f->flags & OURS;
    if (f->order) {
        q->st.split_frees++;
        if (!f->vpn)
            f->vpn = recorded_at(q, f) + 1; /* frames_split counts on from here */
        frames_split(q->map, (pfn_t){index_of(q, f)}, f->order, 0);
    }
    frames_free(q->map, (pfn_t){at}, 0);
    return true;
}

enum given { GIVEN_NONE, GIVEN_OURS, GIVEN_BEFORE };

static enum given give(struct requests *q, uint64_t pfn, unsigned order)
{
    uint64_t at = 0, pages = 1ull << order, given = 0;
    struct frame *f = find(q, pfn, &at);
    bool ours = f && f->flags & OURS;
    if (f && index_of(q, f) == at && (f->order == order || (f->order < order && !ours && join(q, pfn, at, order)))) {
        frames_free(q->map, (pfn_t){at}, order);
        return ours ? GIVEN_OURS : GIVEN_BEFORE;
    }
    for (uint64_t i = 0; i < pages; i++)
        given += give_page(q, pfn + i, &ours);
    return !given ? GIVEN_NONE : ours ? GIVEN_OURS : GIVEN_BEFORE;
}

/* ---- the recording's side --------------------------------------------------------------------------------------------------- */

static void on_cpu(struct requests *q, uint64_t cpu)
{
    q->st.foreign_cpus += cpu >= q->map->cpus;
    frames_on_cpu(q->map, cpu < q->map->cpus ? (unsigned)cpu : q->map->cpus - 1);
}

static void mark(struct requests *q, uint64_t pfn, uint64_t pages, uint32_t what)
{
    for (uint64_t i = 0; i < pages; i++)
        q->where[pfn + i] = what;
}

/* What lies here under the names of these frames goes first: its free is not in the recording. */
static void give_first(struct requests *q, uint64_t pfn, unsigned order)
{
    uint64_t at, end = pfn + (1ull << order);
    for (uint64_t p = pfn; p < end; p++) {
        const struct frame *f = find(q, p, &at);
        if (!f)
            continue;
        unsigned o = f->order < order ? f->order : order;
        if (!(f->flags & OURS))
            o = p == pfn ? order : 0;
        if (p & ((1ull << o) - 1) || p + (1ull << o) > end)
            o = 0;
        enum given g = give(q, p, o);
        q->st.missed_frees += g != GIVEN_NONE;
        q->st.listed_before += g == GIVEN_BEFORE;
        mark(q, p, 1ull << o, GONE);
    }
}

void requests_alloc(struct requests *q, uint64_t cpu, uint64_t pfn, unsigned order, gfp_t gfp)
{
    uint64_t pages = 1ull << order;
    q->st.allocs++;
    if (order > q->map->max_order || pfn >= q->n || pages > q->n - pfn) {
        q->st.failures++;
        return;
    }
    on_cpu(q, cpu);
    give_first(q, pfn, order);
    pfn_t got = frames_alloc(q->map, gfp, order, gfp & __GFP_MOVABLE ? FRAME_TAG_ANON : FRAME_TAG_KERNEL);
    uint64_t stall = compaction_cycles(q);
    q->time.stalls += stall != 0;
    q->time.stall_cycles += stall;
    q->time.stall_worst_cycles = stall > q->time.stall_worst_cycles ? stall : q->time.stall_worst_cycles;
    if (pfn_is_none(got)) {
        q->st.failures++;
        mark(q, pfn, pages, NOT_HAD);
        return;
    }
    struct frame *f = frame_at(q->map, got);
    f->flags = OURS;
    f->vpn = pfn + 1;
    for (uint64_t i = 0; i < pages; i++)
        q->where[pfn + i] = (uint32_t)(got.v + i) + 1;
}

void requests_freed(struct requests *q, uint64_t cpu, uint64_t pfn, unsigned order, bool counting)
{
    uint64_t pages = 1ull << order;
    if (order > q->map->max_order || pfn >= q->n || pages > q->n - pfn) {
        q->st.frees_unknown += counting;
        return;
    }
    on_cpu(q, cpu);
    bool not_had = q->where[pfn] == NOT_HAD;
    enum given g = give(q, pfn, order);
    q->st.frees++;
    q->st.frees_before += g == GIVEN_BEFORE || (!q->from_snapshot && !q->where[pfn]);
    if (g == GIVEN_NONE && not_had)
        q->st.frees_failed++;
    else if (g == GIVEN_NONE && counting && (q->from_snapshot || q->where[pfn]))
        q->st.frees_unknown++;
    mark(q, pfn, pages, GONE);
}

void requests_returned(struct requests *q) { q->st.returned++; }

/* ---- the whole ---------------------------------------------------------------------------------------------------------- */

int requests_new(struct requests **out, struct frame_map *map, const struct requests_options *o, struct err *err)
{
    struct requests *q = calloc(1, sizeof *q);
    *out = NULL;
    if (!q) {
        frame_map_free(map);
        return err_set(err, ERR_RUN, "out of memory");
    }
    q->map = map;
    q->scan_cycles = o->buddy->compact_scan_cycles;
    q->move_cycles = (uint64_t)o->buddy->migrate_cycles + o->copy_cycles;
    q->from_snapshot = o->from_snapshot;
    q->n = o->from_snapshot ? map->n_frames : RECORDED_MOST;
    q->where = image_sparse(q->n * sizeof *q->where);
    if (!q->where || (o->buddy->compaction && attach_compaction(q, o->buddy, err) < 0)) {
        if (!q->where)
            err_set(err, ERR_RUN, "out of memory");
        requests_free(q);
        return -1;
    }
    *out = q;
    return 0;
}

void requests_free(struct requests *q)
{
    if (!q)
        return;
    image_sparse_free(q->where, q->n * sizeof *q->where);
    compaction_free(q->compaction);
    frame_map_free(q->map);
    free(q);
}

struct frame_map *requests_map(const struct requests *q) { return q->map; }
const struct compaction *requests_compaction(const struct requests *q) { return q->compaction; }
const struct requests_compaction *requests_compaction_time(const struct requests *q) { return &q->time; }
const struct requests_stats *requests_stats(const struct requests *q) { return &q->st; }
