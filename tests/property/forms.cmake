mmulab_check(test_forms_machine DEPS oracle TIMEOUT 300)
mmulab_check(test_forms_walks DEPS oracle TIMEOUT 300)
mmulab_check(test_forms_bus DEPS memory TIMEOUT 300)
mmulab_check(test_forms_huge DEPS frames)
