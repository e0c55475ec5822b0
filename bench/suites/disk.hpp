#pragma once

#include "bench/suites/suites.hpp"

namespace flotilla::bench {

/// The floor under every durable commit: overwrite 4 KiB of a file that keeps its size, then fdatasync.
Measurement measure_disk(const Setting& setting);

} // namespace flotilla::bench
