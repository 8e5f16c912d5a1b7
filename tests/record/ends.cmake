add_test(NAME record_ends COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/ends.sh $<TARGET_FILE:mmulab>)
set_tests_properties(record_ends PROPERTIES SKIP_RETURN_CODE 77)
add_test(NAME record_installed COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/installed.sh ${CMAKE_COMMAND} ${CMAKE_BINARY_DIR})
set_tests_properties(record_installed PROPERTIES SKIP_RETURN_CODE 77)
# Both recorders on a short program: speed, size, order of touched pages, the kernel's mappings.
add_test(NAME record_compare COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/compare.sh ${CMAKE_SOURCE_DIR} $<TARGET_FILE:mmulab>)
set_tests_properties(record_compare PROPERTIES SKIP_RETURN_CODE 77)
