#include "frames/measure/survey.h"

#include "engine/types.h"
#include "frames/measure/walk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { STRETCH_LEAST = 64 }; /* pageblocks: fewer are written one by one */
enum { ORDER_2M = 9, ORDER_1G = 18 }; /* x86-64 page sizes over 4 KiB frames */

static const struct { const char *text; bool movable; } classes[] = {
#define SURVEY_ROW(name, text, movable) {text, movable},
    SURVEY_CLASSES(SURVEY_ROW)
#undef SURVEY_ROW
};

const char *survey_class_name(enum survey_class c) { return classes[c].text; }
bool survey_class_movable(enum survey_class c) { return classes[c].movable; }

int survey_init(struct survey *s, uint64_t n_frames, unsigned pageblock_order, struct err *err)
{
    *s = (struct survey){.n_frames = n_frames, .pageblock_order = pageblock_order};
    s->n_blocks = (n_frames + (1ull << pageblock_order) - 1) >> pageblock_order;
    s->block = calloc(s->n_blocks ? s->n_blocks : 1, sizeof *s->block);
    return s->block ? 0 : err_set(err, ERR_RUN, "out of host memory for a map of %llu pageblocks", (unsigned long long)s->n_blocks);
}

void survey_fini(struct survey *s)
{
    free(s->block);
    s->block = NULL;
}

void survey_clear(struct survey *s)
{
    struct survey empty = {.n_frames = s->n_frames, .pageblock_order = s->pageblock_order, .n_blocks = s->n_blocks,
                           .block = s->block};
    uint64_t at = s->at ? 0 : s->n_blocks; /* nothing was added yet: all is 0 */
    for (unsigned i = 0; at < s->n_blocks; i++) {
        bool more = i < s->n_stretches;
        memset(s->block + at, 0, ((more ? s->stretch[i].from : s->n_blocks) - at) * sizeof *s->block);
        at = more ? s->stretch[i].to : s->n_blocks;
    }
    *s = empty;
}

static void end_run(struct survey *s)
{
    if (!s->run)
        return;
    unsigned bin = 63 - (unsigned)__builtin_clzll(s->run);
    bin = bin < SURVEY_RUN_BINS ? bin : SURVEY_RUN_BINS - 1;
    s->runs[bin]++;
    s->run_frames[bin] += s->run;
    if (s->run > s->largest_run)
        s->largest_run = s->run;
    s->run = 0;
}

/* Counts the aligned areas of 2^order frames that end within [start, end) and consist of what `*have` has counted up to
 * `start` without a gap; the rest stays in `*have`. */
static uint64_t areas(uint64_t start, uint64_t end, unsigned order, uint64_t *have, bool good)
{
    uint64_t size = 1ull << order, n = 0, p = start;
    while (p < end) {
        uint64_t stop = (p | (size - 1)) + 1;
        uint64_t upto = stop < end ? stop : end;
        if ((p & (size - 1)) == 0)
            *have = 0;
        *have = good ? *have + (upto - p) : 0;
        if (upto == stop) {
            n += good && *have == size;
            *have = 0;
            if (good && upto < end) { /* whole areas in one step */
                uint64_t whole = (end - upto) >> order;
                n += whole;
                upto += whole << order;
            }
        }
        p = upto;
    }
    return n;
}

static void put_blocks(struct survey *s, uint64_t start, uint64_t end, enum survey_class c)
{
    for (uint64_t p = start; p < end;) {
        uint64_t stop = (p | ((1ull << s->pageblock_order) - 1)) + 1;
        stop = stop < end ? stop : end;
        s->block[p >> s->pageblock_order][c] += (uint32_t)(stop - p);
        p = stop;
    }
}

static void put(struct survey *s, uint64_t start, uint64_t pages, enum survey_class c)
{
    uint64_t end = start + pages, size = 1ull << s->pageblock_order;
    uint64_t from = (start + size - 1) >> s->pageblock_order, to = end >> s->pageblock_order;
    s->total[c] += pages;
    if (to >= from + STRETCH_LEAST && s->n_stretches < SURVEY_STRETCHES) {
        s->stretch[s->n_stretches].from = from;
        s->stretch[s->n_stretches].to = to;
        s->stretch[s->n_stretches++].class = c;
        put_blocks(s, start, from << s->pageblock_order, c);
        put_blocks(s, to << s->pageblock_order, end, c);
    } else {
        put_blocks(s, start, end, c);
    }
    if (c == SURVEY_FREE)
        s->run += pages;
    else
        end_run(s);
    bool is_free = c == SURVEY_FREE, could = survey_class_movable(c);
    s->free_2m += areas(start, end, ORDER_2M, &s->area_2m, is_free);
    s->free_1g += areas(start, end, ORDER_1G, &s->area_1g, is_free);
    s->could_2m += areas(start, end, ORDER_2M, &s->could_area_2m, could);
    s->could_1g += areas(start, end, ORDER_1G, &s->could_area_1g, could);
    s->at = end;
}

