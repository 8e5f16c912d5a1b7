# What scripts/record-fragmented brings a running kernel's memory into disorder with.
add_executable(live_fragment ${CMAKE_CURRENT_SOURCE_DIR}/live/fragment.c)
target_compile_definitions(live_fragment PRIVATE _GNU_SOURCE)
