if(TARGET app)
  mmulab_check(test_stats_cmd DEPS app)
endif()
