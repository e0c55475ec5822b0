#pragma once

#include <string>

namespace flotilla::hub::consul {

/// What is kept of a check's output: at most 4096 bytes (Consul's check_output_max_size), valid UTF-8.
std::string captured_output(std::string text);

} // namespace flotilla::hub::consul
