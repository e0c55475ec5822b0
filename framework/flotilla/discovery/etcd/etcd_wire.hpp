#pragma once

#include <map>

#include <flotilla/discovery/registry.hpp>

namespace flotilla {

/// The JSON of etcd's gateway: keys and values in base64, numbers of 64 bits as text.
/// Source: https://etcd.io/docs/v3.4/dev-guide/api_reference_v3/

/// The instances of one service by key, as of a revision.
struct EtcdState {
    std::map<std::string, Instance, std::less<>> instances;
    std::int64_t revision = 0;
};

std::string etcd_put(std::string_view key, const Instance& instance, std::int64_t lease);
/// A body that names everything below a prefix: of a range request, or with `from`, of a watch from that revision.
std::string etcd_range(std::string_view prefix);
std::string etcd_watch(std::string_view prefix, std::int64_t from);
std::string etcd_lease(std::int64_t id);
/// At least a second: etcd counts in seconds.
std::string etcd_grant(Duration ttl);

/// Errors of all that parse: bad_gateway with what was wrong; unavailable with what etcd says has failed.
Result<std::int64_t> parse_etcd_grant(std::string_view body);
/// Whether the lease lives.
Result<bool> parse_etcd_keepalive(std::string_view body);
Result<EtcdState> parse_etcd_range(std::string_view service, std::string_view body);

/// What one line of a watch did to the state.
enum class EtcdNews : unsigned char {
    none,
    changed,
    lost, ///< the state is not what etcd's is: its past has been compacted away, or etcd has begun anew
};
Result<EtcdNews> apply_etcd_watch(EtcdState& state, std::string_view service, std::string_view line);

} // namespace flotilla
