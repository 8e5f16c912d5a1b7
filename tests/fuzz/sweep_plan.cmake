if(TARGET app)
  mmulab_fuzz(fuzz_sweep_plan DEPS app)
endif()
