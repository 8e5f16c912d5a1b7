mmulab_check(test_survey DEPS frames)
