/* What must hold after every event, and the dump that is printed when it does not (environment ORACLE_DUMP). */
#include "oracle_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void o_broken(struct world *w, const char *fmt, ...)
{
    if (w->failed)
        return;
    va_list ap;
    va_start(ap, fmt);
    err_setv(w->err, ERR_RUN, fmt, ap);
    va_end(ap);
    w->failed = true;
    if (getenv("ORACLE_DUMP"))
        o_dump_world(w);
}

static const struct tx *tx_at(const struct world *w, uint64_t line)
{
    for (size_t i = 0; i < w->txs.n; i++)
        if (((struct tx *)w->txs.v[i])->line == line)
            return w->txs.v[i];
    return NULL;
}

/* One owner and nobody beside it; the directory knows every holder; the L1s hold nothing that the L2 does not. */
void o_check_line(struct world *w, uint64_t line)
{
    const struct naive_way *x = naive_find(&w->llc, line);
    const struct tx *t = tx_at(w, line);
    int owner = -1, holders = 0;
    if (w->failed || w->plant != PLANT_NONE)
        return;
    for (uint32_t k = 0; k < w->n; k++) {
        struct ocore *c = &w->core[k];
        const struct naive_way *p = naive_find(&c->l2.tags, line), *d = naive_find(&c->l1d.tags, line);
        if (!p) {
            if (d || naive_find(&c->l1i.tags, line))
                o_broken(w, "line %" PRIx64 ": in an L1 of core %u but not in its L2", line, k);
            continue;
        }
        holders++;
        bool known = x && (x->owner == (int)k || (x->sharers >> k & 1));
        if (!known && !(t && (t->pending >> k & 1)))
            o_broken(w, "line %" PRIx64 ": core %u holds it and the directory does not know", line, k);
        if (p->state != 'S') {
            if (owner >= 0)
                o_broken(w, "line %" PRIx64 ": owned by cores %d and %u", line, owner, k);
            owner = (int)k;
        } else if (d && (d->writable || d->dirty)) {
            o_broken(w, "line %" PRIx64 ": core %u may write a shared line", line, k);
        }
    }
    if (owner >= 0 && holders > 1)
        o_broken(w, "line %" PRIx64 ": owned by core %d and held by %d", line, owner, holders);
}

void o_check_all(struct world *w)
{
    for (uint32_t k = 0; k < w->n; k++) {
        const struct level1 *const l1[] = {&w->core[k].l1i, &w->core[k].l1d};
        const struct naive *const sets[] = {&w->core[k].l2.tags, &l1[0]->tags, &l1[1]->tags};
        for (unsigned s = 0; s < 3; s++)
            for (size_t i = 0; i < (size_t)sets[s]->sets * sets[s]->ways; i++)
                if (sets[s]->way[i].valid)
                    o_check_line(w, sets[s]->way[i].key);
    }
}

static void dump_event(const struct event *e)
{
    fprintf(stderr, "  tick %" PRIu64 " class %u major %u minor %u kind %d core %u line %" PRIx64 "\n", e->tick, e->cls,
            e->major, e->minor, (int)e->kind, e->core, e->line);
}

void o_dump_world(const struct world *w)
{
    fprintf(stderr, "oracle: tick %" PRIu64 " cycle %" PRIu64 " after %" PRIu64 " events; P %" PRIu64 "\n", w->now, w->cycle,
            w->n_events, w->P);
    for (uint32_t k = 0; k < w->n; k++) {
        const struct ocore *c = &w->core[k];
        fprintf(stderr,
                "core %u: state %d record %zu/%zu window %zu buffer %zu%s parked %zu%s walks %zu+%zu l1d fifo %zu l2 fifo %zu\n",
                k, (int)c->state, c->at, c->s ? c->s->n : 0, c->window.n, c->buffer.n, c->draining ? " (draining)" : "",
                c->parked.n, c->handling ? " (handling)" : "", c->running.n, c->queued.n, c->l1d.fifo.n, c->l2.fifo.n);
        for (uint32_t i = 0; i < c->l1d.mshrs; i++)
            if (c->l1d.mshr[i].busy)
                fprintf(stderr, "  l1d mshr line %" PRIx64 " accesses %zu\n", c->l1d.mshr[i].line, c->l1d.mshr[i].accs.n);
        for (uint32_t i = 0; i < c->l2.mshrs; i++)
            if (c->l2.mshr[i].busy)
                fprintf(stderr, "  l2 mshr line %" PRIx64 " clients %zu\n", c->l2.mshr[i].line, c->l2.mshr[i].clients.n);
    }
    for (size_t i = 0; i < w->txs.n; i++) {
        const struct tx *t = w->txs.v[i];
        fprintf(stderr, "transaction %d line %" PRIx64 " pending %" PRIx64 " fifo %zu\n", (int)t->kind, t->line, t->pending,
                t->fifo.n);
    }
    fprintf(stderr, "llc used %u stall %zu dram fifo %zu lock %d waiting %zu\n", w->llc_used, w->stall.n, w->dram_fifo.n,
            w->lock, w->os_fifo.n);
    for (size_t i = 0; i < w->heap.n && i < 40; i++)
        dump_event(&w->heap.e[i]);
}
