/*
 * What a recording's page events come to, counted as `perf kmem --page stat` counts them: requests and frees in all, those of each order
 * and migratetype, and a line for each kind of request (order, migratetype, gfp flags). Its call sites are left out: they come
 * from call chains, which a recording as text does not have. Not thread-safe.
 */
#ifndef REPLAY_KMEM_PAGES_H
#define REPLAY_KMEM_PAGES_H

#include "engine/err.h"

#include <stdint.h>
#include <stdio.h>

struct kmem_pages;
int kmem_pages_new(struct kmem_pages **out, struct err *err);
void kmem_pages_free(struct kmem_pages *p); /* NULL is fine */
/* mm_page_alloc: frame 0 is a request that failed. mm_page_free. */
void kmem_pages_event_alloc(struct kmem_pages *p, uint64_t pfn, unsigned order, unsigned migratetype, uint64_t gfp);
void kmem_pages_event_free(struct kmem_pages *p, uint64_t pfn, unsigned order);
uint64_t kmem_pages_events(const struct kmem_pages *p);
void kmem_pages_print(struct kmem_pages *p, FILE *f); /* sorts its table */

#endif
