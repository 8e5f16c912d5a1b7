#include "engine/inbox.h"

#include "engine/grow.h"

#include <stdlib.h>
#include <string.h>

void inbox_init(struct inbox *b) { memset(b, 0, sizeof *b); }

void inbox_fini(struct inbox *b)
{
    free(b->ring);
    b->ring = NULL;
}

void inbox_put(struct inbox *b, cyc_t when, uint32_t kind, uint64_t a, uint64_t c)
{
    if (b->n == b->cap) {
        b->ring = grow_ring(b->ring, &b->cap, 64, sizeof *b->ring, b->head, b->n);
        b->head = 0;
    }
    uint32_t i = b->n++; /* nearly sorted: most messages go last */
    while (i > 0 && b->ring[(b->head + i - 1) & (b->cap - 1)].when > when) {
        b->ring[(b->head + i) & (b->cap - 1)] = b->ring[(b->head + i - 1) & (b->cap - 1)];
        i--;
    }
    b->ring[(b->head + i) & (b->cap - 1)] = (struct msg){.when = when, .kind = kind, .a = a, .b = c};
}
