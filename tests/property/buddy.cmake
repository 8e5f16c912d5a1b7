mmulab_check(test_buddy_properties DEPS frames TIMEOUT 300)
