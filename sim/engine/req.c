#include "engine/req.h"

#include "engine/grow.h"

#include <stdlib.h>
#include <string.h>

void req_pool_init(struct req_pool *p)
{
    memset(p, 0, sizeof *p);
    p->free_head = UINT32_MAX;
}

void req_pool_fini(struct req_pool *p)
{
    free(p->req);
    p->req = NULL;
}

uint32_t req_get(struct req_pool *p)
{
    uint32_t i = p->free_head;
    if (i != UINT32_MAX) {
        p->free_head = p->req[i].next;
    } else {
        if (p->n == p->cap)
            p->req = grow_array(p->req, &p->cap, 64, sizeof *p->req);
        i = p->n++;
        p->req[i].state = REQ_FREE;
    }
    assert(p->req[i].state == REQ_FREE);
    p->req[i] = (struct mem_req){.state = REQ_NEW, .next = UINT32_MAX};
    p->live++;
    return i;
}

void req_put(struct req_pool *p, uint32_t i)
{
    assert(p->req[i].state == REQ_SERVICED);
    p->req[i].state = REQ_FREE;
    p->req[i].next = p->free_head;
    p->free_head = i;
    p->live--;
}
