#include <flotilla/service/asyncapi.hpp>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <flotilla/service/json_schema.hpp>

namespace flotilla {
namespace {

namespace bj = boost::json;

constexpr std::string_view kCloudEvent[] = {"CloudEvent"};

/// CloudEvents 1.0 attributes and our extensions, as the bus carries them: all of them text.
bj::object cloud_event_schema() {
    const bj::object text{{"type", "string"}};
    const bj::object name{{"type", "string"}, {"minLength", 1}};
    const bj::object number{{"type", "string"}, {"pattern", "^[0-9]+$"}};
    return {{"type", "object"},
            {"properties",
             bj::object{{"specversion", bj::object{{"type", "string"}, {"const", "1.0"}}},
                        {"id", name},
                        {"source", name},
                        {"type", name},
                        {"time", bj::object{{"type", "string"}, {"format", "date-time"}}},
                        {"datacontenttype", bj::object{{"type", "string"}, {"const", "application/json"}}},
                        {"traceparent", text},
                        {"key", bj::object{{"type", "string"}, {"description", "Events of one key stay in order."}}},
                        {"partition", number},
                        {"sequence", number}}},
            {"required", bj::array{"specversion", "id", "source", "type", "time", "datacontenttype", "traceparent",
                                   "key", "partition", "sequence"}}};
}

bj::object headers_of(const TopicUse& use) {
    const bj::object type{{"type", "string"}, {"const", use.topic}};
    return {{"allOf", bj::array{bj::object{{"$ref", "#/components/schemas/CloudEvent"}},
                                bj::object{{"type", "object"}, {"properties", bj::object{{"type", type}}}}}}};
}

bj::object channel_of(const TopicUse& use, const std::string& message, JsonSchemas& schemas) {
    const bj::object described{{"name", use.topic},
                               {"contentType", "application/json"},
                               {"headers", headers_of(use)},
                               {"payload", schemas.schema_of(*use.event)}};
    bj::object channel{
        {"address", use.topic}, {"messages", bj::object{{message, described}}}, {"x-partitions", use.partitions}};
    if (use.pubsub) {
        channel["description"] =
            "Consumers also hear a bare payload, without headers, that is published on the pub/sub "
            "channel of this name: at most once.";
        channel["x-pubsub"] = bj::object{{"channel", use.topic}, {"delivery", "at-most-once"}};
    }
    return channel;
}

bj::object operation_of(const TopicUse& use, const std::string& channel, const std::string& message) {
    const auto reference = "#/channels/" + channel;
    return {{"action", use.action == TopicUse::Action::send ? "send" : "receive"},
            {"channel", bj::object{{"$ref", reference}}},
            {"messages", bj::array{bj::object{{"$ref", reference + "/messages/" + message}}}}};
}

} // namespace

std::string asyncapi_document(std::string_view service, std::string_view version, std::span<const TopicUse> topics) {
    JsonSchemas schemas(kCloudEvent);
    bj::object channels, operations;
    for (const auto& use : topics) {
        const auto channel = component_name(use.topic);
        const auto message = component_name(use.event->name);
        if (!channels.contains(channel)) channels[channel] = channel_of(use, message, schemas);
        const auto verb = use.action == TopicUse::Action::send ? "send" : "receive";
        operations[operation_name(verb, use.topic)] = operation_of(use, channel, message);
    }
    auto components = schemas.components();
    if (!topics.empty()) components["CloudEvent"] = cloud_event_schema();
    return bj::serialize(bj::object{{"asyncapi", "3.0.0"},
                                    {"info", bj::object{{"title", service}, {"version", version}}},
                                    {"defaultContentType", "application/json"},
                                    {"channels", std::move(channels)},
                                    {"operations", std::move(operations)},
                                    {"components", bj::object{{"schemas", std::move(components)}}}});
}

} // namespace flotilla
