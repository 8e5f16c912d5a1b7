add_test(NAME cli_sweep_pictures COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/sweep_pictures.sh $<TARGET_FILE:mmulab>)
