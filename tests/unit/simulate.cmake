mmulab_check(test_simulate DEPS replay)
