add_test(NAME cli_orders COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/orders.sh $<TARGET_FILE:mmulab>)
