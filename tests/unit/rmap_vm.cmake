mmulab_check(test_rmap_vm DEPS vm mmu frames)
