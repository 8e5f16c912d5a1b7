if(TARGET app AND MMULAB_FUZZ)
  mmulab_fuzz(fuzz_checkpoint DEPS app)
  target_sources(fuzz_checkpoint PRIVATE ${CMAKE_CURRENT_LIST_DIR}/../oracle/random_machine.c
                 ${CMAKE_CURRENT_LIST_DIR}/../oracle/random_stream.c)
  target_include_directories(fuzz_checkpoint PRIVATE ${CMAKE_SOURCE_DIR}/tests)
endif()
