#include <set>
#include <string>

#include "cli/fleet_file.hpp"
#include "tests/fuzz/fuzz.hpp"

// Any text as flotilla.yaml: a fleet in which no port and no name is used twice, or an error that says where.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace flotilla;
    using fuzz::require;
    const auto fleet = cli::parse_fleet_file(std::string(fuzz::text_of(data, size)), "/fleet/flotilla.yaml");
    if (!fleet) {
        require(fleet.error().kind() == Kind::invalid, "a bad fleet file is not invalid");
        require(fleet.error().message().starts_with("/fleet/flotilla.yaml:"), "an error does not say where");
        return 0;
    }
    std::set<int> ports{fleet->hub_http, fleet->hub_bus, fleet->hub_smtp};
    std::size_t wanted = 3;
    if (!fleet->gateway_config.empty()) {
        require(fleet->gateway_config.starts_with('/'), "a relative path came out");
        require(fleet->gateway_loops >= 1 && fleet->gateway_loops <= 256, "the gateway's loops are out of range");
        ports.insert(fleet->gateway_port);
        ++wanted;
    }
    std::set<std::string> names;
    for (const auto& service : fleet->services) {
        require(!service.name.empty() && names.insert(service.name).second, "a name is missing or used twice");
        require(service.loops >= 1 && service.loops <= 256, "loops are out of range");
        ports.insert(service.port);
        ++wanted;
    }
    require(ports.size() == wanted && !ports.contains(0), "a port is missing or used twice");
    return 0;
}
