add_test(NAME cli_bench_alloc COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/bench_alloc.sh ${CMAKE_SOURCE_DIR} $<TARGET_FILE:mmulab>)
set_tests_properties(cli_bench_alloc PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300)
