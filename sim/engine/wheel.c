#include "engine/wheel.h"

#include "engine/grow.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NIL UINT32_MAX

void wheel_init(struct wheel *w)
{
    memset(w, 0, sizeof *w);
    w->free_head = w->far = NIL;
    w->far_first = CYC_NEVER;
}

void wheel_fini(struct wheel *w)
{
    free(w->pool);
    w->pool = NULL;
}

static void append_near(struct wheel *w, uint32_t i)
{
    unsigned s = (unsigned)(w->pool[i].when & 63);
    w->pool[i].next = NIL;
    if (w->bits >> s & 1)
        w->pool[w->tail[s]].next = i;
    else
        w->head[s] = i;
    w->tail[s] = i;
    w->bits |= 1ull << s;
}

void wheel_add(struct wheel *w, cyc_t when, uint32_t kind, uint32_t arg)
{
    assert(when >= w->now);
    uint32_t i = w->free_head;
    if (i != NIL) {
        w->free_head = w->pool[i].next;
    } else {
        if (w->pool_n == w->pool_cap)
            w->pool = grow_array(w->pool, &w->pool_cap, 64, sizeof *w->pool);
        i = w->pool_n++;
    }
    w->pool[i] = (struct hop){.when = when, .kind = kind, .arg = arg};
    if (when < w->now + 64) {
        append_near(w, i);
        return;
    }
    uint32_t *link = &w->far;
    while (*link != NIL && w->pool[*link].when <= when)
        link = &w->pool[*link].next;
    w->pool[i].next = *link;
    *link = i;
    w->far_first = w->pool[w->far].when;
}

/* A far hop was set before any near hop of its cycle, so it goes first: it is brought near as soon as its cycle can
 * be set directly, before anything else is. */
void wheel_bring_near(struct wheel *w)
{
    while (w->far != NIL && w->pool[w->far].when < w->now + 64) {
        uint32_t i = w->far;
        w->far = w->pool[i].next;
        append_near(w, i);
    }
    w->far_first = w->far == NIL ? CYC_NEVER : w->pool[w->far].when;
}
