# What needs root and perf is left out elsewhere.
add_test(NAME cli_kmem_pages COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/kmem_pages.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR}/traces/samples)
set_tests_properties(cli_kmem_pages PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 120)
