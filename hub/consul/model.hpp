#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <flotilla/aio/deadline.hpp>

#include "hub/consul/undo_log.hpp"

namespace flotilla::hub::consul {

enum class CheckStatus : unsigned char { passing, warning, critical };
enum class CheckType : unsigned char { maintenance, ttl, http, tcp };

/// "passing", "warning", "critical".
std::string_view name(CheckStatus status);
std::optional<CheckStatus> parse_check_status(std::string_view text);
/// "ttl", "http", "tcp", "maintenance".
std::string_view name(CheckType type);

struct CheckHeader {
    std::string name;
    std::string value;
    bool operator==(const CheckHeader&) const = default;
};

/// A health check as it was registered.
struct CheckDefinition {
    std::string id; ///< CheckID; empty in a service's registration: the registry names it
    std::string name;
    std::string notes;
    std::string service_id; ///< empty: a check of the node
    CheckType type = CheckType::ttl;
    std::string http; ///< URL
    std::string method;
    std::vector<CheckHeader> headers;
    std::string body;
    std::string tcp; ///< host:port
    Duration interval{};
    Duration timeout{}; ///< zero: Consul's default of 10 s
    Duration ttl{};
    Duration deregister_after{}; ///< DeregisterCriticalServiceAfter; zero: never
    /// How many probes in a row it takes until the status follows; zero and one: the first.
    std::uint32_t successes_before_passing = 0;
    std::uint32_t failures_before_warning = 0;
    std::uint32_t failures_before_critical = 0;
    std::uint32_t output_bytes_max = 0; ///< what is kept of an output; zero: as much as can be
    std::optional<CheckStatus> status;  ///< the initial one; critical when absent
    bool operator==(const CheckDefinition&) const = default;
};

struct TaggedAddress {
    std::string address;
    std::uint16_t port = 0;
    bool operator==(const TaggedAddress&) const = default;
};

struct ServiceDefinition {
    std::string id;
    std::string name;
    std::string address;
    std::uint16_t port = 0;
    std::vector<std::string> tags;
    std::map<std::string, std::string> meta;
    std::map<std::string, TaggedAddress> tagged_addresses;
    int weight_passing = 1;
    int weight_warning = 1;
    bool enable_tag_override = false;
    std::optional<std::string> socket_path; ///< instead of address and port
    bool operator==(const ServiceDefinition&) const = default;
};

struct RegisteredService {
    ServiceDefinition definition;
    std::uint64_t create_index = 0;
    std::uint64_t modify_index = 0;
};

struct RegisteredCheck {
    CheckDefinition definition;
    CheckStatus status = CheckStatus::critical;
    std::string output;
    std::string service_name;
    std::uint64_t create_index = 0;
    std::uint64_t modify_index = 0;

    std::uint64_t generation = 0; ///< of this registration: results of probes for an earlier one are ignored
    Instant due = Instant::max(); ///< TTL: when it expires; HTTP and TCP: the next probe
    bool probing = false;
    std::uint32_t successes = 0; ///< probes in a row that passed or warned, then those that failed
    std::uint32_t failures = 0;
    Instant critical_since = Instant::max();
    Instant planned = Instant::max(); ///< its turn in the registry's DueTimes
};

/// Consul's one counter over everything: every change takes the next number. It never goes back.
struct Index {
    std::uint64_t current = 1;
    std::optional<std::uint64_t> shared_from; ///< in a transaction, whose changes share one number: where it began
    std::uint64_t next() { return current = shared_from.value_or(current) + 1; }
};

/// What has changed since the journal last looked.
enum class Table : unsigned char { service, check, kv, session, meta, node, node_service, node_check };
struct ChangeLog {
    std::set<std::pair<Table, std::string>> changed;
    std::uint64_t version = 0; ///< grows with every change
    UndoLog undo;

    void touch(Table table, std::string_view id) {
        changed.emplace(table, id);
        ++version;
    }
};

} // namespace flotilla::hub::consul
