add_executable(bench_loop ${CMAKE_CURRENT_SOURCE_DIR}/loop.c)
target_link_libraries(bench_loop PRIVATE mmulab_flags traces)
mmulab_plain_link(bench_loop)
