#pragma once

#include <cstddef>
#include <string>

namespace flotilla::hub::consul {

/// What is kept of a check's output: at most 4096 bytes (Consul's check_output_max_size), or fewer where the check says
/// so (not zero); valid UTF-8.
std::string captured_output(std::string text, std::size_t bytes_max = 0);

} // namespace flotilla::hub::consul
