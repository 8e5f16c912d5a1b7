#include "frames/phys_mem.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

int phys_mem_init(struct phys_mem *m, uint64_t bytes, struct err *err)
{
    *m = (struct phys_mem){0};
    if (bytes == 0 || bytes % PAGE_BYTES)
        return err_set(err, ERR_USAGE, "physical memory of %llu bytes is not a multiple of 4KiB",
                       (unsigned long long)bytes);
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        err_set(err, ERR_RUN, "no address space for physical memory (%llu bytes): %s", (unsigned long long)bytes,
                strerror(errno));
        return err_remedy(err, "lower memory.size, or lift the limits on virtual memory (ulimit -v, "
                               "vm.overcommit_memory)");
    }
    madvise(p, bytes, MADV_NOHUGEPAGE); /* one page table shall cost one page; only advice, may fail */
    m->base = p;
    m->bytes = bytes;
    return 0;
}

void phys_mem_fini(struct phys_mem *m)
{
    if (m->base)
        munmap(m->base, m->bytes);
    *m = (struct phys_mem){0};
}

void phys_zero(struct phys_mem *m, pfn_t pfn) { memset(phys_at(m, pfn_to_pa(pfn)), 0, PAGE_BYTES); }

void phys_junk(struct phys_mem *m, pfn_t pfn) { memset(phys_at(m, pfn_to_pa(pfn)), PHYS_JUNK, PAGE_BYTES); }

void phys_release(struct phys_mem *m, pfn_t pfn, uint64_t n)
{
    assert(pfn.v <= m->bytes >> PAGE_SHIFT && n <= (m->bytes >> PAGE_SHIFT) - pfn.v);
    if (n)
        madvise(m->base + (pfn.v << PAGE_SHIFT), n << PAGE_SHIFT, MADV_DONTNEED);
}
