#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include <flotilla/base/duration.hpp>
#include <flotilla/observe/log.hpp>

namespace flotilla {

/// How one instance of a service runs. Filled from flags and FLOTILLA_... variables by run(), or by a test.
struct HostOptions {
    std::string service;                              ///< "order-service"
    std::string instance;                             ///< unique in the fleet; empty: "<service>-<port>"
    std::string host = "127.0.0.1";                   ///< address to listen on and to announce
    std::uint16_t port = 0;                           ///< 0: a free one
    std::string unix_socket = {};                     ///< path; empty: none
    std::string data = ".flotilla";                   ///< folder for the database and the registry cache
    std::string database = {};                        ///< URL; empty: "sqlite:<data>/<service>.db"
    std::string registry = "consul://127.0.0.1:8500"; ///< URL; "none": neither announced nor looked up
    std::string bus = "redis://127.0.0.1:6380";       ///< URL
    std::string version = "0.1.0";
    std::size_t loops = 1;                           ///< event loops (threads)
    std::uint64_t body_bytes_max = 10 * 1024 * 1024; ///< of a request whose endpoint declares no limit of its own
    Duration drain = std::chrono::seconds(10);       ///< how long a shutdown waits for requests in flight
    int access_log_sample = 100; ///< one of this many requests is logged; slow ones and those from 500 on always are
    Duration slow_request = std::chrono::milliseconds(500); ///< slower ones are logged with where the time went; 0: off
    Duration lag_max = std::chrono::seconds(60); ///< events and jobs that wait longer are a reason in /readyz
    LogLevel log_level = LogLevel::info;
    Logger::Format log_format = Logger::Format::automatic;
    std::map<std::string, std::string, std::less<>> settings = {}; ///< the service's own: `--set smtp=smtp://...`
    std::set<std::string, std::less<>> flag_variables = {}; ///< that stand for flags: no setting of a service is meant
};

} // namespace flotilla
