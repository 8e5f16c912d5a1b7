find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  add_test(NAME cli_readme COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/readme.py $<TARGET_FILE:mmulab>
                                   ${CMAKE_SOURCE_DIR})
endif()
