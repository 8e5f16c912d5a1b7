# Needs root, perf and tracepoints: skipped elsewhere.
add_test(NAME cli_record_kernel COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/record_kernel.sh $<TARGET_FILE:mmulab>)
set_tests_properties(cli_record_kernel PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300)
