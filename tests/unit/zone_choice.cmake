mmulab_check(test_zone_choice DEPS replay)
