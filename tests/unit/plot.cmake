if(TARGET app)
  mmulab_check(test_plot DEPS app TIMEOUT 300)
endif()
