add_test(NAME cli_fragmented COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/fragmented.sh ${CMAKE_SOURCE_DIR} $<TARGET_FILE:mmulab>)
