mmulab_check(test_follow DEPS replay TIMEOUT 60)
