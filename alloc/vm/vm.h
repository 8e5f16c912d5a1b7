/*
 * Process address spaces: page tables that are real bytes in simulated frames, demand-zero faults, and the mappings
 * that a trace's address-space calls make.
 *
 * A process is an address-space number (asid), small and dense, lowest free number first. Every leaf of its tables maps
 * a block of frames: its own, or one that it shares with relatives since a fork, write-protected until one of them writes.
 * There is no file and no swap. The reverse map (frames/rmap.h) says who maps a frame; nothing else is kept by page.
 *
 * Visibility: vm_fault changes no page table; the operations in its answer do, when they are performed (vm_perform, or
 * the timed core store by store). All other calls store entries at once. The caller serialises all calls, and performs
 * one fault's operations before the next call (the operating system's lock, mmu/fault.h).
 *
 * Model: docs/model/vm.md.
 */
#ifndef VM_VM_H
#define VM_VM_H

#include "engine/err.h"
#include "engine/stats.h"
#include "frames/frames.h"
#include "frames/phys_mem.h"
#include "mmu/paging.h"
#include "vm/params.h"
#include "vm/vma.h"

#define VM_ASID_NONE UINT32_MAX
#define VM_MAX_PROCESSES 0xffffu /* asid 0 .. 0xfffe: the TLB tags of 16 bits but the one for global pages */

#define VM_STATS(X) \
    X(faults_minor, "faults", "page faults resolved without input or output") \
    X(faults_major, "faults", "page faults that waited for a device") \
    X(faults_cow, "faults", "write faults that copied a page") \
    X(faults_reuse, "faults", "write faults on a page that was shared since a fork and is no more, which only got the right") \
    X(faults_zero, "faults", "faults that mapped a zero-filled page") \
    X(faults_file, "faults", "faults that mapped a file page") \
    X(faults_spurious, "faults", "faults whose tables already allowed the access") \
    X(segfaults, "faults", "accesses that the process may not make") \
    X(faults_oom, "faults", "faults for which no frame could be had") \
    X(stack_growths, "faults", "faults that extended a stack mapping") \
    X(mapped_4k, "pages", "4 KiB pages mapped") \
    X(mapped_2m, "pages", "2 MiB pages mapped") \
    X(mapped_1g, "pages", "1 GiB pages mapped") \
    X(unmapped_4k, "pages", "4 KiB pages unmapped") \
    X(unmapped_2m, "pages", "2 MiB pages unmapped") \
    X(unmapped_1g, "pages", "1 GiB pages unmapped") \
    X(moved, "pages", "pages moved by mremap") \
    X(huge_fallbacks, "faults", "faults that got a smaller page than vm.page_size") \
    X(huge_splits, "pages", "large pages split by an operation on a part of them") \
    X(tables_allocated, "pages", "page-table pages allocated") \
    X(tables_freed, "pages", "page-table pages freed") \
    X(map_failures, "calls", "mappings not recorded because vm.max_map_count was reached") \
    X(processes, "processes", "address spaces created") \
    X(forks, "processes", "... as copies of another") \
    X(fork_pages, "pages", "pages that these shared with their parents when they were made") \
    X(kills, "processes", "address spaces torn down by vm_kill")
struct vm_stats { VM_STATS(STAT_FIELD) };
extern const struct stat_desc vm_stat_descs[];
extern const size_t vm_n_stat_descs;

struct vm_process {
    pfn_t root;       /* PFN_NONE: the number is free */
    uint64_t pages[PAGE_SIZE_COUNT]; /* mapped now */
    uint64_t tables;  /* page-table pages, with the root */
    struct vma_set vmas;
    uint64_t brk_start, brk; /* 0: no heap known yet */
};

struct gigantic_pool;
struct vm {
    struct vm_config config;
    struct frame_map *frames;
    uint64_t kernel_tables; /* page tables that are nobody's here: of vmalloc. Who checks sets it */
    struct phys_mem *mem;
    struct paging_root paging; /* of every process, but for the table */
    struct vm_process *process;
    uint32_t n_process, cap_process;
    uint32_t first_free; /* no free number is below it */
    struct gigantic_pool *gigantic;
    struct vm_stats st;
};

/*
 * Told of every translation that ceases to hold, after its entry was changed: TLBs must drop it. `entry_pa` is the entry,
 * for who wants to charge the store. NULL callbacks are fine.
 */
struct vm_shootdown {
    void *self;
    void (*page)(void *self, uint32_t asid, va_t va, enum page_size size, pa_t entry_pa);
};

/*
 * `paging` gives levels, MAXPHYADDR and flags (its table is ignored). The vm keeps pointers to frames and mem; they
 * outlive it. ERR_USAGE if vm.gigantic_pages cannot be had or memory exceeds MAXPHYADDR.
 */
int vm_new(struct vm **out, const struct vm_config *config, struct frame_map *frames, struct phys_mem *mem,
           const struct paging_root *paging, struct err *err);
void vm_free(struct vm *vm); /* frees all processes; NULL is fine */

