mmulab_check(test_config DEPS config)
mmulab_check(test_config_errors DEPS config)
mmulab_check(test_config_units DEPS config)
