mmulab_check(test_slab_calls DEPS slab)