/* A new address space with an empty root table, or VM_ASID_NONE: no frame, or too many processes. */
uint32_t vm_process_new(struct vm *vm);
bool vm_process_alive(const struct vm *vm, uint32_t asid);
struct paging_root vm_root(const struct vm *vm, uint32_t asid);
/* Unmaps everything and frees the tables; the number may be used again. The caller drops `asid` from every TLB and
 * paging-structure cache: the callback is not called page by page. */
void vm_exit(struct vm *vm, uint32_t asid);
void vm_kill(struct vm *vm, uint32_t asid); /* vm_exit, counted as a kill */
/* execve: as vm_exit, but the address space stays, empty. The caller drops `asid` as there. */
void vm_exec(struct vm *vm, uint32_t asid);
/*
 * fork: a new address space with the parent's mappings and pages. Pages are shared; private ones are write-protected in both
 * (copy-on-write). The caller drops `parent` from every TLB. VM_ASID_NONE: as for vm_process_new; the parent may have lost the
 * right to write pages that are its own, which the next fault gives back.
 */
uint32_t vm_fork(struct vm *vm, uint32_t parent);
/* What a fault's answer asks for before its operations (mmu/fault.h): clears va's entry (replaces); splits the large page at va. */
void vm_clear_entry(struct vm *vm, uint32_t asid, va_t va);
void vm_split_page(struct vm *vm, uint32_t asid, va_t va, const struct vm_shootdown *sd);

/* struct fault_ops' entry; `vm` is a struct vm. */
void vm_fault(void *vm, uint32_t asid, va_t va, unsigned error_code, struct fault_answer *out);
struct fault_ops vm_fault_ops(struct vm *vm);
/* Performs the stores of an answer at once (functional mode). */
void vm_perform(struct vm *vm, const struct fault_answer *answer);

/*
 * Address-space calls with the results the trace recorded: the kernel's choice of address is taken, not made. Addresses
 * are rounded to pages as the kernel does. Ranges beyond the user half are cut. `prot`: TRACE_PROT_* (read 1, write 2,
 * execute 4). All return at once; what they unmap is freed.
 */
void vm_segment(struct vm *vm, uint32_t asid, va_t start, uint64_t bytes, unsigned prot, unsigned vma_flags);
void vm_mmap(struct vm *vm, uint32_t asid, va_t start, uint64_t bytes, unsigned prot, unsigned vma_flags,
             const struct vm_shootdown *sd);
void vm_munmap(struct vm *vm, uint32_t asid, va_t start, uint64_t bytes, const struct vm_shootdown *sd);
void vm_mprotect(struct vm *vm, uint32_t asid, va_t start, uint64_t bytes, unsigned prot, const struct vm_shootdown *sd);
/* Moves mapping and pages; old_bytes > new_bytes drops the tail. `keep_old`: MREMAP_DONTUNMAP. */
void vm_mremap(struct vm *vm, uint32_t asid, va_t old_start, uint64_t old_bytes, va_t new_start, uint64_t new_bytes,
               bool keep_old, const struct vm_shootdown *sd);
/* `result` is the new break (the call's result). The first call only tells where the break is. */
void vm_brk(struct vm *vm, uint32_t asid, uint64_t result, const struct vm_shootdown *sd);
/* DONTNEED (4), DONTNEED_LOCKED (24), REMOVE (9) free the range's pages; FREE (8) too (as if reclaimed at once); others do nothing. */
void vm_madvise(struct vm *vm, uint32_t asid, va_t start, uint64_t bytes, unsigned advice, const struct vm_shootdown *sd);
/* Pages of the range are freed, the mappings stay. Page-table pages stay until exit. Returns the pages (4 KiB) freed. */
uint64_t vm_unmap_pages(struct vm *vm, uint32_t asid, va_t start, uint64_t bytes, const struct vm_shootdown *sd);

/* Resident set in 4 KiB pages; page-table bytes. */
uint64_t vm_rss_pages(const struct vm *vm, uint32_t asid);
uint64_t vm_table_bytes(const struct vm *vm, uint32_t asid);
/* 1 GiB pages of the reserved pool that are free now. */
uint32_t vm_gigantic_free(const struct vm *vm);

/* Reads page tables for mmu's checks: self is a struct phys_mem. set_bits is there too. */
struct pt_memory vm_pt_memory(struct vm *vm);

/* Processes, their mappings, the pool of 1 GiB pages, statistics. Loading: `vm` is new; tables are in the frames' state, which
 * was loaded before, and vm_check tells whether they fit. After a failed load vm_forget, then vm_free. */
struct state_io;
void vm_state(struct vm *vm, struct state_io *io);
void vm_forget(struct vm *vm); /* the processes are gone, their frames are not given back */

/*
 * --check: every present entry points to a block whose reverse map has it, and every mapping there is an entry; a page that may
 * be written is mapped once, or by mappings with MAP_SHARED; tables belong to their process and place; counts agree with the
 * frame map's. All operations must have been performed.
 */
int vm_check(const struct vm *vm, struct err *err);

#endif
