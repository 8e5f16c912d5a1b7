add_executable(mtr_bench ${CMAKE_CURRENT_SOURCE_DIR}/mtr_bench.c)
target_link_libraries(mtr_bench PRIVATE mmulab_flags traces)
mmulab_plain_link(mtr_bench)
