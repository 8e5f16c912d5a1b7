add_test(NAME cli_sweep_ends COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/sweep_ends.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR}/traces/samples)
