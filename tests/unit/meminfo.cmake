mmulab_check(test_meminfo DEPS frames)
