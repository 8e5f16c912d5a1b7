add_executable(frames_bench ${CMAKE_CURRENT_SOURCE_DIR}/frames_bench.c)
target_link_libraries(frames_bench PRIVATE mmulab_flags frames)
# Linked as one piece, as the program itself is.
