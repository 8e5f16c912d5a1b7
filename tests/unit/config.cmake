mmulab_check(test_config DEPS config)
mmulab_check(test_config_errors DEPS config)
mmulab_check(test_config_units DEPS config)
mmulab_check(test_config_memory DEPS config)
target_link_options(test_config_memory PRIVATE LINKER:--wrap=malloc,--wrap=calloc,--wrap=realloc
                    LINKER:--wrap=open_memstream,--wrap=vasprintf)
