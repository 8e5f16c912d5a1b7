add_test(NAME cli_checkpoint COMMAND ${CMAKE_CURRENT_LIST_DIR}/checkpoint.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR})
add_test(NAME cli_sweep_warm COMMAND ${CMAKE_CURRENT_LIST_DIR}/sweep_warm.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR}/traces/samples)
