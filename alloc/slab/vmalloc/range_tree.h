/*
 * Ranges of numbers by their start, none overlapping, in a balanced tree (a treap) that knows the largest range of every
 * subtree: the lowest range that is long enough is found in O(log n), as in vmalloc's tree of free areas.
 */
#ifndef SLAB_RANGE_TREE_H
#define SLAB_RANGE_TREE_H

#include <stdbool.h>
#include <stdint.h>

struct range_node { uint64_t start, size, max; uint32_t left, right, prio; uint64_t value; }; /* 0: no child */
struct range_tree { struct range_node *node; uint32_t n, cap, root, unused; uint64_t seed, count; };

void range_init(struct range_tree *t);
void range_fini(struct range_tree *t);
/* The caller knows that nothing overlaps. */
void range_insert(struct range_tree *t, uint64_t start, uint64_t size, uint64_t value);
void range_remove(struct range_tree *t, uint64_t start);
/* The range with the greatest start <= at; false if there is none. */
bool range_at_or_below(const struct range_tree *t, uint64_t at, struct range_node *out);
bool range_above(const struct range_tree *t, uint64_t at, struct range_node *out); /* least start > at */
/* The lowest range that holds `size` at a multiple of `align`. */
bool range_fit(const struct range_tree *t, uint64_t size, uint64_t align, struct range_node *out);

#endif
