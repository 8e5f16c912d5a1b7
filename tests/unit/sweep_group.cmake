if(TARGET app)
  mmulab_check(test_sweep_group DEPS app)
endif()
