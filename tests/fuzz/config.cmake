mmulab_fuzz(fuzz_config DEPS config)
