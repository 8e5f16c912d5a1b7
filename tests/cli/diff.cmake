add_test(NAME cli_diff COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/diff.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR}/traces/samples)
