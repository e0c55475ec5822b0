# Compiler, linker, flags and the libraries everything may use.

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR
    "Flotilla does not build with GCC ${CMAKE_CXX_COMPILER_VERSION}: GCC 12 destroys aggregates in co_await expressions "
    "twice. Use Clang 19: apt-get install clang-19, then cmake --preset release")
endif()
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR
    "Flotilla builds with Clang 19 or newer, found ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}. "
    "Configure with a preset: cmake --preset release")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

# Line tables only: stack traces with lines at a tenth of the size of full debug information.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -gline-tables-only")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")

add_compile_options(
  -Wall -Wextra -Wpedantic -Werror
  # A struct's missing members have defaults: that is how options are passed here.
  -Wno-missing-field-initializers -Wno-missing-designated-field-initializers
  # base/descriptor.hpp names the members of an object that is never defined.
  -Wno-undefined-var-template
  # GNU's ", ##__VA_ARGS__" in gtest and spdlog.
  -Wno-gnu-zero-variadic-macro-arguments)
add_compile_definitions(SPDLOG_FMT_EXTERNAL BOOST_ALL_NO_LIB)

set(FLOTILLA_SANITIZE "" CACHE STRING "Sanitizers, e.g. address,undefined or thread")
if(FLOTILLA_SANITIZE)
  # Reports name lines; nobody steps through these builds, and full debug information would double their time. Optimising
  # instrumented code is more than half of what compiling it costs, and the tests run for milliseconds.
  set(CMAKE_CXX_FLAGS_DEBUG "-O0 -gline-tables-only")
  # vptr opens pipes to look at memory, which fails in the test that runs out of file descriptors.
  add_compile_options(-fsanitize=${FLOTILLA_SANITIZE} -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${FLOTILLA_SANITIZE})
endif()

find_program(FLOTILLA_MOLD mold)
if(FLOTILLA_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# A program loads the libraries it calls, not all that the layers below it may call.
add_link_options(-Wl,--as-needed)

find_program(FLOTILLA_CCACHE ccache)
if(FLOTILLA_CCACHE)
  # Paths below the source folder count relatively and the precompiled header by the checksum beside it, so that a
  # second clone finds what the first has built. The compiler's own list of what it has read says what a result depends
  # on: to preprocess each file first, as ccache does otherwise, is a tenth of a build.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env
    CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 CCACHE_PCH_EXTSUM=1 CCACHE_DEPEND=1
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    ${FLOTILLA_CCACHE})
  # CMake's own options name the header once more as `-Xclang -include -Xclang <absolute path>`, which ccache cannot make
  # relative. To use it the precompiled header alone suffices.
  set(CMAKE_CXX_COMPILE_OPTIONS_USE_PCH -Xclang -include-pch -Xclang <PCH_FILE>)
endif()

find_package(Threads REQUIRED)
find_package(simdjson REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(CURL REQUIRED)
find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
# Debian's package has no configuration for CMake.
find_library(RE2_LIBRARY re2 REQUIRED)
find_package(GTest REQUIRED)
include(GoogleTest)
