add_test(NAME cli_validate COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/validate.sh ${CMAKE_SOURCE_DIR} $<TARGET_FILE:mmulab>)
add_test(NAME cli_kernel_run COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/kernel_run.sh ${CMAKE_SOURCE_DIR} $<TARGET_FILE:mmulab>)
