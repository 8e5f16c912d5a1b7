mmulab_check(test_slab_properties DEPS slab TIMEOUT 300)
