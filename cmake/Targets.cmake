# Functions that turn folders into targets. Sources are found by pattern: adding a file needs no edit here.

set(FLOTILLA_GENERATED ${CMAKE_BINARY_DIR}/generated)

# What a running fleet needs, without the tests.
add_custom_target(programs)

# `./flotilla test` runs the unit tests under the sanitizers and everything that starts programs on the release build:
# nothing is compiled twice but the framework.
option(FLOTILLA_UNIT_TESTS "Build all unit tests and let CTest run them" ON)
add_custom_target(unit_tests)
add_dependencies(unit_tests programs) # some of them start the hub that lies beside them

# _flotilla_precompiled(<target> <header> [LIBRARIES <target>...]): the library whose precompiled header others reuse.
function(_flotilla_precompiled target header)
  cmake_parse_arguments(ARG "" "" "OPTIONS;LIBRARIES" ${ARGN})
  add_library(${target} STATIC ${CMAKE_SOURCE_DIR}/cmake/precompiled.cpp)
  # In angle brackets CMake leaves it as it stands: an absolute path would be new to ccache in every clone.
  target_precompile_headers(${target} PRIVATE <cmake/${header}>)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp" -fpch-instantiate-templates ${ARG_OPTIONS})
  target_link_libraries(${target} PRIVATE ${ARG_LIBRARIES})
  set(text "")
  foreach(each precompiled.hpp ${header})
    file(SHA256 ${CMAKE_SOURCE_DIR}/cmake/${each} sum)
    string(APPEND text "${sum} ")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/cmake/${each})
  endforeach()
  file(WRITE ${CMAKE_BINARY_DIR}/CMakeFiles/${target}.dir/cmake_pch.hxx.pch.sum
    "${text}${CMAKE_CXX_COMPILER_VERSION} ${CMAKE_BUILD_TYPE} ${FLOTILLA_SANITIZE}")
endfunction()

# One precompiled header of the standard library for every target, and one with GoogleTest for every test.
# Test code is not optimised: it is compiled once, runs for milliseconds, and optimising it is half of what it costs.
set(FLOTILLA_TEST_LIBRARIES GTest::gmock GTest::gtest GTest::gtest_main)
_flotilla_precompiled(flotilla_precompiled precompiled.hpp)
_flotilla_precompiled(flotilla_precompiled_tests precompiled_tests.hpp OPTIONS -O0 LIBRARIES ${FLOTILLA_TEST_LIBRARIES})

# _flotilla_configure(<target> [<its precompiled header's target>])
function(_flotilla_configure target)
  set(precompiled flotilla_precompiled)
  if(ARGC GREATER 1)
    set(precompiled ${ARGV1})
  endif()
  target_precompile_headers(${target} REUSE_FROM ${precompiled})
  target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp" -fpch-instantiate-templates)
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/framework ${CMAKE_SOURCE_DIR} ${FLOTILLA_GENERATED})
endfunction()

