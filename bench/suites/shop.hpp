#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/suites/suites.hpp"

namespace flotilla::bench {

/// A service of the shop.
struct Program {
    std::unique_ptr<ServerProcess> process;
    std::uint16_t port = 0;
};

struct Hub {
    std::uint16_t http = free_port(), redis = free_port(), smtp = free_port();
    std::unique_ptr<ServerProcess> process = {};
};

/// Returns once it listens. Data and log are in `folder`.
Hub start_hub(const Setting& setting, const std::filesystem::path& folder, int core);
Program start_service(const Setting& setting, const std::string& name, const std::filesystem::path& folder,
                      const Hub& hub, int core, std::vector<std::string> more = {});

/// Where a service's database is in the folder of a shop: <folder>/<service>/<service>-service.db.
std::filesystem::path database_of(const std::filesystem::path& folder, const std::string& service);

/// Waits. Throws std::runtime_error when it is in vain.
void until(const std::string& what, const std::function<bool()>& condition);

/// The sum of a counter's series that begin like this.
double counted(std::uint16_t port, const std::string& series);

/// Adds events to a topic as the services' own bus driver does, numbered from `first` on.
void add_events(const Hub& hub, const std::string& topic, const std::string& producer, std::int64_t first,
                std::int64_t amount);

/// The body of an order of one lamp.
std::string order_of(const std::string& user);

/// Lets a whole shop do everything once, in `folder`, so that there is a row of each kind to copy. Returns the id of
/// its user.
std::string sail_once(const Setting& setting, const std::filesystem::path& folder);

} // namespace flotilla::bench
