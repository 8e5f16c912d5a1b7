add_library(oracle STATIC ${CMAKE_CURRENT_LIST_DIR}/oracle.c ${CMAKE_CURRENT_LIST_DIR}/queue.c ${CMAKE_CURRENT_LIST_DIR}/naive.c
            ${CMAKE_CURRENT_LIST_DIR}/private.c ${CMAKE_CURRENT_LIST_DIR}/walker.c ${CMAKE_CURRENT_LIST_DIR}/core.c
            ${CMAKE_CURRENT_LIST_DIR}/os.c ${CMAKE_CURRENT_LIST_DIR}/compact.c ${CMAKE_CURRENT_LIST_DIR}/daemon.c ${CMAKE_CURRENT_LIST_DIR}/shared.c ${CMAKE_CURRENT_LIST_DIR}/check.c
            ${CMAKE_CURRENT_LIST_DIR}/random_machine.c ${CMAKE_CURRENT_LIST_DIR}/random_stream.c)
target_link_libraries(oracle PUBLIC engine traces mmu memory frames vm cpu PRIVATE mmulab_flags)
target_include_directories(oracle PUBLIC ${CMAKE_SOURCE_DIR}/tests)
mmulab_check(test_oracle DEPS oracle TIMEOUT 600)
