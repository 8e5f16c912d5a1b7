if(TARGET app)
  mmulab_check(test_estimate DEPS app)
endif()
