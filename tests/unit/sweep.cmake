if(TARGET app)
  mmulab_check(test_sweep DEPS app)
endif()
