#include <flotilla/discovery/kubernetes/endpoint_slices.hpp>

#include <algorithm>

#include <flotilla/base/json_value.hpp>
#include <flotilla/discovery/json_members.hpp>
#include <flotilla/discovery/registry_errors.hpp>

namespace flotilla {
namespace {

namespace bj = boost::json;

constexpr int kGone = 410;
constexpr std::string_view kUsualPort = "http";

bool is_v4(const Instance& instance) { return instance.address.host.find(':') == std::string::npos; }

} // namespace

Result<std::uint16_t> EndpointSlices::read_port(const bj::object& slice) const {
    const auto* ports = array_at(&slice, "ports");
    std::optional<std::uint16_t> only, usual;
    std::size_t count = 0;
    for (std::size_t i = 0; ports && i < ports->size(); ++i) {
        const auto* each = (*ports)[i].if_object();
        const auto protocol = text_at(each, "protocol");
        const auto port = port_at(each, "port");
        if (!port || (!protocol.empty() && protocol != "TCP")) continue;
        const auto name = text_at(each, "name");
        if (!port_.empty() && name != port_) continue;
        if (name == kUsualPort) usual = port;
        only = port;
        ++count;
    }
    if (count == 1) return *only;
    if (usual) return *usual;
    return bad_answer(service_, port_.empty() ? "has several ports or none: name one in the URL, ?port=NAME"
                                              : "has no TCP port named " + port_);
}

EndpointSlices::Endpoint EndpointSlices::read_endpoint(const bj::object& endpoint, std::string host,
                                                       std::uint16_t port) const {
    const auto* conditions = object_at(&endpoint, "conditions");
    const auto* target = object_at(&endpoint, "targetRef");
    Endpoint read;
    // Absent means unknown, to be taken for ready; and serving is as ready where it is not told.
    read.ready = bool_at(conditions, "ready").value_or(true);
    read.serving = bool_at(conditions, "serving").value_or(read.ready);
    auto& instance = read.instance;
    instance.service = service_;
    instance.address = Address::tcp(std::move(host), port);
    instance.id = text_at(target, "name");
    if (instance.id.empty()) instance.id = instance.address.to_string();
    instance.incarnation = text_at(target, "uid");
    instance.host = text_at(&endpoint, "nodeName");
    instance.zone = text_at(&endpoint, "zone");
    return read;
}

Result<EndpointSlices::Slice> EndpointSlices::read_slice(const bj::object& slice) const {
    const auto type = text_at(&slice, "addressType");
    if (type != "IPv4" && type != "IPv6") return bad_answer(service_, "has addresses of the type " + type);
    const auto* endpoints = array_at(&slice, "endpoints"); // null: there are none
    Slice read;
    if (!endpoints || endpoints->empty()) return read;
    const auto port = read_port(slice);
    if (!port) return port.error();
    for (const auto& each : *endpoints) {
        const auto* endpoint = each.if_object();
        // All addresses of one endpoint are fungible; kube-proxy takes the first.
        const auto addresses = texts_at(endpoint, "addresses");
        if (addresses.empty()) return bad_answer(service_, "has an endpoint without an address");
        read.push_back(read_endpoint(*endpoint, addresses.front(), *port));
    }
    return read;
}

Result<void> EndpointSlices::take_slice(Slices& into, const bj::object* slice) const {
    const auto name = text_at(object_at(slice, "metadata"), "name");
    if (name.empty()) return bad_answer(service_, "has a slice without a name");
    auto read = read_slice(*slice);
    if (!read) return std::move(read.error());
    into[name] = std::move(*read);
    return {};
}

Result<void> EndpointSlices::take_list(std::string_view body) {
    const auto parsed = json::parse_value(body);
    const auto* list = parsed ? parsed->if_object() : nullptr;
    const auto version = text_at(object_at(list, "metadata"), "resourceVersion");
    const auto* items = array_at(list, "items");
    if (version.empty() || !items) return bad_answer(service_, "is no list of EndpointSlices");
    Slices slices;
    for (const auto& item : *items) {
        if (auto taken = take_slice(slices, item.if_object()); !taken) return taken;
    }
    slices_ = std::move(slices);
    resource_version_ = version;
    return {};
}

Result<EndpointSlices::News> EndpointSlices::take_event(std::string_view line) {
    const auto parsed = json::parse_value(line);
    const auto* event = parsed ? parsed->if_object() : nullptr;
    const auto* object = object_at(event, "object");
    const auto type = text_at(event, "type");
    if (type == "ERROR") {
        if (integer_at(object, "code") == kGone) return News::expired;
        return refused_by_registry("the registry says: " + text_at(object, "message"));
    }
    const auto* metadata = object_at(object, "metadata");
    const auto version = text_at(metadata, "resourceVersion");
    if (version.empty()) return bad_answer(service_, "has an event that is none");
    if (type == "ADDED" || type == "MODIFIED") {
        if (auto taken = take_slice(slices_, object); !taken) return taken.error();
    } else if (type == "DELETED") {
        slices_.erase(text_at(metadata, "name"));
    } else if (type != "BOOKMARK") {
        return bad_answer(service_, "has an event of the type " + type);
    }
    resource_version_ = version;
    return type == "BOOKMARK" ? News::none : News::changed;
}

/// A pod with addresses of both families, or one that moves between two slices, is one instance.
std::vector<Instance> EndpointSlices::instances_that(bool Endpoint::* are) const {
    std::map<std::string_view, const Instance*> by_id;
    for (const auto& [name, slice] : slices_) {
        for (const auto& endpoint : slice) {
            if (!(endpoint.*are)) continue;
            auto& known = by_id[endpoint.instance.id];
            if (!known || (!is_v4(*known) && is_v4(endpoint.instance))) known = &endpoint.instance;
        }
    }
    std::vector<Instance> list;
    for (const auto& [id, instance] : by_id)
        list.push_back(*instance);
    return list;
}

std::vector<Instance> EndpointSlices::instances() const {
    auto ready = instances_that(&Endpoint::ready);
    return ready.empty() ? instances_that(&Endpoint::serving) : ready;
}

} // namespace flotilla
