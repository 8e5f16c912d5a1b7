/*
 * What a recorded kernel's compaction does to its free memory, from compaction's own events (linux-mm 4.2):
 *
 *   isolate_freepages      free blocks leave the buddy lists, which no page event tells           (follow_isolated)
 *   mm_page_free           of a page it had isolated, by the CPU that compacts: before mm_compaction_migratepages it is a target that was
 *                          not needed, and goes back to compaction, not to a list; behind it, what was left over at the end
 *   mm_compaction_migratepages   moved, and failed
 *
 * With a follower it is known which blocks were free. Without one they are those frames of a range that the recording's own events and the
 * map call free (recorded_is_free): enough to tell such a page's mm_page_free. What a free turns out to be is told to `freed`.
 */
#ifndef REPLAY_COMPACTIONS_H
#define REPLAY_COMPACTIONS_H

#include "replay/before/lists.h"
#include "replay/follow.h"
#include "replay/recorded.h"
#include "replay/simulate.h"
#include "traces/record.h"

struct compactions;
struct compactions_options {
    struct follow *follow;           /* NULL: `recorded` tells what was free */
    struct lists *lists;             /* with `follow` */
    struct simulate *simulate;       /* NULL is fine, also with `follow` */
    const struct recorded *recorded; /* without `follow` */
    /* Each free that compactions_freed put off; none: nothing was freed. NULL is fine. */
    void (*freed)(void *self, uint64_t cpu, uint64_t pfn, unsigned order, bool none);
    void *self;
};
/* All of them must outlive it. */
int compactions_new(struct compactions **out, const struct compactions_options *o, struct err *err);
void compactions_free(struct compactions *c); /* NULL is fine */
/* A TRACE_COMPACT_ record and its words, on `cpu`. The pages of mm_page_free events before it that were none. */
uint64_t compactions_event(struct compactions *c, const struct trace_rec *r, const uint64_t *w, uint64_t cpu);
/* Each mm_page_free, behind what the follower and the lists make of it. True: what it is will be told to `freed`. */
bool compactions_freed(struct compactions *c, uint64_t cpu, uint64_t pfn, unsigned order);
/* Each mm_page_alloc, before all else: what was freed there and put off was a free. */
void compactions_alloc(struct compactions *c, uint64_t pfn, unsigned order);
/* A part of the recording ends: what was put off belongs to it, as a free. */
void compactions_part(struct compactions *c);

#endif
