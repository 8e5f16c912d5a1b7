if(TARGET app)
  mmulab_check(test_result_progress DEPS app)
endif()
