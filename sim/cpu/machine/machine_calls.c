/* Records that are no references: processes, address-space calls and what they make the cores forget, marks. */
#include "cpu/machine/machine_internal.h"

#include "cpu/timed.h"
#include "traces/input.h"
#include "traces/kinds.h"

#include <stdlib.h>
#include <string.h>

static struct process *process_slot(struct machine *m, uint32_t number)
{
    if (number >= m->n_process) {
        struct process *p = realloc(m->process, (number + 1ull) * sizeof *p);
        if (!p)
            abort(); /* host memory gone for a few kilobytes */
        m->process = p;
        while (m->n_process <= number)
            m->process[m->n_process++] = (struct process){.asid = VM_ASID_NONE};
    }
    return &m->process[number];
}

struct process *machine_process(struct machine *m, uint32_t number)
{
    struct process *p = process_slot(m, number);
    if (p->asid == VM_ASID_NONE && !p->dead && m->cfg.mmu.enabled) {
        frames_on_cpu(m->frames, 0); /* the loader's */
        p->asid = vm_process_new(m->vm);
        p->dead = p->asid == VM_ASID_NONE; /* no frame for a root table: as if it had been killed at once */
    }
    return p;
}

void machine_tell(struct machine *m, const char *kind, const struct core *c, uint64_t va, uint64_t pages)
{
    if (!m->hooks.event)
        return;
    struct machine_event e = {.time = c->timed ? m->action_cycle * m->period : 0, .kind = kind,
                              .core = c->id, .process = c->process, .va = va, .pages = pages};
    for (unsigned k = 0; k < m->cores; k++) {
        e.references += m->core[k].st.references;
        e.instructions += m->core[k].st.instructions;
    }
    m->hooks.event(m->hooks.self, &e);
}

bool is_call(const struct trace_rec *r)
{
    return trace_changes_space(r->kind) || (r->kind == TRACE_EXIT ? r->size == 1 : is_slab_record(r));
}

/* Payload word i of a record, 0 if it is not there. */
static uint64_t word(const struct trace_rec *r, unsigned i)
{
    const union trace_slot *s = (const union trace_slot *)(r + 1);
    return i / 2 < r->slots ? s[i / 2].u[i % 2] : 0;
}

void core_note(struct core *c, const struct trace_rec *r)
{
    if (r->kind == TRACE_INSNS) {
        c->st.instructions += r->addr;
    } else if (r->kind == TRACE_SEGLOAD && r->addr < SEG_COUNT) {
        c->seg.reg[r->addr] = (struct seg_reg){.base = word(r, 0), .limit = (uint32_t)word(r, 1),
                                               .attributes = (uint16_t)word(r, 2), .selector = (uint16_t)r->size,
                                               .valid = (r->size & ~3u) != 0};
        if (c->seg.mode == SEG_MODE_LONG && r->addr != SEG_FS && r->addr != SEG_GS)
            c->seg.reg[r->addr].base = 0; /* 64-bit mode ignores it */
    } else if (r->kind == TRACE_EXIT && r->size == CORE_EXIT_LATER) {
        c->machine->process[c->process].exits = true;
    } else if (r->kind == TRACE_MARK && c->machine->hooks.mark) {
        machine_note_mark(c, r);
    } else if (!c->mmu_on && is_slab_record(r)) {
        machine_slab_record(c->machine, c, r); /* which counts it */
    }
}

void machine_note_mark(struct core *c, const struct trace_rec *r)
{
    struct machine *m = c->machine;
    size_t n;
    const char *s = trace_rec_string(r, &n);
    char *text = strndup(s, n);
    if (!text)
        abort(); /* host memory gone for a line of text */
    if (!c->timed) {
        m->hooks.mark(m->hooks.self, m, r->addr, text);
        free(text);
        return;
    }
    /* As far ahead as an answer of the shared side: no core has got there yet. */
    struct action *a = machine_add_action(m, c->now + m->cfg.bus.response_latency_cycles, c->id, ACTION_MARK);
    a->number = r->addr;
    a->text = text;
}

static void drop_page(void *self, uint32_t asid, va_t va, enum page_size size, pa_t entry)
{
    struct machine *m = self;
    (void)size;
    (void)entry;
    for (unsigned k = 0; k < m->cores; k++) {
        tlb_invalidate_page(&m->core[k].itlb, asid, va);
        tlb_invalidate_page(&m->core[k].dtlb, asid, va);
        tlb_invalidate_page(&m->core[k].stlb, asid, va);
        hot_forget(m->core[k].hot);
    }
}

static void drop_structures(struct machine *m, uint32_t asid, bool all)
{
    for (unsigned k = 0; k < m->cores; k++) {
        struct core *c = &m->core[k];
        psc_flush_asid(&c->psc, asid);
        hot_forget(c->hot);
        if (all) {
            tlb_flush_asid(&c->itlb, asid);
            tlb_flush_asid(&c->dtlb, asid);
            tlb_flush_asid(&c->stlb, asid);
        }
        if (c->timed)
            walks_restart(c, asid);
    }
}

void machine_forget_asid(struct machine *m, uint32_t asid) { drop_structures(m, asid, true); }

