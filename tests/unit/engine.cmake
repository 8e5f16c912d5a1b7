mmulab_check(test_engine DEPS engine)
mmulab_check(test_memsys DEPS memory)
mmulab_check(test_machine DEPS oracle TIMEOUT 300)
