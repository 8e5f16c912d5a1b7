add_test(NAME cli_fork COMMAND ${CMAKE_CURRENT_LIST_DIR}/fork.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR}/traces/samples)
