mmulab_check(test_engine DEPS engine)
