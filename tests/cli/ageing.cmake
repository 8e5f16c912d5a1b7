add_test(NAME cli_ageing COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/ageing.sh $<TARGET_FILE:mmulab>)