# _flotilla_sources(<folder> <out: sources> <out: tests>)
function(_flotilla_sources folder out_sources out_tests)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${folder}/*.cpp)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "(_test|/main)\\.cpp$")
  set(${out_sources} ${sources} PARENT_SCOPE)
  set(${out_tests} ${tests} PARENT_SCOPE)
endfunction()

# _flotilla_batches(<target> <out: sources> <test>...): sources that include up to four tests each, since what a test
# includes costs more than the test. Tests stand in a namespace named after their file (tests/arch), so that they do not
# see each other's names. Not CMake's UNITY_BUILD: absolute paths in its sources would be new to ccache in every clone.
function(_flotilla_batches target out)
  list(LENGTH ARGN count)
  math(EXPR batches "(${count} + 3) / 4")
  set(sources "")
  foreach(batch RANGE 1 ${batches})
    math(EXPR begin "${count} * (${batch} - 1) / ${batches}")
    math(EXPR size "${count} * ${batch} / ${batches} - ${begin}")
    list(SUBLIST ARGN ${begin} ${size} tests)
    set(text "")
    foreach(test ${tests})
      file(RELATIVE_PATH path ${CMAKE_SOURCE_DIR} ${test})
      string(APPEND text "#include \"${path}\"\n")
    endforeach()
    set(source ${CMAKE_BINARY_DIR}/tests_of/${target}_${batch}.cpp)
    file(CONFIGURE OUTPUT ${source} CONTENT "${text}" @ONLY)
    list(APPEND sources ${source})
  endforeach()
  set(${out} ${sources} PARENT_SCOPE)
endfunction()

# _flotilla_test_program(<target> <prefix> <label> <libraries> <sources>...)
function(_flotilla_test_program target prefix label libraries)
  _flotilla_batches(${target} batches ${ARGN})
  add_executable(${target} ${batches})
  _flotilla_configure(${target} flotilla_precompiled_tests)
  target_compile_options(${target} PRIVATE -O0)
  target_link_libraries(${target} PRIVATE ${libraries} ${FLOTILLA_TEST_LIBRARIES})
  if(label STREQUAL unit)
    add_dependencies(unit_tests ${target})
    if(NOT FLOTILLA_UNIT_TESTS)
      set_target_properties(${target} PROPERTIES EXCLUDE_FROM_ALL ON)
      return()
    endif()
  endif()
  gtest_discover_tests(${target} TEST_PREFIX "${prefix}." DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT 120 LABELS ${label} ENVIRONMENT "FLOTILLA_SOURCE=${CMAKE_SOURCE_DIR}")
endfunction()

# _flotilla_test(<target> <prefix> <library> <list of tests> [<library>...]). The files *_cost_test.cpp count allocations
# and memory, which the sanitizers distort: a build without those has them in a program of their own, <name>_cost_test.
function(_flotilla_test target prefix library tests)
  set(costs ${tests})
  list(FILTER costs INCLUDE REGEX "_cost_test\\.cpp$")
  if(costs AND NOT FLOTILLA_SANITIZE)
    list(FILTER tests EXCLUDE REGEX "_cost_test\\.cpp$")
    string(REGEX REPLACE "_test$" "_cost_test" cost_target ${target})
    _flotilla_test_program(${cost_target} ${prefix} cost "${library};${ARGN}" ${costs})
  endif()
  if(tests)
    _flotilla_test_program(${target} ${prefix} unit "${library};${ARGN}" ${tests})
  endif()
endfunction()

# flotilla_layer(<name> [USES <layer>...] [LIBRARIES <target>...]): framework/flotilla/<name>
function(flotilla_layer name)
  cmake_parse_arguments(ARG "" "" "USES;LIBRARIES" ${ARGN})
  _flotilla_sources(${CMAKE_SOURCE_DIR}/framework/flotilla/${name} sources tests)
  list(TRANSFORM ARG_USES PREPEND flotilla_)
  if(sources)
    add_library(flotilla_${name} STATIC ${sources})
    _flotilla_configure(flotilla_${name})
    target_link_libraries(flotilla_${name} PUBLIC ${ARG_USES} ${ARG_LIBRARIES})
  else()
    add_library(flotilla_${name} INTERFACE)
    target_include_directories(flotilla_${name} INTERFACE ${CMAKE_SOURCE_DIR}/framework ${FLOTILLA_GENERATED})
    target_link_libraries(flotilla_${name} INTERFACE ${ARG_USES} ${ARG_LIBRARIES})
  endif()
  _flotilla_test(${name}_test ${name} flotilla_${name} "${tests}")
endfunction()

# flotilla_program(<folder> BINARY <name> [USES <layer>...] [LIBRARIES <target>...]): a library of the folder, a binary
# of its main.cpp, a test binary of its tests.
function(flotilla_program folder)
  cmake_parse_arguments(ARG "" "BINARY" "USES;LIBRARIES" ${ARGN})
  _flotilla_sources(${CMAKE_SOURCE_DIR}/${folder} sources tests)
  if(NOT sources)
    message(FATAL_ERROR "flotilla_program(${folder}): there are no sources in ${folder}/")
  endif()
  list(TRANSFORM ARG_USES PREPEND flotilla_)
  add_library(flotilla_${folder} STATIC ${sources})
  _flotilla_configure(flotilla_${folder})
  target_link_libraries(flotilla_${folder} PUBLIC ${ARG_USES} ${ARG_LIBRARIES})
  if(EXISTS ${CMAKE_SOURCE_DIR}/${folder}/main.cpp)
    add_executable(${ARG_BINARY} ${CMAKE_SOURCE_DIR}/${folder}/main.cpp)
    add_dependencies(programs ${ARG_BINARY})
    _flotilla_configure(${ARG_BINARY})
    target_link_libraries(${ARG_BINARY} PRIVATE flotilla_${folder})
  endif()
  _flotilla_test(${folder}_test ${folder} flotilla_${folder} "${tests}" flotilla_testing)
  if(TARGET ${folder}_test AND TARGET ${ARG_BINARY})
    add_dependencies(${folder}_test ${ARG_BINARY})
  endif()
endfunction()

# flotilla_embed_migrations(<target> <folder> <namespace> <header>): the numbered *.sql files of a folder as
# `inline constexpr flotilla::Migration migrations[]` in <namespace>, to be included as <header>.
function(flotilla_embed_migrations target folder namespace header)
  file(GLOB files CONFIGURE_DEPENDS ${folder}/*.sql)
  list(SORT files)
  set(rows "")
  foreach(file ${files})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(name ${file} NAME_WE)
    if(NOT name MATCHES "^([0-9][0-9][0-9][0-9])_")
      message(FATAL_ERROR "${file}: a migration is named NNNN_what.sql")
    endif()
    math(EXPR version "1${CMAKE_MATCH_1} - 10000")
    file(READ ${file} sql)
    string(APPEND rows "    {${version}, \"${name}\", R\"sql(${sql})sql\"},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${FLOTILLA_GENERATED}/${header} CONTENT
"#pragma once
// Generated from the SQL files of the folder migrations/.

#include <flotilla/store/migration.hpp>

namespace ${namespace} {

inline constexpr flotilla::Migration migrations[] = {
@rows@};

} // namespace ${namespace}
" @ONLY)
endfunction()

# flotilla_embed_texts(<folder> <namespace> <header>): the text files of a folder as constants in <namespace>, to be
# included as <header>: templates/welcome.txt is welcome_txt.
function(flotilla_embed_texts folder namespace header)
  file(GLOB files CONFIGURE_DEPENDS ${folder}/*.*)
  list(SORT files)
  set(constants "")
  foreach(file ${files})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(name ${file} NAME)
    string(MAKE_C_IDENTIFIER ${name} name)
    file(READ ${file} text)
    string(APPEND constants "inline constexpr std::string_view ${name} = R\"text(${text})text\";\n")
  endforeach()
  file(CONFIGURE OUTPUT ${FLOTILLA_GENERATED}/${header} CONTENT
"#pragma once
// Generated from text files.

#include <string_view>

namespace ${namespace} {

@constants@
} // namespace ${namespace}
" @ONLY)
endfunction()

# flotilla_services(): every folder of services/ that has sources. One that needs a library of its own names it in
# libraries.cmake: set(libraries CURL::libcurl)
function(flotilla_services)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/services/*/*.cpp)
  set(folders ${sources})
  list(TRANSFORM folders REPLACE "/[^/]+$" "")
  list(REMOVE_DUPLICATES folders)
  foreach(folder ${folders})
    get_filename_component(name ${folder} NAME)
    set(libraries "")
    include(${folder}/libraries.cmake OPTIONAL)
    flotilla_service(${name} LIBRARIES ${libraries})
  endforeach()
