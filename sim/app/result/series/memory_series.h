/*
 * Physical memory over time: fragmentation.csv (what a walk over all frames tells, frames/survey.h) and memory_map.csv
 * (what stands where: a cell of one or several pageblocks a column). Walking costs time in proportion to the blocks of
 * memory, so there are few rows; they are spread over the run as those of series.csv are.
 *
 *   memory_series_new(&ms, map, rows, &err);       rows 0: NULL, and all functions do nothing
 *   if (memory_series_due(ms, references)) memory_series_sample(ms, references, time);
 *   memory_series_finish(ms, references, time);
 *   memory_series_write(ms, result, &err);
 */
#ifndef APP_MEMORY_SERIES_H
#define APP_MEMORY_SERIES_H

#include "app/result/result.h"
#include "frames/frames.h"

enum {
    MEMORY_CELLS_MAX = 512,      /* columns of memory_map.csv */
    MEMORY_CELL_SCALE = 10000,   /* a cell is class * MEMORY_CELL_SCALE + frames of RAM in use, in parts of 10,000 */
};

struct memory_series;
int memory_series_new(struct memory_series **out, const struct frame_map *map, uint64_t rows, struct err *err);
void memory_series_free(struct memory_series *ms);
struct survey;
/* Another walk than survey_frames; it ends with survey_finish. */
void memory_series_walk(struct memory_series *ms, void (*walk)(void *ctx, struct survey *s, const struct frame_map *map), void *ctx);
bool memory_series_due(const struct memory_series *ms, uint64_t references);
/* A walk over memory, and a row. `time_ps` 0 where there is no time. */
void memory_series_sample(struct memory_series *ms, uint64_t references, uint64_t time_ps);
void memory_series_finish(struct memory_series *ms, uint64_t references, uint64_t time_ps);
/* How far apart rows are to be, if the length of the run is known; 0: found out on the way. */
void memory_series_interval(struct memory_series *ms, uint64_t references);
/* The rows so far, as series_state. */
void memory_series_state(struct memory_series *ms, struct state_io *io);
uint64_t memory_series_distance(const struct memory_series *ms); /* of rows, in references; 0 without */
int memory_series_write(const struct memory_series *ms, struct result *r, struct err *err);

#endif
