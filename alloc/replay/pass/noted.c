#include "replay/pass/noted.h"

static bool within(uint64_t ns, uint64_t from, uint64_t to) { return ns >= from && ns <= to; }

void noted_none(struct replay_result *out, const struct replay_request *q, uint64_t now_ns, uint64_t pages)
{
    const struct snap_times *t = q->times;
    if (t && within(now_ns, t->vmstat[0].end, t->vmstat[1].start))
        out->freed_inner -= pages < out->freed_inner ? pages : out->freed_inner;
}

void noted(struct replay_result *out, const struct replay_request *q, uint64_t now_ns, const struct trace_rec *r)
{
    const struct snap_times *t = q->times;
    unsigned order = r->size > FRAME_MAX_ORDER ? FRAME_MAX_ORDER : r->size;
    bool lists = r->kind == TRACE_PAGE_ZONE_LOCKED || r->kind == TRACE_PAGE_DRAIN ||
                 (r->kind == TRACE_PAGE_FREE && !lists_has_order(order));
    out->last_ns = now_ns;
    if (!t)
        return;
    bool inner = within(now_ns, t->vmstat[0].end, t->vmstat[1].start), outer = within(now_ns, t->vmstat[0].start, t->vmstat[1].end);
    if (r->kind == TRACE_PAGE_FREE) {
        out->freed_inner += inner ? 1ull << order : 0;
        out->freed_outer += outer ? 1ull << order : 0;
    }
    if (r->kind == TRACE_COMPACT_FREE || r->kind == TRACE_COMPACT_ISOLATE) {
        uint64_t taken = r->slots ? ((const uint64_t *)(r + 1))[2] : 0;
        out->isolated_inner += inner ? taken : 0;
        out->isolated_outer += outer ? taken : 0;
    }
    for (unsigned i = 0; lists && i < 2; i++) {
        if (!within(now_ns, i ? t->after_start : t->before_start, i ? t->after_end : t->before_end))
            continue;
        for (unsigned k = 0; k < q->before->zones; k++)
            if (r->addr - q->before->zone[k].start_pfn < q->before->zone[k].spanned) {
                struct replay_moved *m = &out->moved[i][k];
                for (unsigned o = 0; o < FRAME_ORDERS; o++)
                    m->areas[o] += o < order ? 1ull << (order - o) : m->events == 0 || r->addr >> o != m->last >> o;
                m->events++;
                m->pages += 1ull << order;
                m->last = r->addr;
            }
    }
}
