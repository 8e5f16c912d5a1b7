mmulab_check(test_share DEPS traces TIMEOUT 300)
