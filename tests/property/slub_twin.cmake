mmulab_check(test_slub_twin DEPS slab slub_twin TIMEOUT 600)
