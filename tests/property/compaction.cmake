mmulab_check(test_compaction_properties DEPS frames TIMEOUT 300)
mmulab_check(test_compaction_vm DEPS vm mmu frames TIMEOUT 300)
