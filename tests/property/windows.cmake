mmulab_check(test_windows DEPS oracle TIMEOUT 600)
target_sources(test_windows PRIVATE ${CMAKE_CURRENT_LIST_DIR}/compare_case.c)
mmulab_check(test_windows_compact DEPS oracle TIMEOUT 600)
target_sources(test_windows_compact PRIVATE ${CMAKE_CURRENT_LIST_DIR}/compare_case.c)
