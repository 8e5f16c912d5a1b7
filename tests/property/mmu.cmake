mmulab_check(test_assoc DEPS engine)
mmulab_check(test_tlb_forms DEPS mmu)
mmulab_check(test_paging_vm DEPS vm mmu frames TIMEOUT 300)
