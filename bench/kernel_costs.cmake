if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64") # counts cycles with an instruction of x86
  add_executable(kernel_costs ${CMAKE_CURRENT_SOURCE_DIR}/kernel_costs.c)
  target_link_libraries(kernel_costs PRIVATE mmulab_flags)
endif()
