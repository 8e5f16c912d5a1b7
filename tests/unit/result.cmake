if(TARGET app)
  mmulab_check(test_result DEPS app)
endif()
