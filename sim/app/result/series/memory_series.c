#include "app/result/series/memory_series.h"

#include "engine/state.h"

#include "frames/measure/fragmentation.h"
#include "frames/measure/survey.h"

#include <stdlib.h>

struct memory_series {
    const struct frame_map *map;
    struct survey survey;
    struct series *numbers, *cells;
    uint64_t references, time_ps;
    void (*walk)(void *ctx, struct survey *s, const struct frame_map *map); /* NULL: survey_frames */
    void *ctx;
    uint64_t per_cell, cell_pages; /* pageblocks and frames in a cell of the map */
};

/* ---- columns ---- */

static uint64_t get_field(const void *ctx, uint64_t offset) { return *(const uint64_t *)((const char *)ctx + offset); }

static uint64_t get_score(const void *ctx, uint64_t arg)
{
    (void)arg;
    return frag_proactive_score(((const struct memory_series *)ctx)->map);
}

/* The class that has most of a cell, and how much of its RAM is in use. */
static uint64_t get_cell(const void *ctx, uint64_t cell)
{
    const struct memory_series *ms = ctx;
    const struct survey *s = &ms->survey;
    uint64_t n[N_SURVEY_CLASSES] = {0}, ram = 0, used = 0;
    survey_sum(s, cell * ms->per_cell, (cell + 1) * ms->per_cell, n);
    unsigned most = SURVEY_FREE;
    for (unsigned c = SURVEY_RESERVED; c < N_SURVEY_CLASSES; c++) {
        ram += n[c];
        if (c == SURVEY_FREE)
            continue;
        used += n[c];
        if (most == SURVEY_FREE ? n[c] : n[c] > n[most])
            most = c;
    }
    return ram ? most * (uint64_t)MEMORY_CELL_SCALE + used * (MEMORY_CELL_SCALE - 1) / ram : 0;
}

#define FIELDS(X) \
    X(free_2m, "areas", "free_2m") X(could_2m, "areas", "could_2m") X(free_1g, "areas", "free_1g") X(could_1g, "areas", "could_1g") \
    X(largest_run, "pages", "largest_free_run") X(blocks, "pageblocks", "pageblocks") X(blocks_free, "pageblocks", "pageblocks_free") \
    X(blocks_movable, "pageblocks", "pageblocks_movable") X(blocks_unmovable, "pageblocks", "pageblocks_unmovable") \
    X(blocks_mixed, "pageblocks", "pageblocks_mixed") X(blocks_with_unmovable, "pageblocks", "pageblocks_with_unmovable") \
    X(unmovable_frames, "pages", "pages_unmovable") X(blocks_reserved, "pageblocks", "pageblocks_reserved")

static void add_columns(struct memory_series *ms)
{
    char name[64];
    for (unsigned k = 0; k < 2; k++) {
        struct series *s = k ? ms->cells : ms->numbers;
        series_add_u64(s, "sim_references", "references", &ms->references);
        series_add_u64(s, "time_ps", "ps", &ms->time_ps);
    }
    for (unsigned c = SURVEY_RESERVED; c < N_SURVEY_CLASSES; c++) {
        snprintf(name, sizeof name, "pages_%s", survey_class_name((enum survey_class)c));
        series_add_u64(ms->numbers, name, "pages", &ms->survey.total[c]);
    }
#define ADD(field, unit, column) series_add(ms->numbers, column, unit, SERIES_U64, get_field, &ms->survey, offsetof(struct survey, field));
    FIELDS(ADD)
#undef ADD
    series_add(ms->numbers, "proactive_score", "percent", SERIES_U64, get_score, ms, 0);
    unsigned bins = 0; /* as many as this memory can fill */
    while (bins + 1 < SURVEY_RUN_BINS && (ms->map->n_frames >> bins) > 1)
        bins++;
    for (unsigned k = 0; k <= bins; k++) {
        snprintf(name, sizeof name, "free_run_pages_%u", k);
        series_add_u64(ms->numbers, name, "pages", &ms->survey.run_frames[k]);
    }
    series_add_u64(ms->cells, "cell_pages", "pages", &ms->cell_pages);
    for (uint64_t c = 0; c * ms->per_cell < ms->survey.n_blocks; c++) {
        snprintf(name, sizeof name, "cell_%03u", (unsigned)c);
        series_add(ms->cells, name, "class and use", SERIES_U64, get_cell, ms, c);
    }
}

