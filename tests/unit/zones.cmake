mmulab_check(test_zones DEPS frames)
mmulab_check(test_rmap DEPS frames)
