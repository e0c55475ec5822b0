#include "hub/consul/service_members.hpp"

namespace flotilla::hub::consul {
namespace {

std::uint16_t read_port(JsonFields& fields) {
    const auto port = fields.number("Port").value_or(0);
    if (port < 0 || port > 65535) fields.fail("Port", "0..65535");
    return static_cast<std::uint16_t>(port);
}

void read_tagged_addresses(JsonFields& fields, ServiceDefinition& service) {
    const auto* object = fields.object("TaggedAddresses");
    if (!object) return;
    for (const auto& [key, value] : *object) {
        const auto* each = value.if_object();
        if (!each) {
            fields.fail("TaggedAddresses", "an object of {Address, Port}");
            return;
        }
        auto& entry = service.tagged_addresses[std::string(key.data(), key.size())];
        fields.read_part(*each, [&](JsonFields& address) {
            entry.address = address.text("Address");
            entry.port = read_port(address);
        });
    }
}

} // namespace

ServiceDefinition read_service(JsonFields& fields, std::string_view name_member) {
    ServiceDefinition service;
    service.id = fields.text("ID");
    service.name = fields.text(name_member);
    service.address = fields.text("Address");
    service.port = read_port(fields);
    service.tags = fields.texts("Tags");
    service.meta = fields.text_map("Meta");
    service.enable_tag_override = fields.flag("EnableTagOverride");
    read_tagged_addresses(fields, service);
    return service;
}

std::optional<Weights> read_weights(JsonFields& fields) {
    const auto* object = fields.object("Weights");
    if (!object) return std::nullopt;
    Weights read;
    fields.read_part(*object, [&](JsonFields& weights) {
        read.passing = weights.number("Passing").value_or(0);
        read.warning = weights.number("Warning").value_or(0);
    });
    return read;
}

} // namespace flotilla::hub::consul
