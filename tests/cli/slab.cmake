add_test(NAME cli_slab COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/slab.sh $<TARGET_FILE:mmulab>)
