add_test(NAME cli_validate COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/validate.sh ${CMAKE_SOURCE_DIR} $<TARGET_FILE:mmulab>)
