mmulab_check(test_compaction_recorded DEPS replay frames TIMEOUT 120)
