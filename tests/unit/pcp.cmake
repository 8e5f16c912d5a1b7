mmulab_check(test_pcp DEPS frames)
