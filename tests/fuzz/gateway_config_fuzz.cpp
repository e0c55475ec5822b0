#include "gateway/core/config.hpp"
#include "gateway/core/route_table.hpp"
#include "tests/fuzz/fuzz.hpp"

// Any text as gateway.yaml: a configuration or an error that names the file; and a configuration gives a route table
// that can be asked, or an error.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace flotilla;
    using fuzz::require;
    const auto config = gateway::parse_config(fuzz::text_of(data, size), "gateway.yaml");
    if (!config) {
        require(config.error().kind() == Kind::invalid, "a bad configuration is not invalid");
        require(config.error().message().contains("gateway.yaml"), "an error does not name the file");
        return 0;
    }
    const auto table = gateway::RouteTable::build(*config);
    if (!table) {
        require(table.error().kind() == Kind::invalid, "a bad route is not invalid");
        return 0;
    }
    for (const auto* path : {"/", "/a", "/api/users/7", "/api/users/7/dashboard", "/%2f/x//y"}) {
        for (const auto method : {Method::get, Method::head, Method::post}) {
            if (const auto found = (*table)->find(method, "shop.example:80", path))
                require(*found < (*table)->targets().size(), "a route leads nowhere");
        }
    }
    for (const auto& target : (*table)->targets()) {
        require(!target.timeout || *target.timeout > Duration::zero(), "a timeout is not positive");
        require(target.body_bytes_max > 0, "a limit is not positive");
    }
    return 0;
}
