find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  add_test(NAME cli_sweep_tables COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/sweep_tables.py $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR}/traces/samples)
endif()
