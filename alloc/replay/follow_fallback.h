/*
 * Of the follower (follow.h): a request whose own type's lists are empty. Our rule's answer is kept before the kernel's block is taken; the
 * mm_page_alloc_extfrag that may come behind says what the kernel did.
 */
#ifndef REPLAY_FOLLOW_FALLBACK_H
#define REPLAY_FOLLOW_FALLBACK_H

#include "replay/follow.h"

void follow_foretell(struct follow *f, struct zone *z, uint64_t cpu, uint64_t pfn, unsigned order, enum migratetype mt);
void follow_compare_fallback(struct follow *f, const struct follow_foreign *e);
void follow_close_fallback(struct follow *f); /* no such event came */

#endif
