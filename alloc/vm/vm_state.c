/* The state of address spaces as bytes. */
#include "engine/state.h"
#include "vm/gigantic.h"
#include "vm/vm.h"

#include <stdlib.h>

static void vmas_state(struct vma_set *s, uint32_t max, struct state_io *io)
{
    uint32_t n = s->n;
    state_u32(io, &n);
    if (!state_check(io, n <= max, "a process has more mappings than it may have"))
        return;
    if (io->loading && n) {
        s->v = calloc(n, sizeof *s->v);
        if (!s->v) {
            state_fail(io, "out of host memory for mappings");
            return;
        }
        s->cap = n;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct vma *v = &s->v[i];
        state_u64(io, &v->start);
        state_u64(io, &v->end);
        state_u16(io, &v->prot);
        state_u16(io, &v->flags);
        if (!state_check(io, v->start < v->end && ((v->start | v->end) & (PAGE_BYTES - 1)) == 0 &&
                                 (i == 0 || s->v[i - 1].end <= v->start), "a process's mappings overlap or are not pages"))
            break;
        s->n = i + 1;
    }
}

static void process_state(struct vm *vm, struct vm_process *p, struct state_io *io)
{
    uint64_t root = p->root.v;
    state_u64(io, &root);
    if (!state_check(io, root == PFN_NONE.v || root < vm->frames->n_frames, "a process's tables lie outside memory"))
        return;
    p->root = (pfn_t){root};
    state_bytes(io, p->pages, sizeof p->pages);
    state_u64(io, &p->tables);
    state_u64(io, &p->brk_start);
    state_u64(io, &p->brk);
    vmas_state(&p->vmas, vm->config.max_map_count, io);
}

static void gigantic_state(struct gigantic_pool *g, const struct frame_map *frames, struct state_io *io)
{
    uint32_t n = g->n;
    state_same(io, g->total, "number of 1 GiB pages");
    state_u32(io, &n);
    if (!state_check(io, n <= g->total, "the pool of 1 GiB pages is too full"))
        return;
    g->n = n;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t pfn = g->free[i].v;
        state_u64(io, &pfn);
        if (!state_check(io, pfn % GIGANTIC_FRAMES == 0 && pfn < frames->n_frames && frames->n_frames - pfn >= GIGANTIC_FRAMES,
                         "a 1 GiB page lies outside memory"))
            return;
        g->free[i] = (pfn_t){pfn};
        for (uint64_t b = 0; io->loading && b < GIGANTIC_BLOCKS; b++) {
            const struct frame *f = frame_at(frames, (pfn_t){pfn + (b << GIGANTIC_BLOCK_ORDER)});
            if (!state_check(io, f->state == FRAME_ALLOCATED && f->order == GIGANTIC_BLOCK_ORDER && f->tag == FRAME_TAG_OTHER,
                             "a free 1 GiB page is in other use"))
                return;
        }
    }
}

void vm_state(struct vm *vm, struct state_io *io)
{
    uint32_t n = vm->n_process;
    state_mark(io, "vm");
    gigantic_state(vm->gigantic, vm->frames, io);
    state_u32(io, &n);
    if (!state_check(io, n <= VM_MAX_PROCESSES, "there are more processes than there can be"))
        return;
    if (io->loading && n) {
        vm->process = calloc(n, sizeof *vm->process);
        if (!vm->process) {
            state_fail(io, "out of host memory for processes");
            return;
        }
        vm->cap_process = n;
    }
    for (uint32_t i = 0; i < n && !state_bad(io); i++) {
        vm->process[i].root = io->loading ? PFN_NONE : vm->process[i].root;
        vm->n_process = io->loading ? i + 1 : vm->n_process;
        process_state(vm, &vm->process[i], io);
    }
    state_u32(io, &vm->first_free);
    for (uint32_t i = 0; io->loading && i < n && i < vm->first_free; i++)
        if (!state_check(io, vm_process_alive(vm, i), "a free process number is not the lowest"))
            return;
    state_check(io, vm->first_free <= n, "a free process number is not the lowest");
    state_bytes(io, &vm->st, sizeof vm->st);
}

void vm_forget(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->n_process; i++)
        vma_set_fini(&vm->process[i].vmas);
    vm->n_process = 0;
    vm->gigantic->n = 0;
}
