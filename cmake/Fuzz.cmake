# Fuzz targets: tests/fuzz/<name>_fuzz.cpp with a corpus in tests/fuzz/corpus/<name>/.
#
# Every build links each with a small main() of our own and runs the corpus as one test. With FLOTILLA_FUZZ they are
# libFuzzer's programs instead, for `./flotilla test --fuzz`.

option(FLOTILLA_FUZZ "Build real fuzzers instead of programs that run the corpora" OFF)
if(FLOTILLA_FUZZ)
  if(NOT FLOTILLA_SANITIZE)
    message(FATAL_ERROR "A fuzzer without sanitizers finds little: use cmake --preset fuzz")
  endif()
  # Coverage for the code under test; libFuzzer's main() only where a fuzzer is linked.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# All fuzzers, without the rest of the build.
add_custom_target(fuzzers)

# flotilla_fuzz(<name> LIBRARIES <target>...)
function(flotilla_fuzz name)
  cmake_parse_arguments(ARG "" "" "LIBRARIES" ${ARGN})
  set(folder ${CMAKE_SOURCE_DIR}/tests/fuzz)
  add_executable(${name}_fuzz ${folder}/${name}_fuzz.cpp)
  _flotilla_configure(${name}_fuzz)
  target_link_libraries(${name}_fuzz PRIVATE ${ARG_LIBRARIES})
  add_dependencies(fuzzers ${name}_fuzz)
  if(FLOTILLA_FUZZ)
    target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
    return()
  endif()
  target_sources(${name}_fuzz PRIVATE ${folder}/run_corpus.cpp)
  add_dependencies(unit_tests ${name}_fuzz)
  if(NOT FLOTILLA_UNIT_TESTS)
    set_target_properties(${name}_fuzz PROPERTIES EXCLUDE_FROM_ALL ON)
    return()
  endif()
  add_test(NAME fuzz.${name} COMMAND ${name}_fuzz ${folder}/corpus/${name})
  set_tests_properties(fuzz.${name} PROPERTIES TIMEOUT 60 LABELS unit)
endfunction()
