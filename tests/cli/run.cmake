# The program as people use it. Scripts that cannot run here (no valgrind, no gnuplot) exit with 77: skipped.
set(cli ${CMAKE_CURRENT_SOURCE_DIR})
set(samples ${CMAKE_SOURCE_DIR}/traces/samples)
add_test(NAME cli_run COMMAND ${cli}/run.sh $<TARGET_FILE:mmulab> ${samples})
add_test(NAME cli_presets COMMAND ${cli}/presets.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR})
add_test(NAME cli_same COMMAND ${cli}/same.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR})
add_test(NAME cli_quickstart COMMAND ${cli}/quickstart.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR})
if(NOT MMULAB_SANITIZE) # a sanitizer adds nothing to a comparison of numbers
  add_test(NAME cli_compare_cachegrind COMMAND ${cli}/compare_cachegrind.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR})
  set_tests_properties(cli_compare_cachegrind PROPERTIES SKIP_RETURN_CODE 77)
endif()
set_tests_properties(cli_quickstart PROPERTIES SKIP_RETURN_CODE 77)