/* ---- rows ---- */

int memory_series_new(struct memory_series **out, const struct frame_map *map, uint64_t rows, struct err *err)
{
    *out = NULL;
    if (!rows)
        return 0;
    struct memory_series *ms = calloc(1, sizeof *ms);
    if (!ms)
        return err_set(err, ERR_RUN, "out of host memory for the map of memory");
    ms->map = map;
    if (survey_init(&ms->survey, map->n_frames, map->pageblock_order, err) < 0 || series_new(&ms->numbers, 0, err) < 0 ||
        series_new(&ms->cells, 0, err) < 0) {
        memory_series_free(ms);
        return -1;
    }
    ms->per_cell = (ms->survey.n_blocks + MEMORY_CELLS_MAX - 1) / MEMORY_CELLS_MAX;
    ms->cell_pages = ms->per_cell << map->pageblock_order;
    add_columns(ms);
    series_limit_rows(ms->numbers, 2 * rows); /* between the half and all of them are there in the end */
    series_limit_rows(ms->cells, 2 * rows);
    *out = ms;
    return 0;
}

void memory_series_free(struct memory_series *ms)
{
    if (!ms)
        return;
    series_free(ms->numbers);
    series_free(ms->cells);
    survey_fini(&ms->survey);
    free(ms);
}

void memory_series_walk(struct memory_series *ms, void (*walk)(void *ctx, struct survey *s, const struct frame_map *map), void *ctx)
{
    ms->walk = walk;
    ms->ctx = ctx;
}

bool memory_series_due(const struct memory_series *ms, uint64_t references) { return ms && series_due(ms->numbers, references); }

static void walk(struct memory_series *ms, uint64_t references, uint64_t time_ps)
{
    ms->references = references;
    ms->time_ps = time_ps;
    survey_clear(&ms->survey);
    if (ms->walk)
        ms->walk(ms->ctx, &ms->survey, ms->map);
    else
        survey_frames(&ms->survey, ms->map);
}

void memory_series_sample(struct memory_series *ms, uint64_t references, uint64_t time_ps)
{
    walk(ms, references, time_ps);
    series_sample(ms->numbers, references);
    series_sample(ms->cells, references);
}

void memory_series_finish(struct memory_series *ms, uint64_t references, uint64_t time_ps)
{
    if (!ms)
        return;
    walk(ms, references, time_ps);
    series_finish(ms->numbers, references);
    series_finish(ms->cells, references);
}

void memory_series_interval(struct memory_series *ms, uint64_t references)
{
    if (!ms || !references)
        return;
    ms->numbers->interval = ms->cells->interval = references; /* `next` is still 0: the start is a row */
}

int memory_series_write(const struct memory_series *ms, struct result *r, struct err *err)
{
    if (!ms)
        return 0;
    return result_write_series(r, "fragmentation.csv", ms->numbers, err) < 0 ||
                   result_write_series(r, "memory_map.csv", ms->cells, err) < 0
               ? -1
               : 0;
}

void memory_series_state(struct memory_series *ms, struct state_io *io)
{
    state_same(io, ms != NULL, "kind of rows about memory");
    if (!ms || state_bad(io))
        return;
    series_state(ms->numbers, io);
    series_state(ms->cells, io);
}

uint64_t memory_series_distance(const struct memory_series *ms) { return ms ? ms->numbers->interval : 0; }
