add_executable(kreplay_bench ${CMAKE_CURRENT_SOURCE_DIR}/kreplay_bench.c)
target_link_libraries(kreplay_bench PRIVATE mmulab_flags replay)
# Linked as one piece, as the program itself is.