/* A process has ended: no core runs it any more, nothing remembers its translations. */
void machine_bury(struct machine *m, uint32_t number)
{
    struct process *p = &m->process[number];
    drop_structures(m, p->asid, true);
    p->dead = true;
    p->asid = VM_ASID_NONE;
    for (unsigned k = 0; k < m->cores; k++)
        if (m->core[k].process == number) {
            m->core[k].process_dead = true;
            if (m->core[k].timed)
                core_drop_all(&m->core[k], m->action_cycle);
        }
}

void machine_kill(struct machine *m, struct core *c)
{
    if (c->process_dead)
        return;
    frames_on_cpu(m->frames, c->id);
    vm_kill(m->vm, c->asid);
    machine_bury(m, c->process);
}

void machine_remap(struct machine *m, uint32_t asid, va_t va, const struct fault_answer *a)
{
    struct vm_shootdown sd = {.self = m, .page = drop_page};
    if (!machine_remaps(a))
        return;
    if (a->result == FAULT_SPLIT) { /* relatives lose their large page, too */
        vm_split_page(m->vm, asid, va, &sd);
        for (unsigned k = 0; k < m->cores; k++)
            drop_structures(m, m->core[k].asid, false);
        return;
    }
    vm_clear_entry(m->vm, asid, va);
    drop_page(m, asid, va, PAGE_SIZE_4K, (pa_t){0});
    drop_structures(m, asid, false);
}

/* A child whose first record a core met before its parent's fork has an address space already, and keeps it. */
static void fork_process(struct machine *m, const struct core *c, uint64_t number)
{
    uint32_t parent = c->asid, group = m->process_group;
    if (group)
        number = number < group ? number + c->process / group * group : MACHINE_PROCESSES;
    if (number >= MACHINE_PROCESSES)
        return;
    struct process *child = process_slot(m, (uint32_t)number);
    if (child->asid != VM_ASID_NONE || child->dead)
        return;
    child->asid = vm_fork(m->vm, parent);
    child->dead = child->asid == VM_ASID_NONE; /* as if it had been killed at once */
    drop_structures(m, parent, true);
}

/* Linux uapi, x86-64; MAP_SHARED and MAP_SHARED_VALIDATE have the bit */
enum { MAP_FLAG_SHARED = 1, MAP_FLAG_GROWSDOWN = 0x100, MREMAP_FLAG_DONTUNMAP = 4 };

static void address_space_call(struct machine *m, struct core *c, const struct trace_rec *r)
{
    struct vm_shootdown sd = {.self = m, .page = drop_page};
    uint32_t asid = c->asid;
    if (!c->mmu_on || c->process_dead || (r->flags & TRACE_F_FAILED))
        return;
    frames_on_cpu(m->frames, c->id);
    switch (r->kind) {
    case TRACE_SEGMENT:
        vm_segment(m->vm, asid, (va_t){r->addr}, word(r, 0), r->size,
                   (r->flags & TRACE_F_STACK ? VMA_STACK : 0) | (r->flags & TRACE_F_HEAP ? VMA_HEAP : 0));
        return;
    case TRACE_MMAP:
        vm_mmap(m->vm, asid, (va_t){word(r, 5)}, word(r, 0), (unsigned)word(r, 1),
                (word(r, 2) & MAP_FLAG_GROWSDOWN ? VMA_STACK : 0) | (word(r, 2) & MAP_FLAG_SHARED ? VMA_SHARED : 0), &sd);
        break;
    case TRACE_MUNMAP:
        vm_munmap(m->vm, asid, (va_t){r->addr}, word(r, 0), &sd);
        break;
    case TRACE_MREMAP:
        vm_mremap(m->vm, asid, (va_t){r->addr}, word(r, 0), (va_t){word(r, 4)}, word(r, 1),
                  word(r, 2) & MREMAP_FLAG_DONTUNMAP, &sd);
        break;
    case TRACE_BRK:
        vm_brk(m->vm, asid, word(r, 0), &sd);
        break;
    case TRACE_MPROTECT:
        vm_mprotect(m->vm, asid, (va_t){r->addr}, word(r, 0), (unsigned)word(r, 1), &sd);
        break;
    case TRACE_MADVISE:
        vm_madvise(m->vm, asid, (va_t){r->addr}, word(r, 0), (unsigned)word(r, 1), &sd);
        break;
    case TRACE_FORK:
        fork_process(m, c, r->addr);
        return;
    case TRACE_EXEC:
        vm_exec(m->vm, asid);
        drop_structures(m, asid, true);
        for (unsigned k = 0; k < m->cores; k++)
            if (m->core[k].process == c->process)
                m->core[k].root = vm_root(m->vm, asid);
        return;
    case TRACE_EXIT:
        machine_tell(m, "process_exit", c, 0, vm_rss_pages(m->vm, asid));
        vm_exit(m->vm, asid);
        machine_bury(m, c->process);
        return;
    default:
        return;
    }
    drop_structures(m, asid, false);
}

cyc_t machine_call(struct machine *m, struct core *c, const struct trace_rec *r)
{
    if (is_slab_record(r))
        return machine_slab_record(m, c, r);
    address_space_call(m, c, r);
    return r->kind == TRACE_SEGMENT || r->kind == TRACE_EXIT ? 0 : m->cfg.vm.syscall_cycles;
}
