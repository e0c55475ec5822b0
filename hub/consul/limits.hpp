#pragma once

#include <optional>

#include "hub/consul/request.hpp"

/// What the registry holds at most, so that no client can fill the memory of all.
namespace flotilla::hub::consul {

inline constexpr std::size_t kKvValueBytesMax = 512 * 1024; ///< Consul's kv_max_value_size
inline constexpr std::size_t kKvKeysMax = 100'000;
inline constexpr std::size_t kKvBytesMax = 256 * 1024 * 1024; ///< of all values
inline constexpr std::size_t kExternalNodesMax = 10'000;
inline constexpr std::size_t kExternalServicesMax = 10'000;
inline constexpr std::size_t kExternalChecksMax = 20'000;

/// What a request adds at most.
struct Additions {
    std::size_t keys = 0;
    std::size_t bytes = 0; ///< of values
    std::size_t nodes = 0;
    std::size_t services = 0;
    std::size_t checks = 0;
};

/// The refusal when that may be too much; nullopt: go on.
std::optional<ConsulReply> reply_if_full(const Stores& stores, const Additions& more);

} // namespace flotilla::hub::consul
