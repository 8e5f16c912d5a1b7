mmulab_check(test_unmanaged DEPS replay)
