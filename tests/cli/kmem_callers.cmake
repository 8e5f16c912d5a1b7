# Needs root and perf: skipped elsewhere.
add_test(NAME cli_kmem_callers COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/kmem_callers.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR}/traces/samples)
set_tests_properties(cli_kmem_callers PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 120)
