#pragma once

#include <cstddef>

namespace flotilla {

/// For the first line of a server's main(): as many file descriptors as the system allows (Debian gives 1024, which a
/// server's connections exceed, unless the program asks for more), and no end by SIGPIPE when who reads its output goes
/// away. Returns how many descriptors there may be.
std::size_t prepare_server_process();

} // namespace flotilla
