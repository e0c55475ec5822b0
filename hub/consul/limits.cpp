#include "hub/consul/limits.hpp"

namespace flotilla::hub::consul {

std::optional<ConsulReply> reply_if_full(const Stores& stores, const Additions& more) {
    const auto& external = stores.external;
    // Where nothing is added even a full registry can be changed.
    const auto too_much = [](std::size_t held, std::size_t added, std::size_t limit) {
        return added > 0 && held + added > limit;
    };
    if (too_much(stores.kv.entries().size(), more.keys, kKvKeysMax)) return reply_full("keys", kKvKeysMax);
    if (too_much(stores.kv.bytes(), more.bytes, kKvBytesMax)) return reply_full("bytes of values", kKvBytesMax);
    if (too_much(external.nodes().size(), more.nodes, kExternalNodesMax))
        return reply_full("external nodes", kExternalNodesMax);
    if (too_much(external.services().size(), more.services, kExternalServicesMax))
        return reply_full("external services", kExternalServicesMax);
    if (too_much(external.checks().size(), more.checks, kExternalChecksMax))
        return reply_full("external checks", kExternalChecksMax);
    return std::nullopt;
}

} // namespace flotilla::hub::consul
