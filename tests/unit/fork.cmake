mmulab_check(test_fork DEPS vm mmu frames)
