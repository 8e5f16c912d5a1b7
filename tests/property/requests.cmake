mmulab_check(test_requests DEPS replay TIMEOUT 300)
