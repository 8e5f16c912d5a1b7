mmulab_check(test_compaction_frees DEPS replay)
