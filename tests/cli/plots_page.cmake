add_test(NAME cli_plots_page COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/plots_page.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR})
