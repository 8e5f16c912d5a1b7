mmulab_check(test_plot DEPS app TIMEOUT 300)
