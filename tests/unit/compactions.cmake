mmulab_check(test_compactions DEPS replay)
