mmulab_check(test_callers DEPS replay)
