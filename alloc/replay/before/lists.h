/*
 * Following the per-CPU page lists (linux-mm 2.7): before each page allocation that they serve, the page at the head of the
 * CPU's list is named, then the kernel's is taken. A list is unknown at the beginning; what is freed to it is known from then
 * on, and a refill, which happens only when it is empty, makes all of it known.
 */
#ifndef REPLAY_LISTS_H
#define REPLAY_LISTS_H

#include "frames/zones/gfp.h"
#include "replay/follow.h"

#define LISTS_STATS(X) \
    X(allocs, "page allocations of the orders that have per-CPU lists") \
    X(known, "... from a list whose head is known") \
    X(right, "... and the kernel took that page") \
    X(known_next, "... whose frame follows the previous one of the list") \
    X(passed_over, "pages that the kernel passed over: taken without an event (alloc_pages_bulk)") \
    X(untraced, "pages that came from a list onto which no event had put them: what is below them is known again when it is reached") \
    X(elsewhere, "the page was known, but in another list or deeper in its list") \
    X(strange, "a refill of a list that is not empty here: what was left is forgotten") \
    X(frees, "pages put on lists") \
    X(free_again, "pages put on a list that are on one") \
    X(refills, "blocks that came from the buddy lists") \
    X(drained, "blocks that went back to the buddy lists") \
    X(drained_unknown, "... that were on no list here")
struct lists_stats {
#define X(name, help) uint64_t name;
    LISTS_STATS(X)
#undef X
};

struct lists;
/* `f` tells the types of pageblocks and takes what is learned of them; it must outlive the lists. */
int lists_new(struct lists **out, struct follow *f, struct err *err);
void lists_free(struct lists *l);
bool lists_has_order(unsigned order); /* 0 to 3, and that of huge pages */
/* Whether the CPU's list of zone number `zone` has a page: so far as events have shown. */
enum lists_fill { LISTS_EMPTY, LISTS_SOME, LISTS_UNKNOWN };
enum lists_fill lists_has(const struct lists *l, uint64_t cpu, unsigned zone, unsigned order, unsigned mt);
void lists_alloc(struct lists *l, uint64_t cpu, uint64_t pfn, unsigned order, unsigned mt, bool counting);
void lists_freed(struct lists *l, uint64_t cpu, uint64_t pfn, unsigned order, bool counting);
void lists_refill(struct lists *l, uint64_t cpu, uint64_t pfn, unsigned order, unsigned mt, bool counting);
void lists_drained(struct lists *l, uint64_t cpu, uint64_t pfn, unsigned order, bool counting);
/* The page is on no list after all. */
void lists_forget(struct lists *l, uint64_t pfn);
const struct lists_stats *lists_stats(const struct lists *l);

#endif
