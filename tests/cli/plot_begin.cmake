add_test(NAME cli_plot_begin COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/plot_begin.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR}/traces/samples)
