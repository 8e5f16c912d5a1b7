mmulab_check(test_mtr DEPS traces TIMEOUT 600)
