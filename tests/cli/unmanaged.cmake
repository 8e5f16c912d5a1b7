add_test(NAME cli_unmanaged COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/unmanaged.sh ${CMAKE_SOURCE_DIR} $<TARGET_FILE:mmulab>)
