add_test(NAME cli_objects COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/objects.sh ${CMAKE_SOURCE_DIR} $<TARGET_FILE:mmulab>)
