add_test(NAME cli_checkpoint COMMAND ${CMAKE_CURRENT_LIST_DIR}/checkpoint.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR})
