if(TARGET app)
  mmulab_check(test_plot_sweep DEPS app TIMEOUT 300)
endif()
