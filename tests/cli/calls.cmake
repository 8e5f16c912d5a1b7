add_test(NAME cli_calls COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/calls.sh $<TARGET_FILE:mmulab>)
