/* The columns of series.csv that the machine adds to the defaults: time, and a zone and order the free
 * blocks and the indices of fragmentation. */
#ifndef APP_RUN_COLUMNS_H
#define APP_RUN_COLUMNS_H

#include "app/result/series/result_series.h"
#include "cpu/machine/machine.h"
#include "slab/calls/calls.h"

void run_add_columns(struct series *s, struct machine *m);
/* Those of the zones alone; the map must stand until the series is written. */
void run_add_zone_columns(struct series *s, const struct frame_map *f);
void run_add_fallback_columns(struct series *s, const struct frame_map *f);
/* Memory in slabs and where its bytes are, objects, operations and cycles of each path; the system must stand likewise.
 * `may_be_none`: without any object there are no columns. */
void run_add_slab_columns(struct series *s, const struct slab_sys *slab, bool may_be_none);
/* What callers of all allocators asked for, what is held for it, and requests that got nothing. */
void run_add_calls_columns(struct series *s, const struct slab_calls *calls);

#endif
