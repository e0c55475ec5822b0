#pragma once

#include <map>
#include <set>
#include <string>

#include <boost/json.hpp>

#include <flotilla/discovery/conformance/test_support.hpp>
#include <flotilla/discovery/consul/consul_wire.hpp>
#include <flotilla/discovery/event_list.hpp>
#include <flotilla/http/server.hpp>

namespace flotilla {

/// Answers as a Consul agent does for registrations, heartbeats and health; can misbehave on request.
class FakeConsul {
public:
    enum class Mode : unsigned char { well, unreachable, garbage, failing, without_index };

    explicit FakeConsul(World& world)
        : server_(world, [this](Context& context, http::Exchange& exchange) { return handle(context, exchange); }) {
        auto bound = server_.listen(Address::tcp("127.0.0.1", 0));
        if (!bound) throw std::runtime_error(bound.error().message());
        address_ = *bound;
    }

    task<void> run(Context& context) { return server_.run(context); }
    std::string url() const { return "consul://" + address_.to_string(); }

    Mode mode = Mode::well;
    int registrations = 0, heartbeats = 0, deregistrations = 0, polls = 0;
    std::uint64_t index = 10;
    std::map<std::string, boost::json::object> services;
    std::set<std::string> critical;

    /// Loses everything, as a registry that restarts empty.
    void forget() {
        services.clear();
        index = 3;
        changed_.notify_all();
    }
    void set_critical(const std::string& id) {
        critical.insert(id);
        touch();
    }

private:
    void touch() {
        ++index;
        changed_.notify_all();
    }

    static std::string text(const boost::json::value& value) { return std::string(value.as_string().c_str()); }

    boost::json::array health(const std::string& name) const {
        boost::json::array result;
        for (const auto& [id, service] : services) {
            if (text(service.at("Name")) != name || critical.contains(id)) continue;
            boost::json::object entry{{"ID", id},
                                      {"Service", name},
                                      {"Address", service.at("Address")},
                                      {"Port", service.at("Port")},
                                      {"Tags", service.at("Tags")},
                                      {"Weights", service.at("Weights")},
                                      {"Meta", service.at("Meta")}};
            result.push_back(boost::json::object{{"Node", boost::json::object{{"Node", "n"}, {"Address", "127.0.0.1"}}},
                                                 {"Service", std::move(entry)},
                                                 {"Checks", boost::json::array()}});
        }
        return result;
    }

    task<void> respond(Context& context, http::Exchange& exchange, int status, std::string body) {
        http::ResponseHead head;
        head.status = status;
        if (mode != Mode::without_index) head.headers.add("X-Consul-Index", std::to_string(index));
        (void)co_await exchange.respond(context, head, body); // a client that has gone does not matter here
    }

    task<void> handle_health(Context& context, http::Exchange& exchange) {
        const auto parameters = http::parse_query(exchange.request().query()).value();
        std::uint64_t asked = 0;
        for (const auto& [name, value] : parameters) {
            if (name == "index") asked = std::stoull(value);
        }
        const std::string name(exchange.request().path().substr(std::string_view("/v1/health/service/").size()));
        while (asked != 0 && index == asked && mode == Mode::well) {
            if (!co_await changed_.wait(context)) co_return;
        }
        if (mode == Mode::unreachable) co_return exchange.reset();
        co_await respond(context, exchange, 200,
                         mode == Mode::garbage ? "<html>" : boost::json::serialize(health(name)));
    }

    task<void> handle(Context& context, http::Exchange& exchange) {
        const std::string path(exchange.request().path());
        auto body = co_await exchange.read_all(context);
        if (path.starts_with("/v1/health/service/")) ++polls;
        if (mode == Mode::unreachable || !body) co_return exchange.reset();
        if (mode == Mode::failing) co_return co_await respond(context, exchange, 500, "No cluster leader");
        if (path.starts_with("/v1/health/service/")) co_return co_await handle_health(context, exchange);
        if (path == "/v1/agent/service/register") {
            ++registrations;
            auto service = boost::json::parse(*body).as_object();
            services[text(service.at("ID"))] = service;
            touch();
            co_return co_await respond(context, exchange, 200, "");
        }
        const std::string id = path.substr(path.find_last_of("/:") + 1);
        const bool known = services.contains(id);
        if (path.starts_with("/v1/agent/check/pass/service:")) {
            ++heartbeats;
        } else if (path.starts_with("/v1/agent/service/deregister/")) {
            ++deregistrations;
            if (services.erase(id) > 0) touch();
        }
        co_await respond(context, exchange, known ? 200 : 404, known ? "" : "Unknown ID");
    }

    http::Server server_;
    Address address_;
    EventList changed_;
};

} // namespace flotilla
