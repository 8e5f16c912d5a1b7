mmulab_check(test_compaction_properties DEPS frames TIMEOUT 300)