endfunction()

# flotilla_service(<name> [LIBRARIES <target>...]): services/<name> as a library, <name>-service, and its tests.
function(flotilla_service name)
  cmake_parse_arguments(ARG "" "" "LIBRARIES" ${ARGN})
  set(folder ${CMAKE_SOURCE_DIR}/services/${name})
  _flotilla_sources(${folder} sources tests)
  if(NOT sources OR NOT EXISTS ${folder}/main.cpp)
    message(FATAL_ERROR "flotilla_service(${name}): services/${name} needs ${name}.cpp and main.cpp")
  endif()
  add_library(flotilla_service_${name} STATIC ${sources})
  _flotilla_configure(flotilla_service_${name})
  flotilla_embed_migrations(flotilla_service_${name} ${folder}/migrations ${name} services/${name}/migrations.hpp)
  if(IS_DIRECTORY ${folder}/domain/templates)
    flotilla_embed_texts(${folder}/domain/templates ${name}::templates services/${name}/domain/templates.hpp)
  endif()
  target_link_libraries(flotilla_service_${name} PUBLIC flotilla_service ${ARG_LIBRARIES})
  add_executable(${name}-service ${folder}/main.cpp)
  add_dependencies(programs ${name}-service)
  _flotilla_configure(${name}-service)
  target_link_libraries(${name}-service PRIVATE flotilla_service_${name})
  _flotilla_test(${name}_service_test ${name}-service flotilla_service_${name} "${tests}" flotilla_testing)
endfunction()
