#include <flotilla/discovery/instance_json.hpp>

#include <charconv>

#include <fmt/format.h>

#include <flotilla/discovery/json_members.hpp>

namespace flotilla {

namespace bj = boost::json;

bj::object instance_json(const Instance& instance) {
    return {{"id", instance.id},
            {"host", instance.address.host},
            {"port", instance.address.port},
            {"unixSocket", instance.unix_socket},
            {"machine", instance.host},
            {"version", instance.version},
            {"incarnation", instance.incarnation},
            {"zone", instance.zone},
            {"weight", instance.weight},
            {"tags", bj::array(instance.tags.begin(), instance.tags.end())},
            {"contractUrl", instance.contract_url}};
}

std::optional<Instance> read_instance(const std::string& service, const bj::value& value) {
    const auto* object = value.if_object();
    const auto port = port_at(object, "port");
    if (!object || !port) return std::nullopt;
    Instance instance{.id = text_at(object, "id"),
                      .service = service,
                      .address = Address::tcp(text_at(object, "host"), *port),
                      .unix_socket = text_at(object, "unixSocket"),
                      .host = text_at(object, "machine"),
                      .version = text_at(object, "version"),
                      .incarnation = text_at(object, "incarnation"),
                      .zone = text_at(object, "zone"),
                      .weight = weight_at(object, "weight"),
                      .tags = texts_at(object, "tags"),
                      .contract_url = text_at(object, "contractUrl")};
    if (instance.id.empty() || instance.address.host.empty()) return std::nullopt;
    return instance;
}

Metadata metadata_of(const Instance& instance) {
    return {
        {"unix_socket", instance.unix_socket},  {"host", instance.host}, {"version", instance.version},
        {"incarnation", instance.incarnation},  {"zone", instance.zone}, {"weight", fmt::format("{}", instance.weight)},
        {"contract_url", instance.contract_url}};
}

void take_metadata(Instance& instance, const bj::object* metadata) {
    instance.unix_socket = text_at(metadata, "unix_socket");
    instance.host = text_at(metadata, "host");
    instance.version = text_at(metadata, "version");
    instance.incarnation = text_at(metadata, "incarnation");
    instance.zone = text_at(metadata, "zone");
    instance.contract_url = text_at(metadata, "contract_url");
    const auto text = text_at(metadata, "weight");
    double weight = 1;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), weight);
    if (failed == std::errc() && end == text.data() + text.size()) instance.weight = valid_weight(weight);
}

} // namespace flotilla
