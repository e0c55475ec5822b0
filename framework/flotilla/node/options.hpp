#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <flotilla/base/duration.hpp>
#include <flotilla/observe/log.hpp>

namespace flotilla {

/// How one instance of a program runs. Filled from flags and variables (node/flags.hpp), or by a test.
struct NodeOptions {
    std::string service;       ///< "order-service"
    std::string instance = {}; ///< unique in the fleet; empty: "<service>-<port>"
    std::string version = "0.1.0";
    std::string host = "127.0.0.1";                      ///< address to listen on and to announce
    std::uint16_t port = 0;                              ///< 0: a free one
    std::string unix_socket = {};                        ///< path; empty: none
    std::string data = ".flotilla";                      ///< folder for what the program keeps
    std::string registry = "consul://127.0.0.1:8500";    ///< URL; "none": neither announced nor looked up
    std::string zone = {};                               ///< where it runs, announced for callers that prefer their own
    double weight = 1;                                   ///< its share of the calls beside other instances; announced
    std::vector<std::string> tags = {};                  ///< free words, e.g. "canary"; announced
    std::string faults = {};                             ///< file of a fault plan; empty: none is looked for
    std::size_t loops = 1;                               ///< event loops (threads)
    std::string contract_path = {};                      ///< of its OpenAPI document, announced; empty: it has none
    Duration drain = std::chrono::seconds(10);           ///< how long a shutdown waits for requests in flight
    Duration shed_after = std::chrono::milliseconds(20); ///< wait for the loop that begins load shedding; 0: never
    LogLevel log_level = LogLevel::info;
    Logger::Format log_format = Logger::Format::automatic;
};

/// Which of a program's loops something belongs to, and what it shares with the others.
struct Lane {
    std::size_t number = 0;              ///< the first is the primary one: it announces the program, and withdraws it
    class HealthBoard* health = nullptr; ///< the primary loop posts here and the others read; null: there is one loop

    bool primary() const { return number == 0; }
};

} // namespace flotilla
