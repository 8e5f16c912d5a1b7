add_test(NAME cli_sweep_identity COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/sweep_identity.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR}/traces/samples)
