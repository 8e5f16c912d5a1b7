mmulab_check(test_slab DEPS slab)
mmulab_check(test_slab_geometry DEPS slab)
mmulab_check(test_slab_replay DEPS slab)
