if(TARGET app)
  mmulab_check(test_condition DEPS app)
endif()
