mmulab_check(test_fork_contents DEPS vm mmu frames TIMEOUT 300)
