#pragma once

// Counts what the calling thread allocates, by replacing operator new of the test program that includes this, in one of
// its files. Not under the sanitizers, which bring their own: FLOTILLA_COUNTS_ALLOCATIONS says whether it counts.

#include <flotilla/base/sanitized.hpp>

#ifndef FLOTILLA_SANITIZED
#define FLOTILLA_COUNTS_ALLOCATIONS 1

#include <cstddef>
#include <cstdlib>
#include <new>

namespace {
constinit thread_local std::size_t allocations = 0;
}

void* operator new(std::size_t size) {
    ++allocations;
    if (void* block = std::malloc(size)) return block;
    throw std::bad_alloc();
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }

#endif
