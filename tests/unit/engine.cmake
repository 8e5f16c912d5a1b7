mmulab_check(test_engine DEPS engine)
mmulab_check(test_memsys DEPS memory)
