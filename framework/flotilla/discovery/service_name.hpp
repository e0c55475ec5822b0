#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <flotilla/base/result.hpp>

namespace flotilla {

/// Whose instances are looked for, in any of the ways in which people write it:
///   user-service                            its name in the registry
///   user-service:3001, http://user-service:3001/    with the port, for a registry that knows none (dns)
///   user-service.shop.svc.cluster.local     as Kubernetes has it: with its namespace
/// Elsewhere a dotted name is a service's name like any other.
struct ServiceName {
    std::string host;       ///< as DNS knows it: "user-service.shop.svc.cluster.local"
    std::string service;    ///< as a registry knows it: "user-service"
    std::string name_space; ///< Kubernetes' namespace, "shop"; empty: not said
    std::uint16_t port = 0; ///< 0: not said
    bool operator==(const ServiceName&) const = default;

    /// "user-service" or "user-service:3001": the shortest way to write it, for configuration, metrics and Host.
    std::string text() const;
    /// Errors: invalid, with the text: no name, a path, a scheme that calls do not have.
    static Result<ServiceName> parse(std::string_view text);
};

} // namespace flotilla
