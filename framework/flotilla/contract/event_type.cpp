#include <flotilla/contract/event_type.hpp>

#include <flotilla/contract/aggregate.hpp>

namespace flotilla {
namespace {

Error not_readable(const EventTypeInfo& type, int stored_version, const std::string& why) {
    return {Kind::internal, "event_not_readable",
            "an event " + std::string(type.name) + " of schema version " + std::to_string(stored_version) +
                " cannot be read: " + why};
}

/// The JSON of the type's present version.
Result<std::string> upcast_payload(const EventTypeInfo& type, int stored_version, std::string_view payload) {
    if (stored_version < 1 || stored_version > type.version) {
        return not_readable(type, stored_version,
                            "this program knows versions 1 to " + std::to_string(type.version) +
                                "; a newer one may have stored it");
    }
    std::string json(payload);
    for (int version = stored_version; version < type.version; ++version) {
        auto next = type.upcasters[static_cast<std::size_t>(version - 1)](json);
        if (!next) {
            return not_readable(type, stored_version,
                                "the upcaster from version " + std::to_string(version) +
                                    " says: " + next.error().message());
        }
        json = std::move(*next);
    }
    return json;
}

} // namespace

Result<void> read_event(const EventTypeInfo& type, int stored_version, std::string_view payload, void* into) {
    std::string upcasted;
    if (stored_version != type.version) {
        auto json = upcast_payload(type, stored_version, payload);
        if (!json) return std::move(json.error());
        upcasted = std::move(*json);
        payload = upcasted;
    }
    auto parsed = json::parse_into(payload, *type.type, into);
    if (!parsed) return not_readable(type, stored_version, parsed.error().message());
    return {};
}

Result<void> AggregateInfo::apply(void* to, std::string_view type, int schema_version, std::string_view payload) const {
    for (const auto& entry : events()) {
        if (entry.type->name == type) return entry.apply(*entry.type, to, schema_version, payload);
    }
    return Error(Kind::internal, "event_not_readable",
                 "an event " + std::string(type) + " is in a stream of the aggregate " + std::string(name) +
                     ", which has no such event: a type that was stored stays, whatever becomes of it");
}

bool AggregateInfo::has(const EventTypeInfo& type) const {
    for (const auto& entry : events()) {
        if (entry.type == &type) return true;
    }
    return false;
}

} // namespace flotilla
