mmulab_check(test_slab_geometry DEPS slab)
