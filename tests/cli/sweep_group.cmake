add_test(NAME cli_sweep_group COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/sweep_group.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR}/traces/samples)
