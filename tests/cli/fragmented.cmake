add_test(NAME cli_fragmented COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/fragmented.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR}/traces/samples)
