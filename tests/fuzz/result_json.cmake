if(TARGET app)
  mmulab_fuzz(fuzz_result_json DEPS app)
endif()
