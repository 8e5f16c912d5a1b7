add_test(NAME cli_sweep COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/sweep.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR}/traces/samples)
add_test(NAME cli_sweep_killed COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/sweep_killed.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR}/traces/samples)
add_test(NAME cli_sweep_decoded COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/sweep_decoded.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR}/traces/samples)
