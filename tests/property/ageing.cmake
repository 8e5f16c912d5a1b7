mmulab_check(test_ageing DEPS frames TIMEOUT 300)
