#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <flotilla/base/result.hpp>
#include <flotilla/resilience/target_configuration.hpp>

namespace flotilla::cli {

/// What instances announce of themselves beside their address.
struct Registration {
    std::string zone;
    std::string weight = {}; ///< empty: as any other's
    std::vector<std::string> tags = {};
};

/// A service of the fleet as flotilla.yaml describes it.
struct ServiceEntry {
    std::string name;
    std::uint16_t port = 0;
    std::string binary;   ///< path or name; empty: the built binary called `name`
    std::string database; ///< URL; empty: a file of its own
    int loops = 1;
    int instances = 1;         ///< processes, numbered from 1
    Registration registration; ///< of each of them
    std::map<std::string, std::string> settings;
    TargetConfiguration targets; ///< of its calls: what the fleet says of all services, then what is said of this one
};

/// The port of the instance with that number: the first has the service's own, each further one kInstancePorts above.
inline constexpr int kInstancePorts = 100;
int instance_port(const ServiceEntry& service, int instance);
/// What the instance is called: the service, and behind a dot its number where there are several.
std::string instance_name(const ServiceEntry& service, int instance);

/// flotilla.yaml: which processes make up a fleet. Ports are without offset.
struct FleetFile {
    std::string path; ///< absolute
    std::string name = "fleet";
    std::uint16_t hub_http = 8500, hub_bus = 6380, hub_smtp = 2525;
    std::uint16_t gateway_port = 3000;
    std::string gateway_config; ///< absolute; empty: no gateway
    int gateway_loops = 1;
    std::string gateway_zone; ///< whose instances it prefers; empty: zones are not told apart
    std::string try_it;       ///< a command to show once the fleet stands; {gateway} is the gateway's URL
    std::vector<ServiceEntry> services;
};

/// Reads and checks the text of a fleet file; `path` is for errors and what is relative to it. Unknown keys, bad
/// values, ports used twice and databases used twice are errors that name file, line and (for names) the nearest valid
/// one.
Result<FleetFile> parse_fleet_file(const std::string& text, const std::string& path);
/// The same of a file. Errors: also not_found.
Result<FleetFile> read_fleet_file(const std::string& path);

} // namespace flotilla::cli