void survey_add(struct survey *s, uint64_t start, uint64_t pages, enum survey_class c)
{
    assert(start >= s->at && start + pages <= s->n_frames);
    if (start > s->at)
        put(s, s->at, start - s->at, SURVEY_HOLE);
    if (pages)
        put(s, start, pages, c);
}

/* Of `times` pageblocks that hold the same. */
static void sum_block(struct survey *s, const uint32_t n[N_SURVEY_CLASSES], uint64_t times)
{
    uint64_t ram = 0, movable = 0, unmovable = 0;
    for (unsigned c = SURVEY_RESERVED; c < N_SURVEY_CLASSES; c++) {
        ram += n[c];
        if (c == SURVEY_FREE || c == SURVEY_PCP)
            continue;
        *(survey_class_movable((enum survey_class)c) ? &movable : &unmovable) += n[c];
    }
    if (!ram)
        return;
    if (ram == n[SURVEY_RESERVED]) {
        s->blocks_reserved += times;
        return;
    }
    s->blocks += times;
    s->unmovable_frames += times * unmovable;
    s->blocks_with_unmovable += unmovable ? times : 0;
    if (movable && unmovable)
        s->blocks_mixed += times;
    else if (movable)
        s->blocks_movable += times;
    else if (unmovable)
        s->blocks_unmovable += times;
    else
        s->blocks_free += times;
}

void survey_finish(struct survey *s)
{
    if (s->at < s->n_frames)
        put(s, s->at, s->n_frames - s->at, SURVEY_HOLE);
    end_run(s);
    unsigned i = 0;
    for (uint64_t b = 0; b < s->n_blocks;) {
        if (i < s->n_stretches && b == s->stretch[i].from) {
            uint32_t n[N_SURVEY_CLASSES] = {0};
            n[s->stretch[i].class] = 1u << s->pageblock_order;
            sum_block(s, n, s->stretch[i].to - b);
            b = s->stretch[i++].to;
        } else {
            sum_block(s, s->block[b++], 1);
        }
    }
}

void survey_sum(const struct survey *s, uint64_t from, uint64_t to, uint64_t n[N_SURVEY_CLASSES])
{
    unsigned i = 0;
    to = to < s->n_blocks ? to : s->n_blocks;
    while (from < to) {
        while (i < s->n_stretches && s->stretch[i].to <= from)
            i++;
        if (i < s->n_stretches && s->stretch[i].from <= from) {
            uint64_t upto = s->stretch[i].to < to ? s->stretch[i].to : to;
            n[s->stretch[i].class] += (upto - from) << s->pageblock_order;
            from = upto;
            continue;
        }
        for (unsigned c = 0; c < N_SURVEY_CLASSES; c++)
            n[c] += s->block[from][c];
        from++;
    }
}

double survey_potential(const struct survey *s)
{
    return s->blocks ? (double)(s->blocks - s->blocks_with_unmovable) / (double)s->blocks : 0;
}

double survey_largest_share(const struct survey *s)
{
    return s->total[SURVEY_FREE] ? (double)s->largest_run / (double)s->total[SURVEY_FREE] : 0;
}

/* ---- the simulated frame map ---- */

enum survey_class survey_class_of_tag(enum frame_tag tag)
{
    switch (tag) {
    case FRAME_TAG_ANON:
    case FRAME_TAG_SHMEM:
    case FRAME_TAG_BALLAST: return SURVEY_ANON;
    case FRAME_TAG_FILE: return SURVEY_FILE;
    case FRAME_TAG_PGTABLE: return SURVEY_PGTABLE;
    case FRAME_TAG_SLAB: return SURVEY_SLAB;
    default: return SURVEY_KERNEL;
    }
}

void survey_frames(struct survey *s, const struct frame_map *map)
{
    struct frames_stretch x;
    for (uint64_t p = 0; frames_walk(map, &p, &x);) {
        enum survey_class c = SURVEY_HOLE;
        if (x.kind == FRAME_IS_ALLOCATED)
            c = survey_class_of_tag((enum frame_tag)frame_at(map, x.head)->tag);
        else if (x.kind != FRAME_IS_HOLE)
            c = x.kind == FRAME_IS_FREE ? SURVEY_FREE : x.kind == FRAME_IS_PCP ? SURVEY_PCP : SURVEY_RESERVED;
        survey_add(s, x.start, x.pages, c);
    }
    survey_finish(s);
}
