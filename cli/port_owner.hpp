#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <flotilla/base/result.hpp>

#include "cli/fleet_plan.hpp"

namespace flotilla::cli {

/// Who listens on a TCP port of this machine.
struct PortOwner {
    std::int64_t pid = 0; ///< 0: a process of another user, which we may not look into
    std::string name;     ///< of its program
};

/// nullopt when nobody listens there, on whatever address.
std::optional<PortOwner> find_port_owner(int port);

/// ok when nobody listens on any port of these members. Errors: unavailable with one line for each taken port: which
/// member wants it and which process has it.
Result<void> check_ports_free(const std::vector<const PlannedMember*>& members);

} // namespace flotilla::cli
