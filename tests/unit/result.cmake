mmulab_check(test_result DEPS app)
