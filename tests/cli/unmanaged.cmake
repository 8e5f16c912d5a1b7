add_test(NAME cli_unmanaged COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/unmanaged.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR}/traces/samples)
