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
    std::string name;     ///< of its program; empty: unknown
};

/// nullopt when nobody keeps us from listening on that port of 127.0.0.1, where every member of a fleet listens: on it,
/// or on all addresses. What listens on another address does not matter.
std::optional<PortOwner> find_port_owner(int port);

/// ok when every port of these members is free. Errors: unavailable with one line for each taken port: which
/// member wants it and which process has it.
Result<void> check_ports_free(const std::vector<const PlannedMember*>& members);

} // namespace flotilla::cli
