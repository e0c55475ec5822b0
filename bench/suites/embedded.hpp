#pragma once

#include <string>

#include "bench/suites/suites.hpp"

namespace flotilla::bench {

/// What a program of ours says of itself that does something in its own process, with a fresh database each time, so
/// many at a time. Throws std::runtime_error when it fails or says something else than figures.
Measurement measure_embedded(const Setting& setting, const std::string& program, int concurrent);

} // namespace flotilla::bench
