/*
 * What a recorded kernel's compaction does to its free memory, from compaction's own events (linux-mm 4.2):
 *
 *   isolate_freepages      free blocks leave the buddy lists, which no page event tells           (follow_isolated)
 *   mm_page_free           of a page it had isolated, by the CPU that compacts: before mm_compaction_migratepages it is a target that was
 *                          not needed, and goes back to compaction, not to a list; behind it, what was left over at the end
 *   mm_compaction_migratepages   moved, and failed
 */
#ifndef REPLAY_COMPACTIONS_H
#define REPLAY_COMPACTIONS_H

#include "replay/before/lists.h"
#include "replay/follow.h"
#include "replay/simulate.h"
#include "traces/record.h"

struct compactions;
/* `simulate` may be NULL; all must outlive it. */
int compactions_new(struct compactions **out, struct follow *f, struct lists *l, struct simulate *s, struct err *err);
void compactions_free(struct compactions *c); /* NULL is fine */
/* A TRACE_COMPACT_ record and its words, on `cpu`. The pages of mm_page_free events before it that were none. */
uint64_t compactions_event(struct compactions *c, const struct trace_rec *r, const uint64_t *w, uint64_t cpu);
/* Comes behind each mm_page_free. */
void compactions_freed(struct compactions *c, uint64_t cpu, uint64_t pfn, unsigned order);

#endif
