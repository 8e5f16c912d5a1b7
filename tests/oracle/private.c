/* Section 4: L1I, L1D and L2 of a core. */
#include "oracle_priv.h"

static struct mshr1 *mshr1_of(struct level1 *l1, uint64_t line)
{
    for (uint32_t i = 0; i < l1->mshrs; i++)
        if (l1->mshr[i].busy && l1->mshr[i].line == line)
            return &l1->mshr[i];
    return NULL;
}

static struct mshr1 *mshr1_free(struct level1 *l1)
{
    for (uint32_t i = 0; i < l1->mshrs; i++)
        if (!l1->mshr[i].busy)
            return &l1->mshr[i];
    return NULL;
}

static struct mshr2 *mshr2_of(struct level2 *l2, uint64_t line)
{
    for (uint32_t i = 0; i < l2->mshrs; i++)
        if (l2->mshr[i].busy && l2->mshr[i].line == line)
            return &l2->mshr[i];
    return NULL;
}

static struct mshr2 *mshr2_free(struct level2 *l2)
{
    for (uint32_t i = 0; i < l2->mshrs; i++)
        if (!l2->mshr[i].busy)
            return &l2->mshr[i];
    return NULL;
}

static void count_access(struct cache_counts *st, enum origin o, bool write, bool hit)
{
    st->accesses++;
    st->origin_accesses[o]++;
    if (hit) {
        st->hits++;
        return;
    }
    st->misses++;
    st->origin_misses[o]++;
    if (write)
        st->write_misses++;
    else
        st->read_misses++;
}

void o_l1_access(struct world *w, struct ocore *c, struct level1 *l1, struct acc *a, bool count)
{
    struct naive_way *x = naive_find(&l1->tags, a->line);
    bool hit = x && (!a->write || x->writable);
    if (count) {
        count_access(&l1->st, a->origin, a->write, hit);
        l1->st.upgrades += x && !hit;
    }
    if (x) /* found, even if not enough */
        naive_use(&l1->tags, x);
    if (hit) {
        if (a->write)
            x->dirty = true;
        o_acc_served(w, c, a);
        return;
    }
    struct mshr1 *m = mshr1_of(l1, a->line);
    if (m) {
        if (count && !(w->plant == PLANT_LOST_MERGE && ++w->plant_n % 4 == 0))
            l1->st.mshr_merges++;
        o_list_push(&m->accs, a);
        return;
    }
    m = mshr1_free(l1);
    if (!m) {
        l1->st.mshr_full += count;
        o_list_push(&l1->fifo, a);
        return;
    }
    m->busy = true;
    m->line = a->line;
    m->accs.n = 0;
    o_list_push(&m->accs, a);
    struct client2 *cl = o_arena(w, sizeof *cl);
    cl->m = m;
    if (c->l2.latency > l1->latency)
        o_hop(c, w, c->l2.latency - l1->latency, EV_L2_LOOKUP, cl);
    else
        o_l2_lookup(w, c, cl, true);
}

static void serve_l1_fifo(struct world *w, struct ocore *c, struct level1 *l1)
{
    while (l1->fifo.n > 0 && mshr1_free(l1))
        o_l1_access(w, c, l1, o_list_take(&l1->fifo, 0), false);
}

static bool wants_write(const struct client2 *cl)
{
    if (!cl->m)
        return false;
    for (size_t i = 0; i < cl->m->accs.n; i++)
        if (((struct acc *)cl->m->accs.v[i])->write)
            return true;
    return false;
}

/* The L2 has the line, with enough for the client. */
static void fill(struct world *w, struct ocore *c, struct client2 *cl)
{
    struct mshr1 *m = cl->m;
    uint64_t line = m ? m->line : cl->walk->line;
    struct naive_way *in2 = naive_find(&c->l2.tags, line);
    if (!in2) {
        o_l2_lookup(w, c, cl, false);
        return;
    }
    if (!m) {
        o_acc_served(w, c, cl->walk);
        return;
    }
    struct level1 *l1 = m->l1;
    struct naive_way *x = naive_find(&l1->tags, line);
    if (!x) {
        x = naive_choose(&l1->tags, line);
        if (x->valid && x->dirty) {
            struct naive_way *v2 = naive_find(&c->l2.tags, x->key);
            if (!v2)
                o_broken(w, "core %u: L1 line %lx is not in the L2", c->k, (unsigned long)x->key);
            else
                v2->state = 'M';
            l1->st.writebacks++;
        }
        naive_put(&l1->tags, x, line);
    }
    x->writable = l1->data && in2->state != 'S';
    if (wants_write(cl) && in2->state == 'S') {
        o_l2_lookup(w, c, cl, false);
        return;
    }
    /* Accesses that join while the list is served are served too. */
    struct list again = {0};
    for (size_t i = 0; i < m->accs.n; i++) {
        struct acc *a = m->accs.v[i];
        x = naive_find(&l1->tags, line);
        if (!x || (a->write && !x->writable)) {
            o_list_push(&again, a);
            continue;
        }
        if (a->write)
            x->dirty = true;
        o_acc_served(w, c, a);
    }
    m->busy = false;
    while (again.n > 0)
        o_l1_access(w, c, l1, o_list_take(&again, 0), false);
    o_list_fini(&again);
    serve_l1_fifo(w, c, l1);
}

