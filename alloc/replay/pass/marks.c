#include "replay/pass/marks.h"

#include "traces/input.h"

#include <stdio.h>

static void set_next(struct marks *m)
{
    const struct replay_marks *all = &m->q->marks;
    m->next_event = m->event < all->n_events ? all->events[m->event] : UINT64_MAX;
    m->next_ns = m->ps < all->n_ps ? all->ps[m->ps] / PS_A_NS + (all->ps[m->ps] % PS_A_NS != 0) : UINT64_MAX;
}

void marks_begin(struct marks *m, const struct replay_request *q, struct replay_result *out)
{
    *m = (struct marks){.q = q, .out = out};
    set_next(m);
}

static void tell(struct marks *m, const struct frame_map *map, uint64_t number, const char *text)
{
    if (!map || !m->q->mark) {
        m->out->marks_without_state++;
        return;
    }
    m->out->marks++;
    m->q->mark(m->q->self, map, number, text);
}

void marks_of_event(struct marks *m, uint64_t events, const struct frame_map *map)
{
    for (; events == m->next_event; set_next(m)) {
        char text[32];
        snprintf(text, sizeof text, "event-%llu", (unsigned long long)m->next_event);
        m->event++;
        tell(m, map, events, text);
    }
}

void marks_of_time(struct marks *m, uint64_t ns, uint64_t events, const struct frame_map *map)
{
    for (; ns >= m->next_ns; set_next(m)) {
        char text[32];
        snprintf(text, sizeof text, "time-%lluns", (unsigned long long)m->next_ns);
        m->ps++;
        tell(m, map, events, text);
    }
}

void marks_of_recording(struct marks *m, const struct trace_rec *r, const struct frame_map *map)
{
    size_t n;
    const char *s = trace_rec_string(r, &n);
    char text[256];
    snprintf(text, sizeof text, "%.*s", (int)(n < sizeof text ? n : sizeof text - 1), s);
    tell(m, map, r->addr, text);
}

void marks_end(struct marks *m)
{
    m->out->marks_without_state += m->q->marks.n_events - m->event + m->q->marks.n_ps - m->ps;
}
