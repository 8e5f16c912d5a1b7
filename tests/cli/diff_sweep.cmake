add_test(NAME cli_diff_sweep COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/diff_sweep.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR}/traces/samples)
