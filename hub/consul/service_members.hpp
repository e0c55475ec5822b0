#pragma once

#include <cstdint>
#include <optional>

#include "hub/consul/json_fields.hpp"
#include "hub/consul/model.hpp"

namespace flotilla::hub::consul {

// What all ways to write a service share: an agent's registration, the catalogue's rows. Each of them checks what it
// makes of it by its own rules, as Consul does. Mistakes are noted in `fields`.

/// ID, Address, Port, Tags, Meta, EnableTagOverride, TaggedAddresses, and its name, which is in `name_member`.
ServiceDefinition read_service(JsonFields& fields, std::string_view name_member);

struct Weights {
    std::int64_t passing = 0, warning = 0; ///< as written
};
/// The member Weights; nullopt without one.
std::optional<Weights> read_weights(JsonFields& fields);

} // namespace flotilla::hub::consul
