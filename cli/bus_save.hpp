#pragma once

#include <string>

#include <flotilla/aio/context.hpp>

namespace flotilla::cli {

/// Has the hub save its bus (BGSAVE), which nobody else can read while it runs, and waits until that is done: the copy
/// is `bus.db.save` beside the bus's file. `hub_folder`: the hub's data. Errors: unavailable, with what it said.
task<Result<void>> save_bus(Context& context, std::string hub_folder);

} // namespace flotilla::cli
