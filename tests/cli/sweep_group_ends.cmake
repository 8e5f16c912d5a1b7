add_test(NAME cli_sweep_group_ends COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/sweep_group_ends.sh $<TARGET_FILE:mmulab>)
