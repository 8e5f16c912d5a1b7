add_test(NAME cli_memory COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/memory.sh $<TARGET_FILE:mmulab>)
