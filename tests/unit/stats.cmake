mmulab_check(test_stats DEPS engine)
