#pragma once

#include <chrono>
#include <string>

#include "bench/harness/open_loop.hpp"
#include "load/mix.hpp"

namespace flotilla::load {

/// One line that shows how far a load has come, of at most `columns` characters.
std::string progress_line(const bench::OpenProgress& progress, std::chrono::duration<double> all, std::size_t columns);

/// What became of it: a table of requests and their times, and what failed, by answer.
std::string summary(const bench::OpenLoad& load, bench::OpenOutcome outcome);

/// Whether every request was served.
bool all_served(const bench::OpenOutcome& outcome);

} // namespace flotilla::load
