add_test(NAME cli_compaction COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/compaction.sh $<TARGET_FILE:mmulab>)
