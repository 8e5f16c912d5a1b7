add_test(NAME cli_snapshot_start COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/snapshot_start.sh ${CMAKE_SOURCE_DIR} $<TARGET_FILE:mmulab>)