void o_l2_lookup(struct world *w, struct ocore *c, struct client2 *cl, bool count)
{
    struct level2 *l2 = &c->l2;
    struct acc *first = cl->m ? cl->m->accs.v[0] : cl->walk;
    uint64_t line = cl->m ? cl->m->line : cl->walk->line;
    bool write = wants_write(cl);
    struct naive_way *x = naive_find(&l2->tags, line);
    bool hit = x && (!write || x->state != 'S');
    if (count) {
        count_access(&l2->st, first->origin, write, hit);
        l2->st.upgrades += x && !hit;
    }
    if (x)
        naive_use(&l2->tags, x);
    if (hit) {
        fill(w, c, cl);
        return;
    }
    struct mshr2 *m = mshr2_of(l2, line);
    if (m) {
        l2->st.mshr_merges += count;
        o_list_push(&m->clients, cl);
        return;
    }
    m = mshr2_free(l2);
    if (!m) {
        l2->st.mshr_full += count;
        o_list_push(&l2->fifo, cl);
        return;
    }
    m->busy = true;
    m->line = line;
    m->clients.n = 0;
    o_list_push(&m->clients, cl);
    o_send_shared(w, c, write ? EV_GETM : cl->m && !cl->m->l1->data ? EV_GETI : EV_GETS, line, first->origin, NULL);
}

static void leave_l1(struct level1 *l1, uint64_t line, bool *dirty)
{
    struct naive_way *x = naive_find(&l1->tags, line);
    if (!x)
        return;
    if (x->dirty)
        *dirty = true;
    naive_drop(&l1->tags, x);
}

void o_l2_grant(struct world *w, struct ocore *c, uint64_t line, char state)
{
    struct level2 *l2 = &c->l2;
    struct naive_way *x = naive_find(&l2->tags, line);
    if (x) {
        naive_use(&l2->tags, x);
    } else {
        x = naive_choose(&l2->tags, line);
        if (x->valid) {
            uint64_t victim = x->key;
            bool dirty = x->state == 'M';
            leave_l1(&c->l1i, victim, &dirty);
            leave_l1(&c->l1d, victim, &dirty);
            if (dirty) {
                l2->st.writebacks++;
                o_send_shared(w, c, EV_PUTM, victim, ORIGIN_CPU, NULL);
            }
        }
        naive_put(&l2->tags, x, line);
    }
    x->state = state;
    struct mshr2 *m = mshr2_of(l2, line);
    if (!m) {
        o_broken(w, "core %u: grant of line %lx that nobody asked for", c->k, (unsigned long)line);
        return;
    }
    struct list clients = m->clients;
    m->clients = (struct list){0};
    m->busy = false;
    for (size_t i = 0; i < clients.n; i++)
        fill(w, c, clients.v[i]);
    o_list_fini(&clients);
    while (l2->fifo.n > 0 && mshr2_free(l2))
        o_l2_lookup(w, c, o_list_take(&l2->fifo, 0), false);
}

void o_snoop(struct world *w, struct ocore *c, uint64_t line, bool inv)
{
    struct naive_way *x = naive_find(&c->l2.tags, line), *d = naive_find(&c->l1d.tags, line);
    bool present = x != NULL, dirty = x && (x->state == 'M' || (d && d->dirty));
    if (inv) {
        bool ignored = false;
        leave_l1(&c->l1i, line, &ignored);
        leave_l1(&c->l1d, line, &ignored);
        if (x)
            naive_drop(&c->l2.tags, x);
    } else if (x) {
        x->state = 'S';
        if (d)
            d->writable = d->dirty = false;
    }
    o_send_shared(w, c, EV_ACK, line, (uint64_t)present | (uint64_t)dirty << 1, NULL);
}
