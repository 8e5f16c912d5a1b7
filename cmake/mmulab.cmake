# mmulab_library(NAME DEPS lib...): one static library from the .c files of the current folder and its sub-folders.
#
# Headers are included as "NAME/header.h". The folder is visible under that name only to targets that link the
# library, so an include that breaks the rules of docs/architecture.md does not compile.
set(MMULAB_WARNINGS -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla)

add_library(mmulab_flags INTERFACE)
target_compile_options(mmulab_flags INTERFACE ${MMULAB_WARNINGS} -fno-common)
target_compile_definitions(mmulab_flags INTERFACE _GNU_SOURCE)
# Results are byte-identical between compilers: no contraction of a*b+c, no value-changing optimisation.
target_compile_options(mmulab_flags INTERFACE -ffp-contract=off)
if(MMULAB_WERROR)
  target_compile_options(mmulab_flags INTERFACE -Werror)
endif()
if(MMULAB_SANITIZE)
  target_compile_options(mmulab_flags INTERFACE -fsanitize=${MMULAB_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(mmulab_flags INTERFACE -fsanitize=${MMULAB_SANITIZE})
endif()
if(MMULAB_FUZZ)
  target_compile_options(mmulab_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# A GCC release links the program as one piece (random access runs a sixth faster). The objects keep ordinary code too,
# with which all other programs are linked.
set(MMULAB_LTO OFF)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT MMULAB_SANITIZE AND NOT MMULAB_FUZZ)
  set(MMULAB_LTO ON)
  target_compile_options(mmulab_flags INTERFACE -flto -ffat-lto-objects)
endif()

# Every program but mmulab itself.
function(mmulab_plain_link name)
  if(MMULAB_LTO)
    target_link_options(${name} PRIVATE -fno-lto)
  endif()
endfunction()

function(mmulab_library name)
  cmake_parse_arguments(ARG "" "" "DEPS;PRIVATE" ${ARGN})
  file(GLOB_RECURSE srcs CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  list(FILTER srcs EXCLUDE REGEX "/samples/") # sources of recorded programs
  list(FILTER srcs EXCLUDE REGEX "/recorder/plugin/") # a shared object of its own
  if(NOT srcs) # a folder that has only headers so far
    set(srcs ${CMAKE_CURRENT_BINARY_DIR}/${name}_empty.c)
    file(WRITE ${srcs} "typedef int mmulab_${name}_has_no_sources;\n")
  endif()
  add_library(${name} STATIC ${srcs})
  set(view ${CMAKE_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${view})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${view}/${name} SYMBOLIC)
  target_include_directories(${name} PUBLIC ${view})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE mmulab_flags ${ARG_PRIVATE})
endfunction()

# mmulab_check(FILE DEPS lib...): tests/.../FILE.c is a Check program and a ctest of that name.
function(mmulab_check name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "DEPS" ${ARGN})
  add_executable(${name} ${name}.c)
  target_link_libraries(${name} PRIVATE mmulab_flags ${ARG_DEPS} PkgConfig::CHECK)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  mmulab_plain_link(${name})
  target_compile_definitions(${name} PRIVATE MMULAB_SOURCE_DIR="${CMAKE_SOURCE_DIR}" MMULAB_BINARY_DIR="${CMAKE_BINARY_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  # Check ends a test after 4 s: a guard against hanging, not a claim about a busy machine or a sanitizer.
  set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT CK_TIMEOUT_MULTIPLIER=20)
  if(ARG_TIMEOUT)
    if(MMULAB_SANITIZE)
      math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 4")
    endif()
    set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT})
  endif()
endfunction()

# mmulab_fuzz(FILE DEPS lib...): FILE.c defines LLVMFuzzerTestOneInput; built only with -DMMULAB_FUZZ=ON.
function(mmulab_fuzz name)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  if(MMULAB_FUZZ)
    add_executable(${name} ${name}.c)
    target_link_libraries(${name} PRIVATE mmulab_flags ${ARG_DEPS})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  endif()
endfunction()
