add_library(slub_twin STATIC ${CMAKE_CURRENT_LIST_DIR}/slub_twin.c)
target_link_libraries(slub_twin PRIVATE mmulab_flags)
target_include_directories(slub_twin PUBLIC ${CMAKE_SOURCE_DIR}/tests)
