# What people do wrong: each is told with what is wrong and what to do, ends with the code of docs, and breaks nothing that was there.
add_test(NAME cli_mistakes_kernel COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/mistakes_kernel.sh $<TARGET_FILE:mmulab> ${CMAKE_SOURCE_DIR}/traces/samples)
