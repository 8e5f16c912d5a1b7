mmulab_check(test_dram DEPS memory)
mmulab_check(test_dram_rules DEPS memory TIMEOUT 600)
